//! `cargo xtask test`: everything that must hold, from the cheap to the dear.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::chore::{Chore, Failure, cargo, cores, project};
use crate::postgres::{self, Cluster};
use crate::{bench, chromium, codegen, faketime, node, python, solver, tidy};

/// What tells most about a database: every operation once, and what is kept, bound, counted, searched and recovered. These
/// run on PostgreSQL, too; with `--full` all do.
const ABOUT_DATABASES: &[&str] = &[
    "test_adversity_start.py",
    "test_audit.py",
    "test_backup.py",
    "test_canaries.py",
    "test_clock_skew.py",
    "test_crash.py",
    "test_credential_providers.py",
    "test_demo.py",
    "test_drain.py",
    "test_failover.py",
    "test_faults.py",
    "test_full_disks.py",
    "test_herd.py",
    "test_iam.py",
    "test_iam_tags.py",
    "test_issuers.py",
    "test_kms.py",
    "test_lifecycle.py",
    "test_log_delivery.py",
    "test_nul.py",
    "test_objects.py",
    "test_pinning.py",
    "test_policy_api.py",
    "test_policy_burst.py",
    "test_policy_generation.py",
    "test_policy_rehearsal.py",
    "test_policy_targets.py",
    "test_pool_users.py",
    "test_quotas.py",
    "test_rate_limits.py",
    "test_replicas.py",
    "test_rollout.py",
    "test_runtime_control.py",
    "test_runtimes.py",
    "test_secret_sources.py",
    "test_secrets.py",
    "test_set_up.py",
    "test_shared_state.py",
    "test_sign_in_pages.py",
    "test_surface.py",
    "test_third_parties.py",
    "test_token_exchange.py",
    "test_token_vault.py",
    "test_traces.py",
    "test_user_federation.py",
    "test_workload_identity.py",
];

/// How much is tested.
pub(crate) struct Extent {
    full: bool,
    only: Option<String>,
}

/// The property tests try the same cases each time, so that one commit has one result; `--full` tries new ones.
const CASES: &str = "20260728";

impl Extent {
    pub(crate) fn new(full: bool, only: Option<String>) -> Self {
        Self { full, only }
    }
}

pub(crate) fn run(chore: &Chore, extent: &Extent) -> Result<(), Failure> {
    let clients = if extent.only.is_some() {
        Clients::install(chore)?
    } else {
        // The one waits for the network while the other computes.
        let installed = std::thread::scope(|scope| {
            let installing = scope.spawn(|| Clients::install(chore));
            let written = written_well(chore);
            let installed = installing.join().map_err(|_| Failure::new("lost what installs the clients"));
            written.and(installed?)
        });
        installed?
    };
    if extent.only.is_none() {
        chore.run(Command::new(&clients.python).args([
            "-m",
            "ruff",
            "check",
            "--no-cache",
            "--quiet",
            "e2e",
        ]))?;
    }
    let cluster = Cluster::start(chore)?;
    let path = with_node(&clients.node)?;
    // Tests and programs at once, so that nothing is compiled twice for them.
    chore.say("building");
    chore.run(cargo().args(["build", "--workspace", "--all-targets", "--quiet"]))?;
    if extent.only.is_none() {
        chore.say("unit and integration tests, on SQLite and PostgreSQL");
        let mut tests = cargo();
        tests
            .args(["test", "--workspace", "--quiet"])
            .env("PORTCULLIS_TEST_POSTGRES", cluster.url())
            .env("PORTCULLIS_TEST_AGENT_PYTHON", &clients.python)
            // Many wait for a process or for the network.
            .env("RUST_TEST_THREADS", (2 * cores()).to_string())
            .env("PATH", &path);
        if !extent.full {
            tests.env("PROPTEST_RNG_SEED", CASES);
        }
        chore.run(&mut tests)?;
    }
    end_to_end(chore, extent, &cluster, &clients, &path)?;
    if extent.full && extent.only.is_none() {
        // By themselves, because others would take their processors.
        bench::endure(chore)?;
    }
    chore.say("everything holds");
    Ok(())
}

/// What tests use that is not Rust's, installed where it is not there.
struct Clients {
    python: PathBuf,
    modern: PathBuf,
    upstreams: PathBuf,
    converter: PathBuf,
    deploy: PathBuf,
    node: PathBuf,
    browser: PathBuf,
}

impl Clients {
    fn install(chore: &Chore) -> Result<Self, Failure> {
        let python = python::environment(chore, "mcp1")?;
        postgres::install(chore)?;
        solver::install(chore)?;
        faketime::install(chore)?;
        Ok(Self {
            python,
            modern: python::environment(chore, "mcp2")?,
            upstreams: python::environment(chore, "upstreams")?,
            converter: python::environment(chore, "openapi")?,
            deploy: python::environment(chore, "deploy")?,
            node: node::environment(chore)?,
            browser: chromium::program(chore)?,
        })
    }
}

/// The search path with Node's folder behind everything else: functions of `nodejs*` find the machine's own where it has
/// one.
#[expect(clippy::disallowed_methods, reason = "a chore reads the environment that it was started in")]
fn with_node(node: &Path) -> Result<OsString, Failure> {
    let found = Command::new(node).args(["--print", "process.execPath"]).output()?;
    let program = PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
    let folder = program.parent().map(Path::to_path_buf);
    let present = env::var_os("PATH").unwrap_or_default();
    let all = env::split_paths(&present).chain(folder);
    env::join_paths(all).map_err(|error| Failure::new(error.to_string()))
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
fn end_to_end(
    chore: &Chore,
    extent: &Extent,
    cluster: &Cluster,
    clients: &Clients,
    path: &OsStr,
) -> Result<(), Failure> {
    let binary = project().join("target/debug/portcullis");
    let on = |database: &str| {
        let mut tests = Command::new(&clients.python);
        tests
            .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
            .env("PORTCULLIS_BINARY", &binary)
            .env("PORTCULLIS_E2E_DATABASE", database)
            .env("PORTCULLIS_E2E_MODERN_PYTHON", &clients.modern)
            .env("PORTCULLIS_E2E_UPSTREAMS_PYTHON", &clients.upstreams)
            .env("PORTCULLIS_E2E_OPENAPI_PYTHON", &clients.converter)
            .env("PORTCULLIS_E2E_DEPLOY_PYTHON", &clients.deploy)
            .env("PORTCULLIS_E2E_OPENAPI_IMPORT", project().join("target/debug/examples/import"))
            .env("PORTCULLIS_E2E_NODE", &clients.node)
            .env("PORTCULLIS_E2E_CHROMIUM", &clients.browser)
            .env("PATH", path)
            .env("PORTCULLIS_E2E_FULL", if extent.full { "1" } else { "" })
            .env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(only) = &extent.only {
            tests.args(["-k", only]);
        }
        tests
    };
    let mut on_postgres = on(&cluster.url());
    if extent.full || extent.only.is_some() {
        on_postgres.arg("e2e");
    } else {
        on_postgres.args(ABOUT_DATABASES.iter().map(|file| format!("e2e/{file}")));
    }
    // A test waits for its server most of the time, so that several at once take little longer than one.
    chore.say("real clients, on sqlite and postgres");
    if extent.only.is_some() {
        return chore.run_together(on("sqlite").arg("e2e"), &mut [on_postgres]);
    }
    let (mut some, mut others) = (on("sqlite"), on("sqlite"));
    for (place, file) in files_of_tests()?.into_iter().enumerate() {
        if place % 2 == 0 {
            some.arg(file)
        } else {
            others.arg(file)
        };
    }
    chore.run_together(&mut some, &mut [others, on_postgres])
}

/// The files that pytest would find, in the order of their names.
fn files_of_tests() -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(project().join("e2e"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("test_") && name.ends_with(".py") {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}
