//! A credential that an interceptor gave goes before the one that the gateway would attach ("Header propagation from
//! interceptor lambda").

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use mcp::upstream::Dress;

use crate::turn::Turn;

/// The gateway's credential, with the interceptor's in its place where there is one.
pub(crate) struct Overriding<'a> {
    pub(crate) credential: &'a dyn Dress,
    pub(crate) turn: &'a Turn,
}

impl Dress for Overriding<'_> {
    fn dress(&self, request: &mut Request<Bytes>) -> Result<(), String> {
        self.credential.dress(request)?;
        if let Some(given) = &self.turn.authorization {
            request.headers_mut().insert(AUTHORIZATION, given.clone());
        }
        Ok(())
    }
}
