//! The tool that finds tools: for models that should not read a list of hundreds.
//!
//! Source: "Search for tools in your AgentCore gateway with a natural language query". It tells nobody of a tool that the
//! list does not tell of, so it is there for every caller, whatever the policies.

use std::fmt::Write as _;
use std::sync::Arc;

use mcp::jsonrpc::{CallParams, text_result};
use search::{Entry, Index, Parameter};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

use crate::answer::Reply;
use crate::audit::Record;
use crate::limit;
use crate::snapshot::Catalogue;
use crate::turn::Turn;

/// Its name. No tool of a target is called so: those have three underscores in a row.
pub(crate) const NAME: &str = "x_amz_bedrock_agentcore_search";

/// What `tools/list` says about it.
pub(crate) const DEFINITION: &str = r#"{"name":"x_amz_bedrock_agentcore_search","description":"Finds the tools of this gateway that fit a description in plain words, the best first, with their full definitions. Use it when there are many tools and only some matter.","inputSchema":{"type":"object","properties":{"query":{"type":"string","description":"What the tools should be able to do"}},"required":["query"]},"annotations":{"readOnlyHint":true,"openWorldHint":false}}"#;

/// How many tools an answer has at most.
const MOST: usize = 10;

/// The words of a gateway's tools, gathered when somebody searches first.
#[derive(Default)]
pub(crate) struct Searcher(OnceCell<Arc<Index>>);

/// Answers a call of the search.
pub(crate) async fn find(turn: &Turn, id: &str, call: &CallParams<'_>, record: &mut Record) -> Reply {
    #[derive(Deserialize)]
    struct Arguments {
        query: String,
    }
    record.allowed();
    let plane = &turn.lane.plane;
    if let Err(throttled) = plane.quotas.admit_search(&turn.gate.gateway, &*plane.setup.clock).await {
        return limit::refuse(turn, &throttled, record, |detail| Reply::throttled(Some(id), detail));
    }
    let arguments = call.arguments.map_or("{}", RawValue::get);
    let Ok(Arguments { query }) = serde_json::from_str(arguments) else {
        return Reply::tool_error(
            id,
            "The search needs the argument `query`: a text that says what is wanted",
        );
    };
    let catalogue = &turn.gate.catalogue;
    let Some(index) = catalogue.searcher.index(catalogue).await else {
        return Reply::result(id, &text_result("The search is not available now. Try again", true))
            .failing("InternalError");
    };
    let visible = turn.caller.visible(&turn.gate);
    let hits = index.best(&query, |place| visible.contains(place), MOST);
    let found = hits.iter().filter_map(|hit| catalogue.tools().get(hit.place));
    let mut tools = String::from("{\"tools\":[");
    for (at, tool) in found.enumerate() {
        if at > 0 {
            tools.push(',');
        }
        tools.push_str(&String::from_utf8_lossy(&tool.shown));
    }
    tools.push_str("]}");
    let mut result = String::with_capacity(2 * tools.len() + 128);
    // Writing to a text does not fail.
    let text = Value::from(tools.as_str());
    let _ = write!(
        result,
        "{{\"content\":[{{\"type\":\"text\",\"text\":{text}}}],\"structuredContent\":{tools},\"isError\":false}}"
    );
    Reply::result(id, &result)
}

impl Searcher {
    /// The index, made on a thread that serves nobody.
    async fn index(&self, catalogue: &Arc<Catalogue>) -> Option<Arc<Index>> {
        let made = self.0.get_or_try_init(|| async {
            let catalogue = Arc::clone(catalogue);
            tokio::task::spawn_blocking(move || Arc::new(index_of(&catalogue))).await
        });
        match made.await {
            Ok(index) => Some(Arc::clone(index)),
            Err(error) => {
                tracing::error!(%error, "The tools of a gateway cannot be indexed.");
                None
            }
        }
    }
}

/// The tools in the order of their places.
fn index_of(catalogue: &Catalogue) -> Index {
    let definitions: Vec<Value> = catalogue
        .tools()
        .iter()
        .map(|tool| serde_json::from_slice(&tool.shown).unwrap_or_default())
        .collect();
    let text = |value: &'_ Value, member: &str| -> String {
        value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let described: Vec<(String, Vec<(String, String)>)> = definitions
        .iter()
        .map(|definition| {
            let properties = definition.pointer("/inputSchema/properties").and_then(Value::as_object);
            let parameters = properties.into_iter().flatten();
            let parameters = parameters.map(|(name, schema)| (name.clone(), text(schema, "description")));
            (text(definition, "description"), parameters.collect())
        })
        .collect();
    Index::new(catalogue.tools().iter().zip(&described).map(|(tool, (description, parameters))| Entry {
        name: &tool.name,
        description,
        parameters: parameters.iter().map(|(name, description)| Parameter { name, description }).collect(),
    }))
}
