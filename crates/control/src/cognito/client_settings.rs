//! What an app client may do, as `CreateUserPoolClient` and `UpdateUserPoolClient` ask for it, and how it is echoed.

use aws::Fault;
use aws_shapes::cognito_idp::{
    CreateUserPoolClientRequest, OAuthFlowType, TimeUnitsType, TokenValidityUnitsType,
    UpdateUserPoolClientRequest, UserPoolClientType,
};
use domain::{PoolClient, ResourceServer, Timestamp, UserPoolId};
use serde::{Deserialize, Serialize};

use super::{invalid, read, written};
use crate::fault::Failure;

/// How long access tokens live when the client does not say, in seconds (`AccessTokenValidity`: one hour).
const DEFAULT_SECONDS: u32 = 3_600;
/// How long they may live, in seconds (`AccessTokenValidity`: five minutes to a day).
const ALLOWED_SECONDS: std::ops::RangeInclusive<u32> = 300..=86_400;
/// The only identity provider that a pool has.
const COGNITO: &str = "COGNITO";

/// What a client shall be allowed.
#[derive(Default)]
pub(super) struct Settings {
    flows: Vec<OAuthFlowType>,
    scopes: Vec<String>,
    oauth_enabled: bool,
    echoed: Echoed,
}

/// What is kept as it was given.
#[derive(Default, Serialize, Deserialize)]
struct Echoed {
    access_token_validity: Option<i64>,
    token_validity_units: Option<TokenValidityUnitsType>,
    supported_identity_providers: Option<Vec<String>>,
}

impl Settings {
    pub(super) fn of_create(input: CreateUserPoolClientRequest) -> Self {
        Self {
            flows: once_each(input.allowed_oauth_flows),
            scopes: once_each(input.allowed_oauth_scopes),
            oauth_enabled: input.allowed_oauth_flows_user_pool_client.unwrap_or_default(),
            echoed: Echoed {
                access_token_validity: input.access_token_validity,
                token_validity_units: input.token_validity_units,
                supported_identity_providers: input.supported_identity_providers,
            },
        }
    }

    pub(super) fn of_update(input: UpdateUserPoolClientRequest) -> Self {
        Self {
            flows: once_each(input.allowed_oauth_flows),
            scopes: once_each(input.allowed_oauth_scopes),
            oauth_enabled: input.allowed_oauth_flows_user_pool_client.unwrap_or_default(),
            echoed: Echoed {
                access_token_validity: input.access_token_validity,
                token_validity_units: input.token_validity_units,
                supported_identity_providers: input.supported_identity_providers,
            },
        }
    }

    /// Holds what is asked for against the pool and the client.
    ///
    /// # Errors
    /// Cognito's error for the first thing that cannot be had.
    pub(super) fn check(
        &self,
        pool: &UserPoolId,
        servers: &[ResourceServer],
        has_secret: bool,
    ) -> Result<(), Failure> {
        self.seconds()?;
        let mut providers = self.echoed.supported_identity_providers.iter().flatten();
        if let Some(unknown) = providers.find(|provider| *provider != COGNITO) {
            return Err(invalid(format!("The provider {unknown} does not exist for User Pool {pool}.")));
        }
        match (self.oauth_enabled, self.flows.is_empty(), self.scopes.is_empty()) {
            (true, false, false) | (false, true, true) => {}
            (true, ..) => {
                return Err(invalid(
                    "AllowedOAuthFlows and AllowedOAuthScopes are required if user pool client is allowed to use \
                     OAuth flows.",
                ));
            }
            (false, ..) => {
                return Err(invalid(
                    "AllowedOAuthFlowsUserPoolClient must be true before AllowedOAuthFlows and AllowedOAuthScopes \
                     can be set.",
                ));
            }
        }
        if self.flows.contains(&OAuthFlowType::ClientCredentials) && !has_secret {
            let message =
                "client_credentials flow can not be selected if client does not have a client secret.";
            return Err(Fault::new("InvalidOAuthFlowException", message).into());
        }
        let exists =
            |asked: &String| servers.iter().any(|server| server.scope_names().any(|it| it == *asked));
        let unknown: Vec<_> = self.scopes.iter().filter(|scope| !exists(scope)).map(String::as_str).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let message = format!("Invalid scope requested: {}", unknown.join(", "));
        Err(Fault::new("ScopeDoesNotExistException", message).into())
    }

    /// Writes them into a client, in the place of all that it was allowed before.
    pub(super) fn apply(self, client: &mut PoolClient, now: Timestamp) -> Result<(), Failure> {
        client.access_token_seconds = self.seconds()?;
        client.settings = written(&self.echoed)?;
        client.flows = self.flows.iter().map(|flow| flow.as_str().to_owned()).collect();
        client.scopes = self.scopes;
        client.oauth_enabled = self.oauth_enabled;
        client.updated_at = now;
        Ok(())
    }

    /// How long access tokens live. A number without a unit counts hours.
    fn seconds(&self) -> Result<u32, Failure> {
        let Some(number) = self.echoed.access_token_validity else { return Ok(DEFAULT_SECONDS) };
        let unit = self.echoed.token_validity_units.as_ref().and_then(|units| units.access_token);
        let unit = match unit.unwrap_or(TimeUnitsType::Hours) {
            TimeUnitsType::Seconds => 1,
            TimeUnitsType::Minutes => 60,
            TimeUnitsType::Hours => 3_600,
            TimeUnitsType::Days => 86_400,
        };
        let seconds = number.checked_mul(unit).and_then(|seconds| u32::try_from(seconds).ok());
        seconds.filter(|seconds| ALLOWED_SECONDS.contains(seconds)).ok_or_else(|| {
            invalid("Invalid range for token validity. An access token lives from 5 minutes to 1 day.")
        })
    }
}

/// A client as the API shows it, but for its secret.
pub(super) fn describe(client: &PoolClient) -> Result<UserPoolClientType, Failure> {
    let echoed: Echoed = read(&client.settings)?;
    let allowed = |names: &[String]| (!names.is_empty()).then(|| names.to_vec());
    let flows = client.flows.iter().filter(|flow| *flow == OAuthFlowType::ClientCredentials.as_str());
    let flows: Vec<_> = flows.map(|_| OAuthFlowType::ClientCredentials).collect();
    Ok(UserPoolClientType {
        user_pool_id: Some(client.pool.to_string()),
        client_name: Some(client.name.clone()),
        client_id: Some(client.id.to_string()),
        client_secret: None,
        last_modified_date: Some(client.updated_at),
        creation_date: Some(client.created_at),
        access_token_validity: echoed.access_token_validity,
        token_validity_units: echoed.token_validity_units,
        supported_identity_providers: echoed.supported_identity_providers,
        allowed_oauth_flows: (!flows.is_empty()).then_some(flows),
        allowed_oauth_scopes: allowed(&client.scopes),
        allowed_oauth_flows_user_pool_client: Some(client.oauth_enabled),
    })
}

fn once_each<T: PartialEq>(given: Option<Vec<T>>) -> Vec<T> {
    let mut once = Vec::new();
    for item in given.unwrap_or_default() {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(number: i64, unit: Option<TimeUnitsType>) -> Option<u32> {
        let token_validity_units = Some(TokenValidityUnitsType { access_token: unit });
        let echoed =
            Echoed { access_token_validity: Some(number), token_validity_units, ..Echoed::default() };
        Settings { echoed, ..Settings::default() }.seconds().ok()
    }

    #[test]
    fn an_access_token_lives_from_five_minutes_to_a_day() {
        assert_eq!(Settings::default().seconds().ok(), Some(3_600));
        assert_eq!(seconds(2, None), Some(7_200));
        assert_eq!(seconds(24, None), Some(86_400));
        assert_eq!(seconds(25, None), None);
        assert_eq!(seconds(5, Some(TimeUnitsType::Minutes)), Some(300));
        assert_eq!(seconds(4, Some(TimeUnitsType::Minutes)), None);
        assert_eq!(seconds(299, Some(TimeUnitsType::Seconds)), None);
        assert_eq!(seconds(1, Some(TimeUnitsType::Days)), Some(86_400));
        assert_eq!(seconds(i64::MAX, Some(TimeUnitsType::Days)), None);
    }
}
