//! The work behind a generation that is GENERATING, and the end of those that have expired.
//!
//! A generator may think for long, or ask somebody who does: it has a thread to itself and a time after which the
//! generation has failed. What it made is taken up to a bound.

use std::sync::Arc;
use std::time::Duration;

use domain::{
    Arn, Gateway, GatewayId, PolicyEngineId, PolicyGeneration, PolicyGenerationId, Scope, Settled, Target,
    tool_name,
};
use generation::{Asset, GatewayTools, PrincipalKind, Request, Tool};
use store::{Page, StoreError, Tx};

use super::generation_wire::kept;
use crate::fault::{Failure, sentence};
use crate::plane::ControlPlane;
use crate::settle::system_event;

/// How long a generator may take.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// How many assets are kept of a generation. A text of 2,000 characters has fewer sentences than this that say something.
const MOST_ASSETS: usize = 200;
/// What the audit trail calls the end of a generation.
const EXPIRE: &str = "policy-generation.expire";

/// What is left to do after a generation was started: have its text translated.
pub(crate) async fn settle_generation(
    plane: &ControlPlane,
    scope: &Scope,
    engine: &PolicyEngineId,
    id: &PolicyGenerationId,
) -> Result<(), Failure> {
    let setup = &plane.setup;
    let mut tx = setup.store.read().await?;
    let Some(read) = tx.generation(scope, engine, id, setup.clock.now()).await? else { return Ok(()) };
    let made = match gateway_of(&mut tx, &read).await? {
        Some(gateway) => {
            drop(tx);
            generate(plane, Request { text: read.text.clone(), gateway }).await
        }
        None => Err(format!("The gateway {} does not exist any more.", read.gateway)),
    };
    let mut tx = setup.store.begin().await?;
    let Some(mut generation) = tx.generation(scope, engine, id, setup.clock.now()).await? else {
        return Ok(());
    };
    if generation.revision != read.revision {
        return Ok(());
    }
    match made {
        Ok(assets) => {
            generation.status = generation.status.settle(Settled::Well)?;
            let assets = assets.into_iter().take(MOST_ASSETS);
            generation.assets = assets.map(|asset| kept(asset, &*setup.random)).collect();
        }
        Err(reason) => {
            generation.status = generation.status.settle(Settled::Badly)?;
            generation.status_reasons = vec![reason];
        }
    }
    generation.updated_at = setup.clock.now();
    tx.update_generation(&mut generation).await?;
    let arn = Arn::policy_generation(scope, engine, id);
    tx.commit(&system_event(plane, scope, "policy-generation.settle", &arn)).await?;
    Ok(())
}

/// Has the text translated, on a thread of its own, when there is a place.
async fn generate(plane: &ControlPlane, request: Request) -> Result<Vec<Asset>, String> {
    let _place = plane.writers.acquire().await.map_err(|_| "The text could not be translated.".to_owned())?;
    let (generator, runtime) = (Arc::clone(&plane.setup.generator), plane.setup.runtime.clone());
    let translating = tokio::task::spawn_blocking(move || {
        runtime.block_on(async { tokio::time::timeout(PATIENCE, generator.generate(&request)).await })
    });
    match translating.await {
        Ok(Ok(Ok(assets))) => Ok(assets),
        Ok(Ok(Err(error))) => Err(sentence(&error)),
        Ok(Err(_)) => Err(format!("The text was not translated within {} seconds.", PATIENCE.as_secs())),
        Err(error) => {
            tracing::error!(%error, "A generator of policies failed.");
            Err("The text could not be translated.".to_owned())
        }
    }
}

/// The gateway that a generation is about, with the tools that it has now.
async fn gateway_of(tx: &mut Tx, generation: &PolicyGeneration) -> Result<Option<GatewayTools>, Failure> {
    let id = generation.gateway.resource().strip_prefix("gateway/").unwrap_or_default();
    let Some(gateway) = tx.gateway(&generation.scope, &GatewayId::from_text(id)).await? else {
        return Ok(None);
    };
    let targets = tx.targets(&gateway.scope, &gateway.id, Page::ALL).await?;
    Ok(Some(generation_subject(&gateway, &targets)))
}

/// A gateway with the tools of its targets, as texts for generation may be about it.
#[must_use]
pub fn generation_subject(gateway: &Gateway, targets: &[Target]) -> GatewayTools {
    GatewayTools {
        arn: Arn::gateway(&gateway.scope, &gateway.id).to_string(),
        tools: targets.iter().flat_map(tools_of).collect(),
        principals: PrincipalKind::of_gateway(gateway),
    }
}

fn tools_of(target: &Target) -> impl Iterator<Item = Tool> {
    target.tools.iter().map(|tool| Tool {
        name: tool_name(&target.name, &tool.name),
        description: description_of(tool),
        input_schema: tool.input_schema.0.clone(),
    })
}

/// What its owner says that a tool is for.
fn description_of(tool: &domain::Tool) -> String {
    let definition: Option<serde_json::Value> = serde_json::from_str(&tool.definition.0).ok();
    let told = definition.as_ref().and_then(|it| it.get("description")).and_then(serde_json::Value::as_str);
    told.unwrap_or_default().to_owned()
}

impl ControlPlane {
    /// Takes generations away that have expired; answers how many.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn sweep_generations(&self) -> Result<usize, StoreError> {
        let now = self.setup.clock.now();
        let expired = self.setup.store.read().await?.expired_generations(now).await?;
        let mut swept = 0;
        for generation in expired {
            let mut tx = self.setup.store.begin().await?;
            // Another replica may have been faster.
            if tx.delete_expired_generation(&generation, now).await? {
                let arn = Arn::policy_generation(&generation.scope, &generation.engine, &generation.id);
                tx.commit(&system_event(self, &generation.scope, EXPIRE, &arn)).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}
