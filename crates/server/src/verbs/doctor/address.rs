//! Where the server listens, and whether it is reached there and under its public URL.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use compute::SetupError;
use egress::{Client, Fetched, Reach};
use http::{Request, StatusCode};
use http_body_util::Full;

use super::Check;
use crate::bootstrap::{LOCAL_URL, PROFILE};
use crate::composition::local_url;
use crate::configuration::Configuration;
use crate::proxies::Transport;
use crate::sockets::Listeners;
use crate::terminal::Failure;
use crate::verbs::env::setting;

const PATIENCE: Duration = Duration::from_secs(5);
const MAX_ANSWER: usize = 64 * 1024;
/// How our server greets.
const GREETING: &[u8] = b"Portcullis is up.";
/// Every address: the URLs are the operator's own.
const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// What is found where our server would be.
enum Listening {
    Us,
    Nobody,
    Somebody,
}

/// The address and the public URL.
pub(super) async fn all(configuration: &Configuration) -> Result<Vec<Check>, Failure> {
    let networks = EVERYWHERE.iter().filter_map(|network| network.parse().ok());
    let reach = Reach { allowed: networks.collect(), loopback: true };
    let client = Client::new(reach).map_err(|error| Failure::new(error.to_string()))?;
    let (check, listening) = address(configuration, &client).await;
    Ok(vec![check, public_url(configuration, &client, &listening).await])
}

async fn address(configuration: &Configuration, client: &Client) -> (Check, Listening) {
    const ABOUT: &str = "address";
    let listen = configuration.listen;
    if listen.port() == 0 {
        let found = "the server takes a port that is free; its folder says which";
        return (Check::good(ABOUT, found), Listening::Nobody);
    }
    let url = match configuration.transport() {
        Transport::Clear => local_url(listen, Transport::Clear),
        // Its certificate is for other names: it is asked where this machine alone reaches it.
        Transport::Tls => match told(configuration, LOCAL_URL) {
            Some(url) => url,
            None => return (free(configuration, listen), Listening::Nobody),
        },
    };
    match get(client, &format!("{url}/")).await {
        Ok(greeting) if greeting.body.starts_with(GREETING) => {
            let ready = get(client, &format!("{url}/readyz")).await;
            (told_ready(ABOUT, &url, ready), Listening::Us)
        }
        Ok(_) => {
            let found = format!("another program answers on {listen}");
            let remedy = "stop it, or choose another address with --listen";
            (Check::problem(ABOUT, found, remedy), Listening::Somebody)
        }
        Err(_) => (free(configuration, listen), Listening::Nobody),
    }
}

/// Nobody answers: whether a server could.
fn free(configuration: &Configuration, listen: SocketAddr) -> Check {
    const ABOUT: &str = "address";
    if let Err(failure) = Listeners::bind(listen, 1, configuration.transport()) {
        return Check::problem(
            ABOUT,
            failure.to_string(),
            "choose another address, or see who has it with ss -ltnp",
        );
    }
    match compute::hold(&configuration.data("functions")) {
        Err(SetupError::InUse(_)) => Check::advice(
            ABOUT,
            format!("nobody listens on {listen}, and a server uses the data directory"),
            "look at it with the server's own settings: --config, --listen",
        ),
        _ => Check::good(ABOUT, format!("{listen} is free: no server runs here")),
    }
}

fn told_ready(about: &'static str, url: &str, ready: Result<Fetched, String>) -> Check {
    match ready {
        Ok(answer) if answer.status == StatusCode::OK => {
            Check::good(about, format!("our server answers on {url}, and is ready"))
        }
        Ok(answer) => {
            let said = String::from_utf8_lossy(&answer.body);
            let found = format!("the server on {url} is not ready: {}", said.trim());
            Check::problem(about, found, "read its log")
        }
        Err(why) => Check::problem(about, format!("{url}: {why}"), "read the server's log"),
    }
}

/// What the server wrote for clients when it started.
fn told(configuration: &Configuration, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(configuration.data("config")).ok()?;
    setting(&text, &format!("profile {PROFILE}"), name)
}

async fn public_url(configuration: &Configuration, client: &Client, listening: &Listening) -> Check {
    const ABOUT: &str = "public URL";
    let Some(url) = configuration.public_url.as_ref().map(ToString::to_string) else {
        let found = "none: links and issuers have the address that is listened on";
        if configuration.listen.ip().is_loopback() {
            return Check::good(ABOUT, found);
        }
        return Check::advice(ABOUT, found, "say under which URL clients reach it: --public-url");
    };
    let known = told(configuration, "endpoint_url").filter(|known| *known != url);
    if let (Listening::Us, Some(told)) = (listening, known) {
        let found = format!("it is to be {url}, and the server began with {told}");
        return Check::problem(
            ABOUT,
            found,
            "start the server again: its issuers and links have the old one",
        );
    }
    if !matches!(listening, Listening::Us) {
        return Check::good(ABOUT, format!("{url}, which is asked when a server runs here"));
    }
    match get(client, &format!("{url}/readyz")).await {
        Ok(answer) if answer.status == StatusCode::OK && answer.body.as_ref() == b"ready\n" => {
            if url.starts_with("http://") && !is_this_machine(&url) {
                let found = format!("{url} is reached, in the clear");
                return Check::advice(ABOUT, found, "put TLS before it: tokens pass through");
            }
            Check::good(ABOUT, format!("{url} is reached from here"))
        }
        Ok(answer) => {
            let found = format!("{url}/readyz answers with status {}", answer.status);
            Check::problem(ABOUT, found, "have the proxy pass requests of that URL on to the server")
        }
        Err(why) => {
            let remedy = "see that its name, its certificate and its proxy are right; if only others can reach it, look from there";
            Check::advice(ABOUT, format!("{url} is not reached from here: {why}"), remedy)
        }
    }
}

fn is_this_machine(url: &str) -> bool {
    let host = url.parse::<http::Uri>().ok().and_then(|url| url.host().map(str::to_owned));
    host.is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

async fn get(client: &Client, url: &str) -> Result<Fetched, String> {
    let request = Request::get(url).header("user-agent", "portcullis").body(Full::<Bytes>::default());
    let request = request.map_err(|error| error.to_string())?;
    client.exchange(request, MAX_ANSWER, PATIENCE).await.map_err(|error| error.to_string())
}
