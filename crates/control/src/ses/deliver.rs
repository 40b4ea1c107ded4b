//! Hands a message to the relay, if the operator has named one.
//!
//! The message is in the outbox by then, and stays there. One that the relay does not take is an error for its sender, who
//! may try again: nobody is told that a message was sent that was not.

use aws::Fault;
use mail::{Envelope, Message, RelayError};

use crate::context::Context;
use crate::fault::Failure;

/// Hands a message to the relay.
pub(super) async fn deliver(
    context: &Context,
    id: &str,
    envelope: &Envelope,
    message: &Message,
) -> Result<(), Failure> {
    let recipients = envelope.to.len();
    let Some(relay) = &context.setup().relay else {
        tracing::info!(
            mail.id = id,
            mail.recipients = recipients,
            "A message was put into the outbox; no relay is configured, so it is not delivered."
        );
        return Ok(());
    };
    match relay.send(envelope, message).await {
        Ok(()) => {
            tracing::info!(
                mail.id = id,
                mail.recipients = recipients,
                "A message was handed to the mail relay."
            );
            Ok(())
        }
        Err(error @ (RelayError::Refused(_) | RelayError::Address(_))) => {
            tracing::warn!(mail.id = id, %error, "The mail relay refused a message, which is in the outbox.");
            Err(Fault::new("MessageRejected", error.to_string()).with_status(400).into())
        }
        Err(error) => {
            tracing::warn!(mail.id = id, %error, "The mail relay did not take a message, which is in the outbox.");
            let text = "The message was not delivered: the mail relay does not take it now. Try again.";
            Err(Fault::new("ServiceUnavailable", text).with_status(503).into())
        }
    }
}
