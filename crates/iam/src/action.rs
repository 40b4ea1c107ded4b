//! `Action` and `NotAction`.

use crate::Context;
use crate::pattern::{Case, Pattern};

/// Which actions a statement speaks about. Case does not matter (IAM User Guide, "IAM JSON policy elements:
/// Action").
#[derive(Debug)]
pub(crate) struct ActionElement {
    patterns: Box<[ActionPattern]>,
    /// `NotAction`: all but these.
    negated: bool,
}

#[derive(Debug)]
struct ActionPattern {
    /// Absent for any service.
    service: Option<Box<str>>,
    name: Pattern,
}

/// An action that is asked for, cut at its colon once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action<'a> {
    service: &'a str,
    name: &'a str,
}

impl<'a> Action<'a> {
    /// Text without a colon is an action of no service, which only `*` speaks about.
    pub(crate) fn new(text: &'a str) -> Self {
        let (service, name) = text.split_once(':').unwrap_or(("", text));
        Self { service, name }
    }
}

impl ActionElement {
    /// Compiles texts that were checked to be `*` or to have one colon.
    pub(crate) fn compile(texts: &[String], negated: bool) -> Self {
        let compile = |text: &String| {
            let (service, name) = text.split_once(':').unwrap_or(("*", text));
            ActionPattern { service: (service != "*").then(|| service.into()), name: Pattern::glob(name) }
        };
        Self { patterns: texts.iter().map(compile).collect(), negated }
    }

    pub(crate) fn covers(&self, action: Action<'_>) -> bool {
        // Actions know no variables: the context is never looked at.
        let nothing = Context::new();
        self.negated
            != self.patterns.iter().any(|pattern| {
                pattern.service.as_ref().is_none_or(|service| service.eq_ignore_ascii_case(action.service))
                    && pattern.name.matches(action.name, Case::AsciiIgnored, &nothing)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_matched_without_regard_to_case() {
        for (pattern, action, expected) in [
            ("*", "lambda:InvokeFunction", true),
            ("*:*", "lambda:InvokeFunction", true),
            ("*:Get*", "s3:GetObject", true),
            ("*:Get*", "s3:PutObject", false),
            ("LAMBDA:invokefunction", "lambda:InvokeFunction", true),
            ("bedrock-agentcore:*Gateway*", "bedrock-agentcore:CreateGatewayTarget", true),
            ("bedrock-agentcore:*Gateway*", "bedrock-agentcore:CreatePolicyEngine", false),
            ("bedrock-agentcore-control:*", "bedrock-agentcore:GetGateway", false),
            ("s3:", "s3:GetObject", false),
            ("s3:GetObject,PutObject", "s3:GetObject", false),
            ("s3:GetObject ", "s3:GetObject", false),
        ] {
            let element = ActionElement::compile(&[pattern.to_owned()], false);
            assert_eq!(element.covers(Action::new(action)), expected, "{pattern} on {action}");
            let negated = ActionElement::compile(&[pattern.to_owned()], true);
            assert_ne!(negated.covers(Action::new(action)), expected, "not {pattern} on {action}");
        }
    }
}
