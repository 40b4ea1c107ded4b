//! Opens the interceptor of one command, and serves until the command has ended.

use std::fs::DirBuilder;
use std::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::Random;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;
use crate::environment::{self, Environment};
use crate::front::Front;
use crate::hooks;
use crate::names::{Answer, Names, Place};
use crate::trust::{self, Others};
use crate::way::{UnusableProxy, Way};

/// The user whose name stands before the credential of the proxy.
const USER: &str = "exec";
const ALPHANUMERIC: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// What is asked for.
pub struct Plan {
    /// Portcullis.
    pub endpoint: Place,
    /// Hosts that others answer.
    pub answers: Vec<Answer>,
    /// Whether all other hosts are refused.
    pub offline: bool,
    /// The command's environment as it would have been.
    pub environment: Environment,
    /// Where temporary files are.
    pub temporary: PathBuf,
}

/// Why there is no interceptor.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No port.
    #[error("cannot listen on a port of 127.0.0.1: {0}\nportcullis exec needs the loopback interface")]
    Listen(std::io::Error),
    /// No folder, or no space in it.
    #[error(
        "cannot write {path}: {why}\nportcullis exec keeps certificates there while the command runs; TMPDIR names another folder"
    )]
    Write {
        /// What was to be written.
        path: String,
        /// What the system says.
        why: String,
    },
    /// A bundle that a variable names.
    #[error(
        "{variable} is to hold the certificates of `{path}`: {why}\nName a file of PEM certificates there, or unset it"
    )]
    Bundle {
        /// The variable that is to name the bundle.
        variable: String,
        /// The file it comes from.
        path: String,
        /// What is the matter with it.
        why: String,
    },
    /// The system trusts nobody.
    #[error(
        "this system has no certificates that other hosts could be checked with: install the package ca-certificates, name a bundle with SSL_CERT_FILE, or use --offline"
    )]
    NoCertificates,
    /// A proxy that the environment names already.
    #[error(transparent)]
    Proxy(#[from] UnusableProxy),
    /// The authority of the run.
    #[error("cannot make certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    /// The names that are answered.
    #[error("these hosts are too many to answer for: {0}")]
    Names(#[from] regex::Error),
}

impl OpenError {
    pub(crate) fn write(path: &Path, error: &std::io::Error) -> Self {
        Self::Write { path: path.display().to_string(), why: error.to_string() }
    }
}

/// An open interceptor: its port is taken and its files are written. They are removed when it is dropped.
pub struct Interceptor {
    listener: TcpListener,
    front: Arc<Front>,
    variables: Vec<(String, String)>,
    _folder: Folder,
}

impl Interceptor {
    /// Opens one, on a port of 127.0.0.1 that is its own.
    ///
    /// # Errors
    /// What the platform or the environment lacks.
    pub async fn open(plan: Plan, random: &dyn Random) -> Result<Self, OpenError> {
        let Plan { endpoint, answers, offline, environment: before, temporary } = plan;
        let names = Arc::new(Names::new(endpoint, answers)?);
        let way = Way::of(&before)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(OpenError::Listen)?;
        let port = listener.local_addr().map_err(OpenError::Listen)?.port();
        let authority = Authority::new(Arc::clone(&names))?;
        let credential = random.text(32, ALPHANUMERIC);
        let folder = Folder::make(&temporary, random)?;
        let others = if offline { Others::Refused } else { Others::Reached };
        let mut variables = environment::proxy(&names, port, USER, &credential, &before);
        variables.extend(trust::write(&folder.0, &authority.pem, &before, others)?);
        variables.extend(hooks::write(&folder.0, &names, port, others, &before)?);
        let tls = TlsAcceptor::from(authority.server);
        let front = Arc::new(Front { names, others, way, tls, user: USER, credential });
        Ok(Self { listener, front, variables, _folder: folder })
    }

    /// What the command must find in its environment.
    #[must_use]
    pub fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// Serves until something else has happened.
    pub async fn serve_until(self, end: impl Future<Output = ()>) {
        tokio::select! {
            () = end => {}
            () = self.accept() => {}
        }
    }

    async fn accept(&self) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(Arc::clone(&self.front).open(stream));
                }
                // Out of descriptors, most likely: connections that end give some back.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// A folder that goes when it is dropped. Nothing in it is secret, and a command that becomes another user must read it;
/// nobody else writes there.
struct Folder(PathBuf);

impl Folder {
    fn make(temporary: &Path, random: &dyn Random) -> Result<Self, OpenError> {
        let path = temporary.join(format!("portcullis-exec-{}", random.text(16, ALPHANUMERIC)));
        DirBuilder::new().mode(0o755).create(&path).map_err(|error| OpenError::write(&path, &error))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A child of the command may still write its byte code there.
        for _ in 0..3 {
            if std::fs::remove_dir_all(&self.0).is_ok() || !self.0.exists() {
                return;
            }
        }
    }
}
