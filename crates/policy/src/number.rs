//! Numbers as JSON writes them, exactly: neither a Long nor a decimal goes through floating point.
//!
//! `1e3` and `1000.0` are integers (JSON Schema's `integer` is any number without a fraction). A decimal keeps
//! four places and drops the rest, as AgentCore documents ("numbers will be truncated").

/// The places of a Cedar decimal.
const PLACES: usize = 4;
/// More digits before the point than any i64 has.
const TOO_MANY: usize = 20;

/// A number does not fit the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It is no number, or no integer where one is needed.
    Type,
    /// It is beyond the type's range.
    Range,
}

/// The integer that a JSON number writes.
pub(crate) fn long(text: &str) -> Result<i64, Misfit> {
    let number = Number::split(text).ok_or(Misfit::Type)?;
    if number.fraction().any(|digit| digit != b'0') {
        return Err(Misfit::Type);
    }
    let magnitude = number.scaled(0).ok_or(Misfit::Range)?;
    i64::try_from(number.signed(magnitude)).map_err(|_| Misfit::Range)
}

/// The decimal that a JSON number writes, as Cedar's constructor takes it.
pub(crate) fn decimal(text: &str) -> Result<String, Misfit> {
    let number = Number::split(text).ok_or(Misfit::Type)?;
    let magnitude = number.scaled(PLACES).ok_or(Misfit::Range)?;
    let scaled = i64::try_from(number.signed(magnitude)).map_err(|_| Misfit::Range)?;
    let sign = if scaled < 0 { "-" } else { "" };
    let (whole, places) = (scaled.unsigned_abs() / 10_000, scaled.unsigned_abs() % 10_000);
    Ok(format!("{sign}{whole}.{places:04}"))
}

/// `±0.{digits} × 10^point`.
struct Number<'a> {
    negative: bool,
    before: &'a [u8],
    after: &'a [u8],
    /// How many digits stand before the point; beyond the digits there are zeros.
    point: i64,
}

impl<'a> Number<'a> {
    /// Takes apart a number that a JSON parser has accepted; `None` for any other value.
    fn split(text: &'a str) -> Option<Self> {
        let (negative, magnitude) = match text.strip_prefix('-') {
            Some(magnitude) => (true, magnitude),
            None => (false, text),
        };
        let (mantissa, exponent) = match magnitude.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent),
            None => (magnitude, "0"),
        };
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let sound = !before.is_empty() && digits(before) && digits(after);
        let exponent = saturating_exponent(exponent)?;
        sound.then(|| Self {
            negative,
            before: before.as_bytes(),
            after: after.as_bytes(),
            point: i64::try_from(before.len()).unwrap_or(i64::MAX).saturating_add(exponent),
        })
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.before.iter().chain(self.after).copied()
    }

    /// The digits after the point.
    fn fraction(&self) -> impl Iterator<Item = u8> {
        self.digits().skip(usize::try_from(self.point).unwrap_or(0))
    }

    /// The magnitude times ten to the power of `places`, the rest dropped; `None` when it is beyond any i64.
    fn scaled(&self, places: usize) -> Option<i128> {
        if self.digits().all(|digit| digit == b'0') {
            return Some(0);
        }
        let end = self.point.saturating_add(i64::try_from(places).unwrap_or(0));
        let Ok(end) = usize::try_from(end) else {
            return Some(0);
        };
        let mut magnitude: i128 = 0;
        let zeros = std::iter::repeat(b'0');
        for (index, digit) in self.digits().chain(zeros).take(end).enumerate() {
            magnitude = magnitude * 10 + i128::from(digit - b'0');
            if magnitude > i128::from(u64::MAX) {
                return None;
            }
            // Leading zeros may go on, zeros behind a digit may not.
            if magnitude > 0 && end - index > TOO_MANY {
                return None;
            }
        }
        Some(magnitude)
    }

    fn signed(&self, magnitude: i128) -> i128 {
        if self.negative { -magnitude } else { magnitude }
    }
}

/// The exponent, or something just as far out.
fn saturating_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse::<i64>().unwrap_or(i64::from(i32::MAX));
    let magnitude = magnitude.min(i64::from(i32::MAX));
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("450", Ok(450)),
            ("1e3", Ok(1000)),
            ("1000.000", Ok(1000)),
            ("1.5e1", Ok(15)),
            ("1500e-2", Ok(15)),
            ("0e999999999999999999", Ok(0)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("9223372036854775808", Err(Misfit::Range)),
            ("1e19", Err(Misfit::Range)),
            ("1e999999999999999999", Err(Misfit::Range)),
            ("0.00000000000000000000000000001e29", Ok(1)),
            ("1.5", Err(Misfit::Type)),
            ("1e-1", Err(Misfit::Type)),
            ("1e-999999999999", Err(Misfit::Type)),
            ("\"5\"", Err(Misfit::Type)),
            ("true", Err(Misfit::Type)),
            ("{}", Err(Misfit::Type)),
        ] {
            assert_eq!(long(text), expected, "{text}");
        }
    }

    #[test]
    fn decimals() {
        for (text, expected) in [
            ("0", Ok("0.0000")),
            ("-0.0", Ok("0.0000")),
            ("499.99", Ok("499.9900")),
            ("-1.5", Ok("-1.5000")),
            ("1.00009", Ok("1.0000")),
            ("-1.00009", Ok("-1.0000")),
            ("-0.00009", Ok("0.0000")),
            ("12345e-6", Ok("0.0123")),
            ("1e-9", Ok("0.0000")),
            ("922337203685477.5807", Ok("922337203685477.5807")),
            ("-922337203685477.5808", Ok("-922337203685477.5808")),
            ("922337203685477.5808", Err(Misfit::Range)),
            ("1e15", Err(Misfit::Range)),
            ("1e300", Err(Misfit::Range)),
            ("null", Err(Misfit::Type)),
            ("[1]", Err(Misfit::Type)),
        ] {
            assert_eq!(decimal(text), expected.map(str::to_owned), "{text}");
        }
    }
}
