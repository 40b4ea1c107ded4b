//! What changes while a server is loaded: gateways, policies and tokens come and go, through the AWS APIs and a token endpoint.
//!
//! A round makes a gateway with its target, puts it under the engine that guards the load, writes a policy for it, gets a
//! new token, calls with that, replaces the policy, calls again and is refused, and takes everything away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::load::Plan;
use crate::scene::aws::Aws;
use crate::scene::stage::{self, Engine, GUARDED, Stage, TARGET, Which};
use crate::tools::{self, ANSWER};

/// What of each round stands between it and the next.
const PAUSE: Duration = Duration::from_millis(300);

/// Goes round until it is over; gives how often.
pub(super) async fn churn(aws: &Aws, stage: &Stage, over: &AtomicBool) -> Result<u64, Failure> {
    let Which::Mcp { policies, .. } = GUARDED else { return Err(Failure::new("there is no engine")) };
    let engine = stage.engines.get(&policies).ok_or_else(|| Failure::new("there is no engine"))?;
    let mut rounds = 0;
    while !over.load(Ordering::Relaxed) {
        let round = round(aws, stage, engine, rounds).await;
        round.map_err(|error| Failure::of(&format!("round {rounds} of the changes"), error))?;
        rounds += 1;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(rounds)
}

async fn round(aws: &Aws, stage: &Stage, engine: &Engine, number: u64) -> Result<(), Failure> {
    let small = Which::Mcp { tools: 1, policies: 0 };
    let gateway = stage::gateway(aws, &stage.ground, small, &format!("churn-{number}")).await?;
    stage::attach(aws, &gateway, engine).await?;
    let path = format!("/gateways/{}/mcp", gateway.id);
    let callers = &stage.callers;
    let token = aws.token(&callers.pool, &callers.client, &callers.secret).await?;

    let allowed =
        stage::policy(aws, &engine.id, &format!("churn_{number}_a"), &stage::general(&gateway.arn)).await?;
    expect(&call(aws, &path, &token).await?, true)?;
    let forbids = format!("forbid(principal, action, resource == AgentCore::Gateway::\"{}\");", gateway.arn);
    let forbidden = stage::policy(aws, &engine.id, &format!("churn_{number}_b"), &forbids).await?;
    expect(&call(aws, &path, &token).await?, false)?;

    for policy in [allowed, forbidden] {
        aws.gone(&format!("/policy-engines/{}/policies/{policy}", engine.id)).await?;
    }
    for target in aws.items(&format!("/gateways/{}/targets/", gateway.id), "/targetId").await? {
        aws.gone(&format!("/gateways/{}/targets/{target}/", gateway.id)).await?;
    }
    aws.gone(&format!("/gateways/{}/", gateway.id)).await
}

async fn call(aws: &Aws, path: &str, token: &str) -> Result<Value, Failure> {
    let message = tools::call(&format!("{TARGET}___{}", tools::name(0))).replace(Plan::ID, "1");
    aws.mcp(path, token, message).await
}

fn expect(answer: &Value, allowed: bool) -> Result<(), Failure> {
    if answer.to_string().contains(ANSWER) == allowed {
        return Ok(());
    }
    let wanted = if allowed { "allowed" } else { "forbidden" };
    Err(Failure::new(format!("a call that is {wanted} was answered: {}", json!(answer))))
}

impl Aws {
    /// Deletes a resource.
    async fn gone(&self, path: &str) -> Result<(), Failure> {
        self.agentcore(Method::DELETE, path, &Value::Null).await.map(drop)
    }

    /// What a list holds at a place of each of its items.
    async fn items(&self, path: &str, place: &str) -> Result<Vec<String>, Failure> {
        let list = self.agentcore(Method::GET, path, &Value::Null).await?;
        let items = list.pointer("/items").and_then(Value::as_array).cloned().unwrap_or_default();
        items.iter().map(|item| crate::scene::aws::text(item, place)).collect()
    }
}
