//! The certificate that the listener shows. It is read again when its files change, so that one that is renewed needs no
//! restart; a pair that is no good is refused, and the one before stays.
//!
//! TLS 1.2 and 1.3 as rustls has them, which leaves out everything that is known to be weak; HTTP/2 and HTTP/1.1 by ALPN.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use domain::{Clock, Timestamp};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use telemetry::{Family, Kind, Namespace};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::configuration::Pair;
use crate::terminal::Failure;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(3);
/// The largest file that is read, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;
/// How long before its end a certificate is warned about.
const SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// TLS as the listener ends it.
pub(crate) struct Tls {
    /// How it is spoken.
    pub(crate) config: Arc<ServerConfig>,
    shown: Arc<Shown>,
    files: Mutex<Files>,
    refused: AtomicU64,
}

struct Files {
    pair: Pair,
    /// How they looked when they were last read.
    seen: Option<[Look; 2]>,
}

/// What changes when a file does.
type Look = (u64, i64, i64, u64);

/// The certificate in force.
struct Shown(ArcSwap<Certificate>);

struct Certificate {
    key: Arc<CertifiedKey>,
    not_after: Timestamp,
}

impl Tls {
    /// TLS with the certificate of these files.
    ///
    /// # Errors
    /// When they cannot be read, hold no certificate or no key, or the key is not the certificate's.
    pub(crate) fn start(pair: &Pair, clock: &dyn Clock) -> Result<Self, Failure> {
        let seen = look(pair);
        let certificate = read(pair)?;
        certificate.warn(pair, clock.now());
        let shown = Arc::new(Shown(ArcSwap::from_pointee(certificate)));
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let files = Mutex::new(Files { pair: pair.clone(), seen });
        Ok(Self { config: Arc::new(config), shown, files, refused: AtomicU64::new(0) })
    }

    /// Puts the certificate of these files in force.
    ///
    /// # Errors
    /// As [`Tls::start`]; then nothing changes.
    pub(crate) fn reload(&self, pair: &Pair, clock: &dyn Clock) -> Result<(), Failure> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = look(pair);
        let certificate = read(pair).inspect_err(|_| {
            self.refused.fetch_add(1, Ordering::Relaxed);
        })?;
        certificate.warn(pair, clock.now());
        tracing::info!(
            certificate = %pair.certificate.display(),
            not_after = %certificate.not_after,
            "A certificate was read and is shown from now on.",
        );
        self.shown.0.store(Arc::new(certificate));
        *files = Files { pair: pair.clone(), seen };
        Ok(())
    }

    /// Reads the files again whenever they have changed.
    pub(crate) async fn follow(self: Arc<Self>, clock: Arc<dyn Clock>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let (tls, clock) = (Arc::clone(&self), Arc::clone(&clock));
            let _ = tokio::task::spawn_blocking(move || tls.look_again(&*clock)).await;
        }
    }

    fn look_again(&self, clock: &dyn Clock) {
        let changed = {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = look(&files.pair);
            // A pair that is refused is not read again until it changes again.
            let changed = seen != files.seen;
            files.seen = seen;
            changed.then(|| files.pair.clone())
        };
        if let Some(pair) = changed
            && let Err(failure) = self.reload(&pair, clock)
        {
            tracing::error!(
                error = %failure,
                "The certificate's files have changed, and are refused. The certificate before them stays.",
            );
        }
    }

    /// When the certificate ends, and how many were refused.
    pub(crate) fn families(&self) -> [Family; 2] {
        let family = |name, help, kind, number| Family::of_one(Namespace::Server, name, help, kind, number);
        let not_after = u64::try_from(self.shown.0.load().not_after.seconds()).unwrap_or(0);
        [
            family(
                "certificate_not_after_seconds",
                "When the listener's certificate ends, in seconds since 1970",
                Kind::Gauge,
                not_after,
            ),
            family(
                "certificates_refused_total",
                "Changed certificate files that were refused",
                Kind::Counter,
                self.refused.load(Ordering::Relaxed),
            ),
        ]
    }
}

impl Certificate {
    fn warn(&self, pair: &Pair, now: Timestamp) {
        let certificate = pair.certificate.display();
        let not_after = self.not_after;
        if not_after <= now {
            tracing::warn!(%certificate, %not_after, "The certificate has expired: clients will refuse it. Renew it.");
        } else if not_after <= now.plus(SOON) {
            tracing::warn!(%certificate, %not_after, "The certificate ends within a week. Renew it.");
        }
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Shown")
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().key))
    }
}

/// How the files look; nothing when one is not there, as in the moment in which it is replaced.
fn look(pair: &Pair) -> Option<[Look; 2]> {
    let look = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.ino(), found.mtime(), found.mtime_nsec(), found.len()))
    };
    Some([look(&pair.certificate)?, look(&pair.key)?])
}

fn read(pair: &Pair) -> Result<Certificate, Failure> {
    let (shown, key_shown) = (pair.certificate.display(), pair.key.display());
    let text = read_file(&pair.certificate, "tls.certificate")?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain =
        chain.map_err(|error| Failure::usage(format!("tls.certificate {shown} is no PEM: {error}")))?;
    let Some(leaf) = chain.first() else {
        return Err(Failure::usage(format!(
            "tls.certificate {shown} holds no certificate: it must begin with the server's own, in PEM, and the intermediate ones behind it"
        )));
    };
    let (_, parsed) = X509Certificate::from_der(leaf).map_err(|_| {
        Failure::usage(format!("the first certificate of tls.certificate {shown} cannot be read"))
    })?;
    let not_after = Timestamp::from_seconds(parsed.validity().not_after.timestamp());
    let key = zeroize::Zeroizing::new(read_file(&pair.key, "tls.key")?);
    // What is wrong with it is not shown: it is a key.
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| {
        Failure::usage(format!(
            "tls.key {key_shown} holds no private key: it must be one in PEM, without a password"
        ))
    })?;
    let key = CertifiedKey::from_der(chain.clone(), key, &aws_lc_rs::default_provider()).map_err(|error| {
        Failure::usage(match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => format!(
                "the key {key_shown} does not belong to the certificate {shown}: set tls.key to the key that the certificate was made for"
            ),
            _ => format!("the certificate {shown} with the key {key_shown} cannot be used: {error}"),
        })
    })?;
    Ok(Certificate { key: Arc::new(key), not_after })
}

fn read_file(path: &Path, setting: &str) -> Result<Vec<u8>, Failure> {
    let failed =
        |error: std::io::Error| Failure::usage(format!("cannot read {setting} {}: {error}", path.display()));
    if std::fs::metadata(path).map_err(failed)?.len() > LARGEST_FILE {
        return Err(Failure::usage(format!("{setting} {} is larger than it may be", path.display())));
    }
    std::fs::read(path).map_err(failed)
}
