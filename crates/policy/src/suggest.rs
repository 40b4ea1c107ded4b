//! Which known name a person may have meant.

/// Up to three of `known` that resemble `name`, the likeliest first: names that are equal but for case and
/// underscores, names that end with it after the target's part, and names that differ by a few letters.
#[must_use]
pub fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let plain = simplify(name);
    let mut scored: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|candidate| {
            let other = simplify(candidate);
            let limit = 2 + plain.len() / 8;
            if other == plain {
                return Some((0, candidate));
            }
            if plain.len() >= 3 && other.ends_with(&plain) {
                return Some((1, candidate));
            }
            let distance = distance(&plain, &other, limit);
            (distance <= limit).then_some((1 + distance, candidate))
        })
        .collect();
    scored.sort_unstable();
    // A name that is all but equal leaves no doubt.
    if let Some((best @ ..=1, _)) = scored.first().copied() {
        scored.retain(|(score, _)| *score == best);
    }
    scored.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

fn simplify(name: &str) -> Vec<char> {
    name.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .take(256)
        .collect()
}

/// The edits between two names (Levenshtein), or something beyond `limit` when they are more.
fn distance(left: &[char], right: &[char], limit: usize) -> usize {
    if left.len().abs_diff(right.len()) > limit {
        return limit + 1;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, ours) in left.iter().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut before = index + 1;
        next.push(before);
        for (theirs, pair) in right.iter().zip(row.windows(2)) {
            let (replaced, removed) = match pair {
                [replaced, removed] => (*replaced, *removed),
                _ => (limit, limit),
            };
            before = (replaced + usize::from(ours != theirs)).min(removed + 1).min(before + 1);
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(limit + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] =
        ["RefundTool___process_refund", "RefundTool___list_refunds", "Weather___forecast", "CallTool"];

    #[test]
    fn the_likeliest_comes_first() {
        assert_eq!(suggest("RefundTool__process_refund", KNOWN), [KNOWN[0]]);
        assert_eq!(suggest("process_refund", KNOWN), [KNOWN[0]]);
        assert_eq!(suggest("RefundTool___proces_refund", KNOWN), [KNOWN[0]]);
        assert_eq!(suggest("weather___forcast", KNOWN), [KNOWN[2]]);
        assert!(suggest("delete_everything_now", KNOWN).is_empty());
        assert!(suggest("", KNOWN).is_empty());
    }
}
