//! `portcullis intercept`: the process beside the command of `portcullis exec`.
//!
//! It says in one line of JSON what the command must be told, or why there is nothing to tell, and serves until the
//! command has ended; then it takes its files with it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use domain::SystemRandom;
use exec::{Interceptor, Plan, detach, watch};
use serde_json::{Map, Value};

use super::open::block_on;
use super::serve::told_to_end;
use crate::command_line::Intercept;
use crate::configuration::environment;
use crate::terminal::Failure;

/// Serves until the command has ended.
pub(crate) fn run(arguments: Intercept) -> Result<(), Failure> {
    if arguments.detach {
        return leave_to_another();
    }
    detach();
    block_on(async {
        let Intercept { endpoint, process, others, .. } = arguments;
        let ended = watch(process).map_err(|error| Failure::new(error.to_string()))?;
        let plan = Plan {
            endpoint,
            answers: others.answers,
            offline: others.offline,
            environment: environment(),
            temporary: std::env::temp_dir(),
        };
        let interceptor = match Interceptor::open(plan, &SystemRandom).await {
            Ok(interceptor) => interceptor,
            Err(error) => return tell(&Value::String(error.to_string())),
        };
        let variables = interceptor.variables().iter();
        let told: Map<String, Value> =
            variables.map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
        tell(&Value::Object(told))?;
        interceptor
            .serve_until(async {
                tokio::select! {
                    () = ended => {}
                    () = told_to_end() => {}
                }
            })
            .await;
        Ok(())
    })
}

/// Starts the same again without waiting for it: its parent ends here, so that it is nobody's child.
fn leave_to_another() -> Result<(), Failure> {
    let this = std::env::current_exe().map_err(|error| Failure::new(error.to_string()))?;
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--detach");
    let mut command = Command::new(this);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(|error| Failure::new(error.to_string()))?;
    Ok(())
}

fn tell(what: &Value) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{what}")
        .and_then(|()| output.flush())
        .map_err(|error| Failure::new(format!("cannot write: {error}")))
}
