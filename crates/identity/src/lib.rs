//! Who is calling, and as whom others are called.
//!
//! [`token`] verifies JSON Web Tokens and holds them against an authorizer's rules; [`issuer`] knows whose keys those
//! are: pools of our own, resolved in this process, and issuers elsewhere, whose metadata and keys are fetched,
//! remembered and bounded. [`provider`] is the built-in OpenID provider behind Cognito's API. [`principal`] turns an
//! access key into an IAM identity with its policies, and seals the tokens of role sessions. [`workload`] issues
//! and opens the tokens of workloads; [`web_identity`] those that say to others who an identity of an account is. [`attached`] is
//! what a resource itself says about who may invoke it. [`outbound`] has the credentials for what is called. [`advice`]
//! says what to do about a token that is not accepted.

pub mod advice;
pub mod attached;
mod challenge;
pub mod issuer;
mod jwt_key;
pub mod outbound;
pub mod principal;
pub mod provider;
pub mod token;
pub mod web_identity;
pub mod workload;

pub use challenge::Challenge;
pub use jwt_key::{JwtAlgorithm, generate_jwt_key};
