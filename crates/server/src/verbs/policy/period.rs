//! How far back a verb looks: `90m`, `24h`, `7d`, or a moment.

use std::str::FromStr;
use std::time::Duration;

use domain::Timestamp;

/// The beginning of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verbs) enum Since {
    /// So long ago.
    Ago(Duration),
    /// At this moment.
    At(Timestamp),
}

impl Since {
    /// The moment.
    pub(in crate::verbs) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(duration) => {
                let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
                Timestamp::from_millis(now.millis().saturating_sub(millis))
            }
            Self::At(moment) => moment,
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no period: write it like 90m, 24h or 7d, or as a moment like 2026-11-21T09:30:00Z"
            )
        };
        if let Some(moment) = Timestamp::parse(text) {
            return Ok(Self::At(moment));
        }
        let unit = text.char_indices().next_back().and_then(|(at, unit)| Some((text.get(..at)?, unit)));
        let (number, unit) = unit.ok_or_else(wrong)?;
        let seconds: u64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            'w' => 7 * 24 * 60 * 60,
            _ => return Err(wrong()),
        };
        let number: u32 = number.parse().map_err(|_| wrong())?;
        Ok(Self::Ago(Duration::from_secs(u64::from(number) * seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_number_and_a_unit_or_a_moment() {
        let now = Timestamp::from_seconds(1_000_000);
        let before = |text: &str| text.parse::<Since>().map(|since| since.before(now).seconds());
        for (text, wanted) in
            [("90s", 999_910), ("90m", 994_600), ("24h", 913_600), ("7d", 395_200), ("1w", 395_200)]
        {
            assert_eq!(before(text), Ok(wanted), "{text}");
        }
        assert_eq!(before("1970-01-02T00:00:00Z"), Ok(86_400));
        for wrong in ["", "d", "7", "-1d", "7y", "1.5h", "7 d", "99999999999d", "\u{e4}"] {
            assert!(before(wrong).unwrap_err().contains("is no period"), "{wrong}");
        }
    }
}
