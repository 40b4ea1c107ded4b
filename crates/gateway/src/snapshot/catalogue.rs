//! The tools of a gateway, by the names that clients see, and the upstreams behind them.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use domain::{Arn, Target, TargetId, Upstream, tool_name};
use functions::Prepared;
use serde_json::{Map, Value};

use crate::arguments::Arguments;

/// All tools of a gateway, in the order of their targets' making and their definition.
#[derive(Default)]
pub(crate) struct Catalogue {
    tools: Vec<ToolEntry>,
    by_name: HashMap<String, usize>,
    pub(crate) upstreams: Vec<UpstreamEntry>,
}

/// One tool.
pub(crate) struct ToolEntry {
    /// Its place in the catalogue.
    pub(crate) place: usize,
    /// The name that clients see, `{target}___{tool}`.
    pub(crate) name: String,
    /// Its name in its target.
    pub(crate) own_name: String,
    /// What `tools/list` says about it.
    pub(crate) shown: Bytes,
    /// What its arguments must be.
    pub(crate) arguments: Arguments,
    /// Whether its results have a structure that was promised.
    pub(crate) has_output_schema: bool,
    /// Where it is called.
    pub(crate) upstream: usize,
}

/// What a target's calls go to.
pub(crate) enum UpstreamEntry {
    /// A function, if there is one of this ARN here.
    Lambda { target: TargetId, function: Arn, prepared: Option<Arc<Prepared>> },
    /// Nothing that can be called.
    Unserved,
    /// An MCP server.
    Mcp { server: Arc<mcp::Upstream> },
}

impl Catalogue {
    /// The catalogue of targets, with the upstream of each.
    pub(crate) fn of(targets: Vec<(Target, UpstreamEntry)>) -> Self {
        let mut catalogue = Self::default();
        for (target, upstream) in targets {
            let at = catalogue.upstreams.len();
            for tool in &target.tools {
                catalogue.add(&target, tool, at);
            }
            catalogue.upstreams.push(upstream);
        }
        catalogue
    }

    /// The tool of this name.
    pub(crate) fn tool(&self, name: &str) -> Option<&ToolEntry> {
        self.by_name.get(name).and_then(|place| self.tools.get(*place))
    }

    pub(crate) fn tools(&self) -> &[ToolEntry] {
        &self.tools
    }

    pub(crate) fn upstream_of(&self, tool: &ToolEntry) -> Option<&UpstreamEntry> {
        self.upstreams.get(tool.upstream)
    }

    fn add(&mut self, target: &Target, tool: &domain::Tool, upstream: usize) {
        let name = tool_name(&target.name, &tool.name);
        let place = self.tools.len();
        let definition: Map<String, Value> = serde_json::from_str(&tool.definition.0).unwrap_or_default();
        let has_output_schema = definition.contains_key("outputSchema");
        let arguments = match target.upstream {
            Upstream::Lambda { .. } => Arguments::of_schema(&tool.input_schema.0),
            _ => Arguments::of_names(&tool.input_schema.0),
        };
        self.tools.push(ToolEntry {
            place,
            shown: shown(&name, &tool.definition.0).into(),
            own_name: tool.name.clone(),
            arguments,
            has_output_schema,
            upstream,
            name: name.clone(),
        });
        self.by_name.insert(name, place);
    }
}

/// The definition with the name that clients see put in front of it; the rest is as the upstream wrote it.
fn shown(name: &str, definition: &str) -> String {
    let name = Value::from(name).to_string();
    match definition.trim().strip_prefix('{').map(str::trim_start) {
        Some("}") | None => format!("{{\"name\":{name}}}"),
        Some(rest) => format!("{{\"name\":{name},{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_gets_its_name_in_front() {
        assert_eq!(shown("T___a", r#"{"description":"d"}"#), r#"{"name":"T___a","description":"d"}"#);
        assert_eq!(shown("T___\"", "{}"), r#"{"name":"T___\""}"#);
    }
}
