//! `portcullis demo`: the whole story on a server of its own, in front of the reader's eyes.
//!
//! The demo is a client like any other: it signs its calls, fetches tokens at the token endpoint and speaks MCP over
//! HTTP. What it does is in `story.rs`, how it speaks in `client.rs`.

mod client;
mod stage;
mod story;

use std::path::PathBuf;
use std::sync::Arc;

use domain::{Random as _, SystemRandom};
use tokio::sync::watch;

use crate::command_line::{Demo, Settings};
use crate::configuration::{Configuration, LogFilter};
use crate::drain::{self, Phase};
use crate::terminal::{Failure, say};
use crate::verbs::serve::{Running, runtime, start_log, told_to_end};
use client::AwsClient;
use stage::Stage;

/// Plays the story, and goes on serving unless told otherwise.
pub(crate) fn run(arguments: Demo) -> Result<(), Failure> {
    let Demo { settings, exit } = arguments;
    let (settings, folder) = with_folder(settings);
    let configuration = Configuration::read(&settings)?;
    // The story is told on the terminal; the log would talk over it.
    let _log = start_log(&configuration, &LogFilter::errors())?;
    let played = runtime()?.block_on(play(&configuration, exit));
    if let Some(folder) = folder {
        // The folder was made for this one run.
        let _ = std::fs::remove_dir_all(folder);
    }
    played
}

async fn play(configuration: &Configuration, exit: bool) -> Result<(), Failure> {
    let (phases, phase) = watch::channel(Phase::default());
    let stage = Stage::open();
    stage.begin("Starting Portcullis on embedded storage");
    let running = Running::start(configuration, phase).await?;
    stage.done(&format!("listening on {}", running.address));
    let house = Arc::clone(&running.house);
    let client = AwsClient::new(&house, &running.local, configuration.region.clone())?;
    let told = story::tell(&stage, &client, &house).await;
    let told = match told {
        Ok(gateway_url) if !exit => {
            next_steps(configuration, &gateway_url)?;
            told_to_end().await;
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(failure) => Err(failure),
    };
    let drain = configuration.drain;
    tokio::spawn(async move { drain::lead(&phases, drain).await });
    let ended = running.until_ended().await;
    told.and(ended)
}

/// A folder of its own for each run, unless one was asked for.
fn with_folder(mut settings: Settings) -> (Settings, Option<PathBuf>) {
    if settings.data_dir.is_some() || settings.config.is_some() {
        return (settings, None);
    }
    let name = format!("portcullis-demo-{}", SystemRandom.text(8, b"abcdefghijklmnopqrstuvwxyz0123456789"));
    let folder = std::env::temp_dir().join(name);
    settings.data_dir = Some(folder.clone());
    (settings, Some(folder))
}

fn next_steps(configuration: &Configuration, gateway_url: &str) -> Result<(), Failure> {
    let folder = configuration.data_dir.display();
    let program = std::env::current_exe().unwrap_or_else(|_| "portcullis".into());
    let program = program.display();
    say(format!(
        "\nThe server goes on. Paste this into another terminal to drive it with AWS's own clients:\n\n  \
         eval \"$({program} env --data-dir {folder})\"\n  \
         aws bedrock-agentcore-control list-gateways\n  \
         {program} audit tail --follow --data-dir {folder}\n  \
         {program} mail list --data-dir {folder}\n\n\
         The gateway's MCP endpoint is {gateway_url}\n\
         Ctrl-C ends the server and removes its data."
    ))
}
