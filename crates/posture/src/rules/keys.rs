//! Access keys.

use std::time::Duration;

use super::{breach, word};
use crate::Inventory;
use crate::rule::{Rule, Severity};

/// How old a key may be.
const OLDEST: Duration = Duration::from_secs(90 * 24 * 60 * 60);

pub(super) const NEVER_ROTATED: Rule = Rule {
    id: "access-key-never-rotated",
    severity: Severity::Medium,
    title: "An access key is younger than 90 days.",
    rationale: "The longer a key lives, the more places know it, and the longer a leak that nobody noticed is of use.",
    check: |inventory| {
        let mut breaches = Vec::new();
        for user in &inventory.users {
            for key in user.keys.iter().filter(|it| it.active) {
                let age = inventory.now.since(key.created_at);
                if age > OLDEST {
                    let days = age.as_secs() / (24 * 60 * 60);
                    let name = word(&user.name);
                    breaches.push(breach(&user.arn, format!("the key {} is {days} days old", key.id), [
                        format!("aws iam create-access-key --user-name {name}"),
                        "# give the new key to whoever uses the old one, then:".to_owned(),
                        format!("aws iam update-access-key --user-name {name} --access-key-id {} --status Inactive", key.id),
                        format!("aws iam delete-access-key --user-name {name} --access-key-id {}", key.id),
                    ]));
                }
            }
        }
        breaches
    },
};

pub(super) const SEVERAL: Rule = Rule {
    id: "access-key-several",
    severity: Severity::Low,
    title: "A user has one access key.",
    rationale: "A second key is for the hour in which keys are changed; one that stays, also an inactive one, is forgotten and still works when it is switched on.",
    check: has_several,
};

fn has_several(inventory: &Inventory) -> Vec<crate::rule::Breach> {
    let several = inventory.users.iter().filter(|user| user.keys.len() > 1);
    several
        .map(|user| {
            let ids: Vec<_> = user.keys.iter().map(|key| key.id.as_str()).collect();
            let oldest = user.keys.iter().min_by_key(|key| (key.active, key.created_at));
            let oldest = oldest.map(|key| key.id.as_str()).unwrap_or_default();
            breach(
                &user.arn,
                format!("its keys are {}", ids.join(", ")),
                [format!(
                    "aws iam delete-access-key --user-name {} --access-key-id {oldest}",
                    word(&user.name)
                )],
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;
    use crate::{Key, User};

    fn found(rule: Rule, ages_in_days: &[i64]) -> usize {
        let key = |(number, days): (usize, &i64)| Key {
            id: format!("AKIA{number}"),
            active: true,
            created_at: Timestamp::from_seconds((1_000 - days) * 86_400),
        };
        let user = User { keys: ages_in_days.iter().enumerate().map(key).collect(), ..User::default() };
        let now = Timestamp::from_seconds(1_000 * 86_400);
        (rule.check)(&Inventory { now, users: vec![user], ..Inventory::default() }).len()
    }

    #[test]
    fn each_rule_tells_a_user_that_breaks_it_from_one_that_does_not() {
        assert_eq!((found(NEVER_ROTATED, &[91]), found(NEVER_ROTATED, &[90])), (1, 0));
        assert_eq!((found(SEVERAL, &[1, 2]), found(SEVERAL, &[1])), (1, 0));
    }
}
