//! What a policy says, for those who hold it against rules of their own before they take it: which resources its
//! statements name, whether they are for everybody, which actions they speak about, and which keys they look at.

use crate::action::Action;
use crate::policy::{Policy, Statement};
use crate::principal::PrincipalPattern;

/// One statement of a policy.
#[derive(Clone, Copy, Debug)]
pub struct Outline<'a>(&'a Statement);

impl Policy {
    /// Its statements, in order.
    pub fn outlines(&self) -> impl ExactSizeIterator<Item = Outline<'_>> {
        self.statements.iter().map(Outline)
    }

    /// The condition keys that its conditions and variables look at, as they are written, each once, in order
    /// (`GetContextKeysForCustomPolicy`).
    #[must_use]
    pub fn context_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        for statement in &self.statements {
            let of_conditions =
                statement.conditions.iter().map(|condition| condition.written_key.to_string());
            let of_resources = statement.resources.iter().flat_map(|element| element.written.iter());
            let of_values = statement.conditions.iter().flat_map(|condition| condition.written_values.iter());
            let texts = of_resources.map(|text| &**text).chain(of_values.map(String::as_str));
            for key in of_conditions.chain(texts.flat_map(variables)) {
                if !keys.iter().any(|known| known.eq_ignore_ascii_case(&key)) {
                    keys.push(key);
                }
            }
        }
        keys
    }
}

impl Outline<'_> {
    /// Its position in the policy, from zero.
    #[must_use]
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// Whether it is about this resource and no other: every `Resource` is the ARN itself.
    #[must_use]
    pub fn is_about_only(&self, arn: &str) -> bool {
        let named = |element: &crate::resource::ResourceElement| {
            !element.negated && element.written.iter().all(|text| **text == *arn)
        };
        self.0.resources.as_ref().is_some_and(named)
    }

    /// Whether it is for everybody and nobody in particular: `"Principal": "*"`.
    #[must_use]
    pub fn is_for_everyone(&self) -> bool {
        self.0.principal.as_ref().is_some_and(|element| {
            let everyone = |pattern: &PrincipalPattern| *pattern == PrincipalPattern::Everyone;
            !element.negated && element.patterns.iter().all(everyone)
        })
    }

    /// Whether it speaks about an action, such as `bedrock-agentcore:InvokeGateway`.
    #[must_use]
    pub fn speaks_about(&self, action: &str) -> bool {
        self.0.actions.covers(Action::new(action))
    }
}

/// The keys of the variables in a text: `aws:username` of `home/${aws:username}/*`.
fn variables(text: &str) -> Vec<String> {
    let keys = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    let keys = keys.map(|(inside, _)| inside.split(',').next().unwrap_or_default().trim());
    keys.filter(|key| key.contains(':')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PolicyKind;

    #[test]
    fn a_policy_says_what_it_is_about() {
        let policy = Policy::parse(
            r#"{"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": "*", "Action": "bedrock-agentcore:Invoke*", "Resource": "arn:aws:x:::a",
                 "Condition": {"StringEquals": {"aws:SourceVpc": "${aws:PrincipalTag/vpc, 'none'}"}}},
                {"Effect": "Deny", "Principal": {"AWS": ["*", "111122223333"]}, "Action": "s3:*", "NotResource": "arn:aws:x:::a",
                 "Condition": {"StringEquals": {"AWS:sourcevpc": "vpc-1"}}}
            ]}"#,
            PolicyKind::Resource,
        )
        .unwrap();
        let said: Vec<_> = policy
            .outlines()
            .map(|it| {
                let invokes = it.speaks_about("bedrock-agentcore:InvokeGateway");
                (it.index(), it.is_about_only("arn:aws:x:::a"), it.is_for_everyone(), invokes)
            })
            .collect();
        assert_eq!(said, [(0, true, true, true), (1, false, false, false)]);
        assert_eq!(policy.context_keys(), ["aws:SourceVpc", "aws:PrincipalTag/vpc"]);
    }
}
