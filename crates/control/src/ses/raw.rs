//! A message that its sender has written: `SendRawEmail`.
//!
//! To whom it goes is in its headers, unless the request says otherwise; what the request says counts, as it does for SES.
//! Who sends it is what its recipients are shown, so the name and the address in its headers are what policies are asked
//! about, and every other place that names a sender must name the same one: the policy that allowed the one has not heard
//! of the other.

use aws_shapes::ses::SendRawEmailRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::{Headers, Message, Sender};
use serde_json::{Value, json};

use super::address::Address;
use super::email::{invalid, read};
use crate::fault::Failure;

/// A message with its envelope.
pub(super) struct Raw<'a> {
    pub(super) message: Message,
    /// The sender of the request, where it names one.
    source: Option<&'a str>,
    /// Everybody, openly and blindly.
    pub(super) recipients: Vec<String>,
    headers: Headers,
}

impl<'a> Raw<'a> {
    pub(super) fn read(input: &'a SendRawEmailRequest) -> Result<Self, Failure> {
        let message =
            Message::read(&input.raw_message.data.0).map_err(|error| invalid(&error.to_string()))?;
        let headers = Headers::read(&message).map_err(|error| invalid(&error.to_string()))?;
        let destinations = input.destinations.clone().filter(|destinations| !destinations.is_empty());
        let recipients = destinations.unwrap_or_else(|| {
            [&headers.to, &headers.cc, &headers.bcc].into_iter().flatten().cloned().collect()
        });
        Ok(Self { message, source: input.source.as_deref(), recipients, headers })
    }

    /// Everybody whom the message or the request names as who sends it: one address, which may be written in several ways
    /// and with several names. The first is the one of `From`, which is shown.
    pub(super) fn senders(&self) -> Result<Vec<Address<'_>>, Failure> {
        let from = self.headers.from.as_ref().ok_or_else(|| invalid("Missing required header 'From'."))?;
        let named = std::iter::once(from).chain(&self.headers.other_senders);
        let mut senders = named.map(shown).collect::<Result<Vec<_>, _>>()?;
        if let Some(source) = self.source {
            let source = read(source)?;
            // A source without a name says nothing of what is shown.
            if source.display.is_some() || senders.iter().all(|sender| sender.bare != source.bare) {
                senders.push(source);
            }
        }
        senders.dedup();
        match senders.as_slice() {
            [first, others @ ..] if others.iter().any(|it| !it.bare.eq_ignore_ascii_case(first.bare)) => {
                Err(invalid(
                    "Source and the message's From and Sender headers name different senders: one address must stand in \
                     all of them.",
                ))
            }
            _ => Ok(senders),
        }
    }

    /// As the outbox keeps it: the members of `SendEmail` that can be read out of it, and the message itself.
    pub(super) fn document(&self, from: Address<'_>) -> Value {
        let source = match from.display {
            Some(name) => format!("{name} <{}>", from.bare),
            None => from.bare.to_owned(),
        };
        json!({
            "Source": source,
            "Destination": { "ToAddresses": self.headers.to, "CcAddresses": self.headers.cc },
            "Message": { "Subject": { "Data": self.headers.subject.clone().unwrap_or_default() } },
            "Destinations": self.recipients,
            "RawMessage": { "Data": STANDARD.encode(self.message.bytes()) },
        })
    }
}

/// A sender of the headers. Their reader took name and address apart, so the address is nothing but one.
fn shown(sender: &Sender) -> Result<Address<'_>, Failure> {
    let address = read(&sender.address)?;
    if address.bare != sender.address {
        return Err(invalid("Local address contains control or whitespace"));
    }
    Ok(Address { display: sender.name.as_deref(), ..address })
}
