//! What became of an invocation, and the JSON in which Lambda says that a function went wrong.
//!
//! The texts are Lambda's to the letter, because clients and tests look for them. Sources: Lambda Developer
//! Guide, "Troubleshoot invocation issues in Lambda" and "Using the Lambda runtime API"; the texts of AWS's
//! own runtime interface emulator.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

/// The largest answer that a function may give, in bytes: 6 MiB and 100 bytes ("Lambda quotas").
pub(crate) const LARGEST_ANSWER: usize = 6 * 1024 * 1024 + 100;
/// The largest event, in bytes: 6 MiB.
pub(crate) const LARGEST_EVENT: usize = 6 * 1024 * 1024;

/// An invocation that was run to its end, well or badly.
#[derive(Clone, Debug)]
pub struct Completed {
    /// What the function answered, as it wrote it; with `function_error`, a JSON object with `errorMessage`,
    /// `errorType` and, where there are any, `stackTrace` and `requestId`. What a `provided` function writes
    /// is not read and may be no JSON at all.
    pub payload: Bytes,
    /// The end of what the invocation logged, at most 4 KiB: what `LogType=Tail` asks for, before base64.
    pub log_tail: Vec<u8>,
    /// Set when the function failed.
    pub function_error: Option<FunctionError>,
    /// How long the function worked on it.
    pub duration: Duration,
    /// The same in whole milliseconds, rounded up, as the REPORT line says it.
    pub billed_milliseconds: u64,
    /// How long the process took to become ready, if this was its first invocation.
    pub init_duration: Option<Duration>,
    /// The version that ran: `$LATEST`, or a number.
    pub version: String,
}

/// That a function failed: `X-Amz-Function-Error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// What the header says.
    pub kind: ErrorKind,
    /// The error's type, when it is known without reading the payload: `Runtime.ExitError`,
    /// `Sandbox.Timedout`, or what the runtime wrote in `Lambda-Runtime-Function-Error-Type`.
    pub error_type: Option<String>,
}

impl FunctionError {
    pub(crate) fn unhandled(error_type: Option<String>) -> Self {
        Self { kind: ErrorKind::Unhandled, error_type }
    }
}

/// The values of `X-Amz-Function-Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The function raised an error, crashed, or ran out of time or memory: the only kind that Lambda's
    /// present runtimes report.
    Unhandled,
}

impl ErrorKind {
    /// The header's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unhandled => "Unhandled",
        }
    }
}

/// What a function gave back: the inside of [`Completed`], before it is measured and logged.
pub(crate) enum Answer {
    /// The bytes of its answer.
    Given(Bytes),
    /// An error that its runtime reported, in the runtime's own words.
    Reported { payload: Bytes, error_type: Option<String> },
    /// An error that was found from outside.
    Fault(Fault),
}

/// How a process ended, in words: `exit status 1`, `signal: killed`.
pub(crate) fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (None, Some(signal)) => format!("signal: {}", signal_name(signal)),
        (code, _) => format!("exit status {}", code.unwrap_or_default()),
    }
}

/// Something that went wrong with a function, seen from outside or before its first event.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The runtime could not begin and said why.
    Init { payload: Bytes, error_type: Option<String> },
    /// The process ended.
    Exited(String),
    /// Time was up.
    TimedOut(Duration),
    /// There is nothing to execute.
    InvalidEntrypoint(String),
    /// The answer was too large.
    AnswerTooLarge,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    #[serde(rename = "errorType")]
    error_type: &'a str,
    #[serde(rename = "errorMessage")]
    error_message: &'a str,
}

impl Fault {
    /// The process ended with `status`, in the words of Lambda (which are those of Go).
    pub(crate) fn exited(status: ExitStatus) -> Self {
        Self::Exited(match status.code() {
            Some(0) => "Runtime exited without providing a reason".to_owned(),
            _ if status.code().is_none() && status.signal().is_none() => {
                "Runtime exited without providing a reason".to_owned()
            }
            _ => format!("Runtime exited with error: {}", ending(status)),
        })
    }

    /// The `errorType`.
    pub(crate) fn error_type(&self) -> Option<String> {
        let known = match self {
            Self::Init { error_type, .. } => return error_type.clone(),
            Self::Exited(_) => "Runtime.ExitError",
            Self::TimedOut(_) => "Sandbox.Timedout",
            Self::InvalidEntrypoint(_) => "Runtime.InvalidEntrypoint",
            Self::AnswerTooLarge => "Function.ResponseSizeTooLarge",
        };
        Some(known.to_owned())
    }

    /// What the log says about it, before END; `None` when the function has said it itself.
    pub(crate) fn log_lines(&self, request_id: &str) -> Option<String> {
        match self {
            Self::Init { .. } | Self::AnswerTooLarge => None,
            Self::Exited(text) | Self::InvalidEntrypoint(text) => Some(format!(
                "RequestId: {request_id} Error: {text}\n{}",
                self.error_type().unwrap_or_default()
            )),
            Self::TimedOut(after) => Some(format!("{request_id} {}", timed_out(*after))),
        }
    }

    /// The JSON that the caller gets.
    pub(crate) fn payload(&self, request_id: &str) -> Bytes {
        let error_message = match self {
            Self::Init { payload, .. } => return name_request(payload, request_id),
            Self::Exited(text) | Self::InvalidEntrypoint(text) => {
                format!("RequestId: {request_id} Error: {text}")
            }
            Self::TimedOut(after) => format!("RequestId: {request_id} Error: {}", timed_out(*after)),
            Self::AnswerTooLarge => answer_too_large(),
        };
        let error_type = self.error_type().unwrap_or_default();
        let body = ErrorBody { error_type: &error_type, error_message: &error_message };
        serde_json::to_vec(&body).unwrap_or_default().into()
    }
}

pub(crate) fn answer_too_large() -> String {
    format!("Response payload size exceeded maximum allowed payload size ({LARGEST_ANSWER} bytes).")
}

fn timed_out(after: Duration) -> String {
    format!("Task timed out after {:.2} seconds", after.as_secs_f64())
}

/// Lambda puts the id of the invocation that met a failed start into the runtime's report about it.
fn name_request(payload: &Bytes, request_id: &str) -> Bytes {
    match serde_json::from_slice::<Value>(payload) {
        Ok(Value::Object(mut report)) => {
            report.insert("requestId".to_owned(), Value::String(request_id.to_owned()));
            serde_json::to_vec(&report).map_or_else(|_| payload.clone(), Bytes::from)
        }
        _ => payload.clone(),
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_out_is_worded_as_lambda_words_it() {
        let fault = Fault::TimedOut(Duration::from_secs(3));
        assert_eq!(
            fault.payload("abc"),
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: abc Error: Task timed out after 3.00 seconds"}"#
        );
        assert_eq!(fault.log_lines("abc").unwrap(), "abc Task timed out after 3.00 seconds");
    }

    #[test]
    fn an_exit_is_worded_by_its_cause() {
        let words = |raw| match Fault::exited(ExitStatus::from_raw(raw)) {
            Fault::Exited(words) => words,
            _ => panic!("an exit is an exit"),
        };
        assert_eq!(words(0), "Runtime exited without providing a reason");
        assert_eq!(words(3 << 8), "Runtime exited with error: exit status 3");
        assert_eq!(words(9), "Runtime exited with error: signal: killed");
        assert_eq!(words(11), "Runtime exited with error: signal: segmentation fault");
    }

    #[test]
    fn a_failed_start_is_reported_under_the_request_that_met_it() {
        let fault = Fault::Init {
            payload: Bytes::from_static(br#"{"errorMessage":"no","requestId":""}"#),
            error_type: None,
        };
        assert_eq!(fault.payload("abc"), r#"{"errorMessage":"no","requestId":"abc"}"#);
        let odd = Fault::Init { payload: Bytes::from_static(b"not JSON"), error_type: None };
        assert_eq!(odd.payload("abc"), "not JSON");
    }
}
