//! Decisions that hold for all calls of a tool by one caller: no policy that may apply reads anything of the call.
//!
//! They belong to a caller of one gate, as its list of tools does: whoever changes a policy, a tool or a gateway makes a
//! new gate, and a token that is verified anew makes a new caller.

use std::sync::{Arc, Mutex, PoisonError};

use policy::{Call, Decision, Engine, Principal, PrincipalKind};

/// How many decisions are kept for a caller: about as much memory as the caller itself takes. Few callers call more tools,
/// and those are decided each time.
const MOST: usize = 16;

/// The decisions for one caller, by the places of tools in its gate's engine.
#[derive(Default)]
pub(crate) struct Settled {
    kept: Mutex<Vec<(usize, Arc<Decision>)>>,
}

impl Settled {
    /// Decides a call, or says again what was decided.
    pub(crate) fn decide(&self, engine: &Engine, principal: &Principal, call: &Call<'_>) -> Arc<Decision> {
        let decide = || Arc::new(engine.decide(principal, call));
        // Who signs is a caller for one request.
        let settled = || engine.settled(principal, call.tool);
        let Some(place) = (principal.kind() == PrincipalKind::OAuthUser).then(settled).flatten() else {
            return decide();
        };
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, decision)) = kept().iter().find(|(known, _)| *known == place) {
            return Arc::clone(decision);
        }
        let decision = decide();
        let mut kept = kept();
        if kept.len() < MOST && !kept.iter().any(|(known, _)| *known == place) {
            kept.push((place, Arc::clone(&decision)));
        }
        decision
    }
}

#[cfg(test)]
mod tests {
    use domain::{PolicyId, Timestamp};
    use policy::{GatewayTools, Reason, ToolDefinition};
    use serde_json::Map;

    use super::*;

    const GATEWAY: &str = "arn:aws:bedrock-agentcore:us-west-2:000000000000:gateway/bank-0123456789";
    const SCHEMA: &str = r#"{"type":"object","properties":{"cents":{"type":"integer"}}}"#;

    fn engine(tools: &[String]) -> Engine {
        let tools = tools.iter().map(|name| ToolDefinition { name, input_schema: SCHEMA }).collect();
        let paying = "forbid(principal, action == AgentCore::Action::\"Bank___t0\", resource is AgentCore::Gateway) \
                      when { context.input has cents && context.input.cents > 500 };";
        let policies =
            [("all", "permit(principal, action, resource is AgentCore::Gateway);"), ("paying", paying)];
        let policies = policies.map(|(id, statement)| (PolicyId::from_text(id), statement));
        Engine::compile(&GatewayTools { arn: GATEWAY, tools }, policies).unwrap()
    }

    #[test]
    fn only_what_is_settled_is_kept_and_not_for_ever_more_tools() {
        let tools: Vec<_> = (0..=MOST + 1).map(|number| format!("Bank___t{number}")).collect();
        let (engine, settled) = (engine(&tools), Settled::default());
        let somebody = Principal::oauth("ada", &Map::new()).unwrap();
        let decide = |tool: &str, arguments: &str| {
            settled.decide(&engine, &somebody, &Call { tool, arguments, now: Timestamp::default() })
        };
        for _ in 0..2 {
            assert!(decide(&tools[0], r#"{"cents":500}"#).allow);
            assert_eq!(decide(&tools[0], r#"{"cents":501}"#).reason, Reason::ForbiddenBy);
            assert_eq!(decide("Bank___unknown", "{}").reason, Reason::DefaultDeny);
        }
        assert!(settled.kept.lock().unwrap().is_empty());
        for tool in &tools[1..] {
            assert!(decide(tool, "{}").allow);
        }
        assert_eq!(settled.kept.lock().unwrap().len(), MOST);
        assert!(Arc::ptr_eq(&decide(&tools[1], "{}"), &decide(&tools[1], r#"{"cents":501}"#)));
        assert!(!Arc::ptr_eq(&decide(&tools[MOST + 1], "{}"), &decide(&tools[MOST + 1], "{}")));
    }

    #[test]
    fn nothing_is_kept_of_who_signs() {
        let (engine, settled) = (engine(&["Bank___t1".to_owned()]), Settled::default());
        let arn = domain::Arn::parse("arn:aws:iam::000000000000:user/ada").unwrap();
        let ada = Principal::iam(&arn).unwrap();
        let call = Call { tool: "Bank___t1", arguments: "{}", now: Timestamp::default() };
        assert!(settled.decide(&engine, &ada, &call).allow);
        assert!(settled.kept.lock().unwrap().is_empty());
    }
}
