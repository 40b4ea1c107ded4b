//! Dates: the W3C profile of ISO 8601, or seconds since the epoch.
//!
//! Source: IAM User Guide, "Date condition operators"; <http://www.w3.org/TR/NOTE-datetime>.

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// The moment a text names, in nanoseconds since the epoch. Digits alone are seconds since the epoch; a date
/// without a time is its midnight, and a time without a zone is in UTC.
pub(crate) fn parse_date(text: &str) -> Option<i128> {
    const NANOSECONDS: i128 = 1_000_000_000;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<i64>().ok().map(|seconds| i128::from(seconds) * NANOSECONDS);
    }
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(moment.as_nanosecond());
    }
    // `2024-05`: the first day of the month.
    let whole = if text.len() == 7 { format!("{text}-01") } else { text.to_owned() };
    // An annotation such as `[Europe/Paris]` or a zone that was not understood must not be read as UTC.
    if whole.contains(['[', 'Z', 'z', '+']) {
        return None;
    }
    let local = whole.parse::<DateTime>().ok().or_else(|| whole.parse::<Date>().ok().map(DateTime::from))?;
    Some(Offset::UTC.to_timestamp(local).ok()?.as_nanosecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_in_many_forms() {
        let seconds = |text| parse_date(text).map(|moment| moment / 1_000_000_000);
        for (text, expected) in [
            ("2020-01-01T00:00:01Z", 1_577_836_801),
            ("2020-01-01T00:00:01.000Z", 1_577_836_801),
            ("2020-01-01t00:00:01z", 1_577_836_801),
            ("2020-01-01T01:00:01+01:00", 1_577_836_801),
            ("2020-01-01T00:00:01", 1_577_836_801),
            ("2020-01-01T00:00Z", 1_577_836_800),
            ("2020-01-01", 1_577_836_800),
            ("2020-01", 1_577_836_800),
            ("1577836801", 1_577_836_801),
            ("0", 0),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for wrong in [
            "",
            "tomorrow",
            "2020-13-01",
            "2020-01-01T25:00:00Z",
            "2020-01-01T00:00:00+99",
            "99999999999999999999",
            "2020-01-01T00:00:00[Europe/Paris]",
        ] {
            assert_eq!(parse_date(wrong), None, "{wrong}");
        }
    }
}
