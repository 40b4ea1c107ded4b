//! Pages of lists. A token is the last item of the page before, so that a list may change between two pages without
//! one that stays being missed or seen twice.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::Page;

/// One page of a list.
pub(crate) struct Paging {
    after: String,
    size: usize,
}

impl Paging {
    /// The page that follows `token`, with at most `size` items. `None` when the token is none of ours.
    pub(crate) fn new(token: Option<&str>, size: Option<i64>, otherwise: usize) -> Option<Self> {
        let after = match token {
            None => String::new(),
            Some(token) => String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?,
        };
        let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(otherwise);
        Some(Self { after, size })
    }

    /// What to ask the store for: one more than the page holds, to see whether another follows.
    pub(crate) fn page(&self) -> Page<'_> {
        Page { after: &self.after, limit: i64::try_from(self.size + 1).unwrap_or(i64::MAX) }
    }

    /// Cuts the page out of what the store gave, and the token of the next one if there is one.
    pub(crate) fn cut<T>(&self, mut found: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        if found.len() <= self.size {
            return (found, None);
        }
        found.truncate(self.size);
        let next = found.last().map(|last| URL_SAFE_NO_PAD.encode(key(last)));
        (found, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gaps() {
        let all = ["a", "b", "c", "d", "e"];
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let paging = Paging::new(token.as_deref(), Some(2), 10).unwrap();
            let found: Vec<_> = all.iter().copied().filter(|it| *it > paging.page().after).take(3).collect();
            let (page, next) = paging.cut(found, |it| (*it).to_owned());
            seen.extend(page);
            match next {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, all);
        assert!(Paging::new(Some("not ours!"), None, 10).is_none());
    }
}
