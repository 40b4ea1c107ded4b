//! Words that are nearly spelled alike. The first letter is taken to be right, which it nearly always is, so that few words are compared.

/// How many edits apart two words of this length may be.
fn tolerance(length: usize) -> usize {
    match length {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

/// The words among `known` that are nearest to `word`, at most `limit`, in order of distance, then of the alphabet.
pub(crate) fn nearest<'known>(
    word: &str,
    known: impl Iterator<Item = &'known str>,
    limit: usize,
) -> Vec<&'known str> {
    let letters: Vec<char> = word.chars().collect();
    let tolerance = tolerance(letters.len());
    if tolerance == 0 {
        return Vec::new();
    }
    let mut near: Vec<(usize, &str)> = known
        .filter(|other| other.chars().next() == letters.first().copied())
        .filter(|other| other.len().abs_diff(word.len()) <= tolerance * 4)
        .filter_map(|other| Some((distance(&letters, other, tolerance)?, other)))
        .collect();
    near.sort_unstable();
    let best = near.first().map_or(0, |(distance, _)| *distance);
    near.into_iter()
        .take_while(|(distance, _)| *distance == best)
        .take(limit)
        .map(|(_, other)| other)
        .collect()
}

/// The number of letters to insert, delete, replace or swap (optimal string alignment), if it is at most `most`.
fn distance(one: &[char], other: &str, most: usize) -> Option<usize> {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=one.len()).collect();
    let mut previous = None;
    let mut length = 0;
    for letter in other.chars() {
        length += 1;
        let mut row = Vec::with_capacity(last.len());
        row.push(length);
        let mut before: Option<char> = None;
        for (place, mine) in one.iter().enumerate() {
            let replaced = last.get(place)? + usize::from(*mine != letter);
            let mut least = replaced.min(last.get(place + 1)? + 1).min(row.last()? + 1);
            if before == Some(letter) && previous == Some(*mine) && place > 0 {
                least = least.min(before_last.get(place - 1)? + 1);
            }
            row.push(least);
            before = Some(*mine);
        }
        if row.iter().min()? > &most {
            return None;
        }
        previous = Some(letter);
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_near() {
        let known = ["calendar", "channel", "message", "merge", "invoice"];
        for (typed, meant) in
            [("calender", "calendar"), ("chanel", "channel"), ("mesage", "message"), ("inovice", "invoice")]
        {
            assert_eq!(nearest(typed, known.into_iter(), 2), [meant], "{typed}");
        }
        for other in ["elephant", "mes", "invite"] {
            assert!(nearest(other, known.into_iter(), 2).is_empty(), "{other}");
        }
    }
}
