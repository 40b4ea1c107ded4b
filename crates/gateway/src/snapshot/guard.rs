//! The policies of a gateway, compiled from what the store has.
//!
//! Compiling takes a while where there are many, and most of what is told of a policy engine changes none of those in force:
//! a policy that is being checked is not among them yet. So what they were made of is kept beside them. Where that is
//! still the same they are taken again, and where some of it is, only what is new is parsed.

use std::sync::Arc;

use domain::{Gateway, PolicyEnforcement, PolicyEngineId, PolicyId, Target};
use policy::{Engine, Observer, Offered};
use store::{Page, StoreError, Tx};

use super::{Guard, Rules};

/// What policies are compiled from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ground {
    offered: Offered,
    binding: Vec<(PolicyId, String)>,
    watched: Vec<(PolicyId, String)>,
}

/// The guard of a gateway with these targets; `before` is what guarded it.
pub(super) async fn compile(
    tx: &mut Tx,
    gateway: &Gateway,
    targets: &[Target],
    before: Option<&Guard>,
) -> Result<Guard, StoreError> {
    let Some(attached) = &gateway.policy else { return Ok(Guard::Open) };
    let id = attached.engine.resource().strip_prefix("policy-engine/").unwrap_or_default();
    let ground = Arc::new(Ground::read(tx, gateway, &PolicyEngineId::from_text(id), targets).await?);
    let mode = attached.mode;
    let (former, observed) = match before {
        Some(Guard::Policies { rules: rules @ Rules::Ready(_), watched, ground: Some(known), .. })
            if *known == ground =>
        {
            return Ok(Guard::Policies {
                mode,
                rules: rules.clone(),
                watched: watched.clone(),
                ground: Some(ground),
            });
        }
        Some(Guard::Policies { rules: Rules::Ready(engine), watched, .. }) => {
            (Some(Arc::clone(engine)), watched.clone())
        }
        _ => (None, None),
    };
    let from = Arc::clone(&ground);
    let compiling = tokio::task::spawn_blocking(move || from.compile(former.as_deref(), observed.as_deref()));
    let (rules, observer) = match compiling.await {
        Ok((Ok(engine), observer)) => (Rules::Ready(Arc::new(engine)), observer),
        Ok((Err(error), observer)) => (Rules::Broken(error.to_string().into()), observer),
        Err(error) => (Rules::Broken(error.to_string().into()), None),
    };
    // Nothing may depend on a policy that does not bind, so what is wrong with one stops nothing.
    let watched = observer.and_then(|compiled| match compiled {
        Ok(observer) => Some(Arc::new(observer)),
        Err(error) => {
            tracing::error!(gateway.id = %gateway.id, %error, "The policies that do not bind cannot be watched.");
            None
        }
    });
    Ok(Guard::Policies { mode, rules, watched, ground: Some(ground) })
}

/// Policies that were compiled, or why they could not be.
type Compiled<T> = Result<T, policy::CompileError>;

impl Ground {
    async fn read(
        tx: &mut Tx,
        gateway: &Gateway,
        engine: &PolicyEngineId,
        targets: &[Target],
    ) -> Result<Self, StoreError> {
        let policies = tx.policies(&gateway.scope, engine, Page::ALL).await?;
        let (mut binding, mut watched) = (Vec::new(), Vec::new());
        for policy in policies.into_iter().filter(|policy| policy.status.decides()) {
            let Some(statement) = policy.in_force else { continue };
            match policy.enforcement {
                PolicyEnforcement::Active => binding.push((policy.id, statement)),
                PolicyEnforcement::LogOnly => watched.push((policy.id, statement)),
            }
        }
        Ok(Self { offered: Offered::by_targets(gateway, targets), binding, watched })
    }

    fn compile(
        &self,
        former: Option<&Engine>,
        observed: Option<&Observer>,
    ) -> (Compiled<Engine>, Option<Compiled<Observer>>) {
        let gateway = self.offered.tools();
        let watched = self.watched.iter().cloned();
        let observer =
            (!self.watched.is_empty()).then(|| Observer::compile_after(observed, &gateway, watched));
        (Engine::compile_after(former, &gateway, self.binding.iter().cloned()), observer)
    }
}
