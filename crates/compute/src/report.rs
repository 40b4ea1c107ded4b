//! The END and REPORT lines with which Lambda closes an invocation in the log.
//!
//! Source: Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs", "Understanding the
//! REPORT line".

use std::fmt::Write as _;
use std::time::Duration;

use crate::outcome::Fault;

/// What the lines tell.
pub(crate) struct Report<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) duration: Duration,
    pub(crate) memory_mib: u32,
    pub(crate) peak_memory_kib: u64,
    pub(crate) init_duration: Option<Duration>,
    pub(crate) fault: Option<&'a Fault>,
}

impl Report<'_> {
    /// The lines, with what is to be said about the fault before them.
    pub(crate) fn lines(&self) -> String {
        let mut lines = String::with_capacity(256);
        if let Some(text) = self.fault.and_then(|fault| fault.log_lines(self.request_id)) {
            lines.push_str(&text);
            lines.push('\n');
        }
        // Writing into a string cannot fail.
        let _ = write!(
            lines,
            "END RequestId: {}\nREPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {} ms\t\
             Memory Size: {} MB\tMax Memory Used: {} MB",
            self.request_id,
            self.request_id,
            hundredths(self.duration),
            billed(self.duration),
            self.memory_mib,
            self.peak_memory_kib.div_ceil(1024),
        );
        if let Some(init) = self.init_duration {
            let _ = write!(lines, "\tInit Duration: {} ms", hundredths(init));
        }
        match self.fault {
            Some(Fault::TimedOut(_)) => lines.push_str("\tStatus: timeout"),
            Some(fault) => {
                let _ =
                    write!(lines, "\tStatus: error\tError Type: {}", fault.error_type().unwrap_or_default());
            }
            None => {}
        }
        lines
    }
}

/// Whole milliseconds, rounded up.
pub(crate) fn billed(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// Milliseconds with two digits after the point.
fn hundredths(duration: Duration) -> impl std::fmt::Display {
    let hundredths = duration.as_micros() / 10;
    std::fmt::from_fn(move |formatter| write!(formatter, "{}.{:02}", hundredths / 100, hundredths % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_lambdas() {
        let mut report = Report {
            request_id: "r",
            duration: Duration::from_micros(1_234),
            memory_mib: 128,
            peak_memory_kib: 20 * 1024 + 1,
            init_duration: Some(Duration::from_millis(50)),
            fault: None,
        };
        assert_eq!(
            report.lines(),
            "END RequestId: r\nREPORT RequestId: r\tDuration: 1.23 ms\tBilled Duration: 2 ms\t\
             Memory Size: 128 MB\tMax Memory Used: 21 MB\tInit Duration: 50.00 ms"
        );
        let fault = Fault::Exited("Runtime exited with error: exit status 1".to_owned());
        report.fault = Some(&fault);
        report.init_duration = None;
        let lines = report.lines();
        assert!(lines.starts_with(
            "RequestId: r Error: Runtime exited with error: exit status 1\nRuntime.ExitError\nEND "
        ));
        assert!(lines.ends_with("\tStatus: error\tError Type: Runtime.ExitError"));
    }
}
