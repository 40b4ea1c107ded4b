//! How a gateway recognises its callers, between AWS's shapes and the domain.

use aws_shapes::bedrock_agentcore_control::{
    AuthorizerConfiguration, AuthorizerType, AuthorizingClaimMatchValueType, ClaimMatchOperatorType,
    ClaimMatchValueType, CustomClaimValidationType, CustomJWTAuthorizerConfiguration,
    InboundTokenClaimValueType,
};
use domain::{Authorizer, ClaimMatch, CustomClaim, JwtAuthorizer};

use crate::fault::{Failure, invalid};

/// How callers are recognised, by what CreateGateway and UpdateGateway say.
pub(super) fn read_authorizer(
    kind: AuthorizerType,
    configuration: Option<AuthorizerConfiguration>,
) -> Result<Authorizer, Failure> {
    match (kind, configuration) {
        (AuthorizerType::None, None) => Ok(Authorizer::None),
        (AuthorizerType::AwsIam, None) => Ok(Authorizer::AwsIam),
        (AuthorizerType::CustomJwt, Some(AuthorizerConfiguration::CustomJwtAuthorizer(given))) => {
            read_jwt(given).map(Authorizer::CustomJwt)
        }
        (AuthorizerType::CustomJwt, None) => Err(invalid(
            "authorizerConfiguration",
            "authorizerConfiguration is required when authorizerType is CUSTOM_JWT.",
        )),
        (_, Some(_)) => Err(invalid(
            "authorizerConfiguration",
            "authorizerConfiguration belongs to authorizerType CUSTOM_JWT: leave it out.",
        )),
    }
}

/// The rules for tokens, by what a request says.
pub(super) fn read_jwt(given: CustomJWTAuthorizerConfiguration) -> Result<JwtAuthorizer, Failure> {
    let configured = given.allowed_audience.is_some()
        || given.allowed_clients.is_some()
        || given.allowed_scopes.is_some()
        || given.custom_claims.is_some();
    if !configured {
        return Err(invalid(
            "authorizerConfiguration/customJWTAuthorizer",
            "At least one of allowedAudience, allowedClients, allowedScopes and customClaims must be configured.",
        ));
    }
    let scheme_holds =
        given.discovery_url.starts_with("https://") || given.discovery_url.starts_with("http://");
    if !scheme_holds {
        return Err(invalid(
            "authorizerConfiguration/customJWTAuthorizer/discoveryUrl",
            "The discovery URL must begin with https:// (http:// is accepted for this machine only).",
        ));
    }
    let custom_claims = given.custom_claims.unwrap_or_default();
    Ok(JwtAuthorizer {
        discovery_url: given.discovery_url,
        allowed_audience: given.allowed_audience.unwrap_or_default(),
        allowed_clients: given.allowed_clients.unwrap_or_default(),
        allowed_scopes: given.allowed_scopes.unwrap_or_default(),
        advertised_scopes: given.advertised_scope_mapping.unwrap_or_default(),
        custom_claims: custom_claims.into_iter().map(read_claim).collect::<Result<_, _>>()?,
    })
}

fn read_claim(given: CustomClaimValidationType) -> Result<CustomClaim, Failure> {
    use ClaimMatchOperatorType::{Contains, ContainsAny, Equals};
    use InboundTokenClaimValueType::{String as Text, StringArray};
    let AuthorizingClaimMatchValueType { claim_match_value: value, claim_match_operator: operator } =
        given.authorizing_claim_match_value;
    let matches = match (given.inbound_token_claim_value_type, operator, value) {
        (Text, Equals, ClaimMatchValueType::MatchValueString(value)) => ClaimMatch::Equals(value),
        (StringArray, Contains, ClaimMatchValueType::MatchValueString(value)) => ClaimMatch::Contains(value),
        (StringArray, ContainsAny, ClaimMatchValueType::MatchValueStringList(values)) => {
            ClaimMatch::ContainsAny(values)
        }
        _ => {
            return Err(invalid(
                "authorizerConfiguration/customJWTAuthorizer/customClaims",
                format!(
                    "The rule for the claim {} does not fit its type: a STRING is compared by EQUALS with matchValueString, \
                     a STRING_ARRAY by CONTAINS with matchValueString or by CONTAINS_ANY with matchValueStringList.",
                    given.inbound_token_claim_name
                ),
            ));
        }
    };
    Ok(CustomClaim { name: given.inbound_token_claim_name, matches })
}

/// The rules for tokens as the API shows them.
pub(super) fn wire_authorizer(jwt: &JwtAuthorizer) -> AuthorizerConfiguration {
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    AuthorizerConfiguration::CustomJwtAuthorizer(CustomJWTAuthorizerConfiguration {
        discovery_url: jwt.discovery_url.clone(),
        allowed_audience: some(&jwt.allowed_audience),
        allowed_clients: some(&jwt.allowed_clients),
        allowed_scopes: some(&jwt.allowed_scopes),
        advertised_scope_mapping: (!jwt.advertised_scopes.is_empty()).then(|| jwt.advertised_scopes.clone()),
        custom_claims: (!jwt.custom_claims.is_empty())
            .then(|| jwt.custom_claims.iter().map(wire_claim).collect()),
    })
}

fn wire_claim(claim: &CustomClaim) -> CustomClaimValidationType {
    let (kind, operator, value) = match &claim.matches {
        ClaimMatch::Equals(value) => (
            InboundTokenClaimValueType::String,
            ClaimMatchOperatorType::Equals,
            ClaimMatchValueType::MatchValueString(value.clone()),
        ),
        ClaimMatch::Contains(value) => (
            InboundTokenClaimValueType::StringArray,
            ClaimMatchOperatorType::Contains,
            ClaimMatchValueType::MatchValueString(value.clone()),
        ),
        ClaimMatch::ContainsAny(values) => (
            InboundTokenClaimValueType::StringArray,
            ClaimMatchOperatorType::ContainsAny,
            ClaimMatchValueType::MatchValueStringList(values.clone()),
        ),
    };
    CustomClaimValidationType {
        inbound_token_claim_name: claim.name.clone(),
        inbound_token_claim_value_type: kind,
        authorizing_claim_match_value: AuthorizingClaimMatchValueType {
            claim_match_value: value,
            claim_match_operator: operator,
        },
    }
}

/// The type of an authorizer as the API shows it.
pub(super) fn wire_authorizer_type(authorizer: &Authorizer) -> AuthorizerType {
    match authorizer {
        Authorizer::None => AuthorizerType::None,
        Authorizer::AwsIam => AuthorizerType::AwsIam,
        Authorizer::CustomJwt(_) => AuthorizerType::CustomJwt,
    }
}
