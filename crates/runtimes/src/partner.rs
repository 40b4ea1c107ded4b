//! Partners that show a key in a header of their own ("Choosing an authentication method": an API key credential provider
//! for external partner integrations). Off unless the operator names the header, the provider that has the key, whom the
//! key stands for, and the runtimes that it opens.
//!
//! The key is compared with the provider's in constant time; nothing else is said about it, and the header never reaches
//! the agent.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use domain::{Actor, Arn, Timestamp, WorkloadUser};
use http::HeaderName;
use http::request::Parts;
use identity::outbound::{self, Ask, Brought, Granted, Need};

use crate::authenticate::{Caller, one};
use crate::edge::House;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::registry::Served;

/// A partner, as the operator names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// The header that holds the key.
    pub header: HeaderName,
    /// The API key credential provider that has it.
    pub provider: Arn,
    /// Whom the key stands for: in the audit trail, and to the agent as the id of its user.
    pub principal: String,
    /// The runtimes that it opens.
    pub runtimes: Vec<Arn>,
}

/// Recognises a partner by its key; `None` where the request shows none that this runtime takes.
///
/// # Errors
/// AWS's AccessDeniedException for a key that is not the partner's, ServiceUnavailableException when the database is out of
/// reach.
pub(crate) async fn recognise(
    house: &House,
    served: &Served,
    head: &Parts,
    record: &mut Record,
) -> Result<Option<Caller>, Refusal> {
    let runtime = served.runtime.arn();
    let partners = house.setup.partners.iter().filter(|partner| partner.runtimes.contains(&runtime));
    let mut shown = false;
    for partner in partners {
        let mut values = head.headers.get_all(&partner.header).iter();
        let (Some(value), None) = (values.next(), values.next()) else { continue };
        shown = true;
        if is_the_key(house, served, partner, value.as_bytes()).await? {
            let caller = caller(partner);
            record.caller(&caller);
            return Ok(Some(caller));
        }
    }
    if shown { Err(Refusal::denied("The key is not accepted.")) } else { Ok(None) }
}

async fn is_the_key(
    house: &House,
    served: &Served,
    partner: &Partner,
    shown: &[u8],
) -> Result<bool, Refusal> {
    let ask = Ask {
        scope: &served.runtime.scope,
        provider: &partner.provider,
        need: Need::ApiKey,
        workload: None,
        user: None,
        brought: Brought::default(),
    };
    match house.setup.outbound.credential(&ask).await {
        Ok(Granted::ApiKey(key)) => {
            let hash = |bytes: &[u8]| digest(&SHA256, bytes);
            let (shown, key) = (hash(shown), hash(key.expose().as_bytes()));
            Ok(verify_slices_are_equal(shown.as_ref(), key.as_ref()).is_ok())
        }
        Ok(_) => Ok(false),
        Err(outbound::Refusal::Store(error)) if error.outage().is_some() => Err(Refusal::of_store(&error)),
        Err(refusal) => {
            tracing::warn!(provider = %partner.provider, error = %refusal, "A partner's key cannot be read.");
            Ok(false)
        }
    }
}

fn caller(partner: &Partner) -> Caller {
    let owner = one(&["partner", partner.provider.as_str(), &partner.principal]);
    Caller {
        actor: Actor::Token {
            issuer: partner.provider.to_string(),
            subject: Some(partner.principal.clone()),
            client_id: None,
        },
        principal: owner.clone(),
        owner,
        user_id: Some(partner.principal.clone()),
        // A partner is no person: the agent gets no tokens that a person gave.
        user: WorkloadUser::Nobody,
        token: None,
        shown_in: Some(partner.header.clone()),
        signs: false,
        until: Timestamp::default(),
    }
}
