//! Where tools and policies come from: a gateway or a policy engine of the data directory, or files.
//!
//! `--gateway` and `--engine` open the store beside a running server, or without one. `--schema` and `--tools` are files,
//! for where there is no server: then a policy may name any gateway.

use std::path::{Path, PathBuf};

use clap::Args;
use domain::{Gateway, Policy, PolicyEnforcement, PolicyEngineId, PolicyId, Scope};
use policy::{Engine, GatewayTools, Offered, Schema, named_gateways};
use serde_json::Value;
use store::{Page, Tx};

use crate::command_line::Settings;
use crate::terminal::Failure;
use crate::verbs::input;
use crate::verbs::open::{Opened, open};
use crate::verbs::target::find_gateway;

/// Which tools, and which policies where no files name them.
#[derive(Args)]
pub(super) struct Sources {
    #[command(flatten)]
    pub(super) settings: Settings,
    #[command(flatten)]
    which: Which,
    /// The gateway's ARN, where --tools or --schema stand for a gateway [default: the one that the policies name]
    #[arg(long, value_name = "ARN", conflicts_with_all = ["gateway", "engine"])]
    arn: Option<String>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Take the tools of this gateway, and where no files are given the policies that guard it
    #[arg(long, value_name = "ID")]
    gateway: Option<String>,
    /// Take the tools of all gateways that this policy engine guards, and its policies where no files are given
    #[arg(long, value_name = "ID")]
    engine: Option<String>,
    /// Take the tools from a Cedar schema, as `portcullis policy schema` prints it
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Take the tools from the answer to `tools/list`: JSON
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
}

/// What was found.
pub(super) struct Ground {
    /// The gateways and their tools. Files give one gateway, whose ARN is empty where nobody said it.
    pub(super) offered: Vec<Offered>,
    /// The policies of the engine; none where files stand for the tools.
    pub(super) policies: Vec<Standing>,
    /// Where the gateway was found.
    pub(super) store: Option<Found>,
    /// The schema that a file gives.
    written: Option<String>,
}

/// What was found in the store.
pub(super) struct Found {
    pub(super) opened: Opened,
    /// The gateways: one for --gateway, any number for --engine.
    pub(super) gateways: Vec<Gateway>,
    /// The engine that holds the policies.
    pub(super) engine: Option<PolicyEngineId>,
}

/// A policy that takes part in decisions, or would.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// Its id; for one of a file what the file calls it.
    pub(super) id: PolicyId,
    /// What people call it.
    pub(super) name: String,
    pub(super) statement: String,
}

/// A gateway that nobody named.
const SOME_GATEWAY: &str = "arn:aws:bedrock-agentcore:us-east-1:000000000000:gateway/any";

impl Sources {
    /// Finds everything.
    pub(super) async fn ground(&self) -> Result<Ground, Failure> {
        let Which { gateway, engine, schema, tools } = &self.which;
        match (gateway, engine, schema, tools) {
            (Some(id), ..) => of_gateway(&self.settings, id).await,
            (_, Some(id), ..) => self.of_engine(id).await,
            (_, _, Some(file), _) => self.of_schema(file),
            (_, _, _, Some(file)) => self.of_tools(file),
            _ => {
                Err(Failure::usage("say where the tools are: with --gateway, --engine, --schema or --tools"))
            }
        }
    }

    async fn of_engine(&self, id: &str) -> Result<Ground, Failure> {
        let opened = open(&self.settings).await?;
        let mut tx = opened.store.read().await?;
        let wanted = PolicyEngineId::from_text(id.to_owned());
        let engine = tx.policy_engine_of_id(&wanted).await?.ok_or_else(|| {
            Failure::usage(format!(
                "there is no policy engine {id}: ListPolicyEngines lists those of an account and region"
            ))
        })?;
        let gateways = tx.gateways_of_engine(&engine.scope, &engine.id).await?;
        gather(opened, tx, engine.scope, gateways, Some(engine.id)).await
    }

    fn of_schema(&self, file: &Path) -> Result<Ground, Failure> {
        let text = input::read(file)?;
        let schema = Schema::read(&text).map_err(|error| in_file(file, &error.to_string()))?;
        let tools = schema.tools().map(|name| (name.to_owned(), String::new()));
        let offered = Offered::by_tools(self.arn.clone().unwrap_or_default(), tools);
        Ok(Ground { offered: vec![offered], policies: Vec::new(), store: None, written: Some(text) })
    }

    fn of_tools(&self, file: &Path) -> Result<Ground, Failure> {
        let text = input::read(file)?;
        let tools = listed(&text).ok_or_else(|| {
            in_file(file, "it is no answer to tools/list: a JSON object with `tools`, each with `name` and `inputSchema`")
        })?;
        let offered = Offered::by_tools(self.arn.clone().unwrap_or_default(), tools);
        Ok(Ground { offered: vec![offered], policies: Vec::new(), store: None, written: None })
    }
}

/// The tools of a gateway, and the policies that guard it.
pub(super) async fn of_gateway(settings: &Settings, id: &str) -> Result<Ground, Failure> {
    let opened = open(settings).await?;
    let mut tx = opened.store.read().await?;
    let gateway = find_gateway(&mut tx, id).await?;
    let engine = gateway.policy.as_ref().map(|attached| {
        PolicyEngineId::from_text(
            attached.engine.resource().strip_prefix("policy-engine/").unwrap_or_default(),
        )
    });
    gather(opened, tx, gateway.scope.clone(), vec![gateway], engine).await
}

impl Ground {
    /// The schema that policies are checked against.
    pub(super) fn schema(&self) -> Result<Schema, Failure> {
        let schema = match (&self.written, self.offered.as_slice()) {
            (Some(text), _) => Schema::read(text),
            (None, [only]) if self.store.is_none() => Schema::anywhere(&only.tools().tools),
            (None, offered) => Schema::build(&offered.iter().map(Offered::tools).collect::<Vec<_>>()),
        };
        schema.map_err(|error| Failure::new(error.to_string()))
    }

    /// The one gateway that calls are about, as `policies` see it; where nobody said which it is, it is the one that they
    /// name.
    pub(super) fn guarded(&self, policies: &[Standing]) -> Result<Guarded, Failure> {
        let [offered] = self.offered.as_slice() else {
            return Err(Failure::usage(format!(
                "the policy engine guards {} gateways: say with --gateway which one the calls are about",
                self.offered.len()
            )));
        };
        let schema = match &self.written {
            Some(text) => Some(Schema::read(text).map_err(|error| Failure::new(error.to_string()))?),
            None => None,
        };
        let named = || policies.iter().flat_map(|policy| named_gateways(&policy.statement)).next();
        let arn = match offered.arn() {
            "" => named().unwrap_or_else(|| SOME_GATEWAY.to_owned()),
            arn => arn.to_owned(),
        };
        Ok(Guarded { arn, offered: offered.clone(), schema })
    }
}

/// The gateway that calls are about.
pub(super) struct Guarded {
    pub(super) arn: String,
    offered: Offered,
    schema: Option<Schema>,
}

impl Guarded {
    /// The policies, compiled for the gateway.
    pub(super) fn engine(&self, policies: &[Standing]) -> Result<Engine, Failure> {
        self.engine_at(&self.arn, policies)
    }

    /// The policies, compiled for a gateway of this ARN with the same tools.
    pub(super) fn engine_at(&self, arn: &str, policies: &[Standing]) -> Result<Engine, Failure> {
        let statements = policies.iter().map(|policy| (policy.id.clone(), &policy.statement));
        let compiled = match &self.schema {
            Some(schema) => Engine::compile_typed(arn, schema, statements),
            None => {
                let tools = GatewayTools { arn, ..self.offered.tools() };
                Engine::compile(&tools, statements)
            }
        };
        compiled.map_err(|error| Failure::new(error.to_string()))
    }

    /// The full names of the tools.
    pub(super) fn tools(&self) -> impl Iterator<Item = &str> {
        self.offered.names()
    }
}

/// Reads targets and policies.
async fn gather(
    opened: Opened,
    mut tx: Tx,
    scope: Scope,
    gateways: Vec<Gateway>,
    engine: Option<PolicyEngineId>,
) -> Result<Ground, Failure> {
    let mut offered = Vec::new();
    for gateway in &gateways {
        let targets = tx.targets(&gateway.scope, &gateway.id, Page::ALL).await?;
        offered.push(Offered::by_targets(gateway, &targets));
    }
    let policies = match &engine {
        Some(engine) => tx.policies(&scope, engine, Page::ALL).await?,
        None => Vec::new(),
    };
    // A policy that does not bind decides nothing.
    let binds = |policy: &Policy| policy.status.decides() && policy.enforcement == PolicyEnforcement::Active;
    let in_force = policies.into_iter().filter(binds);
    let policies = in_force.filter_map(|policy| {
        Some(Standing { id: policy.id, name: policy.name, statement: policy.in_force? })
    });
    let policies = policies.collect();
    drop(tx);
    let store = Some(Found { opened, gateways, engine });
    Ok(Ground { offered, policies, store, written: None })
}

/// The tools of an answer to `tools/list`: the whole message, its result, or the list alone.
fn listed(text: &str) -> Option<Vec<(String, String)>> {
    let document: Value = serde_json::from_str(text).ok()?;
    let result = document.get("result").unwrap_or(&document);
    let tools = result.get("tools").unwrap_or(result).as_array()?;
    tools
        .iter()
        .map(|tool| {
            let name = tool.get("name")?.as_str()?.to_owned();
            let schema =
                tool.get("inputSchema").map_or_else(|| domain::NO_INPUT.to_owned(), Value::to_string);
            Some((name, schema))
        })
        .collect()
}

fn in_file(file: &Path, what: &str) -> Failure {
    Failure::usage(format!("{}: {what}", file.display()))
}
