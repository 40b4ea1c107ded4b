//! Resource policies of functions: who else may invoke them. A policy is in force when the answer is given.

use ::iam::{Policy, PolicyKind};
use aws::Fault;
use aws_lc_rs::digest;
use aws_shapes::lambda::{
    AddPermissionRequest, AddPermissionResponse, GetPolicyRequest, GetPolicyResponse, PermissionOperations,
    RemovePermissionRequest,
};
use domain::{AccountId, Arn, Document, Function, FunctionStatement, LATEST};
use functions::policy_document;
use serde::Serialize;
use store::Tx;

use super::{Lambda, find, invalid};
use crate::context::Context;
use crate::fault::Failure;

/// The most bytes of a policy ("Lambda quotas": 20 KB).
const MAX_POLICY_BYTES: usize = 20 * 1024;

impl PermissionOperations<Context> for Lambda {
    type Error = Failure;

    async fn add_permission(
        &self,
        context: &Context,
        input: AddPermissionRequest,
    ) -> Result<AddPermissionResponse, Failure> {
        let found = find(context, &input.function_name, input.qualifier.as_deref()).await?;
        let mut tx = found.allowed.begin().await?;
        let function = found.present(&mut tx).await?;
        let mut statements =
            tx.function_statements(&function.scope, &function.name, found.qualifier()).await?;
        check_revision(input.revision_id.as_deref(), &function, &statements)?;
        if statements.iter().any(|known| known.id == input.statement_id) {
            let message = format!(
                "The statement id ({}) provided already exists. Please provide a new statement id, or remove the \
                 existing statement.",
                input.statement_id
            );
            return Err(Fault::new("ResourceConflictException", message).into());
        }
        if found.qualifier() == LATEST {
            return Err(invalid("We currently do not support adding policies for $LATEST."));
        }
        check_principal(&mut tx, &input.principal).await?;
        let statement = write_statement(&input, &found.name.arn())?;
        statements.push(statement.clone());
        check_policy(&policy_document(&statements))?;
        tx.insert_function_statement(&function.scope, &function.name, found.qualifier(), &statement).await?;
        found.allowed.commit(tx).await?;
        context.setup().functions.forget(&function.scope, &function.name);
        Ok(AddPermissionResponse { statement: Some(statement.statement.0) })
    }

    async fn get_policy(
        &self,
        context: &Context,
        input: GetPolicyRequest,
    ) -> Result<GetPolicyResponse, Failure> {
        let found = find(context, &input.function_name, input.qualifier.as_deref()).await?;
        let mut tx = found.allowed.read().await?;
        let function = &found.function.function;
        let statements = tx.function_statements(&function.scope, &function.name, found.qualifier()).await?;
        if statements.is_empty() {
            return Err(not_found("The resource you requested does not exist."));
        }
        Ok(GetPolicyResponse {
            policy: Some(policy_document(&statements)),
            revision_id: Some(revision(function, &statements)),
        })
    }

    async fn remove_permission(
        &self,
        context: &Context,
        input: RemovePermissionRequest,
    ) -> Result<(), Failure> {
        let found = find(context, &input.function_name, input.qualifier.as_deref()).await?;
        let mut tx = found.allowed.begin().await?;
        let function = found.present(&mut tx).await?;
        let statements = tx.function_statements(&function.scope, &function.name, found.qualifier()).await?;
        if statements.is_empty() {
            return Err(not_found("No policy is associated with the given resource."));
        }
        check_revision(input.revision_id.as_deref(), &function, &statements)?;
        let id = &input.statement_id;
        if !statements.iter().any(|known| known.id == *id) {
            return Err(not_found(&format!("Statement {id} is not found in resource policy.")));
        }
        tx.delete_function_statement(&function.scope, &function.name, found.qualifier(), id).await?;
        found.allowed.commit(tx).await?;
        context.setup().functions.forget(&function.scope, &function.name);
        Ok(())
    }
}

/// A statement as Lambda writes it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    sid: &'a str,
    effect: &'static str,
    principal: Principal,
    action: &'a str,
    resource: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition<'a>>,
}

#[derive(Serialize)]
enum Principal {
    #[serde(rename = "AWS")]
    Iam(String),
    Service(String),
    #[serde(untagged)]
    Everyone(&'static str),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    string_equals: Option<SourceAccount<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arn_like: Option<SourceArn<'a>>,
}

#[derive(Serialize)]
struct SourceAccount<'a> {
    #[serde(rename = "AWS:SourceAccount")]
    account: &'a str,
}

#[derive(Serialize)]
struct SourceArn<'a> {
    #[serde(rename = "AWS:SourceArn")]
    arn: &'a str,
}

fn write_statement(input: &AddPermissionRequest, function: &Arn) -> Result<FunctionStatement, Failure> {
    let string_equals = input.source_account.as_deref().map(|account| SourceAccount { account });
    let arn_like = input.source_arn.as_deref().map(|arn| SourceArn { arn });
    let conditional = string_equals.is_some() || arn_like.is_some();
    let statement = Statement {
        sid: &input.statement_id,
        effect: "Allow",
        principal: read_principal(&input.principal)?,
        action: &input.action,
        resource: function.as_str(),
        condition: conditional.then_some(Condition { string_equals, arn_like }),
    };
    let text = serde_json::to_string(&statement).map_err(|error| Failure::internal(&error))?;
    Ok(FunctionStatement { id: input.statement_id.clone(), statement: Document(text) })
}

/// An account by its number, an identity by its ARN, a service by its name, or everyone.
fn read_principal(text: &str) -> Result<Principal, Failure> {
    if text == "*" {
        return Ok(Principal::Everyone("*"));
    }
    if let Ok(account) = AccountId::parse(text) {
        return Ok(Principal::Iam(Arn::iam(&account, "root").into()));
    }
    if text.starts_with("arn:") {
        return Ok(Principal::Iam(text.to_owned()));
    }
    if text.contains('.') {
        return Ok(Principal::Service(text.to_owned()));
    }
    Err(invalid(NO_PRINCIPAL))
}

/// What Lambda says of a principal that nobody is.
const NO_PRINCIPAL: &str = "The provided principal was invalid. Please check the principal and try again.";

/// Sees that an account, a user or a role that is named exists: a statement about nobody would speak about whoever takes
/// the name later.
async fn check_principal(tx: &mut Tx, text: &str) -> Result<(), Failure> {
    let exists = match (AccountId::parse(text), Arn::parse(text)) {
        (Ok(account), _) => tx.has_account(&account).await?,
        (_, Ok(arn)) => identity_exists(tx, &arn).await?,
        // Services and everyone are no resources.
        _ => true,
    };
    if exists { Ok(()) } else { Err(invalid(NO_PRINCIPAL)) }
}

async fn identity_exists(tx: &mut Tx, arn: &Arn) -> Result<bool, Failure> {
    let Ok(account) = AccountId::parse(arn.account()) else { return Ok(false) };
    let resource = arn.resource();
    let last = resource.rsplit('/').next().unwrap_or_default();
    Ok(match (arn.service(), resource.split('/').next().unwrap_or_default()) {
        ("iam", "root") => tx.has_account(&account).await?,
        ("iam", "role") => tx.role(&account, last).await?.is_some_and(|role| role.arn() == *arn),
        ("iam", "user") => tx.user(&account, last).await?.is_some_and(|user| user.arn() == *arn),
        ("sts", "assumed-role") => {
            let role = resource.split('/').nth(1).unwrap_or_default();
            tx.role(&account, role).await?.is_some()
        }
        _ => false,
    })
}

/// Sees that a policy can be kept, and read again to decide by it.
fn check_policy(document: &str) -> Result<(), Failure> {
    if document.len() > MAX_POLICY_BYTES {
        let message = format!(
            "The final policy size ({}) is bigger than the limit ({MAX_POLICY_BYTES}).",
            document.len()
        );
        return Err(Fault::new("PolicyLengthExceededException", message).into());
    }
    match Policy::parse(document, PolicyKind::Resource) {
        Ok(_) => Ok(()),
        Err(error) if error.place().contains(".Principal") => Err(invalid(format!(
            "The provided principal was invalid. Please check the principal and try again. ({})",
            error.hint()
        ))),
        Err(error) => Err(invalid(error.to_string())),
    }
}

fn check_revision(
    expected: Option<&str>,
    function: &Function,
    statements: &[FunctionStatement],
) -> Result<(), Failure> {
    if expected.is_none_or(|expected| expected == revision(function, statements)) {
        return Ok(());
    }
    let message = "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to \
                   retrieve the latest Revision Id";
    Err(Fault::new("PreconditionFailedException", message).into())
}

/// Names a state of a policy: another policy has another name, and the same policy the same. A function without a policy
/// goes by its own revision.
fn revision(function: &Function, statements: &[FunctionStatement]) -> String {
    if statements.is_empty() {
        return function.revision_id.clone();
    }
    let hash = digest::digest(&digest::SHA256, policy_document(statements).as_bytes());
    let mut digits = hex::encode(hash);
    digits.truncate(32);
    let mut name = String::with_capacity(36);
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            name.push('-');
        }
        name.push(digit);
    }
    name
}

fn not_found(message: &str) -> Failure {
    Fault::new("ResourceNotFoundException", message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(principal: &str, arn: Option<&str>, account: Option<&str>) -> String {
        let input = AddPermissionRequest {
            function_name: "f".to_owned(),
            statement_id: "s-1".to_owned(),
            action: "lambda:InvokeFunction".to_owned(),
            principal: principal.to_owned(),
            source_arn: arn.map(str::to_owned),
            source_account: account.map(str::to_owned),
            qualifier: None,
            revision_id: None,
        };
        let function = Arn::new("lambda", "us-west-2", "123456789012", "function:f");
        write_statement(&input, &function).map(|written| written.statement.0).unwrap_or_default()
    }

    #[test]
    fn statements_are_written_as_lambda_writes_them() {
        assert_eq!(
            statement("210987654321", None, None),
            r#"{"Sid":"s-1","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::210987654321:root"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-west-2:123456789012:function:f"}"#
        );
        let conditional = statement("s3.amazonaws.com", Some("arn:aws:s3:::b"), Some("123456789012"));
        assert!(conditional.contains(r#""Principal":{"Service":"s3.amazonaws.com"}"#), "{conditional}");
        assert!(
            conditional.ends_with(
                r#""Condition":{"StringEquals":{"AWS:SourceAccount":"123456789012"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}}"#
            ),
            "{conditional}"
        );
        assert!(statement("*", None, None).contains(r#""Principal":"*""#));
        let role = "arn:aws:iam::123456789012:role/r";
        assert!(statement(role, None, None).contains(&format!(r#""Principal":{{"AWS":"{role}"}}"#)));
        assert_eq!(statement("nobody", None, None), "");
    }
}
