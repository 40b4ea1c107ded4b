//! What the command trusts: what it trusted before, and the authority of this run.
//!
//! Each variable keeps the certificates it named; one that was not set stands for the system's. Nothing is added to what
//! other hosts are held against but an authority that can vouch for none of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::interceptor::OpenError;

/// What each client reads: OpenSSL (urllib3, httpx, aiohttp, Ruby, PHP) and Go; requests; botocore; curl.
const OVER_THE_SYSTEM: [&str; 4] = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "CURL_CA_BUNDLE"];
/// Node adds these to the certificates that it brings.
const BESIDE_ITS_OWN: &str = "NODE_EXTRA_CA_CERTS";
/// Where systems keep their certificates: Debian and Alpine, Fedora, openSUSE, and those that have OpenSSL's own place.
const SYSTEM: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// The largest bundle that is read, in bytes; the usual ones have a quarter of a megabyte.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Whether hosts other than those that are answered will be spoken to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    Reached,
    Refused,
}

/// Writes the bundles into a folder, and says what to set.
pub(crate) fn write(
    folder: &Path,
    authority: &str,
    before: &Environment,
    others: Others,
) -> Result<Vec<(String, String)>, OpenError> {
    let mut written: BTreeMap<Option<PathBuf>, PathBuf> = BTreeMap::new();
    let mut variables = Vec::new();
    let of_node = before.get(BESIDE_ITS_OWN).map(PathBuf::from);
    let mut sources = vec![(BESIDE_ITS_OWN, of_node)];
    for variable in OVER_THE_SYSTEM {
        sources.push((variable, source(variable, before, others)?));
    }
    for (variable, source) in sources {
        let bundle = match written.get(&source) {
            Some(bundle) => bundle.clone(),
            None => {
                let bundle = folder.join(format!("trusted-{}.pem", written.len()));
                let mut text =
                    source.as_deref().map(|path| read(variable, path)).transpose()?.unwrap_or_default();
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text.push_str(authority);
                std::fs::write(&bundle, text).map_err(|error| OpenError::write(&bundle, &error))?;
                written.insert(source, bundle.clone());
                bundle
            }
        };
        variables.push((variable.to_owned(), bundle.display().to_string()));
    }
    Ok(variables)
}

/// The file that a variable stands for.
fn source(variable: &str, before: &Environment, others: Others) -> Result<Option<PathBuf>, OpenError> {
    if let Some(path) = before.get(variable) {
        return Ok(Some(PathBuf::from(path)));
    }
    // What OpenSSL is told is what the system has, as far as this user goes.
    let system = before.get("SSL_CERT_FILE").map(PathBuf::from);
    let system = system.or_else(|| SYSTEM.iter().map(PathBuf::from).find(|path| path.is_file()));
    match system {
        None if others == Others::Reached => Err(OpenError::NoCertificates),
        system => Ok(system),
    }
}

fn read(variable: &str, path: &Path) -> Result<String, OpenError> {
    let unreadable = |why: String| OpenError::Bundle {
        variable: variable.to_owned(),
        path: path.display().to_string(),
        why,
    };
    let told = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !told.is_file() || told.len() > LARGEST {
        return Err(unreadable("it is no file of certificates".to_owned()));
    }
    // Comments in old bundles are in any encoding; certificates are ASCII.
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
