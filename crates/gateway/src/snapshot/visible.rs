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
    /// The pages, each with the name of its last tool; written when somebody asks first.
    pages: OnceLock<Vec<Page>>,
}

struct Page {
    last: String,
    bytes: Bytes,
}

impl Visible {
    pub(crate) fn new(places: Vec<bool>) -> Self {
        Self { places, pages: OnceLock::new() }
    }

    pub(crate) fn contains(&self, place: usize) -> bool {
        self.places.get(place).copied().unwrap_or(false)
    }

    pub(crate) fn first_page(&self, gate: &Gate) -> Option<Bytes> {
        self.pages(gate).first().map(|page| page.bytes.clone())
    }

    /// The page after the one whose last tool has this name.
    pub(crate) fn page_after(&self, gate: &Gate, last: &str) -> Option<Bytes> {
        let pages = self.pages(gate);
        let before = pages.iter().position(|page| page.last == last)?;
        pages.get(before + 1).map(|page| page.bytes.clone())
    }

    fn pages(&self, gate: &Gate) -> &[Page] {
        self.pages.get_or_init(|| {
            let size = if gate.lists_in_one_page() { usize::MAX } else { PAGE };
            let tools: Vec<_> =
                gate.catalogue.tools().iter().filter(|tool| self.contains(tool.place)).collect();
            let count = tools.len().div_ceil(size).max(1);
            let mut chunks = tools.chunks(size.min(tools.len().max(1)));
            (1..=count).map(|number| page(chunks.next().unwrap_or_default(), number < count)).collect()
        })
    }
}

/// One page as `tools/list` answers it.
fn page(tools: &[&ToolEntry], more: bool) -> Page {
    let last = tools.last().map(|tool| tool.name.clone()).unwrap_or_default();
    let mut text = Vec::with_capacity(tools.iter().map(|tool| tool.shown.len() + 1).sum::<usize>() + 64);
    text.extend_from_slice(b"{\"tools\":[");
    for (at, tool) in tools.iter().enumerate() {
        if at > 0 {
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
    Page { last, bytes: text.into() }
}
