//! `cargo xtask test`: everything that must hold, from the cheap to the dear.

use std::process::Command;

use crate::chore::{Chore, Failure, cargo, project};
use crate::postgres::Cluster;
use crate::{codegen, node, python, tidy};

/// How much is tested.
pub(crate) struct Extent {
    full: bool,
    only: Option<String>,
}

impl Extent {
    pub(crate) fn new(full: bool, only: Option<String>) -> Self {
        Self { full, only }
    }
}

pub(crate) fn run(chore: &Chore, extent: &Extent) -> Result<(), Failure> {
    if extent.only.is_none() {
        written_well(chore)?;
    }
    let cluster = Cluster::start(chore)?;
    if extent.only.is_none() {
        chore.say("unit and integration tests, on SQLite and PostgreSQL");
        let mut tests = cargo();
        tests.args(["test", "--workspace", "--quiet"]).env("PORTCULLIS_TEST_POSTGRES", cluster.url());
        chore.run(&mut tests)?;
    }
    end_to_end(chore, extent, &cluster)?;
    chore.say("everything holds");
    Ok(())
}

/// What can be told without running anything.
fn written_well(chore: &Chore) -> Result<(), Failure> {
    chore.say("format");
    chore.run(cargo().args(["fmt", "--all", "--check"]))?;
    chore.run(cargo().args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))?;
    codegen::run(chore, codegen::Mode::Check)?;
    tidy::run(chore)?;
    chore.say("lints");
    let mut lints = cargo();
    lints.args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]);
    chore.run(&mut lints)
}

/// Real clients against the built binary, on each database.
fn end_to_end(chore: &Chore, extent: &Extent, cluster: &Cluster) -> Result<(), Failure> {
    chore.say("building the binary");
    chore.run(cargo().args(["build", "--package", "portcullis"]))?;
    chore.run(cargo().args(["build", "--package", "portcullis-openapi", "--example", "import"]))?;
    let python = python::environment(chore, "mcp1")?;
    let modern = python::environment(chore, "mcp2")?;
    let upstreams = python::environment(chore, "upstreams")?;
    let converter = python::environment(chore, "openapi")?;
    let node = node::environment(chore)?;
    let binary = project().join("target/debug/portcullis");
    for database in ["sqlite".to_owned(), cluster.url()] {
        let name = database.split(':').next().unwrap_or_default().to_owned();
        chore.say(format!("real clients, on {name}"));
        let mut tests = Command::new(&python);
        tests
            .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "e2e"])
            .env("PORTCULLIS_BINARY", &binary)
            .env("PORTCULLIS_E2E_DATABASE", &database)
            .env("PORTCULLIS_E2E_MODERN_PYTHON", &modern)
            .env("PORTCULLIS_E2E_UPSTREAMS_PYTHON", &upstreams)
            .env("PORTCULLIS_E2E_OPENAPI_PYTHON", &converter)
            .env("PORTCULLIS_E2E_OPENAPI_IMPORT", project().join("target/debug/examples/import"))
            .env("PORTCULLIS_E2E_NODE", &node)
            .env("PORTCULLIS_E2E_FULL", if extent.full { "1" } else { "" })
            .env("PYTHONDONTWRITEBYTECODE", "1");
        // The import of public documents touches no database: once is enough.
        if name != "sqlite" {
            tests.arg("--ignore=e2e/test_openapi_scale.py");
        }
        if let Some(only) = &extent.only {
            tests.args(["-k", only]);
        }
        chore.run(&mut tests)?;
    }
    Ok(())
}
