//! Reads an account. A part that cannot be read, because it is refused or not there, is noted, and the rest is read all the
//! same: an auditor who may see less learns what they did not see.

mod agentcore;
mod iam;
mod xml;

use domain::Timestamp;
use serde_json::{Value, json};

use crate::client::{Access, CallError, LAMBDA, encoded};
use crate::inventory::text;
use crate::{Function, Inventory, Unread};

/// Reads what rules look at.
pub async fn collect(access: &Access<'_>, now: Timestamp) -> Inventory {
    let mut inventory = Inventory { now, region: access.region.to_string(), ..Inventory::default() };
    agentcore::gateways(access, &mut inventory).await;
    agentcore::engines(access, &mut inventory).await;
    agentcore::identities(access, &mut inventory).await;
    agentcore::runtimes(access, &mut inventory).await;
    functions(access, &mut inventory).await;
    deliveries(access, &mut inventory).await;
    iam::roles(access, &mut inventory).await;
    iam::users(access, &mut inventory).await;
    inventory
}

impl Inventory {
    /// What a call gave; nothing and a note when it gave nothing.
    fn read<T: Default>(&mut self, operation: &str, called: Result<T, CallError>) -> T {
        called.unwrap_or_else(|error| {
            let note = Unread { operation: operation.to_owned(), why: error.to_string() };
            if !self.unread.contains(&note) {
                self.unread.push(note);
            }
            T::default()
        })
    }
}

async fn functions(access: &Access<'_>, inventory: &mut Inventory) {
    let path = "/2015-03-31/functions";
    let listed = access.all(LAMBDA, path, false, "Functions", ("Marker", "NextMarker")).await;
    for body in inventory.read("ListFunctions", listed) {
        let name = encoded(text(&body, "/FunctionName"));
        let policy = match access.rest(LAMBDA, &format!("{path}/{name}/policy"), &[], None).await {
            Err(error) if error.is_absent() => Value::Null,
            read => inventory.read("GetPolicy", read),
        };
        let policy = policy.get("Policy").and_then(Value::as_str).map(str::to_owned);
        inventory.functions.push(Function { body, policy });
    }
}

async fn deliveries(access: &Access<'_>, inventory: &mut Inventory) {
    let mut next = None::<String>;
    let mut logged = Vec::new();
    loop {
        let body = next.as_ref().map_or_else(|| json!({}), |next| json!({ "nextToken": next }));
        let answer = match access.logs("DescribeDeliverySources", &body).await {
            Ok(answer) => answer,
            Err(error) => return inventory.read("DescribeDeliverySources", Err(error)),
        };
        for source in crate::inventory::list(&answer, "/deliverySources") {
            if text(source, "/logType") == "APPLICATION_LOGS" {
                let arns = crate::inventory::list(source, "/resourceArns").iter();
                logged.extend(arns.filter_map(Value::as_str).map(str::to_owned));
            }
        }
        next = answer.get("nextToken").and_then(Value::as_str).map(str::to_owned);
        if next.is_none() {
            inventory.logged = Some(logged);
            return;
        }
    }
}
