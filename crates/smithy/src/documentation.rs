//! Documentation as people and models read it: AWS's models hold HTML, a tool's description is plain text.
//!
//! Tags are taken out, blocks become lines, code is set in backticks, and the few entities that occur are resolved.
//! What is left is cut at a bound, at a word's end: descriptions are paid for by everyone who lists tools.

/// The longest description of a tool, in bytes.
pub(crate) const MAX_DESCRIPTION: usize = 4_000;
/// The longest description of an argument.
pub(crate) const MAX_MEMBER: usize = 600;
/// The longest tag; what is longer is text.
const MAX_TAG: usize = 2_000;

/// The text of a piece of documentation, at most `limit` bytes of it.
pub(crate) fn plain(html: &str, limit: usize) -> String {
    let mut text = String::new();
    let mut rest = start(html, limit.saturating_mul(10));
    while text.len() <= limit.saturating_mul(2) {
        let Some(at) = rest.find(['<', '&']) else {
            push_text(&mut text, rest);
            break;
        };
        let (before, found) = rest.split_at(at);
        push_text(&mut text, before);
        rest = match found.starts_with('<') {
            true => tag(&mut text, found),
            false => entity(&mut text, found),
        };
    }
    cut(text.trim(), limit)
}

/// White space of any length is one space, and none at the start of a line.
fn push_text(text: &mut String, piece: &str) {
    for (at, word) in piece.split(char::is_whitespace).enumerate() {
        if at > 0 && !text.is_empty() && !text.ends_with([' ', '\n']) {
            text.push(' ');
        }
        text.push_str(word);
    }
}

/// Reads a tag; gives what follows it.
fn tag<'a>(text: &mut String, found: &'a str) -> &'a str {
    let inside = found.strip_prefix('<').unwrap_or(found);
    let named = inside.strip_prefix('/').unwrap_or(inside);
    let is_tag = inside.starts_with('!') || named.starts_with(|first: char| first.is_ascii_alphabetic());
    let end = inside.bytes().take(MAX_TAG).position(|byte| byte == b'>');
    let Some((inside, after)) = end.and_then(|end| inside.split_at_checked(end)).filter(|_| is_tag) else {
        text.push('<');
        return inside;
    };
    let name: String =
        named.chars().take_while(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match name.as_str() {
        "code" => text.push('`'),
        "li" if !inside.starts_with('/') => {
            new_line(text);
            text.push_str("- ");
        }
        "p" | "ul" | "ol" | "dl" | "dt" | "dd" | "br" | "div" | "note" | "important" | "h1" | "h2" | "h3"
        | "h4" | "tr" | "table" | "li"
            // The paragraph of a list's item stays on the item's line.
            if !text.ends_with("- ") => new_line(text),
        _ => {}
    }
    after.strip_prefix('>').unwrap_or(after)
}

fn new_line(text: &mut String) {
    let kept = text.trim_end().len();
    text.truncate(kept);
    if !text.is_empty() {
        text.push('\n');
    }
}

/// Reads an entity; gives what follows it.
fn entity<'a>(text: &mut String, found: &'a str) -> &'a str {
    let inside = found.strip_prefix('&').unwrap_or(found);
    let known = inside.split_once(';').filter(|(name, _)| name.len() <= 8).and_then(|(name, after)| {
        let meant = match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            "nbsp" => ' ',
            "ndash" | "mdash" => '-',
            _ => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code).filter(|meant| !meant.is_control())?
            }
        };
        Some((meant, after))
    });
    match known {
        Some((meant, after)) => {
            text.push(meant);
            after
        }
        None => {
            text.push('&');
            inside
        }
    }
}

/// As much of a text as has at most `limit` bytes.
fn start(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    text.get(..end).unwrap_or_default()
}

fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let kept = start(text, limit);
    let kept = kept.rsplit_once(char::is_whitespace).map_or(kept, |(before, _)| before);
    format!("{} …", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_text() {
        assert_eq!(
            plain(
                "<p>Gets <code>x</code> &amp; <a href=\"https://h/?a>b\">y</a>.</p>\n<ul> <li> <p>one</p> </li> <li>two &lt; 3</li></ul>",
                500
            ),
            "Gets `x` & b\">y.\n- one\n- two < 3"
        );
        assert_eq!(plain("a < b & c &unknown; <", 500), "a < b & c &unknown; <");
        assert_eq!(plain("", 10), "");
    }

    #[test]
    fn long_text_is_cut_at_a_word() {
        assert_eq!(plain("one two three", 9), "one two …");
        assert!(plain(&"é".repeat(50_000), 600).len() < 610);
    }
}
