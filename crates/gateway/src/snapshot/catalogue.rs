//! What a gateway offers, by the names that clients see, and the targets behind it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use domain::{
    Arn, HttpService, Listing, Offer, Outbound, Propagation, Target, TargetId, Tool, Upstream,
    split_tool_name, tool_name,
};
use functions::Prepared;
use mcp::headers::ParamHeaders;
use serde_json::{Map, Value};

use super::plan::{Plan, signed_for};
use crate::arguments::Arguments;
use crate::search::Searcher;

/// All that a gateway offers, in the order of its targets' making and their definition.
#[derive(Default)]
pub(crate) struct Catalogue {
    tools: Vec<ToolEntry>,
    by_name: HashMap<String, usize>,
    pub(crate) targets: Vec<TargetEntry>,
    pub(crate) prompts: Vec<OfferEntry>,
    /// One for each URI: that of the target with the lowest `resourcePriority`.
    pub(crate) resources: Vec<OfferEntry>,
    pub(crate) templates: Vec<OfferEntry>,
    /// Finds tools, where that is offered.
    pub(crate) searcher: Searcher,
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
    /// The arguments that are headers too.
    pub(crate) param_headers: ParamHeaders,
    /// Whether its results have a structure that was promised.
    pub(crate) has_output_schema: bool,
    /// How it is called, where its target is a REST service.
    pub(crate) plan: Option<Plan>,
    /// Its target's place.
    pub(crate) target: usize,
}

/// A prompt, a resource or a template.
pub(crate) struct OfferEntry {
    /// The name that clients see: of a prompt with its target's, else the URI.
    pub(crate) name: String,
    /// Its name in its target.
    pub(crate) own_name: String,
    /// What a list says about it.
    pub(crate) shown: Bytes,
    /// Its target's place.
    pub(crate) target: usize,
}

/// A target.
pub(crate) struct TargetEntry {
    pub(crate) id: TargetId,
    pub(crate) name: String,
    pub(crate) outbound: Outbound,
    /// What its calls are signed for, where `outbound` names nothing.
    pub(crate) service: Option<String>,
    pub(crate) propagation: Propagation,
    pub(crate) upstream: UpstreamEntry,
}

/// What a target's calls go to.
pub(crate) enum UpstreamEntry {
    /// A function, if there is one of this ARN here.
    Lambda { function: Arn, prepared: Option<Arc<Prepared>> },
    /// An MCP server.
    Mcp(McpEntry),
    /// A REST service, whose tools have plans.
    Rest,
    /// An HTTP service, under the target's own path.
    Http(HttpService),
}

/// An MCP server.
pub(crate) struct McpEntry {
    pub(crate) server: Arc<mcp::Upstream>,
    /// Whether its lists are read only when somebody asks for them.
    pub(crate) unlisted: bool,
    pub(crate) logs: bool,
    pub(crate) completes: bool,
}

impl Catalogue {
    /// The catalogue of targets, with the upstream of each.
    pub(crate) fn of(targets: Vec<(Target, UpstreamEntry)>) -> Self {
        let mut catalogue = Self::default();
        let mut resources = Vec::new();
        for (target, upstream) in targets {
            let at = catalogue.targets.len();
            for tool in &target.tools {
                catalogue.add(&target, tool, at);
            }
            catalogue.prompts.extend(target.offers.prompts.iter().map(|prompt| {
                let name = tool_name(&target.name, &prompt.name);
                let shown = shown(&name, &prompt.definition.0).into();
                OfferEntry { name, own_name: prompt.name.clone(), shown, target: at }
            }));
            let priority = match &target.upstream {
                Upstream::Mcp(server) => server.resource_priority,
                _ => u16::MAX,
            };
            resources.extend(target.offers.resources.iter().map(|offer| (priority, whole(offer, at))));
            catalogue.templates.extend(target.offers.templates.iter().map(|offer| whole(offer, at)));
            catalogue.targets.push(TargetEntry {
                id: target.id,
                name: target.name,
                outbound: target.outbound,
                service: signed_for(&target.upstream),
                propagation: target.propagation,
                upstream,
            });
        }
        // The sort keeps the order of those of one priority.
        resources.sort_by_key(|(priority, _)| *priority);
        let mut seen = std::collections::HashSet::new();
        resources.retain(|(_, resource)| seen.insert(resource.name.clone()));
        catalogue.resources = resources.into_iter().map(|(_, resource)| resource).collect();
        catalogue
    }

    /// The tool of this name.
    pub(crate) fn tool(&self, name: &str) -> Option<&ToolEntry> {
        self.by_name.get(name).and_then(|place| self.tools.get(*place))
    }

    pub(crate) fn tools(&self) -> &[ToolEntry] {
        &self.tools
    }

    /// A tool of a server whose lists are read only when somebody asks for them: whether it is there is the server's to
    /// say.
    pub(crate) fn unlisted_tool(&self, name: &str) -> Option<ToolEntry> {
        let (target, own_name) = split_tool_name(name).filter(|(_, own)| !own.is_empty())?;
        let at = self.targets.iter().position(|entry| entry.name == target && entry.is_unlisted())?;
        Some(ToolEntry {
            place: usize::MAX,
            name: name.to_owned(),
            own_name: own_name.to_owned(),
            shown: Bytes::new(),
            arguments: Arguments::AnyObject,
            param_headers: ParamHeaders::default(),
            has_output_schema: false,
            plan: None,
            target: at,
        })
    }

    /// The HTTP target of this name.
    pub(crate) fn http_target(&self, name: &str) -> Option<(&TargetEntry, &HttpService)> {
        let target = self.targets.iter().find(|target| target.name == name)?;
        match &target.upstream {
            UpstreamEntry::Http(service) => Some((target, service)),
            _ => None,
        }
    }

    pub(crate) fn target(&self, place: usize) -> Option<&TargetEntry> {
        self.targets.get(place)
    }

    /// The MCP servers among the targets.
    pub(crate) fn servers(&self) -> impl Iterator<Item = (&TargetEntry, &McpEntry)> {
        self.targets.iter().filter_map(|target| match &target.upstream {
            UpstreamEntry::Mcp(server) => Some((target, server)),
            _ => None,
        })
    }

    /// Whether there are resources, or templates of them.
    pub(crate) fn has_resources(&self) -> bool {
        !(self.resources.is_empty() && self.templates.is_empty())
    }

    /// Whether an upstream sends log messages.
    pub(crate) fn logs(&self) -> bool {
        self.servers().any(|(_, server)| server.logs)
    }

    /// Whether an upstream completes arguments.
    pub(crate) fn completes(&self) -> bool {
        self.servers().any(|(_, server)| server.completes)
    }

    fn add(&mut self, target: &Target, tool: &Tool, at: usize) {
        let name = tool_name(&target.name, &tool.name);
        let place = self.tools.len();
        let definition: Map<String, Value> = serde_json::from_str(&tool.definition.0).unwrap_or_default();
        let has_output_schema = definition.contains_key("outputSchema");
        let schema = definition.get("inputSchema");
        let param_headers =
            schema.and_then(|schema| ParamHeaders::of_schema(schema).ok()).unwrap_or_default();
        let arguments = match target.upstream {
            Upstream::Lambda { .. } => Arguments::of_schema(&tool.input_schema.0),
            _ => Arguments::of_names(&tool.input_schema.0),
        };
        self.tools.push(ToolEntry {
            place,
            shown: shown(&name, &tool.definition.0).into(),
            own_name: tool.name.clone(),
            arguments,
            param_headers,
            has_output_schema,
            plan: Plan::of(target, tool),
            target: at,
            name: name.clone(),
        });
        self.by_name.insert(name, place);
    }
}

impl TargetEntry {
    /// Whether its lists are read only when somebody asks for them.
    pub(crate) fn is_unlisted(&self) -> bool {
        matches!(&self.upstream, UpstreamEntry::Mcp(server) if server.unlisted)
    }
}

impl UpstreamEntry {
    /// The function that is called.
    pub(crate) fn function(&self) -> Option<&Arn> {
        match self {
            Self::Lambda { function, .. } => Some(function),
            _ => None,
        }
    }
}

impl McpEntry {
    pub(crate) fn of(target: &Target, server: &domain::McpServer) -> Self {
        Self {
            // A session that was opened for a target as it was is not one for what became of it.
            server: Arc::new(
                mcp::Upstream::new(&server.endpoint)
                    .named(format!("{}\n{}\n{}", target.id, target.revision, server.endpoint)),
            ),
            unlisted: server.listing == Listing::Dynamic && !server.static_tools,
            logs: target.offers.logging,
            completes: target.offers.completions,
        }
    }
}

fn whole(offer: &Offer, target: usize) -> OfferEntry {
    OfferEntry {
        name: offer.name.clone(),
        own_name: offer.name.clone(),
        shown: Bytes::from(offer.definition.0.clone()),
        target,
    }
}

/// The definition with the name that clients see put in front of it; the rest is as the upstream wrote it.
pub(crate) fn shown(name: &str, definition: &str) -> String {
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
