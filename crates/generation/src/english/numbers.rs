//! Numbers as people write them, exactly.
//!
//! `1,000`, `$2,500.50`, `5k`, `1 million`, `three`. A number is kept as whole units and ten-thousandths, which is what Cedar's
//! decimal has; what does not fit is no number.

use super::cursor::Cursor;

/// Ten-thousandths.
const UNIT: i128 = 10_000;

/// An exact number with at most four decimal places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    parts: i128,
    /// Whether dollars were said.
    pub(crate) dollars: bool,
}

impl Number {
    /// The number as a `Long`, when it is whole and fits.
    pub(crate) fn whole(self) -> Option<i64> {
        (self.parts % UNIT == 0).then(|| i64::try_from(self.parts / UNIT).ok())?
    }

    /// The number as the text of a `decimal`, when it fits.
    pub(crate) fn decimal(self) -> Option<String> {
        i64::try_from(self.parts).ok()?;
        let (units, rest) = (self.parts.unsigned_abs() / 10_000, self.parts.unsigned_abs() % 10_000);
        let places = format!("{rest:04}");
        let places = places.trim_end_matches('0');
        let sign = if self.parts < 0 { "-" } else { "" };
        Some(format!("{sign}{units}.{}", if places.is_empty() { "0" } else { places }))
    }

    /// Ten-thousandths. `5m` is five million only of `dollars`: it may be minutes.
    fn read(text: &str, dollars: bool) -> Option<i128> {
        let (text, scale) = match text.chars().last()? {
            'k' => (text.get(..text.len() - 1)?, 1_000),
            'm' if dollars => (text.get(..text.len() - 1)?, 1_000_000),
            _ => (text, 1),
        };
        let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (units, places) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let units = ungrouped(units)?;
        if !digits(&units) || !digits(places) || places.len() > 4 || units.is_empty() || units.len() > 18 {
            return None;
        }
        if text.contains('.') && places.is_empty() {
            return None;
        }
        // Some write a thousand as "1.000".
        if places.len() == 3 && units != "0" && units.len() <= 3 {
            return None;
        }
        let units: i128 = units.parse().ok()?;
        let places: i128 = format!("{places:0<4}").parse().ok()?;
        Some(sign * (units * UNIT + places) * scale)
    }
}

/// Without the commas, which must stand before three digits each.
fn ungrouped(units: &str) -> Option<String> {
    let mut groups = units.split(',');
    let first = groups.next()?;
    let rest: Vec<&str> = groups.collect();
    let grouped = rest.is_empty() || (first.len() <= 3 && !first.is_empty());
    (grouped && rest.iter().all(|group| group.len() == 3)).then(|| format!("{first}{}", rest.concat()))
}

/// A number, if one comes next, with a dollar sign before it or `dollars` behind it.
pub(crate) fn number(cursor: &mut Cursor<'_>) -> Option<Number> {
    let token = cursor.peek()?;
    let text = token.lower.strip_prefix('$').unwrap_or(&token.lower);
    let text = text.strip_suffix("usd").unwrap_or(text);
    let dollars = text.len() < token.lower.len();
    let read = match Number::read(text, dollars) {
        Some(number) => number,
        None if !token.quoted => i128::from(named(text)?) * UNIT,
        None => return None,
    };
    cursor.next();
    let scale = match cursor.word() {
        Some("thousand") => 1_000,
        Some("million") => 1_000_000,
        Some("billion") => 1_000_000_000,
        _ => 1,
    };
    if scale > 1 {
        cursor.next();
    }
    let dollars = cursor.take_any(&["dollars", "dollar", "usd"]).is_some() || dollars;
    Some(Number { parts: read.checked_mul(scale)?, dollars })
}

fn named(word: &str) -> Option<u8> {
    let names = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    names.iter().position(|name| *name == word).and_then(|at| u8::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn read(text: &str) -> Option<(Option<i64>, Option<String>)> {
        let tokens = tokens(text);
        let mut cursor = Cursor::new(&tokens);
        let number = number(&mut cursor)?;
        assert!(cursor.is_done(), "{text}");
        Some((number.whole(), number.decimal()))
    }

    #[test]
    fn numbers_are_exact() {
        let some = |whole, decimal: &str| Some((whole, Some(decimal.to_owned())));
        assert_eq!(read("1,000"), some(Some(1000), "1000.0"));
        assert_eq!(read("$2,500.50"), some(None, "2500.5"));
        assert_eq!(read("$5m"), some(Some(5_000_000), "5000000.0"));
        assert_eq!(read("5k"), some(Some(5000), "5000.0"));
        assert_eq!(read("1.5 million dollars"), some(Some(1_500_000), "1500000.0"));
        assert_eq!(read("-0.0001"), some(None, "-0.0001"));
        assert_eq!(read("three"), some(Some(3), "3.0"));
        assert_eq!(read("999999999999999999"), Some((Some(999_999_999_999_999_999), None)));
    }

    #[test]
    fn what_is_not_exactly_a_number_is_none() {
        for text in [
            "1,00",
            "1.23456",
            "12a",
            "5m",
            "1.000",
            "",
            "1,000,00",
            "--1",
            ",100",
            "€5",
            "1e3",
            "0x10",
            "9999999999999999999",
        ] {
            let tokens = tokens(text);
            assert_eq!(number(&mut Cursor::new(&tokens)), None, "{text}");
        }
    }
}
