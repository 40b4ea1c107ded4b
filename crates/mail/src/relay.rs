//! The relay to which messages are handed: an SMTP server that the operator names.
//!
//! It is spoken to over TLS, from the first byte or after STARTTLS, and its certificate must be good; without TLS only on
//! this machine. Who hands over is authenticated, if the relay asks for that.

use std::time::Duration;

use domain::Secret;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use crate::message::Message;

/// The longest part of a relay's answer that is told, in characters.
const LONGEST_REASON: usize = 200;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte, usually on port 465.
    Tls,
    /// STARTTLS, which the relay must have, usually on port 587.
    StartTls,
    /// Not at all: only for a relay on this machine.
    None,
}

/// Which relay. It has no `Debug`, because it holds a password.
#[derive(Clone)]
pub struct RelaySettings {
    /// Its name, which its certificate must bear.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Whom it knows us as.
    pub credentials: Option<(String, Secret)>,
    /// A certificate authority in PEM that is trusted besides the machine's.
    pub authority: Option<Vec<u8>>,
    /// How long an exchange may take.
    pub timeout: Duration,
}

/// Who sends, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// `local@domain`.
    pub from: String,
    /// `local@domain` of everybody, openly and blindly.
    pub to: Vec<String>,
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The settings are not good.
    #[error("the relay cannot be used: {0}")]
    Settings(String),
    /// An address is none by the rules of mail.
    #[error("`{0}` is no address that mail can be sent to")]
    Address(String),
    /// The relay does not want it, and never will.
    #[error("the relay refused the message: {0}")]
    Refused(String),
    /// The relay cannot be reached, or cannot take it now.
    #[error("the relay did not take the message: {0}")]
    Unavailable(String),
}

/// The relay to which messages are handed.
pub struct Relay {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    timeout: Duration,
}

impl Relay {
    /// Nothing is dialled yet.
    ///
    /// # Errors
    /// [`RelayError::Settings`] when the authority is none, or TLS cannot be set up.
    pub fn new(settings: &RelaySettings) -> Result<Self, RelayError> {
        let wrong = |error: lettre::transport::smtp::Error| RelayError::Settings(error.to_string());
        let parameters = || {
            let mut builder = TlsParameters::builder(settings.host.clone());
            if let Some(authority) = &settings.authority {
                builder = builder.add_root_certificate(Certificate::from_pem(authority).map_err(wrong)?);
            }
            builder.build().map_err(wrong)
        };
        let tls = match settings.security {
            Security::Tls => Tls::Wrapper(parameters()?),
            Security::StartTls => Tls::Required(parameters()?),
            Security::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(settings.timeout));
        if let Some((user, password)) = &settings.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(Self { transport: builder.build(), timeout: settings.timeout })
    }

    /// Hands a message over. Dots that begin a line are doubled on the way.
    ///
    /// # Errors
    /// [`RelayError`] when the relay did not say that it took it for everybody.
    pub async fn send(&self, envelope: &Envelope, message: &Message) -> Result<(), RelayError> {
        let address = |text: &String| text.parse().map_err(|_| RelayError::Address(text.clone()));
        let to = envelope.to.iter().map(address).collect::<Result<_, _>>()?;
        let meant = lettre::address::Envelope::new(Some(address(&envelope.from)?), to)
            .map_err(|error| RelayError::Address(error.to_string()))?;
        match tokio::time::timeout(self.timeout, self.transport.send_raw(&meant, message.bytes())).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_permanent() => Err(RelayError::Refused(told(&error))),
            Ok(Err(error)) => Err(RelayError::Unavailable(told(&error))),
            Err(_) => Err(RelayError::Unavailable("it took too long".to_owned())),
        }
    }
}

/// As much of an error as is told: one line.
fn told(error: &lettre::transport::smtp::Error) -> String {
    let text = error.to_string();
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST_REASON).collect()
}
