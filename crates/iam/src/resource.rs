//! `Resource` and `NotResource`.

use crate::Context;
use crate::arn_pattern::components;
use crate::pattern::{Case, Pattern, Variables, Wildcards};

/// Which resources a statement speaks about.
#[derive(Debug)]
pub(crate) struct ResourceElement {
    patterns: Box<[ResourcePattern]>,
    /// The patterns as they were written, for explanations.
    pub(crate) written: Box<[Box<str>]>,
    /// `NotResource`: all but these.
    pub(crate) negated: bool,
}

#[derive(Debug)]
enum ResourcePattern {
    /// `*`: every resource, and the absence of one.
    All,
    /// Partition, service, region, account; then the resource, in which variables may stand.
    Arn { head: [Pattern; 4], tail: Pattern },
}

/// A resource that is asked about, cut into its components once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resource<'a>(Option<[&'a str; 6]>);

impl<'a> Resource<'a> {
    /// Text that is no ARN, such as `*`, is a resource that only `*` speaks about.
    pub(crate) fn new(text: &'a str) -> Self {
        Self(components(text).filter(|[prefix, ..]| *prefix == "arn"))
    }
}

impl ResourceElement {
    /// Compiles texts that were checked to be `*` or ARN patterns. Components that are missing at the end are
    /// `*`, as IAM takes them to be.
    pub(crate) fn compile(texts: &[String], negated: bool, variables: Variables) -> Self {
        let compile = |text: &String| {
            if text == "*" {
                return ResourcePattern::All;
            }
            let mut parts = text.splitn(6, ':').skip(1);
            let mut next = || parts.next().unwrap_or("*");
            ResourcePattern::Arn {
                // "You can't use a variable to replace parts of the ARN before the fifth colon."
                head: std::array::from_fn(|_| Pattern::glob(next())),
                tail: Pattern::compile(next(), Wildcards::Special, variables),
            }
        };
        Self {
            patterns: texts.iter().map(compile).collect(),
            written: texts.iter().map(|text| text.as_str().into()).collect(),
            negated,
        }
    }

    pub(crate) fn covers(&self, resource: Resource<'_>, context: &Context) -> bool {
        self.negated != self.patterns.iter().any(|pattern| pattern.matches(resource, context))
    }
}

impl ResourcePattern {
    fn matches(&self, resource: Resource<'_>, context: &Context) -> bool {
        match (self, resource.0) {
            (Self::All, _) => true,
            (Self::Arn { .. }, None) => false,
            (Self::Arn { head, tail }, Some([_, partition, service, region, account, name])) => {
                head.iter()
                    .zip([partition, service, region, account])
                    .all(|(pattern, part)| pattern.matches(part, Case::Exact, context))
                    && tail.matches(name, Case::Exact, context)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_matched_component_by_component() {
        let context = Context::new().with("aws:username", "david");
        for (pattern, resource, expected) in [
            ("*", "*", true),
            ("*", "arn:aws:s3:::bucket", true),
            ("arn:aws:s3:::*", "*", false),
            (
                "arn:aws:bedrock-agentcore:*:*:*gateway*",
                "arn:aws:bedrock-agentcore:us-west-2:000000000000:gateway/x",
                true,
            ),
            (
                "arn:aws:bedrock-agentcore:*:*:*gateway*",
                "arn:aws:bedrock-agentcore:us-west-2:000000000000:gateway/*",
                true,
            ),
            (
                "arn:aws:bedrock-agentcore:*:*:*gateway*",
                "arn:aws:bedrock-agentcore:us-west-2:000000000000:policy-engine/x",
                false,
            ),
            ("arn:aws:lambda:*:function:f", "arn:aws:lambda:us-west-2:1:function:f", false),
            ("arn:aws:lambda:us-west-2:1:function:*", "arn:aws:lambda:us-west-2:1:function:f:PROD", true),
            ("arn:aws:s3:::home/${aws:username}/*", "arn:aws:s3:::home/david/x", true),
            ("arn:aws:s3:::home/${aws:username}/*", "arn:aws:s3:::home/eve/x", false),
            ("arn:aws:s3:::home/${aws:absent}", "arn:aws:s3:::home/", false),
            ("arn:aws:sqs:${aws:username}:1:q", "arn:aws:sqs:david:1:q", false),
            ("arn:aws:s3", "arn:aws:s3:::bucket", true),
            ("arn:aws:s3", "arn:aws:sns:::topic", false),
            ("arn:aws-cn:s3:::b", "arn:aws:s3:::b", false),
            ("arn:aws:s3:::b", "urn:aws:s3:::b", false),
        ] {
            let texts = [pattern.to_owned()];
            let element = ResourceElement::compile(&texts, false, Variables::Replaced);
            let asked = Resource::new(resource);
            assert_eq!(element.covers(asked, &context), expected, "{pattern} on {resource}");
            let negated = ResourceElement::compile(&texts, true, Variables::Replaced);
            assert_ne!(negated.covers(asked, &context), expected, "not {pattern} on {resource}");
        }
    }
}
