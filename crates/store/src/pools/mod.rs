//! User pools and what is in them.

mod pool_clients;
mod pool_domains;
mod resource_servers;
mod signing_keys;
mod groups;
mod tickets;
mod user_pools;
mod users;
