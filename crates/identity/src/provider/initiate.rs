//! Signing in through Cognito's API: `InitiateAuth` and `RespondToAuthChallenge`, which nobody signs.
//!
//! Source: the pages of the two operations in the Cognito API reference; "Computing secret hash values".

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{
    Outcome, PoolClient, PoolUser, PoolUserStatus, RequestId, Secret, Ticket, TicketKind, UserPool,
};

use super::Provider;
use super::sign_in::SignInError;
use super::trail::Trail;
use super::trigger::{About, Shape, Source};
use super::user_tokens::{Bearer, OF_THE_API, SignIn, UserTokens, groups_of, hashed, read};

/// A sign-in through the API.
pub struct ApiSignIn<'a> {
    /// The client's id.
    pub client: &'a str,
    /// `AuthParameters` or `ChallengeResponses`.
    pub parameters: &'a BTreeMap<String, String>,
    /// The peer's address.
    pub source_ip: Option<String>,
    /// The request's id.
    pub request_id: &'a RequestId,
}

/// How far a sign-in got.
pub enum SignedIn {
    /// To its tokens.
    Tokens(UserTokens),
    /// To the demand for a new password.
    NewPassword {
        /// What goes on with it.
        session: Secret,
        /// Whose it is.
        user: Box<PoolUser>,
    },
}

/// One step of a sign-in.
#[derive(Clone, Copy)]
pub enum Step<'a> {
    /// `USER_PASSWORD_AUTH`.
    Password,
    /// `REFRESH_TOKEN_AUTH`.
    Refresh,
    /// `NEW_PASSWORD_REQUIRED`, with its session.
    NewPassword(Option<&'a str>),
}

impl Step<'_> {
    fn action(self) -> &'static str {
        match self {
            Self::Password => "cognito-idp:InitiateAuth USER_PASSWORD_AUTH",
            Self::Refresh => "cognito-idp:InitiateAuth REFRESH_TOKEN_AUTH",
            Self::NewPassword(_) => "cognito-idp:RespondToAuthChallenge NEW_PASSWORD_REQUIRED",
        }
    }

    /// The flows of a client, each of which allows it.
    fn flows(self) -> &'static [&'static str] {
        match self {
            Self::Refresh => &["ALLOW_REFRESH_TOKEN_AUTH", "USER_PASSWORD_AUTH"],
            _ => &["ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"],
        }
    }
}

impl Provider {
    /// Does one step of a sign-in, and leaves its audit event.
    ///
    /// # Errors
    /// [`SignInError`]; then nobody is signed in.
    pub async fn sign_in(&self, step: Step<'_>, request: ApiSignIn<'_>) -> Result<SignedIn, SignInError> {
        let mut trail = Trail::begin(self, step.action(), request.source_ip.clone(), request.request_id);
        let done = self.take_step(step, &request, &mut trail).await;
        let refused = done.as_ref().err().map(ToString::to_string);
        let refused = refused.as_deref().map(|reason| match &done {
            Err(SignInError::Internal(_)) => ("InternalErrorException", "it failed", Outcome::Failure),
            Err(SignInError::Unavailable(_)) => ("ServiceUnavailableException", reason, Outcome::Failure),
            _ => ("NotAuthorizedException", reason, Outcome::Refused),
        });
        self.record(trail, refused).await;
        done
    }

    async fn take_step(
        &self,
        step: Step<'_>,
        request: &ApiSignIn<'_>,
        trail: &mut Trail,
    ) -> Result<SignedIn, SignInError> {
        let found = self.client_and_pool(request.client).await?;
        // Who was not made by an administrator signs people in on the pages alone.
        let found = found.filter(|(client, _)| !client.origin.is_third_party());
        let (client, pool) = found.ok_or_else(|| SignInError::UnknownClient(request.client.to_owned()))?;
        trail.saw_client(&client);
        // A client that names no flows may refresh, as on AWS, and nothing else.
        let may = client.sign_in_flows.iter().any(|flow| step.flows().contains(&flow.as_str()))
            || (client.sign_in_flows.is_empty() && matches!(step, Step::Refresh));
        if !may {
            return Err(match step {
                Step::Refresh => SignInError::Invalid("REFRESH_TOKEN_AUTH flow not enabled for this client"),
                _ => SignInError::Invalid("USER_PASSWORD_AUTH flow not enabled for this client"),
            });
        }
        match step {
            Step::Password => self.by_password(&pool, &client, request, trail).await,
            Step::Refresh => self.by_refresh_token(&pool, &client, request, trail).await,
            Step::NewPassword(session) => self.by_new_password(&pool, &client, session, request, trail).await,
        }
    }

    async fn by_password(
        &self,
        pool: &UserPool,
        client: &PoolClient,
        request: &ApiSignIn<'_>,
        trail: &mut Trail,
    ) -> Result<SignedIn, SignInError> {
        let name = parameter(request, "USERNAME", "Missing required parameter USERNAME")?;
        let password = parameter(request, "PASSWORD", "Missing required parameter PASSWORD")?;
        knows_secret(client, &[name], request)?;
        let user = self.check_password(pool, name, Secret::new(password)).await?;
        trail.saw_user(self.names.issuer(&pool.id, &pool.scope.region), &user);
        if user.status == PoolUserStatus::ForceChangePassword {
            let (ticket, session) = self.challenge(client.id.as_str(), &user);
            let mut tx = self.store.begin().await?;
            tx.insert_ticket(&ticket, self.clock.now()).await?;
            tx.forget_attempts(&pool.id, name).await?;
            self.commit(tx, trail).await?;
            return Ok(SignedIn::NewPassword { session, user: Box::new(user) });
        }
        self.signed_in(pool, client, &mut user.clone(), None, trail).await
    }

    async fn by_new_password(
        &self,
        pool: &UserPool,
        client: &PoolClient,
        session: Option<&str>,
        request: &ApiSignIn<'_>,
        trail: &mut Trail,
    ) -> Result<SignedIn, SignInError> {
        let name = parameter(request, "USERNAME", "Missing required parameter USERNAME")?;
        let password = parameter(request, "NEW_PASSWORD", "Missing required parameter NEW_PASSWORD")?;
        let session = session.ok_or(SignInError::Invalid("Missing required parameter Session"))?;
        knows_secret(client, &[name], request)?;
        let session = Secret::new(session);
        let chosen = self.choose_password(pool, client.id.as_str(), &session, Secret::new(password));
        let (mut user, ticket) = chosen.await?;
        if user.key() != PoolUser::key_of(name) && user.sub != name {
            return Err(SignInError::NotAuthorized("Invalid session for the user."));
        }
        trail.saw_user(self.names.issuer(&pool.id, &pool.scope.region), &user);
        self.signed_in(pool, client, &mut user, Some(&ticket), trail).await
    }

    /// Gives tokens for a user who has signed in, and writes its new password when a ticket was for one.
    async fn signed_in(
        &self,
        pool: &UserPool,
        client: &PoolClient,
        user: &mut PoolUser,
        chosen: Option<&Ticket>,
        trail: &mut Trail,
    ) -> Result<SignedIn, SignInError> {
        let now = self.clock.now();
        let family = domain::uuid(&*self.random);
        let sign_in = SignIn {
            auth_time: now.seconds(),
            scopes: vec![OF_THE_API.to_owned()],
            nonce: None,
            resource: None,
            rotates: false,
        };
        let groups = groups_of(&mut self.store.read().await?, user).await?;
        let source = if chosen.is_some() { Source::NewPassword } else { Source::Authentication };
        let scopes = &sign_in.scopes;
        let about = About { source, pool, client, user: Some(user), groups: &groups, scopes };
        let shape = self.shape(&about).await?;
        let mut tx = self.store.begin().await?;
        if let Some(ticket) = chosen {
            tx.spend_ticket(ticket)
                .await
                .map_err(|_| SignInError::NotAuthorized("Invalid session for the user."))?;
            tx.revoke_user(&pool.id, &user.name).await?;
            tx.update_pool_user(user).await?;
        }
        tx.forget_attempts(&pool.id, &user.name).await?;
        let bearer = Bearer { pool, client, user, groups, family: &family, shape: &shape };
        let life = std::time::Duration::from_secs(u64::from(client.refresh_token_seconds));
        let refresh = self.keep_refresh_token(&mut tx, &bearer, &sign_in, now.plus(life)).await?;
        self.commit(tx, trail).await?;
        Ok(SignedIn::Tokens(self.user_tokens(&bearer, &sign_in, Some(refresh)).await?))
    }

    /// What the pool's function makes of the tokens for a refresh token; nothing where that is none, which is found again.
    async fn shape_of_refresh(
        &self,
        pool: &UserPool,
        client: &PoolClient,
        hash: &str,
    ) -> Result<Shape, SignInError> {
        if pool.pre_token.is_none() {
            return Ok(Shape::default());
        }
        let mut tx = self.store.read().await?;
        let ticket = tx.ticket(&pool.id, TicketKind::Refresh, hash, self.clock.now()).await?;
        let ticket = ticket.filter(|ticket| ticket.client == client.id.as_str() && !ticket.spent);
        let Some(ticket) = ticket else { return Ok(Shape::default()) };
        let Some(user) = tx.pool_user(&pool.id, &ticket.user).await? else { return Ok(Shape::default()) };
        let sign_in: SignIn = read(&ticket.details)?;
        let groups = groups_of(&mut tx, &user).await?;
        drop(tx);
        let (source, user, scopes) = (Source::Refresh, Some(&user), &sign_in.scopes);
        Ok(self.shape(&About { source, pool, client, user, groups: &groups, scopes }).await?)
    }

    async fn by_refresh_token(
        &self,
        pool: &UserPool,
        client: &PoolClient,
        request: &ApiSignIn<'_>,
        trail: &mut Trail,
    ) -> Result<SignedIn, SignInError> {
        let token = parameter(request, "REFRESH_TOKEN", "Missing required parameter REFRESH_TOKEN")?;
        let invalid = || SignInError::NotAuthorized("Invalid Refresh Token");
        let hash = hashed(&Secret::new(token));
        let shape = self.shape_of_refresh(pool, client, &hash).await?;
        let mut tx = self.store.begin().await?;
        let ticket = tx.ticket(&pool.id, TicketKind::Refresh, &hash, self.clock.now()).await?;
        let ticket = ticket.filter(|ticket| ticket.client == client.id.as_str()).ok_or_else(invalid)?;
        if ticket.spent {
            tx.revoke_family(&pool.id, &ticket.family).await?;
            let reason = "a refresh token was shown again; what came of its sign-in is taken back";
            self.commit_refused(tx, trail, "NotAuthorizedException", reason).await?;
            return Err(invalid());
        }
        let user = tx.pool_user(&pool.id, &ticket.user).await?.ok_or_else(invalid)?;
        knows_secret(client, &[&user.name, &user.sub], request)?;
        trail.saw_user(self.names.issuer(&pool.id, &pool.scope.region), &user);
        let sign_in: SignIn = read(&ticket.details)?;
        let groups = groups_of(&mut tx, &user).await?;
        let bearer = Bearer { pool, client, user: &user, groups, family: &ticket.family, shape: &shape };
        let refresh = if sign_in.rotates {
            tx.spend_ticket(&ticket).await?;
            Some(self.keep_refresh_token(&mut tx, &bearer, &sign_in, ticket.expires_at).await?)
        } else {
            None
        };
        self.commit(tx, trail).await?;
        Ok(SignedIn::Tokens(self.user_tokens(&bearer, &sign_in, refresh).await?))
    }
}

fn parameter<'a>(
    request: &'a ApiSignIn<'_>,
    name: &str,
    missing: &'static str,
) -> Result<&'a str, SignInError> {
    let given = request.parameters.get(name).map(String::as_str);
    given.filter(|text| !text.is_empty()).ok_or(SignInError::Invalid(missing))
}

/// Whether a client with a secret shows that it knows it: `SECRET_HASH` is the HMAC of the user's name and the client's id.
fn knows_secret(client: &PoolClient, names: &[&str], request: &ApiSignIn<'_>) -> Result<(), SignInError> {
    let Some(secret) = &client.secret else { return Ok(()) };
    let wrong = SignInError::NotAuthorized("Unable to verify secret hash for client");
    let Some(shown) = request.parameters.get("SECRET_HASH") else { return Err(wrong) };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let Ok(shown) = STANDARD.decode(shown) else { return Err(wrong) };
    let known = names.iter().any(|name| {
        let message = format!("{name}{}", client.id);
        hmac::verify(&key, message.as_bytes(), &shown).is_ok()
    });
    if known { Ok(()) } else { Err(wrong) }
}
