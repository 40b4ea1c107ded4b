//! User pools and what is in them.

mod groups;
mod pool_clients;
mod pool_domains;
mod registrations;
mod resource_servers;
mod signing_keys;
mod tickets;
mod user_pools;
mod users;

pub use registrations::Registrations;
