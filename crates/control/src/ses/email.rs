//! Messages.

use aws::Fault;
use aws_shapes::ses::{EmailOperations, SendEmailRequest, SendEmailResponse};
use domain::{Arn, Document};
use store::Mail;

use super::Ses;
use super::address::Address;
use crate::context::Context;
use crate::fault::Failure;

/// The most recipients of one message (SES quotas).
const MOST_RECIPIENTS: usize = 50;

impl EmailOperations<Context> for Ses {
    type Error = Failure;

    /// Puts the message into the outbox. It is not delivered, and the sender's address need not be verified.
    async fn send_email(
        &self,
        context: &Context,
        input: SendEmailRequest,
    ) -> Result<SendEmailResponse, Failure> {
        let from = read(&input.source)?;
        let recipients = recipients(&input)?;
        let scope = &context.scope;
        let identity = format!("identity/{}", from.bare);
        let sender = Arn::new("ses", scope.region.as_str(), scope.account.as_str(), &identity);
        let allowed = context.authorize_with(&sender, |conditions| {
            let conditions = conditions
                .with("ses:ApiVersion", "1")
                .with("ses:FromAddress", from.bare)
                .with_many("ses:Recipients", recipients.iter().map(|recipient| recipient.bare));
            match from.display {
                Some(display) => conditions.with("ses:FromDisplayName", display),
                None => conditions,
            }
        })?;
        let message = serde_json::to_string(&input).map_err(|error| Failure::internal(&error))?;
        let mail = Mail {
            id: message_id(context),
            scope: scope.clone(),
            created_at: context.now,
            message: Document(message),
        };
        let mut tx = allowed.begin().await?;
        tx.insert_mail(&mail).await?;
        allowed.commit(tx).await?;
        tracing::info!(
            mail.id,
            mail.recipients = recipients.len(),
            "A message was put into the outbox; Portcullis delivers no mail."
        );
        Ok(SendEmailResponse { message_id: mail.id })
    }
}

/// Whom the message is for, openly and blindly.
fn recipients(input: &SendEmailRequest) -> Result<Vec<Address<'_>>, Failure> {
    let to = &input.destination;
    let all = [&to.to_addresses, &to.cc_addresses, &to.bcc_addresses];
    let all: Vec<_> = all.into_iter().flatten().flatten().map(|text| read(text)).collect::<Result<_, _>>()?;
    if let Some(problem) = input.reply_to_addresses.iter().flatten().find_map(|text| read(text).err()) {
        return Err(problem);
    }
    if all.is_empty() {
        return Err(invalid("Missing required header 'To'."));
    }
    if all.len() > MOST_RECIPIENTS {
        return Err(invalid("Recipient count exceeds 50."));
    }
    if input.message.body.text.is_none() && input.message.body.html.is_none() {
        return Err(invalid("The message has no body: give Text, Html or both."));
    }
    Ok(all)
}

fn read(text: &str) -> Result<Address<'_>, Failure> {
    Address::parse(text).map_err(invalid)
}

/// SES's error for a parameter that its model cannot check.
fn invalid(message: &str) -> Failure {
    Fault::new("InvalidParameterValue", message).into()
}

/// SES's form: sixteen hexadecimal digits that begin with the region's number and hold the time, a UUID, six zeros. The
/// UUID is the request's, so that the message is found from the audit trail.
fn message_id(context: &Context) -> String {
    format!("0100{:012x}-{}-000000", context.now.millis(), context.request_id)
}
