//! `[tls]`: the certificate that the listener shows, and its key.

use std::path::PathBuf;

use serde::Deserialize;

use crate::command_line::Settings;
use crate::terminal::Failure;

/// `[tls]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Section {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    authority: Option<PathBuf>,
}

/// Where a certificate and its key are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The server's certificate, and behind it those that lead to the authority's.
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// How the listener speaks TLS.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) pair: Pair,
    /// The certificates that clients are told to trust, where the system does not.
    pub(crate) authority: Option<PathBuf>,
}

impl Section {
    /// The files; flags and variables win over the file. Absent, the listener speaks in the clear.
    pub(super) fn settings(self, settings: &Settings) -> Result<Option<TlsFiles>, Failure> {
        let certificate = settings.tls_certificate.clone().or(self.certificate);
        let key = settings.tls_key.clone().or(self.key);
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                let authority = self.authority.map(|path| {
                    path.canonicalize().map_err(|error| {
                        Failure::usage(format!("cannot read tls.authority {}: {error}", path.display()))
                    })
                });
                Ok(Some(TlsFiles { pair: Pair { certificate, key }, authority: authority.transpose()? }))
            }
            (None, None) if self.authority.is_none() => Ok(None),
            (None, None) => Err(Failure::usage(
                "tls.authority says whom clients trust, but there is no certificate: set tls.certificate and tls.key",
            )),
            _ => Err(Failure::usage(
                "tls.certificate and tls.key (--tls-certificate and --tls-key) belong together: set both or none",
            )),
        }
    }
}
