//! Pages of IAM's lists: `Marker`, `MaxItems`, `IsTruncated`.
//!
//! A list is read whole and then filtered and cut, so that a page is full as long as there is something to fill it with:
//! an account has at most some thousands of anything in IAM.

use super::validation_error;
use crate::fault::Failure;
use crate::paging::Paging;

/// How many items a page has when the caller does not say.
const PAGE: usize = 100;

/// Which page is wanted.
pub(super) struct Listing(Paging);

/// A page.
pub(super) struct Listed<T> {
    /// What is on it.
    pub(super) items: Vec<T>,
    /// `IsTruncated`: whether another page follows.
    pub(super) is_truncated: Option<bool>,
    /// `Marker` of the page that follows.
    pub(super) marker: Option<String>,
}

impl Listing {
    pub(super) fn new(marker: Option<&str>, max_items: Option<i64>) -> Result<Self, Failure> {
        let paging = Paging::new(marker, max_items, PAGE);
        paging.map(Self).ok_or_else(|| validation_error("Invalid Marker."))
    }

    /// Cuts the page out of everything there is, in the order of the keys, which are unique.
    pub(super) fn page<T>(&self, mut all: Vec<T>, key: impl Fn(&T) -> String) -> Listed<T> {
        all.retain(|item| key(item).as_str() > self.0.page().after);
        all.sort_by_cached_key(&key);
        let (items, marker) = self.0.cut(all, key);
        Listed { items, is_truncated: Some(marker.is_some()), marker }
    }
}

impl<T> Listed<T> {
    /// The same page with something made of each item.
    pub(super) fn map<U>(self, describe: impl FnMut(T) -> U) -> Listed<U> {
        let items = self.items.into_iter().map(describe).collect();
        Listed { items, is_truncated: self.is_truncated, marker: self.marker }
    }
}
