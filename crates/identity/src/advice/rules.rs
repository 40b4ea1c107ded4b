//! What to do when a token is good and the authorizer's rules are not met: mostly, the claims of one provider are held
//! against rules that were written for another's.

use domain::ClaimMatch;
use serde_json::Value;

use super::{Case, Hint, listed};
use crate::token::{self, Claims, Rule};

/// What other providers call the client: Auth0, Keycloak and Entra 2.0, Okta, Entra 1.0.
const OTHER_NAMES: [&str; 3] = ["azp", "cid", "appid"];
/// The audience of Microsoft Graph, by its id and by its URL.
const GRAPH: [&str; 2] = ["00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com"];

/// The hints for every rule that does not hold, as the rules themselves say.
pub(super) fn hints(case: &Case<'_>, claims: &Claims, hints: &mut Vec<Hint>) {
    let broken = token::rules(claims, case.authorizer).filter(|(_, holds)| !holds);
    hints.extend(broken.map(|(rule, _)| match rule {
        Rule::IdToken => Hint::new(
            "id-token",
            "It is an ID token: it says who signed in, and not what may be called. Send the access token; or accept ID \
             tokens by allowedAudience, with the client's id. allowedClients never accepts one.",
        ),
        Rule::Audience => audience(case, claims),
        Rule::Client => client(case, claims),
        Rule::CustomClaim(rule) => custom(claims, &rule.name, &rule.matches),
        Rule::Scope => scope(case, claims),
    }));
}

fn audience(case: &Case<'_>, claims: &Claims) -> Hint {
    let allowed = &case.authorizer.allowed_audience;
    let found = texts(claims.all.get("aud"));
    if found.is_empty() {
        return match claims.text("client_id") {
            Some(client) => Hint::new(
                "use-allowed-clients",
                format!(
                    "It has no `aud` and a `client_id`, as Cognito's access tokens have: give the gateway \
                     allowedClients with `{client}` in the place of allowedAudience."
                ),
            ),
            None => Hint::new(
                "audience-missing",
                "It has no `aud`: name the API in the token request (Auth0: `audience`), or have the identity provider \
                 add it (Keycloak: an audience mapper).",
            ),
        };
    }
    if let Some((wanted, written)) = near(allowed, &found) {
        return Hint::new(
            "audience-exact",
            format!(
                "`{written}` is nearly `{wanted}`, and audiences must be the same letter by letter, in case and slashes \
                 too: write the API's identifier into allowedAudience as the token has it."
            ),
        );
    }
    if found.iter().any(|audience| GRAPH.contains(&audience.trim_end_matches('/'))) {
        return Hint::new(
            "entra-graph-token",
            "It is for Microsoft Graph, which alone can verify it: ask Entra for the scope `{application id}/.default` \
             of your own application.",
        );
    }
    Hint::new(
        "audience-of-request",
        format!(
            "It is for {}, and the gateway accepts {}: ask the token endpoint for one of these, or add what the token has \
             to allowedAudience.",
            listed(&found),
            listed(allowed)
        ),
    )
}

fn client(case: &Case<'_>, claims: &Claims) -> Hint {
    let allowed = &case.authorizer.allowed_clients;
    if let Some(found) = claims.text("client_id") {
        return match near(allowed, &[found]) {
            Some((wanted, _)) => Hint::new(
                "client-id-case",
                format!(
                    "`{found}` is nearly `{wanted}`, and client ids must be the same letter by letter, in case too: write \
                     it into allowedClients as the token has it."
                ),
            ),
            None => Hint::new(
                "client-id-other",
                format!(
                    "It was given to the client `{found}`, and the gateway accepts {}: add it to allowedClients if it \
                     may call.",
                    listed(allowed)
                ),
            ),
        };
    }
    let elsewhere = OTHER_NAMES
        .into_iter()
        .find(|name| claims.text(name).is_some_and(|client| allowed.iter().any(|allowed| allowed == client)));
    if let Some(name) = elsewhere {
        return Hint::new(
            "client-named-elsewhere",
            format!(
                "It names its client in `{name}`, and allowedClients looks at `client_id` alone. Have the identity \
                 provider add a claim `client_id`, or give the gateway allowedAudience, or a customClaims rule for \
                 `{name}`, in the place of allowedClients."
            ),
        );
    }
    match texts(claims.all.get("aud")).as_slice() {
        [] => Hint::new(
            "client-missing",
            "It names no client: allowedClients looks at the claim `client_id`, which this identity provider must add.",
        ),
        audiences => Hint::new(
            "use-allowed-audience",
            format!(
                "It has no `client_id` and an `aud`, as tokens of Auth0, Okta and Entra have: give the gateway \
                 allowedAudience with {} in the place of allowedClients.",
                listed(audiences)
            ),
        ),
    }
}

fn scope(case: &Case<'_>, claims: &Claims) -> Hint {
    let allowed = &case.authorizer.allowed_scopes;
    let found: Vec<_> = claims.scopes().collect();
    if found.is_empty() {
        return if claims.all.get("scope").is_some_and(Value::is_array) {
            Hint::new(
                "scope-list",
                "Its `scope` is a list, and OAuth writes scopes as one text, parted by spaces: have the identity \
                 provider write it so, or hold the list against a customClaims rule.",
            )
        } else {
            Hint::new(
                "scope-missing",
                format!(
                    "It carries no scope, neither in `scope` nor in `scp`. Define {} at the identity provider, let the \
                     client have it, and ask for it in the token request.",
                    listed(allowed)
                ),
            )
        };
    }
    // The same scope with and without its resource server, or in another case; not the same word of two servers.
    let last = |scope: &str| scope.rsplit('/').next().unwrap_or_default().to_owned();
    let is_nearly = |has: &str, wanted: &str| {
        has.eq_ignore_ascii_case(wanted) || last(has) == wanted || has == last(wanted)
    };
    let related = allowed
        .iter()
        .find_map(|wanted| found.iter().find(|has| is_nearly(has, wanted)).map(|has| (wanted, has)));
    match related {
        Some((wanted, has)) => Hint::new(
            "scope-exact",
            format!(
                "`{has}` is nearly `{wanted}`, and scopes must be the same letter by letter: Cognito puts the resource \
                 server before them, Entra takes the application's URI away. Write it into allowedScopes as the token has \
                 it."
            ),
        ),
        None => Hint::new(
            "scope-not-granted",
            format!(
                "It carries {}, and the gateway wants one of {}: define that scope at the identity provider, let the \
                 client have it, and ask for it in the token request.",
                listed(&found),
                listed(allowed)
            ),
        ),
    }
}

fn custom(claims: &Claims, name: &str, rule: &ClaimMatch) -> Hint {
    let (wants_text, wanted) = match rule {
        ClaimMatch::Equals(text) => (true, vec![text.as_str()]),
        ClaimMatch::Contains(text) => (false, vec![text.as_str()]),
        ClaimMatch::ContainsAny(texts) => (false, texts.iter().map(String::as_str).collect()),
    };
    let wanted = listed(&wanted);
    match claims.all.get(name) {
        None => Hint::new(
            "custom-claim-missing",
            format!(
                "It has no claim `{name}` at its top: have the identity provider add it. A claim within another, as \
                 Keycloak's realm_access.roles, is not looked at, and needs a mapper."
            ),
        ),
        Some(Value::String(_)) if !wants_text => Hint::new(
            "custom-claim-type",
            format!("Its claim `{name}` is a text, and the rule is for a list: make it STRING with EQUALS."),
        ),
        Some(Value::Array(_)) if wants_text => Hint::new(
            "custom-claim-type",
            format!(
                "Its claim `{name}` is a list, and the rule is for a text: make it STRING_ARRAY with CONTAINS or \
                 CONTAINS_ANY."
            ),
        ),
        Some(_) => Hint::new(
            "custom-claim-value",
            format!("Its claim `{name}` is not what the rule wants, {wanted}, letter by letter."),
        ),
    }
}

/// What is written nearly as something that is allowed: but for case, a slash or a blank at its ends, or `api://`.
fn near<'a>(allowed: &'a [String], found: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let plain = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        text.trim_start_matches("api://").trim_end_matches('/').to_owned()
    };
    allowed.iter().find_map(|wanted| {
        found.iter().find(|has| plain(has) == plain(wanted)).map(|has| (wanted.as_str(), *has))
    })
}

/// A text, or the texts of a list.
fn texts(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
