//! Callers that `who-can` and `matrix` say nothing of, and why: a list that is silent about them would read as a whole one.
//!
//! What a person's token holds is settled when the person signs in: by the client, the scopes that it asks for, and the
//! groups that the person is in then, which are the claim `cognito:groups`. None of that is a setting that could be read.

use domain::{Authorizer, UserPoolId};
use store::{Page, Tx};

use super::sources::Found;
use crate::terminal::{Failure, visible};

/// The most groups that are named.
const MOST_NAMED: usize = 20;

/// Who is not considered, a sentence each without its full stop.
pub(super) async fn unconsidered(found: Option<&Found>) -> Result<Vec<String>, Failure> {
    let Some(found) = found else {
        return Ok(vec!["beside files no callers are known but those that are given".to_owned()]);
    };
    let names = found.opened.names();
    let mut tx = found.opened.store.read().await?;
    let mut told = Vec::new();
    for gateway in &found.gateways {
        let about = match &gateway.authorizer {
            Authorizer::AwsIam => {
                "callers who sign: which users and roles may invoke the gateway is for IAM to say".to_owned()
            }
            Authorizer::None => "callers without any credentials, whom the gateway lets in".to_owned(),
            Authorizer::CustomJwt(authorizer) => {
                match names.pool_of_discovery_url(&authorizer.discovery_url) {
                    Some(pool) => people(&mut tx, &pool).await?,
                    None => "callers with tokens of an issuer elsewhere".to_owned(),
                }
            }
        };
        if !told.contains(&about) {
            told.push(about);
        }
    }
    Ok(told)
}

async fn people(tx: &mut Tx, pool: &UserPoolId) -> Result<String, Failure> {
    let people = tx.count_pool_users(pool).await?;
    let groups = tx.pool_groups(pool, Page::ALL).await?;
    let mut told = match people {
        1 => format!("the 1 person of the user pool {pool}"),
        many => format!("the {many} people of the user pool {pool}"),
    };
    told.push_str(", whose tokens hold what is settled when they sign in");
    if !groups.is_empty() {
        let named: Vec<String> = groups.iter().take(MOST_NAMED).map(|group| visible(&group.name)).collect();
        told.push_str(&format!(
            "; members of its groups have them in the claim cognito:groups: {}",
            named.join(", ")
        ));
        if let Some(more @ 1..) = groups.len().checked_sub(MOST_NAMED) {
            told.push_str(&format!(" and {more} more"));
        }
    }
    Ok(told)
}
