//! One gateway, compiled.

use std::sync::{Arc, OnceLock};

use domain::{Arn, Gateway, PolicyMode};
use mcp::Version;
use policy::{Engine, Observer, Principal, PrincipalKind};
use quick_cache::sync::Cache;

use super::guard::Ground;
use super::{Catalogue, RoleAccess, Visible};
use crate::alarm::Alarms;
use crate::authenticate::Caller;
use crate::delivery::Deliveries;
use crate::fingerprint::Fingerprint;
use crate::intercept::Interceptors;
use crate::limit::Limits;
use crate::meter::Meter;
use identity::Challenge;
use identity::attached::Attached;

/// How many callers of one gateway are remembered.
const CALLERS: usize = 10_000;
/// How many different lists of one gateway are remembered.
const LISTS: usize = 256;

/// What a cache knows, or what is made for it.
fn known<K, Q>(cache: &Cache<K, Arc<Visible>>, key: &Q, make: impl FnOnce() -> Arc<Visible>) -> Arc<Visible>
where
    K: Eq + std::hash::Hash,
    Q: std::hash::Hash + quick_cache::Equivalent<K> + ToOwned<Owned = K> + ?Sized,
{
    let made = cache.get_or_insert_with::<_, std::convert::Infallible>(key, || Ok(make()));
    match made {
        Ok(visible) => visible,
        Err(never) => match never {},
    }
}

/// One gateway, as it is served.
pub(crate) struct Gate {
    pub(crate) gateway: Gateway,
    pub(crate) arn: Arn,
    /// The versions it speaks, the newest first.
    pub(crate) versions: Vec<Version>,
    /// Whether answers are streamed to those who take streams.
    pub(crate) streams: bool,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) guard: Guard,
    pub(crate) role: RoleAccess,
    /// How much may be asked.
    pub(crate) limits: Limits,
    pub(crate) interceptors: Arc<Interceptors>,
    pub(crate) challenge: Challenge,
    /// Who may call it, besides what callers' own policies say.
    pub(crate) attached: Arc<Attached>,
    /// Verified tokens, by fingerprint. They belong to this gate: another configuration verifies again.
    pub(crate) callers: Cache<Fingerprint, Arc<Caller>>,
    /// The one caller of a gateway that asks nobody who they are.
    pub(crate) anyone: OnceLock<Arc<Caller>>,
    /// Counts what the policies decide.
    pub(crate) meter: Arc<Meter>,
    /// Where its records are delivered.
    pub(crate) deliveries: Deliveries,
    lists: Cache<Vec<bool>, Arc<Visible>>,
    /// What callers who sign may see. Each of their requests is recognised anew, and their id is all that policies know
    /// of them; a caller with a token keeps what it may see itself.
    signers: Cache<String, Arc<Visible>>,
}

/// What guards a gateway's tools.
#[derive(Clone)]
pub(crate) enum Guard {
    /// Nothing but the authorizer.
    Open,
    /// Policies; `watched` are those of them that do not bind, where there are any, and `ground` is what they were made of,
    /// where they can be taken again.
    Policies { mode: PolicyMode, rules: Rules, watched: Option<Arc<Observer>>, ground: Option<Arc<Ground>> },
}

/// Policies, compiled.
#[derive(Clone)]
pub(crate) enum Rules {
    Ready(Arc<Engine>),
    /// They cannot be compiled: under ENFORCE everything is denied.
    Broken(Arc<str>),
}

impl Gate {
    pub(crate) fn new(
        gateway: Gateway,
        catalogue: Arc<Catalogue>,
        guard: Guard,
        role: RoleAccess,
        limits: Limits,
        interceptors: Arc<Interceptors>,
        challenge: Challenge,
    ) -> Self {
        let supported = gateway.mcp.as_ref().and_then(|mcp| mcp.supported_versions.as_ref());
        let speaks = |version: &Version| {
            supported.is_none_or(|supported| supported.iter().any(|named| named == version.as_str()))
        };
        Self {
            arn: Arn::gateway(&gateway.scope, &gateway.id),
            versions: Version::ALL.into_iter().filter(speaks).collect(),
            streams: gateway.mcp.as_ref().and_then(|mcp| mcp.streaming).unwrap_or(false),
            gateway,
            catalogue,
            guard,
            role,
            limits,
            interceptors,
            challenge,
            attached: Arc::default(),
            callers: Cache::new(CALLERS),
            anyone: OnceLock::new(),
            meter: Arc::default(),
            deliveries: Deliveries::default(),
            lists: Cache::new(LISTS),
            signers: Cache::new(CALLERS),
        }
    }

    /// The same gateway, asking everyone again who they are, with another role.
    pub(crate) fn with_role(&self, role: RoleAccess, challenge: Challenge) -> Self {
        let (gateway, catalogue) = (self.gateway.clone(), Arc::clone(&self.catalogue));
        let (limits, interceptors) = (self.limits.clone(), Arc::clone(&self.interceptors));
        Self::new(gateway, catalogue, self.guard.clone(), role, limits, interceptors, challenge)
            .counted_by(Arc::clone(&self.meter))
            .open_to(Arc::clone(&self.attached))
            .delivered_to(self.deliveries.clone())
    }

    /// The same gateway, with what its resource policy says.
    pub(crate) fn open_to(self, attached: Arc<Attached>) -> Self {
        Self { attached, ..self }
    }

    /// The same gateway, whose decisions are added to what was counted before.
    pub(crate) fn counted_by(self, meter: Arc<Meter>) -> Self {
        Self { meter, ..self }
    }

    /// What the log was told of what failed.
    pub(crate) fn alarms(&self) -> &Alarms {
        &self.meter.alarms
    }

    /// The same gateway, whose records are delivered there.
    pub(crate) fn delivered_to(self, deliveries: Deliveries) -> Self {
        Self { deliveries, ..self }
    }

    /// Whether a host is the one that AWS would give this gateway.
    pub(crate) fn is_named_by_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name = host.strip_suffix(":443").unwrap_or(&host);
        let region = &self.gateway.scope.region;
        name.strip_prefix(self.gateway.id.as_str())
            .is_some_and(|rest| rest == format!(".gateway.bedrock-agentcore.{region}.amazonaws.com"))
    }

    /// How long sessions live; `None` when there are none.
    pub(crate) fn session_seconds(&self) -> Option<u32> {
        self.gateway.mcp.as_ref().and_then(|mcp| mcp.session_seconds)
    }

    /// Whether tools that no policy knows are listed: those of servers that are asked at each list. Policies that bind
    /// deny them.
    pub(crate) fn lists_unlisted(&self) -> bool {
        let binds = matches!(self.guard, Guard::Policies { mode: PolicyMode::Enforce, .. });
        !binds && self.catalogue.targets.iter().any(super::TargetEntry::is_unlisted)
    }

    /// Whether the tool that finds tools is offered.
    pub(crate) fn searches(&self) -> bool {
        self.gateway.mcp.as_ref().is_some_and(|mcp| mcp.search)
    }

    /// Whether somebody reads what is asked before it is looked up: an interceptor, or a rate limit.
    pub(crate) fn has_readers(&self) -> bool {
        let Interceptors { request, response } = &*self.interceptors;
        request.is_some() || response.is_some() || !self.limits.is_empty()
    }

    /// Whether the whole list of tools is one page.
    pub(crate) fn lists_in_one_page(&self) -> bool {
        self.gateway.mcp.as_ref().and_then(|mcp| mcp.disable_list_pagination).unwrap_or(false)
    }

    /// The tools that a caller may see: all, unless policies bind.
    pub(crate) fn visible_to(&self, principal: Option<&Principal>) -> Arc<Visible> {
        match principal.filter(|principal| principal.kind() == PrincipalKind::IamEntity) {
            Some(signer) => known(&self.signers, signer.id(), || self.shown_to(principal)),
            None => self.shown_to(principal),
        }
    }

    fn shown_to(&self, principal: Option<&Principal>) -> Arc<Visible> {
        let tools = self.catalogue.tools().len();
        let visible = match (&self.guard, principal) {
            (Guard::Open | Guard::Policies { mode: PolicyMode::LogOnly, .. }, _) => vec![true; tools],
            (Guard::Policies { rules: Rules::Ready(engine), .. }, Some(principal)) => {
                self.seen(engine, principal)
            }
            (Guard::Policies { .. }, _) => vec![false; tools],
        };
        known(&self.lists, &visible, || Arc::new(Visible::new(visible.clone())))
    }

    /// What the engine lets a caller see, by the places of the catalogue.
    fn seen(&self, engine: &Engine, principal: &Principal) -> Vec<bool> {
        let mut seen = vec![false; self.catalogue.tools().len()];
        for (name, visible) in engine.tools().zip(engine.visible(principal)) {
            let place = self.catalogue.tool(name).map(|tool| tool.place);
            if let Some(slot) = place.and_then(|place| seen.get_mut(place)) {
                *slot = visible;
            }
        }
        seen
    }
}
