//! Answers one command's calls of AWS's hosts (`portcullis exec`).
//!
//! Code that hard-codes AWS's hosts is told by its environment to come here: to a proxy on a loopback port that lives as
//! long as the command. Names of AWS that Portcullis answers, and names that the caller gave, end here, under
//! certificates of an authority that was made for this run and whose key is never written down; all other traffic is
//! tunnelled untouched, or refused. Clients that read no proxy variables are led here by hooks of their language.
//!
//! `names` says which hosts are answered and by whom, `interceptor` opens and serves, `front` and `answer` speak HTTP,
//! `environment`, `trust` and `hooks` are what the command is told. docs/exec.md says why it is done so.

mod answer;
mod authority;
mod environment;
mod front;
mod hooks;
mod interceptor;
mod names;
mod trust;
mod watch;
mod way;

pub use environment::Environment;
pub use interceptor::{Interceptor, OpenError, Plan};
pub use names::{Answer, Place};
pub use watch::{detach, watch};
