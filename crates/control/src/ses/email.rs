//! Messages.

use aws::Fault;
use aws_shapes::ses::{
    EmailOperations, SendEmailRequest, SendEmailResponse, SendRawEmailRequest, SendRawEmailResponse,
};
use domain::{Arn, Document};
use mail::{Envelope, Letter, Person};
use store::Mail;

use super::Ses;
use super::address::Address;
use super::deliver::deliver;
use super::raw::Raw;
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;

/// The most recipients of one message (SES quotas).
const MOST_RECIPIENTS: usize = 50;

impl EmailOperations<Context> for Ses {
    type Error = Failure;

    /// Puts the message into the outbox, and hands it to the relay if there is one. The sender's address need not be
    /// verified.
    async fn send_email(
        &self,
        context: &Context,
        input: SendEmailRequest,
    ) -> Result<SendEmailResponse, Failure> {
        let from = read(&input.source)?;
        let recipients = recipients(&input)?;
        let allowed = authorize(context, from, &recipients)?;
        let id = message_id(context);
        // Written before anything is kept: what cannot be sent is not in the outbox either.
        let written = mail::compose(&letter(context, &id, &input, from)?)
            .map_err(|error| invalid(&error.to_string()))?;
        let message = serde_json::to_string(&input).map_err(|error| Failure::internal(&error))?;
        keep(context, allowed, &id, message).await?;
        deliver(context, &id, &envelope(from, &recipients), &written).await?;
        Ok(SendEmailResponse { message_id: id })
    }

    /// The same for a message that the caller has written. Its headers say who sends it to whom, unless the request does.
    async fn send_raw_email(
        &self,
        context: &Context,
        input: SendRawEmailRequest,
    ) -> Result<SendRawEmailResponse, Failure> {
        let raw = Raw::read(&input)?;
        let senders = raw.senders()?;
        let recipients = raw.recipients.iter().map(|text| read(text)).collect::<Result<Vec<_>, _>>()?;
        check(&recipients)?;
        let (from, others) =
            senders.split_first().ok_or_else(|| invalid("Missing required header 'From'."))?;
        let allowed = authorize(context, *from, &recipients)?;
        for other in others {
            authorize(context, *other, &recipients)?;
        }
        let id = message_id(context);
        keep(context, allowed, &id, raw.document(*from).to_string()).await?;
        deliver(context, &id, &envelope(*from, &recipients), &mail::without_bcc(&raw.message)).await?;
        Ok(SendRawEmailResponse { message_id: id })
    }
}

/// Whether the caller may send as this sender to these recipients. Both operations are asked about by their own names.
fn authorize<'a>(
    context: &'a Context,
    from: Address<'_>,
    recipients: &[Address<'_>],
) -> Result<Authorized<'a>, Failure> {
    let scope = &context.scope;
    let identity = format!("identity/{}", from.bare);
    let sender = Arn::new("ses", scope.region.as_str(), scope.account.as_str(), &identity);
    context.authorize_with(&sender, |conditions| {
        let conditions = conditions
            .with("ses:ApiVersion", "1")
            .with("ses:FromAddress", from.bare)
            .with_many("ses:Recipients", recipients.iter().map(|recipient| recipient.bare));
        match from.display {
            Some(display) => conditions.with("ses:FromDisplayName", display),
            None => conditions,
        }
    })
}

/// Puts a message into the outbox.
async fn keep(context: &Context, allowed: Authorized<'_>, id: &str, message: String) -> Result<(), Failure> {
    let mail = Mail {
        id: id.to_owned(),
        scope: context.scope.clone(),
        created_at: context.now,
        message: Document(message),
    };
    let mut tx = allowed.begin().await?;
    tx.insert_mail(&mail).await?;
    Ok(allowed.commit(tx).await?)
}

fn letter<'a>(
    context: &Context,
    id: &'a str,
    input: &'a SendEmailRequest,
    from: Address<'a>,
) -> Result<Letter<'a>, Failure> {
    let people = |texts: &'a Option<Vec<String>>| {
        texts.iter().flatten().map(|text| read(text).map(person)).collect::<Result<Vec<_>, _>>()
    };
    let body = &input.message.body;
    Ok(Letter {
        id,
        date: context.now,
        from: person(from),
        to: people(&input.destination.to_addresses)?,
        cc: people(&input.destination.cc_addresses)?,
        reply_to: people(&input.reply_to_addresses)?,
        subject: &input.message.subject.data,
        text: body.text.as_ref().map(|content| content.data.as_str()),
        html: body.html.as_ref().map(|content| content.data.as_str()),
    })
}

fn person(address: Address<'_>) -> Person<'_> {
    Person { address: address.bare, name: address.display }
}

fn envelope(from: Address<'_>, recipients: &[Address<'_>]) -> Envelope {
    Envelope {
        from: from.bare.to_owned(),
        to: recipients.iter().map(|recipient| recipient.bare.to_owned()).collect(),
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
    check(&all)?;
    if input.message.body.text.is_none() && input.message.body.html.is_none() {
        return Err(invalid("The message has no body: give Text, Html or both."));
    }
    Ok(all)
}

fn check(recipients: &[Address<'_>]) -> Result<(), Failure> {
    if recipients.is_empty() {
        return Err(invalid("Missing required header 'To'."));
    }
    if recipients.len() > MOST_RECIPIENTS {
        return Err(invalid("Recipient count exceeds 50."));
    }
    Ok(())
}

pub(super) fn read(text: &str) -> Result<Address<'_>, Failure> {
    Address::parse(text).map_err(invalid)
}

/// SES's error for a parameter that its model cannot check.
pub(super) fn invalid(message: &str) -> Failure {
    Fault::new("InvalidParameterValue", message).into()
}

/// SES's form: sixteen hexadecimal digits that begin with the region's number and hold the time, a UUID, six zeros. The
/// UUID is the request's, so that the message is found from the audit trail.
fn message_id(context: &Context) -> String {
    format!("0100{:012x}-{}-000000", context.now.millis(), context.request_id)
}
