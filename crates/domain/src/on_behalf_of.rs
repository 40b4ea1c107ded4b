//! How a credential provider gets a token for the person whose token came in ("On-behalf-of token exchange with AgentCore
//! Identity" in the developer guide): by which grant, who acts, and whether the client says who it is.

use serde::{Deserialize, Serialize};

/// How the token of a person becomes one for someone else's service (API type `OnBehalfOfTokenExchangeConfigType`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnBehalfOf {
    /// The grant that the server takes.
    pub grant: OnBehalfOfGrant,
    /// Whether the client proves who it is in that request.
    pub client: OnBehalfOfClient,
}

/// A grant by which one token becomes another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnBehalfOfGrant {
    /// Token exchange (RFC 8693).
    TokenExchange(ActorToken),
    /// The person's token is an authorization grant itself (RFC 7523, section 2.1).
    JwtAuthorization,
}

/// Who acts for the person, as `actor_token` says it (RFC 8693, section 2.1; API type `ActorTokenContentType`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ActorToken {
    /// It is not said.
    None,
    /// The client, by a token of its own with these scopes.
    Client {
        /// The scopes of the client's token.
        scopes: Vec<String>,
    },
    /// The identity that asks, by a web identity token of AWS STS.
    IamIdentity,
}

/// Whether the client proves who it is when it exchanges a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnBehalfOfClient {
    /// As in every other request.
    Proven,
    /// It is not named at all (`NO_CLIENT`).
    Unnamed,
}
