//! Trace context: which trace a request belongs to, as callers write it and as callees read it.
//!
//! Source: W3C Trace Context, level 1, sections 3.2 (`traceparent`) and 3.3 (`tracestate`). What does not follow it is
//! ignored, as the recommendation asks; what does is bounded, because a stranger wrote it.

use domain::{AuditCall, AuditTrace, Random};
use http::{HeaderMap, HeaderName, HeaderValue};

/// `traceparent`.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// `tracestate`.
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The most of a `tracestate` that is passed on (section 3.3.1.5 asks for at least as much), in bytes.
const LONGEST_STATE: usize = 512;
/// The most members of a `tracestate` (section 3.3.1.1).
const MOST_MEMBERS: usize = 32;
/// How long a `traceparent` of version 00 is.
const LENGTH: usize = 55;

/// The name of a trace.
pub type TraceId = [u8; 16];
/// The name of a span.
pub type SpanId = [u8; 8];

/// The place of a span in its trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whether whoever began the trace records it.
    pub sampled: bool,
    /// What other systems keep with the trace: at most 512 bytes, passed on as it came.
    pub state: Option<HeaderValue>,
}

impl TraceContext {
    /// What a request says about its trace. Nothing, when it says it wrongly.
    #[must_use]
    pub fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(TRACEPARENT).iter();
        let (first, None) = (given.next()?, given.next()) else { return None };
        let mut context = Self::parse(first.as_bytes())?;
        context.state = state(headers);
        Some(context)
    }

    /// A `traceparent`, read.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let version = text.get(..2)?;
        let is_hex = |bytes: &[u8]| bytes.iter().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        let dashes = [2, 35, 52].iter().all(|at| text.get(*at) == Some(&b'-'));
        // Later versions may add something after another dash; 255 is no version.
        let ends = match version {
            b"00" => text.len() == LENGTH,
            b"ff" => false,
            _ => text.len() == LENGTH || text.get(LENGTH) == Some(&b'-'),
        };
        if !dashes || !ends || !is_hex(version) {
            return None;
        }
        let field = |from: usize, to: usize| text.get(from..to).filter(|bytes| is_hex(bytes));
        let (mut trace, mut span, mut flags) = ([0; 16], [0; 8], [0; 1]);
        hex::decode_to_slice(field(3, 35)?, &mut trace).ok()?;
        hex::decode_to_slice(field(36, 52)?, &mut span).ok()?;
        hex::decode_to_slice(field(53, LENGTH)?, &mut flags).ok()?;
        let named = trace != [0; 16] && span != [0; 8];
        named.then_some(Self {
            trace,
            span,
            sampled: flags.first().is_some_and(|it| it & 1 == 1),
            state: None,
        })
    }

    /// A context in a trace of its own.
    #[must_use]
    pub fn begin(random: &dyn Random, sampled: impl FnOnce(&TraceId) -> bool) -> Self {
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        let mut drawn = [0; 24];
        random.fill_name(&mut drawn);
        let (of_trace, of_span) = drawn.split_at(16);
        trace.copy_from_slice(of_trace);
        span.copy_from_slice(of_span);
        Self { trace, span, sampled: sampled(&trace), state: None }
    }

    /// Another span of the same trace.
    #[must_use]
    pub fn child(&self, random: &dyn Random) -> Self {
        let mut span = [0; 8];
        random.fill_name(&mut span);
        Self { span, ..self.clone() }
    }

    /// Puts it on a request, in the place of any other.
    pub fn write(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.traceparent()) {
            headers.insert(TRACEPARENT, value);
        }
        match &self.state {
            Some(state) => headers.insert(TRACESTATE, state.clone()),
            None => headers.remove(TRACESTATE),
        };
    }

    /// As `traceparent` has it.
    #[must_use]
    pub fn traceparent(&self) -> String {
        let flags = u8::from(self.sampled);
        format!("00-{}-{}-{flags:02x}", hex::encode(self.trace), hex::encode(self.span))
    }

    /// As audit events have it.
    #[must_use]
    pub fn audited(&self) -> AuditTrace {
        AuditTrace { trace_id: hex::encode(self.trace), span_id: hex::encode(self.span) }
    }

    /// What audit events tell of a call of which this is all that they tell.
    #[must_use]
    pub fn audited_call(&self) -> Box<AuditCall> {
        Box::new(AuditCall { trace: Some(self.audited()), ..AuditCall::default() })
    }

    /// As `X-Amzn-Trace-Id` has it ("Tracing header" in the AWS X-Ray developer guide).
    #[must_use]
    pub fn amazon_trace_id(&self) -> String {
        let trace = hex::encode(self.trace);
        let (epoch, rest) = trace.split_at_checked(8).unwrap_or((&trace, ""));
        let sampled = u8::from(self.sampled);
        format!("Root=1-{epoch}-{rest};Parent={};Sampled={sampled}", hex::encode(self.span))
    }
}

/// The members of `tracestate`, one header or several, put together; nothing if they are too many, too long, or hold what
/// no header should.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut whole: Vec<u8> = Vec::new();
    for part in headers.get_all(TRACESTATE) {
        if !whole.is_empty() {
            whole.push(b',');
        }
        whole.extend_from_slice(part.as_bytes());
        if whole.len() > LONGEST_STATE {
            return None;
        }
    }
    let members = whole.split(|byte| *byte == b',');
    let sound = |member: &[u8]| {
        let member = member.trim_ascii();
        member.is_empty() || (member.contains(&b'=') && member.iter().all(|it| matches!(it, b' '..=b'~')))
    };
    let fits = !whole.is_empty() && members.clone().count() <= MOST_MEMBERS && members.clone().all(sound);
    if fits { HeaderValue::from_bytes(&whole).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use domain::FixedRandom;

    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
        }
        headers
    }

    #[test]
    fn a_context_is_read_and_written_as_it_came() {
        let context =
            TraceContext::of_headers(&headers(&[("traceparent", GIVEN), ("tracestate", "a=1,b=2")]));
        let context = context.unwrap();
        assert!(context.sampled);
        assert_eq!(context.traceparent(), GIVEN);
        let mut written = headers(&[("tracestate", "other=1")]);
        context.write(&mut written);
        assert_eq!(written.get("tracestate").unwrap(), "a=1,b=2");
        assert_eq!(
            context.amazon_trace_id(),
            "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1"
        );
        let child = context.child(&FixedRandom::default());
        assert_eq!((child.trace, child.state), (context.trace, context.state));
        assert_ne!(child.span, context.span);
    }

    #[test]
    fn what_is_wrong_is_no_context() {
        for wrong in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
        ] {
            assert_eq!(TraceContext::parse(wrong.as_bytes()), None, "{wrong}");
        }
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-more";
        assert!(!TraceContext::parse(later.as_bytes()).unwrap().sampled);
        let twice = headers(&[("traceparent", GIVEN), ("traceparent", GIVEN)]);
        assert_eq!(TraceContext::of_headers(&twice), None);
    }

    #[test]
    fn a_state_is_bounded() {
        let state = |text: &str| {
            let given = headers(&[("traceparent", GIVEN), ("tracestate", text)]);
            TraceContext::of_headers(&given).unwrap().state
        };
        assert!(state("a=1").is_some());
        assert_eq!(state(&format!("a={}", "x".repeat(LONGEST_STATE))), None);
        assert_eq!(state(&["a=1"; MOST_MEMBERS + 1].join(",")), None);
        assert_eq!(state("no member"), None);
        let parts = headers(&[("traceparent", GIVEN), ("tracestate", "a=1"), ("tracestate", "b=2")]);
        assert_eq!(TraceContext::of_headers(&parts).unwrap().state.unwrap(), "a=1,b=2");
    }
}
