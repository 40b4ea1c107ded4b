//! Clients of a pool that its administrators did not make: those that registered themselves (RFC 7591), and those whose id
//! is the address of their metadata (draft-ietf-oauth-client-id-metadata-document).

use serde::{Deserialize, Serialize};

/// Where a client of a pool comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientOrigin {
    /// An administrator made it.
    #[default]
    Administrator,
    /// It registered itself: nobody has looked at what it says of itself.
    Registration,
    /// Its id is an `https` URL, and what it says of itself is found there.
    MetadataDocument,
}

impl ClientOrigin {
    /// Whether nobody who administers the pool vouches for the client.
    #[must_use]
    pub fn is_third_party(self) -> bool {
        self != Self::Administrator
    }
}

/// What a pool lets third parties do. By default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThirdParties {
    /// Whether clients may register themselves.
    pub registration: bool,
    /// Whose metadata documents are clients.
    pub documents: DocumentHosts,
    /// The scopes that such clients may ask for; the rest they never get.
    pub scopes: Vec<String>,
}

impl ThirdParties {
    /// Whether clients of this origin are let in at all.
    #[must_use]
    pub fn admit(&self, origin: ClientOrigin) -> bool {
        match origin {
            ClientOrigin::Administrator => true,
            ClientOrigin::Registration => self.registration,
            ClientOrigin::MetadataDocument => self.documents != DocumentHosts::None,
        }
    }
}

/// The hosts whose client metadata documents are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DocumentHosts {
    /// Of no host.
    #[default]
    None,
    /// Of these hosts, in lower case, each as it stands in a URL: with its port where that is not 443.
    Named(Vec<String>),
    /// Of every host with a public address.
    Any,
}
