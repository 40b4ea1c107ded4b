//! Quotas of the installation: what every gateway keeps to, whatever limits it has of its own.
//!
//! Source: "Quotas" of AgentCore Gateway, which has 200 calls and lists a second for a gateway and for an account, and 25
//! searches a minute. They protect a machine that many share; here nothing is limited that nobody has limited.

use std::num::NonZeroU32;

use domain::{Clock, Gateway, Period, Rate};

use super::count::{self, A_WHILE, Allowance, Counted, Counts, Uncounted};
use super::{Leases, TRIES, Throttled};

/// How much may be asked; what is not set is not limited.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// Calls and lists of tools, and requests to HTTP targets, that one gateway takes in a second.
    pub requests_per_second_per_gateway: Option<NonZeroU32>,
    /// Those that all gateways of an account in a region take in a second.
    pub requests_per_second_per_account: Option<NonZeroU32>,
    /// Searches for tools that one gateway takes in a minute.
    pub searches_per_minute_per_gateway: Option<NonZeroU32>,
}

/// What was counted of them.
pub(crate) struct Quotas {
    traffic: Traffic,
    counts: Counts,
}

impl Quotas {
    pub(crate) fn new(traffic: Traffic, leases: &Leases) -> Self {
        Self { traffic, counts: Counts::new(*b"the quotas of the installation  ", leases) }
    }

    /// Counts a call or a list.
    pub(crate) async fn admit(&self, gateway: &Gateway, clock: &dyn Clock) -> Result<(), Throttled> {
        let of_gateway = match self.traffic.requests_per_second_per_gateway {
            Some(most) => {
                let whose = [gateway.id.to_string()];
                Some(self.add("requests-per-second-per-gateway", most, Period::Second, &whose, clock).await?)
            }
            None => None,
        };
        let Some(most) = self.traffic.requests_per_second_per_account else { return Ok(()) };
        let whose = [gateway.scope.account.to_string(), gateway.scope.region.to_string()];
        match self.add("requests-per-second-per-account", most, Period::Second, &whose, clock).await {
            Ok(_) => Ok(()),
            Err(throttled) => {
                // A request that is turned away takes nothing of the other quota.
                of_gateway.iter().for_each(|one| self.counts.take_back(one));
                Err(throttled)
            }
        }
    }

    /// Counts a search.
    pub(crate) async fn admit_search(&self, gateway: &Gateway, clock: &dyn Clock) -> Result<(), Throttled> {
        let Some(most) = self.traffic.searches_per_minute_per_gateway else { return Ok(()) };
        let whose = [gateway.id.to_string()];
        self.add("searches-per-minute-per-gateway", most, Period::Minute, &whose, clock).await.map(drop)
    }

    async fn add(
        &self,
        quota: &str,
        most: NonZeroU32,
        period: Period,
        whose: &[String],
        clock: &dyn Clock,
    ) -> Result<Counted, Throttled> {
        let allowance = Allowance::of_requests(Rate { rate: most.get().into(), period });
        let quota_and_whose = [quota.to_owned()];
        let values = quota_and_whose.iter().chain(whose).map(Some);
        let throttled = |after| Throttled { limit: quota.to_owned(), after };
        let name = count::name(0, values);
        for _ in 0..TRIES {
            match self.counts.add(name, &allowance, clock.now()) {
                Ok(counted) => return Ok(counted),
                Err(Uncounted::Throttled(after)) => return Err(throttled(after)),
                Err(Uncounted::Short(name, pace)) => {
                    if !self.counts.take(name, pace).await {
                        break;
                    }
                }
            }
        }
        Err(throttled(Some(A_WHILE)))
    }
}
