//! Callers who sign: the roles and the AWS accounts that their ARNs name.
//!
//! Policies see an assumed role as `arn:aws:sts::{account}:assumed-role/{role}`. A role of the same name in another account is
//! another role, so that one is meant is either said or the gateway's own account.

use super::claims::{ACCOUNT, Claims};
use super::cursor::{Cursor, Understood, shown};
use super::intent::Expr;
use super::values::Joined;

impl Claims<'_> {
    /// Callers with one of these roles, of the account that is said behind them or of the gateway's.
    pub(super) fn iam_roles(
        self,
        begin: &Cursor<'_>,
        cursor: &mut Cursor<'_>,
        names: &[String],
        joined: Joined,
    ) -> Understood<Expr> {
        if !self.signatures {
            return begin.fail("callers of this gateway have tokens and no IAM role");
        }
        if joined == Joined::And {
            return begin.fail("a caller has one IAM role; say `or` between the possible ones");
        }
        let before = *cursor;
        let said = if cursor.take_any(&["in", "of", "from"]).is_some() && cursor.take_any(ACCOUNT).is_some() {
            let (accounts, _) = self.several(cursor)?;
            match accounts.as_slice() {
                [account] if is_account(account) => Some(account.clone()),
                [account] => return cursor.fail(no_account(account)),
                _ => return begin.fail("a role is of one account; make a sentence for each"),
            }
        } else {
            *cursor = before;
            None
        };
        let mut roles = Vec::new();
        for name in names {
            roles.push(Expr::Arn(vec![self.role(cursor, name, said.as_deref())?]));
        }
        Ok(Expr::any(roles))
    }

    /// The ARN that a caller with a role has, of whom its name or the role's ARN is said.
    fn role(self, cursor: &Cursor<'_>, name: &str, account: Option<&str>) -> Understood<String> {
        let own: Vec<&str> = self.gateway.split(':').collect();
        let [_, partition, _, _, home, ..] = own.as_slice() else {
            return cursor.fail("the gateway's ARN says no account; say the role's");
        };
        let parts: Vec<&str> = name.splitn(6, ':').collect();
        let (partition, account, resource) = match (parts.as_slice(), account) {
            (["arn", partition, "iam" | "sts", "", its, role], said)
                if said.is_none_or(|said| said == *its) =>
            {
                (*partition, *its, role.strip_prefix("role/").or_else(|| role.strip_prefix("assumed-role/")))
            }
            ([_], said) => (*partition, said.unwrap_or(home), Some(name)),
            _ => return cursor.fail(format!("{} is no name of an IAM role", shown(name))),
        };
        // A role's path is not in the ARN of those who have assumed it.
        let role = resource.and_then(|role| role.rsplit('/').next()).unwrap_or_default();
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
        if role.is_empty() || role.len() > 64 || !role.bytes().all(is_letter) || !is_account(account) {
            return cursor.fail(format!("{} is no name of an IAM role", shown(name)));
        }
        Ok(format!("arn:{partition}:sts::{account}:assumed-role/{role}"))
    }

    /// Callers from one of these accounts.
    pub(super) fn accounts(self, cursor: &Cursor<'_>, accounts: &[String]) -> Understood<Expr> {
        if !self.signatures {
            return cursor.fail("callers of this gateway have tokens and belong to no AWS account");
        }
        if let Some(wrong) = accounts.iter().find(|it| !is_account(it)) {
            return cursor.fail(no_account(wrong));
        }
        let partition = self.gateway.split(':').nth(1).unwrap_or("aws");
        let account = |id: &String| {
            ["sts", "iam"]
                .map(|service| Expr::Arn(vec![format!("arn:{partition}:{service}::{id}:"), String::new()]))
        };
        Ok(Expr::any(accounts.iter().flat_map(account).collect()))
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn no_account(text: &str) -> String {
    format!("{} is no AWS account: it has twelve digits", shown(text))
}
