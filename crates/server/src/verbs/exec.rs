//! `portcullis exec`: runs a command whose calls of AWS's hosts are answered here.
//!
//! The interceptor is a process of its own, and nobody's child; this one becomes the command. So the command has its
//! parent, its terminal, its signals and its exit code as if nothing were between them.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::env::setting;
use crate::bootstrap::{LOCAL_URL, PROFILE};
use crate::command_line::{Exec, Settings};
use crate::configuration::{Configuration, environment, read_data_file};
use crate::terminal::Failure;

/// Becomes the command.
pub(crate) fn run(arguments: &Exec) -> Result<(), Failure> {
    let before = environment();
    let server = Server::find(arguments, &before)?;
    let told = start_interceptor(arguments, &server.endpoint)?;
    let [program, rest @ ..] = arguments.command.as_slice() else {
        return Err(Failure::usage("name a command to run, behind `--`"));
    };
    let mut command = Command::new(program);
    command.args(rest).envs(told);
    command.env("AWS_ENDPOINT_URL", server.endpoint.to_string());
    if let Some((key, secret)) = server.credentials {
        command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret);
        // What would win over them, or be sent along with them.
        for name in ["AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
            command.env_remove(name);
        }
    }
    if let Some(region) = server.region {
        // Some clients read the one, some the other.
        command.env("AWS_REGION", &region).env("AWS_DEFAULT_REGION", region);
    }
    let error = command.exec();
    let name = program.to_string_lossy();
    Err(Failure::of_command(format!("cannot run `{name}`: {error}"), error.kind()))
}

/// The server that answers, and as whom the command speaks to it.
struct Server {
    endpoint: exec::Place,
    /// Absent, the environment has its own.
    credentials: Option<(String, String)>,
    /// Absent, nobody knows one.
    region: Option<String>,
}

impl Server {
    /// What the flags and the environment do not say, the data directory does.
    fn find(arguments: &Exec, before: &exec::Environment) -> Result<Self, Failure> {
        let settings = Settings { data_dir: arguments.data_dir.clone(), ..Settings::default() };
        let configuration = Configuration::read(&settings)?;
        let has_key =
            before.get("AWS_ACCESS_KEY_ID").is_some() && before.get("AWS_SECRET_ACCESS_KEY").is_some();
        let region = before.get("AWS_REGION").or_else(|| before.get("AWS_DEFAULT_REGION")).map(str::to_owned);
        let profile = format!("profile {PROFILE}");
        let in_config = |name: &str| {
            let config = read_data_file(&configuration.data("config"))?;
            setting(&config, &profile, name).ok_or_else(|| missing(name))
        };
        let endpoint = match &arguments.endpoint {
            Some(endpoint) => endpoint.clone(),
            // What is behind TLS is reached on this machine beside it.
            None => in_config("endpoint_url")?.parse().or_else(|error| {
                let local = in_config(LOCAL_URL).ok().and_then(|url| url.parse().ok());
                local.ok_or_else(|| {
                    Failure::new(format!("{error}\nName the server's own address with --endpoint"))
                })
            })?,
        };
        let credentials = if has_key {
            None
        } else {
            let file = read_data_file(&configuration.data("credentials"))?;
            let value = |name: &str| setting(&file, PROFILE, name).ok_or_else(|| missing(name));
            Some((value("aws_access_key_id")?, value("aws_secret_access_key")?))
        };
        Ok(Self { endpoint, credentials, region: region.or_else(|| in_config("region").ok()) })
    }
}

fn missing(name: &str) -> Failure {
    Failure::new(format!("the files of the data directory have no {name}: start the server once"))
}

/// Starts the interceptor, and gives what it wants the command to be told.
fn start_interceptor(arguments: &Exec, endpoint: &exec::Place) -> Result<Vec<(String, String)>, Failure> {
    let broken = |why: String| Failure::new(format!("the interceptor does not start: {why}"));
    let this = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("portcullis"));
    let mut command = Command::new(this);
    command.args(["intercept", "--detach", "--endpoint", &endpoint.to_string()]);
    command.args(["--process", &std::process::id().to_string()]);
    if arguments.others.offline {
        command.arg("--offline");
    }
    for answer in &arguments.others.answers {
        command.args(["--answer", &answer.to_string()]);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| broken(error.to_string()))?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line).map_err(|error| broken(error.to_string()))?;
    }
    // It only started the one that stays: this process must not have a child that the command knows nothing of.
    child.wait().map_err(|error| broken(error.to_string()))?;
    match serde_json::from_str(&line) {
        Ok(Value::Object(told)) => {
            let text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
            Ok(told.into_iter().filter_map(text).collect())
        }
        Ok(Value::String(failure)) => Err(Failure::new(failure)),
        _ => Err(broken("it says nothing".to_owned())),
    }
}
