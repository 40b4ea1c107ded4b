//! A set of tools that somebody may see, and the pages in which it is listed.

use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::Value;

use super::{Gate, ToolEntry};
use crate::list::cursor;

/// How many tools a page has.
const PAGE: usize = 100;

/// A set of a gateway's tools, by their places in its catalogue.
pub(crate) struct Visible {
    places: Vec<bool>,
    /// The pages; written when somebody asks first.
    pages: OnceLock<Vec<Page>>,
}

/// One page of a list.
pub(crate) struct Page {
    /// The name of its last tool.
    last: String,
    /// It, as `tools/list` answers it.
    pub(crate) bytes: Bytes,
    /// Whether another page follows.
    pub(crate) more: bool,
}

impl Visible {
    pub(crate) fn new(places: Vec<bool>) -> Self {
        Self { places, pages: OnceLock::new() }
    }

    pub(crate) fn contains(&self, place: usize) -> bool {
        self.places.get(place).copied().unwrap_or(false)
    }

    pub(crate) fn first_page(&self, gate: &Gate) -> Option<&Page> {
        self.pages(gate).first()
    }

    /// The page after the one whose last tool has this name.
    pub(crate) fn page_after(&self, gate: &Gate, last: &str) -> Option<&Page> {
        let pages = self.pages(gate);
        let before = pages.iter().position(|page| page.last == last)?;
        pages.get(before + 1)
    }

    fn pages(&self, gate: &Gate) -> &[Page] {
        self.pages.get_or_init(|| {
            let size = if gate.lists_in_one_page() { usize::MAX } else { PAGE };
            let tools: Vec<_> =
                gate.catalogue.tools().iter().filter(|tool| self.contains(tool.place)).collect();
            let count = tools.len().div_ceil(size).max(1);
            let mut chunks = tools.chunks(size.min(tools.len().max(1)));
            let first = if gate.searches() { crate::search::DEFINITION } else { "" };
            (1..=count)
                .map(|number| {
                    let before = if number == 1 { first } else { "" };
                    Page::of(before, chunks.next().unwrap_or_default(), number < count)
                })
                .collect()
        })
    }
}

impl Page {
    /// A page of tools, with the definition `before` in front of them, if it is not empty.
    fn of(before: &str, tools: &[&ToolEntry], more: bool) -> Self {
        let last = tools.last().map(|tool| tool.name.clone()).unwrap_or_default();
        let mut text = Vec::with_capacity(tools.iter().map(|tool| tool.shown.len() + 1).sum::<usize>() + 64);
        text.extend_from_slice(b"{\"tools\":[");
        text.extend_from_slice(before.as_bytes());
        for tool in tools {
            if !text.ends_with(b"[") {
                text.push(b',');
            }
            text.extend_from_slice(&tool.shown);
        }
        text.push(b']');
        if more {
            text.extend_from_slice(b",\"nextCursor\":");
            text.extend_from_slice(Value::from(cursor(&last)).to_string().as_bytes());
        }
        text.push(b'}');
        Self { last, bytes: text.into(), more }
    }

    /// The page, which is the last, with more tools at its end.
    pub(crate) fn with(&self, more: &[Bytes]) -> Bytes {
        let Some(open) = self.bytes.strip_suffix(b"]}") else { return self.bytes.clone() };
        let mut text = open.to_vec();
        for tool in more {
            if !text.ends_with(b"[") {
                text.push(b',');
            }
            text.extend_from_slice(tool);
        }
        text.extend_from_slice(b"]}");
        text.into()
    }
}
