//! Generations of policies over time, on either database: they are kept for seven days, and what expired frees its name.

use std::time::Duration;

use serde_json::{Value, json};

use super::{SERVICE, gateway};
use crate::support::{Actor, World};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn start(root: &Actor, engine: &Value, gateway: &str) -> Value {
    let arn = format!("arn:aws:bedrock-agentcore:us-west-2:000000000000:gateway/{gateway}");
    let request = json!({
        "policyEngineId": engine,
        "name": "weekly",
        "resource": { "arn": arn },
        "content": { "rawText": "Nobody may do anything that is not understood." },
    });
    root.call(SERVICE, "StartPolicyGeneration", request).await.good()
}

#[tokio::test]
async fn a_generation_is_kept_for_seven_days() {
    for world in World::on_each_database().await {
        let root = world.root();
        let made = root.call(SERVICE, "CreatePolicyEngine", json!({ "name": "engine" })).await.good();
        let engine = made["policyEngineId"].clone();
        let gateway = gateway(&root, json!({ "authorizerType": "AWS_IAM" })).await;
        let first = start(&root, &engine, &gateway).await;
        let known = json!({ "policyEngineId": engine, "policyGenerationId": first["policyGenerationId"] });
        world.advance(6 * DAY);
        assert_eq!(world.plane().sweep_generations().await.unwrap(), 0);
        let found = root.call(SERVICE, "GetPolicyGeneration", known.clone()).await.good();
        assert_eq!(found["name"], "weekly");
        world.advance(DAY);
        // Nobody finds it, although it was not taken away yet.
        for operation in ["GetPolicyGeneration", "GetPolicyGenerationSummary", "ListPolicyGenerationAssets"] {
            root.call(SERVICE, operation, known.clone()).await.refused(404, "ResourceNotFoundException");
        }
        let of_engine = json!({ "policyEngineId": engine });
        for operation in ["ListPolicyGenerations", "ListPolicyGenerationSummaries"] {
            let listed = root.call(SERVICE, operation, of_engine.clone()).await.good();
            assert_eq!(listed["policyGenerations"], json!([]), "{operation}");
        }
        // Its name is free before it is swept; what has taken its place stays.
        let second = start(&root, &engine, &gateway).await;
        assert_ne!(first["policyGenerationId"], second["policyGenerationId"]);
        world.advance(7 * DAY);
        assert_eq!(world.plane().sweep_generations().await.unwrap(), 1);
        assert_eq!(world.plane().sweep_generations().await.unwrap(), 0);
        let ended = world.events().await;
        let ended: Vec<_> = ended.iter().filter(|it| it.action == "policy-generation.expire").collect();
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].resource.as_deref(), second["policyGenerationArn"].as_str());
    }
}
