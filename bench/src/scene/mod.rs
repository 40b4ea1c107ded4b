//! What every measurement needs: a machine whose cores are given out, a client of the AWS APIs, and gateways to call.

pub(crate) mod aws;
pub(crate) mod machine;
pub(crate) mod stage;
