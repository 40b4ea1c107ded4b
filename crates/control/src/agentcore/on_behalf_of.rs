//! How a custom provider gets tokens on behalf of people, as requests and answers write it
//! (`onBehalfOfTokenExchangeConfig`).

use aws_shapes::bedrock_agentcore_control::{
    ActorTokenContentType, OnBehalfOfAuthenticationConfig, OnBehalfOfClientAuthenticationMethod,
    OnBehalfOfTokenExchangeConfigType, OnBehalfOfTokenExchangeGrantTypeType,
    TokenExchangeGrantTypeConfigType,
};
use domain::{ActorToken, OnBehalfOf, OnBehalfOfClient, OnBehalfOfGrant};

use crate::fault::{Failure, invalid};

/// What is given in `place`.
///
/// # Errors
/// AWS's ValidationException for members that do not go together.
pub(super) fn read(place: &str, given: OnBehalfOfTokenExchangeConfigType) -> Result<OnBehalfOf, Failure> {
    let member = format!("{place}/tokenExchangeGrantTypeConfig");
    let grant = match (given.grant_type, given.token_exchange_grant_type_config) {
        (OnBehalfOfTokenExchangeGrantTypeType::TokenExchange, None) => {
            OnBehalfOfGrant::TokenExchange(ActorToken::None)
        }
        (OnBehalfOfTokenExchangeGrantTypeType::TokenExchange, Some(given)) => {
            OnBehalfOfGrant::TokenExchange(actor(&member, given)?)
        }
        (OnBehalfOfTokenExchangeGrantTypeType::JwtAuthorizationGrant, None) => {
            OnBehalfOfGrant::JwtAuthorization
        }
        (OnBehalfOfTokenExchangeGrantTypeType::JwtAuthorizationGrant, Some(_)) => {
            let message = "tokenExchangeGrantTypeConfig goes with the grantType TOKEN_EXCHANGE only.";
            return Err(invalid(&member, message));
        }
    };
    let client = match given.on_behalf_of_authentication_config {
        None => OnBehalfOfClient::Proven,
        Some(OnBehalfOfAuthenticationConfig {
            client_authentication_method: OnBehalfOfClientAuthenticationMethod::NoClient,
        }) => OnBehalfOfClient::Unnamed,
    };
    Ok(OnBehalfOf { grant, client })
}

fn actor(place: &str, given: TokenExchangeGrantTypeConfigType) -> Result<ActorToken, Failure> {
    match (given.actor_token_content, given.actor_token_scopes) {
        (ActorTokenContentType::None, None) => Ok(ActorToken::None),
        (ActorTokenContentType::M2M, scopes) => Ok(ActorToken::Client { scopes: scopes.unwrap_or_default() }),
        (ActorTokenContentType::AwsIamIdTokenJwt, None) => Ok(ActorToken::IamIdentity),
        (ActorTokenContentType::None | ActorTokenContentType::AwsIamIdTokenJwt, Some(_)) => {
            let message = "actorTokenScopes go with the actorTokenContent M2M only.";
            Err(invalid(&format!("{place}/actorTokenScopes"), message))
        }
    }
}

/// Whether the client is not named in the exchange, and so needs no secret for it.
pub(super) fn names_no_client(given: &OnBehalfOfTokenExchangeConfigType) -> bool {
    given.on_behalf_of_authentication_config.is_some()
}

/// What is configured, as answers have it.
pub(super) fn show(configured: OnBehalfOf) -> OnBehalfOfTokenExchangeConfigType {
    let (grant_type, token_exchange_grant_type_config) = match configured.grant {
        OnBehalfOfGrant::JwtAuthorization => {
            (OnBehalfOfTokenExchangeGrantTypeType::JwtAuthorizationGrant, None)
        }
        OnBehalfOfGrant::TokenExchange(actor) => {
            (OnBehalfOfTokenExchangeGrantTypeType::TokenExchange, Some(show_actor(actor)))
        }
    };
    let on_behalf_of_authentication_config = match configured.client {
        OnBehalfOfClient::Proven => None,
        OnBehalfOfClient::Unnamed => Some(OnBehalfOfAuthenticationConfig {
            client_authentication_method: OnBehalfOfClientAuthenticationMethod::NoClient,
        }),
    };
    OnBehalfOfTokenExchangeConfigType {
        grant_type,
        token_exchange_grant_type_config,
        on_behalf_of_authentication_config,
    }
}

fn show_actor(actor: ActorToken) -> TokenExchangeGrantTypeConfigType {
    let (actor_token_content, actor_token_scopes) = match actor {
        ActorToken::None => (ActorTokenContentType::None, None),
        ActorToken::IamIdentity => (ActorTokenContentType::AwsIamIdTokenJwt, None),
        ActorToken::Client { scopes } => {
            (ActorTokenContentType::M2M, Some(scopes).filter(|scopes| !scopes.is_empty()))
        }
    };
    TokenExchangeGrantTypeConfigType { actor_token_content, actor_token_scopes }
}
