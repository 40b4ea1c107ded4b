//! Moments: a tool's arguments and results have them as RFC 3339, the wire has them as the model says.
//!
//! Source: "timestampFormat trait" in the Smithy 2.0 specification; `http-date` is RFC 9110's IMF-fixdate.

use jiff::Timestamp;
use serde_json::{Number, Value};

use crate::plan::TimestampFormat;

/// Reads an argument: RFC 3339 with an offset, or seconds since the epoch.
pub(crate) fn of_argument(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => of_seconds(number),
        _ => None,
    }
}

fn of_seconds(number: &Number) -> Option<Timestamp> {
    match number.as_i64() {
        Some(seconds) => Timestamp::from_second(seconds).ok(),
        None => {
            let seconds = number.as_f64()?;
            // Beyond the year 9999 nothing is a moment; within it, milliseconds fit.
            (seconds.abs() < 1e12)
                .then(|| Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok())
                .flatten()
        }
    }
}

/// Writes a moment where only text can stand.
pub(crate) fn text(moment: Timestamp, format: TimestampFormat) -> String {
    match format {
        TimestampFormat::DateTime => moment.to_string(),
        TimestampFormat::HttpDate => moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        TimestampFormat::EpochSeconds => match fraction(moment) {
            Some(seconds) => seconds.to_string(),
            None => moment.as_second().to_string(),
        },
    }
}

/// Writes a moment into JSON.
pub(crate) fn json(moment: Timestamp, format: TimestampFormat) -> Value {
    match format {
        TimestampFormat::EpochSeconds => match fraction(moment).and_then(Number::from_f64) {
            Some(seconds) => Value::Number(seconds),
            None => moment.as_second().into(),
        },
        other => text(moment, other).into(),
    }
}

/// The seconds with their milliseconds, if there are any.
fn fraction(moment: Timestamp) -> Option<f64> {
    (moment.subsec_millisecond() != 0).then(|| moment.as_millisecond() as f64 / 1000.0)
}

/// What a result says for a moment on the wire: RFC 3339, or, if the wire has something else, that.
pub(crate) fn shown(value: &Value, format: TimestampFormat) -> Value {
    let moment = match (value, format) {
        (Value::String(text), TimestampFormat::HttpDate) => {
            jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
        }
        (Value::String(text), TimestampFormat::EpochSeconds) => {
            serde_json::from_str::<Number>(text).ok().and_then(|number| of_seconds(&number))
        }
        (Value::String(text), TimestampFormat::DateTime) => text.parse().ok(),
        (Value::Number(number), _) => of_seconds(number),
        _ => None,
    };
    moment.map_or_else(|| value.clone(), |moment| moment.to_string().into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn moments_go_and_come() {
        let moment = of_argument(&json!("2019-12-16T23:48:18Z")).unwrap();
        assert_eq!(moment, of_argument(&json!(1_576_540_098)).unwrap());
        for (format, on_wire) in [
            (TimestampFormat::DateTime, json!("2019-12-16T23:48:18Z")),
            (TimestampFormat::HttpDate, json!("Mon, 16 Dec 2019 23:48:18 GMT")),
            (TimestampFormat::EpochSeconds, json!(1_576_540_098)),
        ] {
            assert_eq!(json(moment, format), on_wire);
            assert_eq!(shown(&on_wire, format), json!("2019-12-16T23:48:18Z"));
        }
        let precise = of_argument(&json!("2019-12-17T00:48:18.5+01:00")).unwrap();
        assert_eq!(json(precise, TimestampFormat::EpochSeconds), json!(1_576_540_098.5));
        assert_eq!(
            shown(&json!("1576540098.5"), TimestampFormat::EpochSeconds),
            json!("2019-12-16T23:48:18.5Z")
        );
    }

    #[test]
    fn what_is_no_moment_is_said_to_be_none() {
        for wrong in [json!("yesterday"), json!("2019-12-16"), json!(1e300), json!(null), json!(i64::MAX)] {
            assert_eq!(of_argument(&wrong), None, "{wrong}");
        }
        assert_eq!(shown(&json!("soon"), TimestampFormat::HttpDate), json!("soon"));
    }
}
