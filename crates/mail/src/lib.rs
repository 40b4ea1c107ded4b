//! Mail: a message is written ([`compose`]), one that somebody else wrote is read as far as who sends it to whom
//! ([`Headers`]), and either, as a [`Message`], is handed to the relay that the operator names ([`Relay`]).
//!
//! The relay is the one host that is dialled past the client which the rest of the house uses: it speaks SMTP, and it is
//! the operator's own choice. No caller has a say in it.

mod compose;
mod headers;
mod message;
mod relay;

pub use compose::{ComposeError, Letter, Person, compose};
pub use headers::{Headers, HeadersError, Sender, without_bcc};
pub use message::{Message, MessageError};
pub use relay::{Envelope, Relay, RelayError, RelaySettings, Security};
