//! `portcullis health`: asks the server of this data directory how it is, for containers that have no other program.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::env::setting;
use crate::bootstrap::{LOCAL_URL, PROFILE};
use crate::command_line::Health;
use crate::configuration::{Configuration, read_data_file};
use crate::terminal::{Failure, say};

/// How long the server has.
const PATIENCE: Duration = Duration::from_secs(4);
/// The most that is read of an answer, in bytes.
const MOST: u64 = 4096;

/// Says how it is; fails when that is not well.
pub(crate) fn run(arguments: &Health) -> Result<(), Failure> {
    let configuration = Configuration::read(&arguments.settings)?;
    let config = read_data_file(&configuration.data("config"))?;
    let url = setting(&config, &format!("profile {PROFILE}"), LOCAL_URL);
    let address = url.as_deref().and_then(|url| url.strip_prefix("http://")?.parse().ok());
    let address: SocketAddr = address.ok_or_else(|| {
        Failure::new(format!("the files of the data directory have no {LOCAL_URL}: start the server once"))
    })?;
    let path = if arguments.ready { "/readyz" } else { "/healthz" };
    let answer = ask(address, path).map_err(|error| {
        Failure::new(format!("the server does not answer at http://{address}{path}: {error}"))
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.starts_with("HTTP/1.1 200 ") {
        say(body.trim())
    } else {
        let status = head.lines().next().unwrap_or_default();
        Err(Failure::new(format!("the server says at http://{address}{path}: {status} ({})", body.trim())))
    }
}

fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MOST).read_to_string(&mut answer)?;
    Ok(answer)
}
