//! The client against real sockets: what it may not dial, and what it does not wait for or swallow.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

use std::time::Duration;

use egress::{Client, ConnectError, EgressError, Reach};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A server that answers every connection with the same bytes, and then holds it open.
async fn answering(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let mut asked = [0; 1024];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(&bytes).await;
                tokio::time::sleep(Duration::from_secs(30)).await;
            });
        }
    });
    format!("http://{address}/")
}

fn client(loopback: bool) -> Client {
    Client::new(Reach { allowed: Vec::new(), loopback }).unwrap()
}

async fn failure(client: &Client, url: &str) -> EgressError {
    client.fetch(url, 100, Duration::from_millis(500)).await.err().unwrap()
}

#[tokio::test]
async fn a_document_is_fetched() {
    let url = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()).await;
    assert_eq!(client(true).fetch(&url, 100, Duration::from_secs(5)).await.unwrap(), "{}");
}

#[tokio::test]
async fn what_may_not_be_dialled_is_not() {
    let url = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()).await;
    let refused = |error: EgressError| matches!(error, EgressError::Connect(ConnectError::Refused(_)));
    assert!(refused(failure(&client(false), &url).await));
    assert!(refused(failure(&client(true), "http://169.254.169.254/latest/meta-data/").await));
    assert!(refused(failure(&client(true), "http://[::ffff:169.254.169.254]/").await));
    assert!(refused(failure(&client(false), "http://localhost:1/").await));
    for url in ["file:///etc/passwd", "gopher://x/", "x", "http:///x", "https://"] {
        assert!(matches!(failure(&client(true), url).await, EgressError::Url(_)), "{url}");
    }
}

/// Addresses in the spellings of old: whatever the resolver makes of them, they lead to no metadata service and, where
/// this machine is not allowed, not to this machine.
#[tokio::test]
async fn no_spelling_of_an_address_gets_around_the_check() {
    let url = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()).await;
    let port = url.trim_end_matches('/').rsplit(':').next().unwrap().to_owned();
    let everything = vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
    let open = Client::new(Reach { allowed: everything, loopback: true }).unwrap();
    let not_dialled = |error: &EgressError| {
        matches!(
            error,
            EgressError::Connect(
                ConnectError::Refused(_) | ConnectError::Unresolved(_) | ConnectError::NoAddress
            ) | EgressError::Url(_)
        )
    };
    for host in [
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "0xa9.0xfe.0xa9.0xfe",
        "169.254.43518",
        "169.16689662",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "0.0.0.0",
        "0",
        "0x0",
        "[::]",
    ] {
        let error = failure(&open, &format!("http://{host}:{port}/")).await;
        assert!(not_dialled(&error), "{host}: {error}");
    }
    for host in [
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::1]",
    ] {
        let error = failure(&client(false), &format!("http://{host}:{port}/")).await;
        assert!(not_dialled(&error), "{host}: {error}");
    }
}

#[tokio::test]
async fn answers_are_bounded_in_size_and_time() {
    let large = [b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n".to_vec(), vec![b'x'; 5000]].concat();
    assert!(matches!(failure(&client(true), &answering(large).await).await, EgressError::TooLarge(100)));
    let endless = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{".to_vec();
    assert!(matches!(failure(&client(true), &answering(endless).await).await, EgressError::TimedOut(_)));
    let silent = Vec::new();
    assert!(matches!(failure(&client(true), &answering(silent).await).await, EgressError::TimedOut(_)));
    let nonsense = b"SMTP ready\r\n\r\n".to_vec();
    assert!(matches!(failure(&client(true), &answering(nonsense).await).await, EgressError::Broken(_)));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let url = answering(
        b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n".to_vec(),
    )
    .await;
    assert!(matches!(failure(&client(true), &url).await, EgressError::Status(status) if status == 302));
}

#[tokio::test]
async fn nobody_there_is_said() {
    let refused = failure(&client(true), "http://127.0.0.1:1/").await;
    assert!(matches!(refused, EgressError::Connect(ConnectError::Unreachable(_))), "{refused}");
}
