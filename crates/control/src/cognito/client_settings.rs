//! What an app client may do, as `CreateUserPoolClient` and `UpdateUserPoolClient` ask for it, and how it is echoed.

use aws::Fault;
use aws_shapes::cognito_idp::{
    CreateUserPoolClientRequest, ExplicitAuthFlowsType, OAuthFlowType, TimeUnitsType, TokenValidityUnitsType,
    UpdateUserPoolClientRequest, UserPoolClientType,
};
use domain::{PoolClient, ResourceServer, Timestamp, UserPoolId};
use serde::{Deserialize, Serialize};

use super::{invalid, read, redirects, written};
use crate::fault::Failure;

/// The only identity provider that a pool has.
const COGNITO: &str = "COGNITO";

/// The scopes that every pool has (`AllowedOAuthScopes`).
const STANDARD_SCOPES: [&str; 5] = ["openid", "email", "phone", "profile", "aws.cognito.signin.user.admin"];

/// What a client shall be allowed.
#[derive(Default)]
pub(super) struct Settings {
    flows: Vec<OAuthFlowType>,
    scopes: Vec<String>,
    oauth_enabled: bool,
    sign_in_flows: Vec<ExplicitAuthFlowsType>,
    callback_urls: Vec<String>,
    logout_urls: Vec<String>,
    echoed: Echoed,
}

/// What is kept as it was given.
#[derive(Default, Serialize, Deserialize)]
struct Echoed {
    access_token_validity: Option<i64>,
    #[serde(default)]
    id_token_validity: Option<i64>,
    #[serde(default)]
    refresh_token_validity: Option<i64>,
    token_validity_units: Option<TokenValidityUnitsType>,
    supported_identity_providers: Option<Vec<String>>,
}

impl Settings {
    pub(super) fn of_create(input: CreateUserPoolClientRequest) -> Self {
        Self {
            flows: once_each(input.allowed_oauth_flows),
            scopes: once_each(input.allowed_oauth_scopes),
            oauth_enabled: input.allowed_oauth_flows_user_pool_client.unwrap_or_default(),
            sign_in_flows: once_each(input.explicit_auth_flows),
            callback_urls: once_each(input.callback_urls),
            logout_urls: once_each(input.logout_urls),
            echoed: Echoed {
                access_token_validity: input.access_token_validity,
                id_token_validity: input.id_token_validity,
                refresh_token_validity: input.refresh_token_validity,
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
            sign_in_flows: once_each(input.explicit_auth_flows),
            callback_urls: once_each(input.callback_urls),
            logout_urls: once_each(input.logout_urls),
            echoed: Echoed {
                access_token_validity: input.access_token_validity,
                id_token_validity: input.id_token_validity,
                refresh_token_validity: input.refresh_token_validity,
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
        self.lives()?;
        redirects::check(&self.callback_urls)?;
        redirects::check(&self.logout_urls)?;
        if self.flows.contains(&OAuthFlowType::Code) && self.callback_urls.is_empty() {
            return Err(Fault::new(
                "InvalidOAuthFlowException",
                "CallbackURLs are required for the code flow.",
            )
            .into());
        }
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
        let exists = |asked: &String| {
            STANDARD_SCOPES.contains(&asked.as_str())
                || servers.iter().any(|server| server.scope_names().any(|it| it == *asked))
        };
        let unknown: Vec<_> = self.scopes.iter().filter(|scope| !exists(scope)).map(String::as_str).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let message = format!("Invalid scope requested: {}", unknown.join(", "));
        Err(Fault::new("ScopeDoesNotExistException", message).into())
    }

    /// Writes them into a client, in the place of all that it was allowed before.
    pub(super) fn apply(self, client: &mut PoolClient, now: Timestamp) -> Result<(), Failure> {
        let (access, id, refresh) = self.lives()?;
        client.access_token_seconds = access;
        client.id_token_seconds = id;
        client.refresh_token_seconds = refresh;
        client.sign_in_flows = self.sign_in_flows.iter().map(|flow| flow.as_str().to_owned()).collect();
        client.callback_urls = self.callback_urls;
        client.logout_urls = self.logout_urls;
        client.settings = written(&self.echoed)?;
        client.flows = self.flows.iter().map(|flow| flow.as_str().to_owned()).collect();
        client.scopes = self.scopes;
        client.oauth_enabled = self.oauth_enabled;
        client.updated_at = now;
        Ok(())
    }

    /// How long access, id and refresh tokens live, in seconds.
    fn lives(&self) -> Result<(u32, u32, u32), Failure> {
        let units = self.echoed.token_validity_units.as_ref();
        let hours = TimeUnitsType::Hours;
        let access = Life { unit: units.and_then(|it| it.access_token).unwrap_or(hours), ..OF_TOKENS };
        let id = Life { unit: units.and_then(|it| it.id_token).unwrap_or(hours), ..OF_TOKENS };
        let days = TimeUnitsType::Days;
        let refresh =
            Life { unit: units.and_then(|it| it.refresh_token).unwrap_or(days), ..OF_REFRESH_TOKENS };
        Ok((
            access.seconds(self.echoed.access_token_validity)?,
            id.seconds(self.echoed.id_token_validity)?,
            // Zero stands for what a new client has ("RefreshTokenValidity").
            refresh.seconds(self.echoed.refresh_token_validity.filter(|number| *number != 0))?,
        ))
    }
}

/// How long a kind of token may live.
struct Life {
    unit: TimeUnitsType,
    otherwise: u32,
    allowed: std::ops::RangeInclusive<u32>,
    told: &'static str,
}

/// Access and id tokens; a number without a unit counts hours.
const OF_TOKENS: Life = Life {
    unit: TimeUnitsType::Hours,
    otherwise: 3_600,
    allowed: 300..=86_400,
    told: "Invalid range for token validity. Access and id tokens live from 5 minutes to 1 day.",
};
/// Refresh tokens; a number without a unit counts days.
const OF_REFRESH_TOKENS: Life = Life {
    unit: TimeUnitsType::Days,
    otherwise: 30 * 86_400,
    allowed: 3_600..=315_360_000,
    told: "Invalid range for token validity. A refresh token lives from 1 hour to 10 years.",
};

impl Life {
    fn seconds(self, number: Option<i64>) -> Result<u32, Failure> {
        let Some(number) = number else { return Ok(self.otherwise) };
        let unit = match self.unit {
            TimeUnitsType::Seconds => 1,
            TimeUnitsType::Minutes => 60,
            TimeUnitsType::Hours => 3_600,
            TimeUnitsType::Days => 86_400,
        };
        let seconds = number.checked_mul(unit).and_then(|seconds| u32::try_from(seconds).ok());
        seconds.filter(|seconds| self.allowed.contains(seconds)).ok_or_else(|| invalid(self.told))
    }
}

/// A client as the API shows it, but for its secret.
pub(super) fn describe(client: &PoolClient) -> Result<UserPoolClientType, Failure> {
    let echoed: Echoed = read(&client.settings)?;
    let allowed = |names: &[String]| (!names.is_empty()).then(|| names.to_vec());
    let flows =
        named(&client.flows, &[OAuthFlowType::Code, OAuthFlowType::ClientCredentials], OAuthFlowType::as_str);
    let sign_in_flows = named(
        &client.sign_in_flows,
        &[
            ExplicitAuthFlowsType::AllowUserPasswordAuth,
            ExplicitAuthFlowsType::AllowRefreshTokenAuth,
            ExplicitAuthFlowsType::UserPasswordAuth,
        ],
        ExplicitAuthFlowsType::as_str,
    );
    Ok(UserPoolClientType {
        user_pool_id: Some(client.pool.to_string()),
        client_name: Some(client.name.clone()),
        client_id: Some(client.id.to_string()),
        client_secret: None,
        last_modified_date: Some(client.updated_at),
        creation_date: Some(client.created_at),
        access_token_validity: echoed.access_token_validity,
        id_token_validity: echoed.id_token_validity,
        refresh_token_validity: echoed.refresh_token_validity,
        explicit_auth_flows: sign_in_flows,
        callback_urls: allowed(&client.callback_urls),
        logout_urls: allowed(&client.logout_urls),
        token_validity_units: echoed.token_validity_units,
        supported_identity_providers: echoed.supported_identity_providers,
        allowed_oauth_flows: flows,
        allowed_oauth_scopes: allowed(&client.scopes),
        allowed_oauth_flows_user_pool_client: Some(client.oauth_enabled),
    })
}

/// The values of an enumeration that a client's words stand for.
fn named<T: Copy>(words: &[String], all: &[T], word: impl Fn(T) -> &'static str) -> Option<Vec<T>> {
    let found: Vec<T> =
        words.iter().filter_map(|it| all.iter().copied().find(|one| word(*one) == it)).collect();
    (!found.is_empty()).then_some(found)
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
        let token_validity_units =
            Some(TokenValidityUnitsType { access_token: unit, id_token: None, refresh_token: None });
        let echoed =
            Echoed { access_token_validity: Some(number), token_validity_units, ..Echoed::default() };
        Settings { echoed, ..Settings::default() }.lives().ok().map(|(access, ..)| access)
    }

    #[test]
    fn an_access_token_lives_from_five_minutes_to_a_day() {
        assert_eq!(Settings::default().lives().ok(), Some((3_600, 3_600, 2_592_000)));
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
