//! What a browser does at the provider: `/oauth2/authorize`, `/login` and `/logout`.
//!
//! Whoever signs in, or allows what a page says, is sent to the client with a code. A form works only in the browser that
//! it was given to and for the request that it was given for, so that nobody can have another person sign in or allow
//! something from a page of their own.

use std::collections::HashMap;
use std::time::Duration;

use domain::{Outcome, PoolUser, PoolUserStatus, RequestId, Secret, Ticket, TicketKind, UserPool};
use serde::{Deserialize, Serialize};
use store::Tx;

use super::authorize::{Asked, Wrong};
use super::grants::CodeDetails;
use super::pages::{self, Form, HtmlPage};
use super::registration::kept_until;
use super::sign_in::SignInError;
use super::trail::Trail;
use super::user_tokens::{SignIn, hashed, opaque, read, sha256, written};
use super::{PoolHint, Provider};

/// How long a code is good: as long as a client takes to fetch its tokens.
const CODE_LIFE: Duration = Duration::from_secs(60);
/// How long a browser stays signed in (the session cookie of Cognito's managed login: one hour).
const BROWSER_LIFE: Duration = Duration::from_secs(3_600);

/// A request of a browser.
pub struct BrowserRequest<'a> {
    /// What its host and path say about the pool.
    pub hint: PoolHint,
    /// The query, as it stands.
    pub query: &'a str,
    /// The form, of a `POST`.
    pub form: Option<HashMap<String, String>>,
    /// The `Cookie` header.
    pub cookies: &'a str,
    /// Whether the browser says that another site sends the form.
    pub from_elsewhere: bool,
    /// The peer's address.
    pub source_ip: Option<String>,
    /// The request's id.
    pub request_id: &'a RequestId,
}

/// The answer to a browser.
pub struct BrowserAnswer {
    /// The page, or where to go.
    pub shown: Shown,
    /// `Set-Cookie` headers.
    pub cookies: Vec<String>,
}

/// What a browser shows next.
pub enum Shown {
    /// A page.
    Page(HtmlPage),
    /// Another address.
    Address(String),
}

/// What is kept of a browser that has signed in.
#[derive(Serialize, Deserialize)]
struct BrowserDetails {
    auth_time: i64,
}

/// A user whom a browser or a form stands for.
struct Present {
    user: PoolUser,
    auth_time: i64,
}

impl Provider {
    /// `GET /oauth2/authorize`: a sound request goes on to the page for people.
    pub async fn authorize(&self, request: &BrowserRequest<'_>) -> BrowserAnswer {
        match self.read_asked(&request.hint, request.query).await {
            Ok(_) => plain(Shown::Address(format!("../login?{}", request.query))),
            Err(wrong) => refused(wrong),
        }
    }

    /// `GET` and `POST /login`.
    pub async fn login(&self, request: BrowserRequest<'_>) -> BrowserAnswer {
        let asked = match self.read_asked(&request.hint, request.query).await {
            Ok(asked) => asked,
            Err(wrong) => return refused(wrong),
        };
        let mut trail = Trail::begin(self, "login", request.source_ip.clone(), request.request_id);
        trail.saw_client(&asked.client);
        let done = match &request.form {
            Some(form) => self.submitted(&request, &asked, form, &mut trail).await,
            None => return self.first_page(&request, &asked).await,
        };
        match done {
            Ok(answer) => answer,
            Err(error) => {
                if let SignInError::Unavailable(told) = &error {
                    self.record(trail, Some(("temporarily_unavailable", told, Outcome::Failure))).await;
                    return not_now(&error);
                }
                let internal = matches!(error, SignInError::Internal(_));
                let outcome = if internal { Outcome::Failure } else { Outcome::Refused };
                if internal {
                    tracing::error!(%error, request.id = %request.request_id, "A sign-in failed.");
                }
                let told =
                    if internal { "It did not work. Try again.".to_owned() } else { error.to_string() };
                self.record(trail, Some(("access_denied", &told, outcome))).await;
                self.again(&request, &asked, &told)
            }
        }
    }

    /// `GET /logout`: the browser is signed out, and goes where the client registered.
    pub async fn logout(&self, request: BrowserRequest<'_>) -> BrowserAnswer {
        let given: HashMap<_, _> = form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
        let id = given.get("client_id").map(String::as_str).unwrap_or_default();
        let unknown =
            || plain(Shown::Page(pages::notice(400, "Not signed out", "The application is not known.")));
        let (client, pool) = match self.client_and_pool(id).await {
            Ok(Some(found)) => found,
            Ok(None) => return unknown(),
            Err(error) => return not_now(&error),
        };
        if let Some(session) = self.cookie(&request, &self.session_cookie(&pool))
            && let Err(error) = self.end_browser(&pool, &session, &request).await
        {
            return not_now(&error);
        }
        let shown = match given.get("logout_uri") {
            Some(uri) if client.logout_urls.contains(uri) => Shown::Address(uri.clone()),
            Some(_) => {
                let text = "You are signed out. The application wanted you sent to an address that it has not registered.";
                Shown::Page(pages::notice(400, "Signed out", text))
            }
            None => Shown::Page(pages::notice(200, "Signed out", "You are signed out.")),
        };
        BrowserAnswer { shown, cookies: vec![self.set_cookie(&self.session_cookie(&pool), "", 0)] }
    }

    async fn end_browser(
        &self,
        pool: &UserPool,
        session: &str,
        request: &BrowserRequest<'_>,
    ) -> Result<(), store::StoreError> {
        let mut tx = self.store.begin().await?;
        let hash = hashed(&Secret::new(session));
        let Some(ticket) = tx.ticket(&pool.id, TicketKind::Browser, &hash, self.clock.now()).await? else {
            return Ok(());
        };
        tx.revoke_family(&pool.id, &ticket.family).await?;
        let mut trail = Trail::begin(self, "logout", request.source_ip.clone(), request.request_id);
        trail.saw_pool(pool);
        self.commit(tx, &mut trail).await
    }

    async fn first_page(&self, request: &BrowserRequest<'_>, asked: &Asked) -> BrowserAnswer {
        let (nonce, cookies) = self.form_cookie(request);
        let present = match asked.prompt.as_deref() {
            Some("login") => None,
            _ => match self.present(request, &asked.pool).await {
                Ok(present) => present,
                Err(error) => return not_now(&error),
            },
        };
        let session = self.cookie(request, &self.session_cookie(&asked.pool));
        let binding = bind(&nonce, session.as_deref(), request.query);
        let form = Form { asked, binding: &binding, problem: None };
        let page = match present {
            Some(present) => pages::consent(&form, &present.user.name),
            None => pages::sign_in(&form),
        };
        BrowserAnswer { shown: Shown::Page(page), cookies }
    }

    fn again(&self, request: &BrowserRequest<'_>, asked: &Asked, problem: &str) -> BrowserAnswer {
        let (nonce, cookies) = self.form_cookie(request);
        let session = self.cookie(request, &self.session_cookie(&asked.pool));
        let binding = bind(&nonce, session.as_deref(), request.query);
        let page = pages::sign_in(&Form { asked, binding: &binding, problem: Some(problem) });
        BrowserAnswer { shown: Shown::Page(page), cookies }
    }

    async fn submitted(
        &self,
        request: &BrowserRequest<'_>,
        asked: &Asked,
        form: &HashMap<String, String>,
        trail: &mut Trail,
    ) -> Result<BrowserAnswer, SignInError> {
        let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let session = self.cookie(request, &self.session_cookie(&asked.pool));
        let nonce = self.cookie(request, &self.form_name());
        let is_bound = nonce.is_some_and(|nonce| {
            Secret::new(bind(&nonce, session.as_deref(), request.query)).matches(text("binding"))
        });
        if request.from_elsewhere || !is_bound {
            return Err(SignInError::Invalid("The page was too old, or not from here. Try again."));
        }
        match text("step") {
            "deny" => Ok(plain(Shown::Address(self.refused_by_person(asked)))),
            "other" => Ok(plain(Shown::Address(format!("login?{}&prompt=login", signed_in(request.query))))),
            "allow" => {
                let present = self.present(request, &asked.pool).await?;
                let present = present.ok_or(SignInError::Invalid("You are not signed in any more."))?;
                let tx = self.store.begin().await?;
                Ok(plain(self.send_code(tx, asked, &present, trail).await?))
            }
            "new-password" => {
                let secret = Secret::new(text("session"));
                let password = Secret::new(text("new_password"));
                let (pool, client) = (&asked.pool, asked.client.id.as_str());
                match self.choose_password(pool, client, &secret, password).await {
                    Ok((user, ticket)) => self.entered(request, asked, user, Some(&ticket), trail).await,
                    Err(error @ SignInError::WeakPassword(_)) => {
                        let (told, binding) = (error.to_string(), text("binding"));
                        let form = Form { asked, binding, problem: Some(&told) };
                        Ok(plain(Shown::Page(pages::new_password(&form, text("session")))))
                    }
                    Err(error) => Err(error),
                }
            }
            _ => {
                let user =
                    self.check_password(&asked.pool, text("username"), Secret::new(text("password"))).await?;
                if user.status == PoolUserStatus::Confirmed {
                    return self.entered(request, asked, user, None, trail).await;
                }
                let (ticket, secret) = self.challenge(asked.client.id.as_str(), &user);
                let mut tx = self.store.begin().await?;
                tx.insert_ticket(&ticket, self.clock.now()).await?;
                tx.forget_attempts(&asked.pool.id, &user.name).await?;
                self.commit(tx, trail).await?;
                let form = Form { asked, binding: text("binding"), problem: None };
                Ok(plain(Shown::Page(pages::new_password(&form, secret.expose()))))
            }
        }
    }

    /// Somebody has proven who it is: the browser gets a session of its own, and the client its code; a third party only
    /// once the person has seen who it is and allowed it.
    async fn entered(
        &self,
        request: &BrowserRequest<'_>,
        asked: &Asked,
        mut user: PoolUser,
        chosen: Option<&Ticket>,
        trail: &mut Trail,
    ) -> Result<BrowserAnswer, SignInError> {
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        if let Some(ticket) = chosen {
            let gone = SignInError::NotAuthorized("Invalid session for the user.");
            tx.spend_ticket(ticket).await.map_err(|_| gone)?;
            tx.revoke_user(&asked.pool.id, &user.name).await?;
            tx.update_pool_user(&mut user).await?;
        }
        tx.forget_attempts(&asked.pool.id, &user.name).await?;
        let session = opaque(&*self.random);
        let ticket = Ticket {
            hash: hashed(&session),
            kind: TicketKind::Browser,
            pool: asked.pool.id.clone(),
            client: String::new(),
            user: user.key(),
            family: domain::uuid(&*self.random),
            spent: false,
            expires_at: now.plus(BROWSER_LIFE),
            details: written(&BrowserDetails { auth_time: now.seconds() })?,
        };
        tx.insert_ticket(&ticket, now).await?;
        let shown = if asked.client.origin.is_third_party() {
            trail.saw_user(self.names.issuer(&asked.pool.id, &asked.pool.scope.region), &user);
            self.commit(tx, trail).await?;
            Shown::Address(format!("login?{}", signed_in(request.query)))
        } else {
            self.send_code(tx, asked, &Present { user, auth_time: now.seconds() }, trail).await?
        };
        let name = self.session_cookie(&asked.pool);
        Ok(BrowserAnswer {
            shown,
            cookies: vec![self.set_cookie(&name, session.expose(), BROWSER_LIFE.as_secs())],
        })
    }

    async fn send_code(
        &self,
        mut tx: Tx,
        asked: &Asked,
        present: &Present,
        trail: &mut Trail,
    ) -> Result<Shown, SignInError> {
        let (now, code) = (self.clock.now(), opaque(&*self.random));
        let issuer = self.names.issuer(&asked.pool.id, &asked.pool.scope.region);
        let details = CodeDetails {
            redirect_uri: asked.redirect_uri.clone(),
            challenge: asked.challenge.clone(),
            sign_in: SignIn {
                auth_time: present.auth_time,
                scopes: asked.scopes.clone(),
                nonce: asked.nonce.clone(),
                resource: asked.resource.clone(),
                rotates: true,
            },
        };
        let ticket = Ticket {
            hash: hashed(&code),
            kind: TicketKind::Code,
            pool: asked.pool.id.clone(),
            client: asked.client.id.to_string(),
            user: present.user.key(),
            family: domain::uuid(&*self.random),
            spent: false,
            expires_at: now.plus(CODE_LIFE),
            details: written(&details)?,
        };
        tx.insert_ticket(&ticket, now).await?;
        tx.use_registration(&asked.client.id, kept_until(now)).await?;
        trail.saw_user(issuer.clone(), &present.user);
        self.commit(tx, trail).await?;
        Ok(Shown::Address(asked.granted(&issuer, code.expose())))
    }

    /// The user who is signed in in a browser.
    async fn present(
        &self,
        request: &BrowserRequest<'_>,
        pool: &UserPool,
    ) -> Result<Option<Present>, store::StoreError> {
        let Some(session) = self.cookie(request, &self.session_cookie(pool)) else { return Ok(None) };
        let mut tx = self.store.read().await?;
        let hash = hashed(&Secret::new(session));
        let found = tx.ticket(&pool.id, TicketKind::Browser, &hash, self.clock.now()).await?;
        let Some(ticket) = found else { return Ok(None) };
        let details: BrowserDetails = read(&ticket.details)?;
        let user = tx.pool_user(&pool.id, &ticket.user).await?;
        let user = user.filter(|user| user.status == PoolUserStatus::Confirmed);
        Ok(user.map(|user| Present { user, auth_time: details.auth_time }))
    }

    /// The secret of this browser's forms, and the cookie that gives it one if it has none.
    fn form_cookie(&self, request: &BrowserRequest<'_>) -> (String, Vec<String>) {
        let name = self.form_name();
        if let Some(nonce) = self.cookie(request, &name) {
            return (nonce, Vec::new());
        }
        let nonce = opaque(&*self.random).expose().to_owned();
        let cookie = self.set_cookie(&name, &nonce, BROWSER_LIFE.as_secs());
        (nonce, vec![cookie])
    }

    fn form_name(&self) -> String {
        format!("{}portcullis-form", self.prefix())
    }

    fn session_cookie(&self, pool: &UserPool) -> String {
        format!("{}portcullis-session-{}", self.prefix(), pool.id.host_label())
    }

    /// A name that no other host and no plain connection can set a cookie of (RFC 6265bis, section 4.1.3.2).
    pub(crate) fn prefix(&self) -> &'static str {
        if self.names.public_url().starts_with("https:") { "__Host-" } else { "" }
    }

    pub(crate) fn set_cookie(&self, name: &str, value: &str, seconds: u64) -> String {
        let secure = if self.prefix().is_empty() { "" } else { "; Secure" };
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }

    /// The one cookie of a name.
    #[expect(clippy::unused_self, reason = "read beside the names that it makes")]
    fn cookie(&self, request: &BrowserRequest<'_>, name: &str) -> Option<String> {
        the_cookie(request.cookies, name)
    }
}

/// The one cookie of a name in a `Cookie` header; two are none, because one of them is not ours.
pub(crate) fn the_cookie(cookies: &str, name: &str) -> Option<String> {
    let mut found = cookies.split(';').filter_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name && !value.is_empty()).then(|| value.to_owned())
    });
    found.next().filter(|_| found.next().is_none())
}

/// What a form carries: it holds for one browser, one session in it, and one authorization request.
fn bind(nonce: &str, session: Option<&str>, query: &str) -> String {
    sha256(&format!("{nonce}\n{}\n{query}", session.unwrap_or_default()))
}

/// A query that does not ask for the password once more.
fn signed_in(query: &str) -> String {
    let pairs = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| !matches!(name.as_ref(), "prompt" | "max_age"));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn plain(shown: Shown) -> BrowserAnswer {
    BrowserAnswer { shown, cookies: Vec::new() }
}

fn refused(wrong: Wrong) -> BrowserAnswer {
    plain(match wrong {
        Wrong::ToThePerson(text) => Shown::Page(pages::notice(400, "This cannot be done", text)),
        Wrong::Untrusted(why) => {
            let text = format!("The application asked for something that it cannot have ({why}).");
            Shown::Page(pages::notice(400, "This cannot be done", &text))
        }
        Wrong::ToTheClient(address) => Shown::Address(address),
        Wrong::Internal(error) => return not_now(&error),
    })
}

/// Nothing can be said about anybody now.
fn not_now(error: &dyn std::fmt::Display) -> BrowserAnswer {
    tracing::error!(%error, "A browser is not answered.");
    plain(Shown::Page(pages::notice(503, "Not now", "The service cannot answer now. Try again.")))
}
