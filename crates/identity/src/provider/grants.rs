//! The grants that act for a user: a code becomes tokens (RFC 6749, section 4.1.3; RFC 7636, section 4.6), a refresh token
//! becomes others (RFC 6749, section 6), and either can be taken back (RFC 7009).
//!
//! A code and a refresh token are good once. One that is shown again was stolen, by whoever shows it now or by whoever
//! did before: everything that came of its sign-in is taken back (RFC 9700, sections 2.1.1 and 4.14.2).

use std::collections::HashMap;

use domain::{PoolClient, PoolUser, PoolUserStatus, Secret, Ticket, TicketKind, UserPool};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Tx;

use super::client_authentication::{Refusal, presented, quoted, read_form};
use super::registration::kept_until;
use super::trail::Trail;
use super::trigger::{About, Shape, Source};
use super::user_tokens::{Bearer, SignIn, UserTokens, groups_of, hashed, read, sha256};
use super::{Provider, TokenAnswer, TokenRequest};

/// What is kept with a code.
#[derive(Serialize, Deserialize)]
pub(super) struct CodeDetails {
    /// `redirect_uri` of the authorization request.
    pub(super) redirect_uri: String,
    /// `code_challenge`, by S256.
    pub(super) challenge: Option<String>,
    /// What was allowed.
    pub(super) sign_in: SignIn,
}

impl CodeDetails {
    /// What is wrong with a request that shows the code.
    fn is_wrong(&self, redirect_uri: &str, form: &HashMap<String, String>) -> Option<&'static str> {
        let verifier = form.get("code_verifier").filter(|verifier| !verifier.is_empty());
        match (&self.challenge, verifier) {
            _ if self.redirect_uri != redirect_uri => {
                Some("redirect_uri is another than the code was asked with")
            }
            (Some(challenge), Some(verifier)) if is_verifier(verifier) && sha256(verifier) == *challenge => {
                None
            }
            (Some(_), _) => Some("code_verifier is not the one that the code was asked with"),
            // RFC 9700, section 4.8.2: a verifier without a challenge is a downgrade.
            (None, Some(_)) => Some("the code was asked without code_challenge"),
            (None, None) => None,
        }
    }
}

impl Provider {
    /// Tokens for a code.
    pub(super) async fn exchange_code(
        &self,
        pool: &UserPool,
        client: &PoolClient,
        form: &HashMap<String, String>,
        trail: &mut Trail,
    ) -> Result<Value, Refusal> {
        may_act_for_users(client)?;
        let code = given(form, "code")?;
        let redirect_uri = given(form, "redirect_uri")?;
        let shape = self.shape_of_grant(pool, client, form, TicketKind::Code, code).await?;
        let mut tx = self.store.begin().await?;
        let ticket = self.shown(&mut tx, pool, client, TicketKind::Code, code).await?;
        if ticket.spent {
            return Err(self.take_back(tx, pool, &ticket, trail, "a code was shown again").await?);
        }
        tx.spend_ticket(&ticket).await?;
        let details: CodeDetails = read(&ticket.details)?;
        if let Some(wrong) = details.is_wrong(redirect_uri, form) {
            self.commit_refused(tx, trail, "invalid_grant", wrong).await?;
            return Err(Refusal::new("invalid_grant", wrong));
        }
        for_the_same(form, &details.sign_in)?;
        let user = self.still_there(&mut tx, pool, &ticket).await?;
        let sign_in = details.sign_in;
        self.hand_out(tx, pool, client, &user, &ticket, (sign_in.clone(), sign_in), &shape, trail).await
    }

    /// Tokens for a refresh token, which another one replaces.
    pub(super) async fn refresh(
        &self,
        pool: &UserPool,
        client: &PoolClient,
        form: &HashMap<String, String>,
        trail: &mut Trail,
    ) -> Result<Value, Refusal> {
        may_act_for_users(client)?;
        let token = given(form, "refresh_token")?;
        let shape = self.shape_of_grant(pool, client, form, TicketKind::Refresh, token).await?;
        let mut tx = self.store.begin().await?;
        let ticket = self.shown(&mut tx, pool, client, TicketKind::Refresh, token).await?;
        if ticket.spent {
            return Err(self.take_back(tx, pool, &ticket, trail, "a refresh token was shown again").await?);
        }
        let mut sign_in: SignIn = read(&ticket.details)?;
        sign_in.rotates = true;
        // What the client may no longer have, it does not get by having had it.
        sign_in.scopes.retain(|scope| client.scopes.contains(scope));
        let asked: Vec<_> =
            form.get("scope").into_iter().flat_map(|scope| scope.split_whitespace()).collect();
        if asked.iter().any(|scope| sign_in.scopes.iter().all(|allowed| allowed != scope)) {
            return Err(Refusal::new("invalid_scope", "scope asks for more than was allowed at the sign-in"));
        }
        for_the_same(form, &sign_in)?;
        tx.spend_ticket(&ticket).await?;
        tx.use_registration(&client.id, kept_until(self.clock.now())).await?;
        let user = self.still_there(&mut tx, pool, &ticket).await?;
        // The new refresh token is good for all of them again (RFC 6749, section 6).
        let mut now = sign_in.clone();
        now.scopes.retain(|scope| asked.is_empty() || asked.contains(&scope.as_str()));
        self.hand_out(tx, pool, client, &user, &ticket, (sign_in, now), &shape, trail).await
    }

    /// `POST /oauth2/revoke` (RFC 7009): takes back everything of a refresh token's sign-in. A token that is not known, or
    /// is another client's, is answered like one that was (section 2.2).
    pub async fn revoke(&self, request: TokenRequest<'_>) -> TokenAnswer {
        let mut trail = Trail::begin(self, "revoke", request.source_ip.clone(), request.request_id);
        let done = self.try_revoke(&request, &mut trail).await;
        self.answered(trail, done.map(|()| json!({}))).await
    }

    async fn try_revoke(&self, request: &TokenRequest<'_>, trail: &mut Trail) -> Result<(), Refusal> {
        let form = read_form(request)?;
        let presented = presented(request.authorization, &form, trail)?;
        let (pool, client) = self.authenticate(&request.hint, &presented, trail).await?;
        let token = given(&form, "token")?;
        let mut tx = self.store.begin().await?;
        if let Ok(ticket) = self.shown(&mut tx, &pool, &client, TicketKind::Refresh, token).await {
            tx.revoke_family(&pool.id, &ticket.family).await?;
            self.commit(tx, trail).await?;
        }
        Ok(())
    }

    /// What the pool's function makes of the tokens of a grant. It runs before anything is written, because it takes its
    /// time and may itself ask this server for something; and only for what is sound, which is looked at again after it.
    async fn shape_of_grant(
        &self,
        pool: &UserPool,
        client: &PoolClient,
        form: &HashMap<String, String>,
        kind: TicketKind,
        secret: &str,
    ) -> Result<Shape, Refusal> {
        if pool.pre_token.is_none() {
            return Ok(Shape::default());
        }
        let mut tx = self.store.read().await?;
        let ticket = self.shown(&mut tx, pool, client, kind, secret).await?;
        let (source, sign_in) = match kind {
            TicketKind::Code => {
                let details: CodeDetails = read(&ticket.details)?;
                if details.is_wrong(given(form, "redirect_uri")?, form).is_some() {
                    return Ok(Shape::default());
                }
                (Source::HostedAuth, details.sign_in)
            }
            _ => (Source::Refresh, read(&ticket.details)?),
        };
        if ticket.spent {
            return Ok(Shape::default());
        }
        let user = self.still_there(&mut tx, pool, &ticket).await?;
        let groups = groups_of(&mut tx, &user).await?;
        drop(tx);
        let about =
            About { source, pool, client, user: Some(&user), groups: &groups, scopes: &sign_in.scopes };
        self.shape(&about).await.map_err(|error| Refusal::new("invalid_grant", quoted(&error.to_string())))
    }

    /// The ticket of a secret that a client shows, if it is this client's.
    async fn shown(
        &self,
        tx: &mut Tx,
        pool: &UserPool,
        client: &PoolClient,
        kind: TicketKind,
        secret: &str,
    ) -> Result<Ticket, Refusal> {
        let hash = hashed(&Secret::new(secret));
        let found = tx.ticket(&pool.id, kind, &hash, self.clock.now()).await?;
        let found = found.filter(|ticket| ticket.client == client.id.as_str());
        found.ok_or_else(|| {
            Refusal::new(
                "invalid_grant",
                "it is not known, has ended, was taken back, or is another client's",
            )
        })
    }

    /// Takes back a whole sign-in, and gives the refusal that tells.
    async fn take_back(
        &self,
        mut tx: Tx,
        pool: &UserPool,
        ticket: &Ticket,
        trail: &mut Trail,
        why: &str,
    ) -> Result<Refusal, Refusal> {
        tx.revoke_family(&pool.id, &ticket.family).await?;
        let reason = format!("{why}; everything of its sign-in is taken back");
        self.commit_refused(tx, trail, "invalid_grant", &reason).await?;
        Ok(Refusal::new("invalid_grant", reason))
    }

    async fn still_there(&self, tx: &mut Tx, pool: &UserPool, ticket: &Ticket) -> Result<PoolUser, Refusal> {
        let user = tx.pool_user(&pool.id, &ticket.user).await?;
        let user = user.filter(|user| user.status == PoolUserStatus::Confirmed);
        user.ok_or_else(|| Refusal::new("invalid_grant", "the user is not there any more"))
    }

    #[expect(clippy::too_many_arguments, reason = "what a grant is about, each of which it needs")]
    async fn hand_out(
        &self,
        mut tx: Tx,
        pool: &UserPool,
        client: &PoolClient,
        user: &PoolUser,
        ticket: &Ticket,
        (kept, now): (SignIn, SignIn),
        shape: &Shape,
        trail: &mut Trail,
    ) -> Result<Value, Refusal> {
        trail.saw_user(self.names.issuer(&pool.id, &pool.scope.region), user);
        let groups = groups_of(&mut tx, user).await?;
        let bearer = Bearer { pool, client, user, groups, family: &ticket.family, shape };
        // A refreshed sign-in ends when it would have ended anyway.
        let ends = match ticket.kind {
            TicketKind::Refresh => ticket.expires_at,
            _ => {
                let life = u64::from(client.refresh_token_seconds);
                self.clock.now().plus(std::time::Duration::from_secs(life))
            }
        };
        let refresh = self.keep_refresh_token(&mut tx, &bearer, &kept, ends).await?;
        self.commit(tx, trail).await?;
        let tokens = self.user_tokens(&bearer, &now, Some(refresh)).await?;
        Ok(answer(&tokens, &now))
    }
}

/// The answer of RFC 6749, section 5.1, and OpenID Connect Core, section 3.1.3.3.
fn answer(tokens: &UserTokens, sign_in: &SignIn) -> Value {
    let mut body = json!({
        "access_token": tokens.access.expose(),
        "token_type": "Bearer",
        "expires_in": tokens.expires_in,
        "scope": tokens.scopes.join(" "),
    });
    if let Value::Object(members) = &mut body {
        if let Some(refresh) = &tokens.refresh {
            members.insert("refresh_token".into(), json!(refresh.expose()));
        }
        if sign_in.scopes.iter().any(|scope| scope == "openid") {
            members.insert("id_token".into(), json!(tokens.id.expose()));
        }
    }
    body
}

/// Whether the client is enabled for the code flow, still.
fn may_act_for_users(client: &PoolClient) -> Result<(), Refusal> {
    if client.oauth_enabled && client.flows.iter().any(|flow| flow == "code") {
        return Ok(());
    }
    let told = "the client is not enabled for the code flow: set AllowedOAuthFlows and AllowedOAuthFlowsUserPoolClient";
    Err(Refusal::new("unauthorized_client", told))
}

/// A token request may name the resource again, and no other (RFC 8707, section 2.2).
fn for_the_same(form: &HashMap<String, String>, sign_in: &SignIn) -> Result<(), Refusal> {
    match form.get("resource").filter(|resource| !resource.is_empty()) {
        Some(resource) if sign_in.resource.as_ref() != Some(resource) => {
            Err(Refusal::new("invalid_target", "resource is another than the sign-in was asked for"))
        }
        _ => Ok(()),
    }
}

fn given<'a>(form: &'a HashMap<String, String>, name: &str) -> Result<&'a str, Refusal> {
    let text = form.get(name).map(String::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| Refusal::new("invalid_request", format!("{name} is missing")))
}

/// 43 to 128 unreserved characters (RFC 7636, section 4.1).
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'.' | b'_' | b'~'))
}
