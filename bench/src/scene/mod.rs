//! What every measurement needs: a machine whose cores are given out, a client of the AWS APIs, and gateways to call.

use std::path::PathBuf;

use clap::Args;

pub(crate) mod aws;
pub(crate) mod machine;
pub(crate) mod stage;

/// Which server is measured, and where the figures go.
#[derive(Args)]
pub(crate) struct Places {
    /// The server that is measured [default: portcullis beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) server: Option<PathBuf>,
    /// Where the JSON is written
    #[arg(long, default_value = "bench/results", value_name = "FOLDER")]
    pub(crate) results: PathBuf,
}
