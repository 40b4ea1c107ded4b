//! An issuer on this machine: it serves its metadata and its keys, or what a test wants in their place, and counts who
//! comes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::keys::Key;

/// What is served at a path.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Json(String),
    Status(u16),
    /// A redirect to this URL.
    Moved(String),
    /// A header that promises more than comes, one byte at a time.
    Trickle,
    /// Nothing, for a long time.
    Silence,
    /// This, when the test lets it go.
    Held(watch::Receiver<bool>, String),
}

/// The issuer. It ends with the test.
pub(crate) struct Idp {
    address: SocketAddr,
    site: Arc<Mutex<Site>>,
    serving: JoinHandle<()>,
}

struct Site {
    metadata: Answer,
    keys: Answer,
    connections: usize,
    asked: Vec<String>,
}

impl Idp {
    /// An issuer with right metadata and no keys.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let site = Site {
            metadata: Answer::Status(500),
            keys: Answer::Json(r#"{"keys":[]}"#.to_owned()),
            connections: 0,
            asked: Vec::new(),
        };
        let site = Arc::new(Mutex::new(site));
        let serving = tokio::spawn(serve(listener, Arc::clone(&site)));
        let idp = Self { address, site, serving };
        idp.describe(&idp.metadata());
        idp
    }

    /// One that publishes these keys.
    pub(crate) async fn with_keys(keys: &[&Key]) -> Self {
        let idp = Self::start().await;
        idp.publish(keys);
        idp
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn issuer(&self) -> String {
        self.url("/Tenant")
    }

    pub(crate) fn discovery_url(&self) -> String {
        self.url("/Tenant/.well-known/openid-configuration")
    }

    /// The right metadata.
    pub(crate) fn metadata(&self) -> Value {
        json!({ "issuer": self.issuer(), "jwks_uri": self.url("/keys") })
    }

    pub(crate) fn describe(&self, metadata: &Value) {
        self.serve_metadata(Answer::Json(metadata.to_string()));
    }

    pub(crate) fn serve_metadata(&self, answer: Answer) {
        self.site().metadata = answer;
    }

    pub(crate) fn publish(&self, keys: &[&Key]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        self.serve_keys(Answer::Json(json!({ "keys": keys }).to_string()));
    }

    pub(crate) fn serve_keys(&self, answer: Answer) {
        self.site().keys = answer;
    }

    /// From now on every path answers this.
    pub(crate) fn fail(&self, answer: &Answer) {
        self.serve_metadata(answer.clone());
        self.serve_keys(answer.clone());
    }

    /// How often the metadata and the keys were asked for.
    pub(crate) fn asked(&self) -> (usize, usize) {
        let site = self.site();
        let times = |path: &str| site.asked.iter().filter(|asked| asked.ends_with(path)).count();
        (times("/openid-configuration"), times("/keys"))
    }

    pub(crate) fn connections(&self) -> usize {
        self.site().connections
    }

    fn site(&self) -> MutexGuard<'_, Site> {
        self.site.lock().unwrap()
    }
}

impl Drop for Idp {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, site: Arc<Mutex<Site>>) {
    while let Ok((stream, _)) = listener.accept().await {
        site.lock().unwrap().connections += 1;
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            // A client that hangs up is the client's affair.
            let _ = answer(stream, &site).await;
        });
    }
}

async fn answer(mut stream: TcpStream, site: &Mutex<Site>) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let answer = {
        let mut site = site.lock().unwrap();
        site.asked.push(path.clone());
        if path.ends_with("/keys") { site.keys.clone() } else { site.metadata.clone() }
    };
    match answer {
        Answer::Json(body) => write(&mut stream, "200 OK", "", &body).await,
        Answer::Status(status) => write(&mut stream, &format!("{status} x"), "", "{}").await,
        Answer::Moved(url) => write(&mut stream, "302 Found", &format!("location: {url}\r\n"), "").await,
        Answer::Trickle => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{").await?;
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                stream.write_all(b" ").await?;
            }
        }
        Answer::Silence => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        }
        Answer::Held(mut let_go, body) => {
            // A test that has ended holds nothing.
            let _ = let_go.wait_for(|let_go| *let_go).await;
            write(&mut stream, "200 OK", "", &body).await
        }
    }
}

async fn write(stream: &mut TcpStream, status: &str, more: &str, body: &str) -> std::io::Result<()> {
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{more}\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}
