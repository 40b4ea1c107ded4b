//! Authorizers with one rule.

use domain::JwtAuthorizer;

pub(crate) fn audience(allowed: &str) -> JwtAuthorizer {
    JwtAuthorizer { allowed_audience: vec![allowed.to_owned()], ..JwtAuthorizer::default() }
}

pub(crate) fn clients(allowed: &str) -> JwtAuthorizer {
    JwtAuthorizer { allowed_clients: vec![allowed.to_owned()], ..JwtAuthorizer::default() }
}

pub(crate) fn scopes(allowed: &str) -> JwtAuthorizer {
    JwtAuthorizer { allowed_scopes: vec![allowed.to_owned()], ..JwtAuthorizer::default() }
}
