//! What the server is when it has little to do: how much memory it keeps, and how soon it is there.

mod memory;
mod start;

use clap::Args;

use crate::scene::Places;

pub(crate) use memory::run as memory;
pub(crate) use start::run as start;

#[derive(Args)]
pub(crate) struct Options {
    /// How many connections are kept idle
    #[arg(long, default_value_t = 10_000, value_name = "NUMBER")]
    connections: usize,
    /// How many gateways are stored before the server starts
    #[arg(long, default_value_t = 1_000, value_name = "NUMBER")]
    gateways: usize,
    /// How long the server is called before its memory under load is read
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    seconds: f64,
    #[command(flatten)]
    places: Places,
}
