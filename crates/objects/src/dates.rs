//! Moments as HTTP and S3 write them.

use domain::Timestamp;

const HTTP: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// `Sat, 21 Nov 2026 09:30:00 GMT` (RFC 9110, section 5.6.7).
pub(crate) fn http(moment: Timestamp) -> String {
    jiff::Timestamp::from_second(moment.seconds())
        .map_or_else(|_| moment.to_string(), |moment| moment.strftime(HTTP).to_string())
}

/// Reads what [`http`] writes.
pub(crate) fn from_http(text: &str) -> Option<Timestamp> {
    let moment = jiff::civil::DateTime::strptime(HTTP, text.trim()).ok()?;
    let moment = moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_seconds(moment.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_written() {
        let moment = Timestamp::from_seconds(1_763_717_400);
        assert_eq!(http(moment), "Fri, 21 Nov 2025 09:30:00 GMT");
        assert_eq!(from_http(&http(moment)), Some(moment));
        assert_eq!(from_http("yesterday"), None);
    }
}
