//! The pages that a person sees: plain HTML that needs no script, readable by every browser and screen reader. What
//! comes from elsewhere is escaped, and the policy that goes with a page lets nothing else run.

use std::fmt::Write as _;

use domain::ClientOrigin;

use super::authorize::Asked;
use super::user_tokens::sha256_standard;

/// How the pages look.
const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:10vh auto;padding:0 1rem;color:#1a1a1a;\
background:#fff}label{display:block;margin-top:1rem}input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;\
border:1px solid #555;border-radius:4px}button{font:inherit;margin:1.5rem .5rem 0 0;padding:.5rem 1rem;border:1px solid \
#1a1a1a;border-radius:4px;background:#fff}button.main{background:#14448c;border-color:#14448c;color:#fff}\
[role=alert]{border-left:4px solid #a00;padding-left:.75rem}";

/// A page, and where its forms may lead.
pub struct HtmlPage {
    /// The status.
    pub status: u16,
    /// The document.
    pub html: String,
    /// `Content-Security-Policy`.
    pub policy: String,
}

/// What a page has to say, and the secrets of its form.
pub(super) struct Form<'a> {
    pub(super) asked: &'a Asked,
    /// What binds the form to the browser that it was given to.
    pub(super) binding: &'a str,
    /// What went wrong before.
    pub(super) problem: Option<&'a str>,
}

/// Asks for name and password. Who signs in here allows what the page says; a third party is allowed on a page of its own.
pub(super) fn sign_in(form: &Form<'_>) -> HtmlPage {
    let (intent, does) = match form.asked.client.origin.is_third_party() {
        true => (leads_to(form.asked), "Sign in"),
        false => (allows(form.asked), "Sign in and allow"),
    };
    let body = format!(
        "{intent}<label for=\"username\">User name</label>\
         <input id=\"username\" name=\"username\" autocomplete=\"username\" autocapitalize=\"none\" maxlength=\"128\" required>\
         <label for=\"password\">Password</label>\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" maxlength=\"256\" required>\
         <button class=\"main\" name=\"step\" value=\"sign-in\">{does}</button>\
         <button name=\"step\" value=\"deny\" formnovalidate>Cancel</button>"
    );
    page(form, "Sign in", &body)
}

/// Asks for a password of the person's own, in the place of a temporary one.
pub(super) fn new_password(form: &Form<'_>, session: &str) -> HtmlPage {
    let body = format!(
        "<p>Your password was temporary. Choose one of your own: at least 8 characters, with upper and lower case, a \
         digit and a symbol.</p><input type=\"hidden\" name=\"session\" value=\"{}\">\
         <label for=\"new-password\">New password</label>\
         <input id=\"new-password\" name=\"new_password\" type=\"password\" autocomplete=\"new-password\" maxlength=\"256\" required>\
         <button class=\"main\" name=\"step\" value=\"new-password\">Go on</button>",
        escaped(session)
    );
    page(form, "Choose a password", &body)
}

/// Asks somebody who has signed in before.
pub(super) fn consent(form: &Form<'_>, user: &str) -> HtmlPage {
    let intent = match form.asked.client.origin.is_third_party() {
        true => allows_third_party(form.asked),
        false => allows(form.asked),
    };
    let body = format!(
        "<p>You are signed in as <strong>{}</strong>.</p>{}\
         <button class=\"main\" name=\"step\" value=\"allow\">Allow</button>\
         <button name=\"step\" value=\"deny\">Deny</button>\
         <button name=\"step\" value=\"other\">Sign in as somebody else</button>",
        escaped(user),
        intent
    );
    page(form, "Allow access", &body)
}

/// Says what is wrong, or that all is done.
pub(crate) fn notice(status: u16, title: &str, text: &str) -> HtmlPage {
    let main = format!("<h1>{}</h1><p>{}</p>", escaped(title), escaped(text));
    HtmlPage { status, html: document(title, &main), policy: policy("'none'") }
}

/// For whom somebody signs in whom no administrator made.
fn leads_to(asked: &Asked) -> String {
    format!(
        "<p>{} sent you here. Before it gets anything, you will be shown what it asks for.</p>",
        called(asked)
    )
}

/// Who calls itself what, and how one knows.
fn called(asked: &Asked) -> String {
    let name = escaped(&asked.client.name);
    match asked.client.origin {
        ClientOrigin::MetadataDocument => {
            format!("<strong>{name}</strong> of {}", escaped(&destination(asked.client.id.as_str())))
        }
        _ => format!("An application that calls itself <strong>{name}</strong>"),
    }
}

/// What a client is allowed that no administrator made: who it is as far as one knows, where it may be used, what it asks
/// for, and where the answer goes.
fn allows_third_party(asked: &Asked) -> String {
    let unknown = match asked.client.origin {
        ClientOrigin::MetadataDocument => "Only its host is known, and not who made it.",
        _ => "It registered itself, and nobody has checked its name.",
    };
    let destination = match asked.stays_here() {
        true => "an application on this computer".to_owned(),
        false => format!("<strong>{}</strong>", escaped(&destination(&asked.redirect_uri))),
    };
    format!(
        "<p>{} wants to act for you. {unknown}</p><p>At: <strong>{}</strong></p><p>It asks for:</p>{}\
         <p>The answer goes to {destination}. Allow it only if you have just started this yourself.</p>",
        called(asked),
        escaped(asked.resource.as_deref().unwrap_or_default()),
        scopes(asked),
    )
}

/// Who gets what, and where it is sent.
fn allows(asked: &Asked) -> String {
    format!(
        "<p><strong>{}</strong> asks for:</p>{}<p>You will be sent to {}.</p>",
        escaped(&asked.client.name),
        scopes(asked),
        escaped(&destination(&asked.redirect_uri))
    )
}

fn scopes(asked: &Asked) -> String {
    let mut text = "<ul>".to_owned();
    for scope in &asked.scopes {
        let told = match scope.as_str() {
            "openid" => "to know who you are",
            "email" => "your email address",
            "phone" => "your phone number",
            "profile" => "your profile",
            other => other,
        };
        let _ = write!(text, "<li>{}</li>", escaped(told));
    }
    text.push_str("</ul>");
    text
}

/// The part of an address that says whose it is.
fn destination(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once(':') else { return String::new() };
    match rest.strip_prefix("//") {
        Some(rest) => format!("{scheme}://{}", rest.split(['/', '?']).next().unwrap_or_default()),
        None => format!("{scheme}:"),
    }
}

fn page(form: &Form<'_>, title: &str, body: &str) -> HtmlPage {
    let problem = form.problem.map(|it| format!("<p role=\"alert\">{}</p>", escaped(it))).unwrap_or_default();
    let main = format!(
        "<h1>{title}</h1>{problem}<form method=\"post\">\
         <input type=\"hidden\" name=\"binding\" value=\"{}\">{body}</form>",
        escaped(form.binding)
    );
    // Browsers hold what a form leads to against the policy, also after a redirect.
    let target = destination(&form.asked.redirect_uri);
    let target = match target.split_once("://") {
        // A policy has no word for an address of IPv6.
        Some(("http" | "https", host)) if !host.starts_with('[') => target,
        Some((scheme, _)) => format!("{scheme}:"),
        None => target,
    };
    HtmlPage { status: 200, html: document(title, &main), policy: policy(&format!("'self' {target}")) }
}

fn document(title: &str, main: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{}</title>\
         <style>{STYLE}</style></head><body><main>{main}</main></body></html>",
        escaped(title)
    )
}

fn policy(forms: &str) -> String {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action {forms}; base-uri 'none'; frame-ancestors 'none'",
        sha256_standard(STYLE)
    )
}

/// Text as it may stand in an element or between the quotes of an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_stranger_becomes_markup() {
        let page = notice(400, "<b>", "<script>alert(\"1\")</script>&'");
        assert!(
            page.html.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"),
            "{}",
            page.html
        );
        assert!(!page.html.contains("<script") && !page.html.contains("<b>"));
    }

    #[test]
    fn a_destination_is_scheme_and_host() {
        assert_eq!(destination("https://app.example:8443/cb?x"), "https://app.example:8443");
        assert_eq!(destination("http://127.0.0.1:4711"), "http://127.0.0.1:4711");
        assert_eq!(destination("com.example:/cb"), "com.example:");
    }
}
