//! The relay that mail is handed to for delivery, beside the outbox.

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::Secret;
use mail::{RelaySettings, Security};
use serde::Deserialize;

use crate::terminal::Failure;

const TIMEOUT: Duration = Duration::from_secs(20);
/// The largest file that is read here, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// `[mail]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Mail {
    relay: String,
    port: Option<u16>,
    #[serde(default)]
    security: Protection,
    user: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    timeout_seconds: Option<NonZeroU64>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protection {
    #[default]
    Starttls,
    Tls,
    None,
}

impl Mail {
    /// The relay as mail is handed to it.
    pub(super) fn settings(self) -> Result<RelaySettings, Failure> {
        let security = match self.security {
            Protection::Starttls => Security::StartTls,
            Protection::Tls => Security::Tls,
            Protection::None => Security::None,
        };
        if security == Security::None && !is_this_machine(&self.relay) {
            return Err(Failure::usage(
                "mail.security = \"none\" is for a relay on this machine: set \"starttls\" or \"tls\"",
            ));
        }
        let credentials = match (self.user, self.password_file) {
            (None, None) => None,
            (Some(user), Some(file)) => {
                let password = Secret::new(read(&file)?.trim());
                Some((user, password))
            }
            _ => {
                return Err(Failure::usage(
                    "mail.user and mail.password-file belong together: set both or none",
                ));
            }
        };
        Ok(RelaySettings {
            port: self.port.unwrap_or(match security {
                Security::StartTls => 587,
                Security::Tls => 465,
                Security::None => 25,
            }),
            host: self.relay,
            security,
            credentials,
            authority: self.ca_file.as_deref().map(read).transpose()?.map(String::into_bytes),
            timeout: self.timeout_seconds.map_or(TIMEOUT, |seconds| Duration::from_secs(seconds.get())),
        })
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn read(file: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("cannot read {}: {error}", file.display()));
    if std::fs::metadata(file).map_err(failed)?.len() > LARGEST_FILE {
        return Err(Failure::usage(format!("{} is larger than it may be", file.display())));
    }
    std::fs::read_to_string(file).map_err(failed)
}
