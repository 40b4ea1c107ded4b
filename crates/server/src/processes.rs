//! What runs the code of tenants: functions and agents, by the interpreters and as the user that the operator names.

use std::sync::Arc;

use compute::agents::{AgentSettings, Agents};
use compute::{Settings as ComputeSettings, SetupError, Supervisor};
use domain::{Clock, Random};
use tokio::runtime::Handle;

use crate::configuration::Configuration;
use crate::terminal::Failure;

/// What runs functions.
pub(crate) fn supervisor(
    configuration: &Configuration,
    runtime: Handle,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> Result<Supervisor, Failure> {
    let folder = configuration.data("functions");
    let mut settings = ComputeSettings::new(folder, runtime, Arc::clone(clock), Arc::clone(random));
    let functions = &configuration.functions;
    settings.python.clone_from(&functions.python);
    settings.node.clone_from(&functions.node);
    settings.search_path.clone_from(&configuration.path);
    settings.log_files = true;
    settings.run_as = functions.run_as;
    if let Some(idle) = functions.idle_timeout {
        settings.idle_timeout = idle;
    }
    if let Some(most) = functions.max_instances {
        settings.max_instances = most;
    }
    if let Some(most) = functions.max_instances_per_function {
        settings.max_instances_per_function = most;
    }
    Supervisor::new(settings).map_err(|error| set_up(configuration, &error))
}

/// What runs agents, in a folder beside that of functions, with the same interpreters and as the same user.
pub(crate) fn agents(
    configuration: &Configuration,
    runtime: Handle,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> Result<Agents, Failure> {
    let folder = configuration.data("agents");
    let mut settings = AgentSettings::new(folder, runtime, Arc::clone(clock), Arc::clone(random));
    let functions = &configuration.functions;
    settings.python.clone_from(&functions.python);
    settings.node.clone_from(&functions.node);
    settings.search_path.clone_from(&configuration.path);
    settings.run_as = functions.run_as;
    if let Some(most) = configuration.max_agent_sessions {
        settings.max_sessions = most;
    }
    Agents::new(settings).map_err(|error| set_up(configuration, &error))
}

fn set_up(configuration: &Configuration, error: &SetupError) -> Failure {
    match error {
        SetupError::InUse(_) => Failure::new(format!(
            "{error}\nAnother server uses the data directory {}: stop it, or choose another with --data-dir",
            configuration.data_dir.display()
        )),
        error => Failure::new(error.to_string()),
    }
}
