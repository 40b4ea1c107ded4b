//! The certificates of a run: an authority that is made when the command starts and forgotten when it ends.
//!
//! Its key is in this process's memory and nowhere else. Its certificate is constrained to the names that are answered
//! (RFC 5280, section 4.2.1.10), so that even with the key nobody could pretend to be another host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, KeyPair, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};

use crate::names::Names;

/// How many names get a certificate that is remembered; more are made anew each time.
const MOST_REMEMBERED: usize = 1000;

/// The authority of a run.
pub(crate) struct Authority {
    /// Its certificate, to be trusted by the command.
    pub(crate) pem: String,
    /// How TLS is ended with it.
    pub(crate) server: Arc<ServerConfig>,
}

impl Authority {
    /// Makes one for these names.
    pub(crate) fn new(names: Arc<Names>) -> Result<Self, rcgen::Error> {
        let mut params = dated(CertificateParams::default());
        params.distinguished_name.push(DnType::CommonName, "portcullis exec, for one command");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: names
                .domains()
                .map(|name| GeneralSubtree::DnsName(name.to_owned()))
                .collect(),
            excluded_subtrees: Vec::new(),
        });
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let pem = issuer.pem();
        let key = KeyPair::generate()?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = any_ecdsa_type(&der).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        let leaves = Leaves { names, issuer, key, signing, made: Mutex::default() };
        let mut server = ServerConfig::builder().with_no_client_auth().with_cert_resolver(Arc::new(leaves));
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { pem, server: Arc::new(server) })
    }
}

/// Dates do no work here, because the key dies with the command; they are wide, so that no clock is in the way.
fn dated(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params
}

/// Certificates by name, made when they are first asked for.
struct Leaves {
    names: Arc<Names>,
    issuer: CertifiedIssuer<'static, KeyPair>,
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
    made: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl std::fmt::Debug for Leaves {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Leaves")
    }
}

impl ResolvesServerCert for Leaves {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_ascii_lowercase();
        self.names.place(&name)?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(&name) {
            return Some(Arc::clone(known));
        }
        let fresh = Arc::new(self.issue(&name).ok()?);
        if made.len() < MOST_REMEMBERED {
            made.insert(name, Arc::clone(&fresh));
        }
        Some(fresh)
    }
}

impl Leaves {
    fn issue(&self, name: &str) -> Result<CertifiedKey, rcgen::Error> {
        let mut params = dated(CertificateParams::new(vec![name.to_owned()])?);
        // The name stands in the alternative names alone: a common name of it may be too long (X.520).
        params.distinguished_name.push(DnType::CommonName, "answered by portcullis exec");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&self.key, &self.issuer)?;
        Ok(CertifiedKey::new(vec![leaf.der().clone()], Arc::clone(&self.signing)))
    }
}
