//! Integers and decimals.

use std::cmp::Ordering;

/// A number of a policy or a request. Integers are compared exactly, so that large ids do not run together.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Integer(i64),
    Decimal(f64),
}

impl Number {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(integer) = text.parse() {
            return Some(Self::Integer(integer));
        }
        // `inf`, `nan` and their like are words, not numbers.
        let legal = |byte: u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let decimal: f64 = text.bytes().all(legal).then(|| text.parse().ok()).flatten()?;
        decimal.is_finite().then_some(Self::Decimal(decimal))
    }

    #[expect(clippy::cast_precision_loss, reason = "beside a decimal, an integer is only as precise as one")]
    fn approximate(self) -> f64 {
        match self {
            Self::Integer(integer) => integer as f64,
            Self::Decimal(decimal) => decimal,
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => Some(left.cmp(right)),
            _ => self.approximate().partial_cmp(&other.approximate()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value() {
        let number = |text| Number::parse(text).unwrap();
        assert_eq!(number("10"), number("10.0"));
        assert_eq!(number("1e3"), number("1000"));
        assert!(number("-1.5") < number("-1"));
        assert!(number("9007199254740993") > number("9007199254740992"));
        for wrong in ["", "ten", "inf", "NaN", "1,000", "0x10", "1e999", " 1"] {
            assert!(Number::parse(wrong).is_none(), "{wrong}");
        }
    }
}
