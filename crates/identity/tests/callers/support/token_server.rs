//! An authorization server on this machine: it answers every token request as a test wants it, and keeps what was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is answered, after a pause.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: &'static str,
    pub(crate) body: String,
    pub(crate) pause: Duration,
    /// How many bytes more than there are the head promises.
    pub(crate) owes: usize,
}

impl Answer {
    pub(crate) fn of(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: "", body: body.into(), pause: Duration::ZERO, owes: 0 }
    }

    /// A bearer token that lives so many seconds.
    pub(crate) fn token(text: &str, seconds: u64) -> Self {
        let body = format!(r#"{{"access_token":"{text}","token_type":"Bearer","expires_in":{seconds}}}"#);
        Self::of(200, body)
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Asked {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The server. It ends with the test.
pub(crate) struct TokenServer {
    pub(crate) base: String,
    site: Arc<Mutex<Site>>,
    serving: JoinHandle<()>,
}

struct Site {
    token: Answer,
    metadata: Answer,
    asked: Vec<Asked>,
}

impl TokenServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let site = Site { token: Answer::of(500, ""), metadata: Answer::of(404, ""), asked: Vec::new() };
        let site = Arc::new(Mutex::new(site));
        let serving = tokio::spawn(serve(listener, Arc::clone(&site)));
        Self { base, site, serving }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// From now on token requests are answered with this.
    pub(crate) fn answers(&self, answer: Answer) {
        self.site.lock().unwrap().token = answer;
    }

    /// From now on the metadata are these.
    pub(crate) fn describes(&self, answer: Answer) {
        self.site.lock().unwrap().metadata = answer;
    }

    /// The token requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let site = self.site.lock().unwrap();
        site.asked.iter().filter(|asked| asked.head.starts_with("POST ")).cloned().collect()
    }

    /// How often the metadata were asked for.
    pub(crate) fn looked_at(&self) -> usize {
        self.site.lock().unwrap().asked.iter().filter(|asked| asked.head.starts_with("GET ")).count()
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, site: Arc<Mutex<Site>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            // A client that hangs up is the client's affair.
            let _ = answer(stream, &site).await;
        });
    }
}

async fn answer(mut stream: TcpStream, site: &Mutex<Site>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut asked = Asked { head, body: String::new() };
    let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    let answer = {
        let mut site = site.lock().unwrap();
        let posted = asked.head.starts_with("POST ");
        site.asked.push(asked);
        if posted { site.token.clone() } else { site.metadata.clone() }
    };
    tokio::time::sleep(answer.pause).await;
    let head = format!(
        "HTTP/1.1 {} x\r\ncontent-length: {}\r\nconnection: close\r\n{}\r\n",
        answer.status,
        answer.body.len() + answer.owes,
        answer.headers
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(answer.body.as_bytes()).await?;
    if answer.owes > 0 {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    stream.shutdown().await
}
