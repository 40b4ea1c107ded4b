//! The lists of a server: its tools, prompts, resources and templates, all pages of them, bounded.

use std::time::Duration;

use domain::{Document, Offer, Offers, Tool};
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::ask::{Ask, Peer};
use super::{Era, Sender, Upstream, UpstreamError};
use crate::headers::ParamHeaders;
use crate::jsonrpc::METHOD_NOT_FOUND;

/// The most pages of a list that are read.
const MOST_PAGES: usize = 1_000;
/// How long all pages of all lists may take together.
const PATIENCE: Duration = Duration::from_secs(60);
/// How large all pages of a list may be together, in bytes.
const MAX_LIST: usize = 16 * 1024 * 1024;
/// The same for the tools alone, which are read while a client waits.
const TOOLS_PATIENCE: Duration = Duration::from_secs(30);
const MAX_TOOLS: usize = 6 * 1024 * 1024;

/// How much is read of a list.
#[derive(Clone, Copy)]
struct Bounds {
    entries: usize,
    bytes: usize,
}

/// What a server lists.
#[derive(Debug, Default)]
pub struct Listed {
    /// Its tools.
    pub tools: Vec<Tool>,
    /// What it offers besides.
    pub offers: Offers,
    /// What its owner should know.
    pub remarks: Vec<String>,
}

impl Upstream {
    /// Reads the server's lists; each may have `most` entries.
    ///
    /// # Errors
    /// [`UpstreamError`] when they cannot be read.
    pub async fn list(&self, sender: Sender<'_>, peer: &Peer, most: usize) -> Result<Listed, UpstreamError> {
        let listing = tokio::time::timeout(PATIENCE, self.lists(sender, peer, most)).await;
        listing.unwrap_or(Err(UpstreamError::TimedOut(PATIENCE)))
    }

    /// Reads the server's tools alone, at most `most`; those that break the rules are left out.
    ///
    /// # Errors
    /// [`UpstreamError`] when they cannot be read.
    pub async fn list_tools(
        &self,
        sender: Sender<'_>,
        peer: &Peer,
        most: usize,
    ) -> Result<Vec<Tool>, UpstreamError> {
        let listing = async {
            let (era, _) = self.era(sender).await?;
            let bounds = Bounds { entries: most, bytes: MAX_TOOLS };
            let tools = match self.pages(sender, peer, "tools/list", "tools", bounds).await {
                Err(error @ UpstreamError::Malformed(_)) => {
                    let can = self.capabilities(sender, peer, era).await?;
                    return if can.get("tools").is_none() { Ok(Vec::new()) } else { Err(error) };
                }
                tools => tools?,
            };
            let read = tools.iter().map(|tool| read_tool(tool, era)).collect::<Result<Vec<_>, _>>()?;
            Ok(read.into_iter().filter_map(Result::ok).collect())
        };
        let listing = tokio::time::timeout(TOOLS_PATIENCE, listing).await;
        listing.unwrap_or(Err(UpstreamError::TimedOut(TOOLS_PATIENCE)))
    }

    async fn lists(&self, sender: Sender<'_>, peer: &Peer, most: usize) -> Result<Listed, UpstreamError> {
        let (era, _) = self.era(sender).await?;
        let can = self.capabilities(sender, peer, era).await?;
        let mut listed = Listed::default();
        let most = Bounds { entries: most, bytes: MAX_LIST };
        let tools = match self.pages(sender, peer, "tools/list", "tools", most).await {
            // A server that says it has no tools need not know the method.
            Err(UpstreamError::Malformed(_)) if can.get("tools").is_none() => Vec::new(),
            tools => tools?,
        };
        for tool in &tools {
            match read_tool(tool, era)? {
                Ok(tool) => listed.tools.push(tool),
                Err(remark) => listed.remarks.push(remark),
            }
        }
        if can.get("prompts").is_some() {
            let prompts = self.pages(sender, peer, "prompts/list", "prompts", most).await?;
            listed.offers.prompts =
                prompts.iter().map(|prompt| offer(prompt, "name", true)).collect::<Result<_, _>>()?;
        }
        if can.get("resources").is_some() {
            let resources = self.pages(sender, peer, "resources/list", "resources", most).await?;
            listed.offers.resources =
                resources.iter().map(|one| offer(one, "uri", false)).collect::<Result<_, _>>()?;
            let templates =
                match self.pages(sender, peer, "resources/templates/list", "resourceTemplates", most).await {
                    Err(UpstreamError::Malformed(said)) if said.contains(&METHOD_NOT_FOUND.to_string()) => {
                        Vec::new()
                    }
                    templates => templates?,
                };
            listed.offers.templates =
                templates.iter().map(|one| offer(one, "uriTemplate", false)).collect::<Result<_, _>>()?;
        }
        listed.offers.completions = can.get("completions").is_some();
        listed.offers.logging = can.get("logging").is_some();
        Ok(listed)
    }

    /// What the server says it can do.
    async fn capabilities(&self, sender: Sender<'_>, peer: &Peer, era: Era) -> Result<Value, UpstreamError> {
        if era == Era::Legacy {
            return Ok(self.session(sender, peer).await?.capabilities.clone());
        }
        let answer = self.asked(sender, peer, "server/discover", "").await?;
        Ok(answer.pointer("/result/capabilities").cloned().unwrap_or_default())
    }

    /// One page of a list, as the server gives it.
    ///
    /// # Errors
    /// [`UpstreamError`] when it cannot be read.
    async fn asked(
        &self,
        sender: Sender<'_>,
        peer: &Peer,
        method: &str,
        members: &str,
    ) -> Result<Value, UpstreamError> {
        let none = HeaderMap::new();
        let ask = Ask { method, subject: None, members, meta: None, headers: &none, peer };
        let answer = self.open(sender, &ask).await?.answer().await?;
        let answer = strict_json::parse(answer.bytes())
            .map_err(|error| UpstreamError::Malformed(error.to_string()))?;
        match answer.get("error") {
            None => Ok(answer),
            Some(error) => {
                let said: String = error.to_string().chars().take(500).collect();
                Err(UpstreamError::Malformed(format!("it answers {method} with the error {said}")))
            }
        }
    }

    async fn pages(
        &self,
        sender: Sender<'_>,
        peer: &Peer,
        method: &str,
        member: &str,
        most: Bounds,
    ) -> Result<Vec<Value>, UpstreamError> {
        let mut bytes = 0_usize;
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let members = cursor.map(|cursor| format!("\"cursor\":{}", json!(cursor))).unwrap_or_default();
            let mut answer = self.asked(sender, peer, method, &members).await?;
            let malformed = |what: String| Err(UpstreamError::Malformed(what));
            let Some(Value::Array(listed)) =
                answer.pointer_mut(&format!("/result/{member}")).map(Value::take)
            else {
                return malformed(format!("its answer to {method} has no `{member}`"));
            };
            bytes = listed.iter().fold(bytes, |sum, one| sum.saturating_add(one.to_string().len()));
            all.extend(listed);
            if bytes > most.bytes {
                return malformed(format!("its list is larger than {} bytes", most.bytes));
            }
            if all.len() > most.entries {
                return malformed(format!("it lists more than {} {member}", most.entries));
            }
            cursor = answer.pointer("/result/nextCursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                return Ok(all);
            }
        }
        Err(UpstreamError::Malformed(format!("its list has more than {MOST_PAGES} pages")))
    }
}

/// A tool of a list, or why it is left out: a tool whose marked parameters break the rules must be ("Schema
/// Extension").
fn read_tool(tool: &Value, era: Era) -> Result<Result<Tool, String>, UpstreamError> {
    let malformed = |what: &str| UpstreamError::Malformed(format!("a tool of its list {what}"));
    let Value::Object(definition) = tool else { return Err(malformed("is no object")) };
    let mut definition = definition.clone();
    let Some(Value::String(name)) = definition.remove("name") else { return Err(malformed("has no name")) };
    let schema = definition.get("inputSchema").filter(|schema| schema.is_object());
    let schema = schema.ok_or_else(|| malformed("has no inputSchema"))?;
    if let (Era::Modern, Err(problem)) = (era, ParamHeaders::of_schema(schema)) {
        let shown: String = name.chars().take(120).collect();
        return Ok(Err(format!("The tool {shown} is left out: {problem}.")));
    }
    let input_schema = Document(schema.to_string());
    Ok(Ok(Tool {
        name,
        definition: Document(Value::Object(definition).to_string()),
        input_schema,
        plan: None,
    }))
}

fn offer(one: &Value, member: &str, without_name: bool) -> Result<Offer, UpstreamError> {
    let malformed = || UpstreamError::Malformed(format!("an entry of its lists has no `{member}`"));
    let mut definition: Map<String, Value> = one.as_object().cloned().ok_or_else(malformed)?;
    let name = definition.get(member).and_then(Value::as_str).ok_or_else(malformed)?.to_owned();
    if without_name {
        definition.remove(member);
    }
    Ok(Offer { name, definition: Document(Value::Object(definition).to_string()) })
}
