//! Which crate may know which: dependencies only go down, and some rooms must never hear of each other.

use std::collections::BTreeMap;
use std::path::Path;

use crate::chore::{Failure, read};

/// The rooms by floor, and which rooms each may use. Who is not listed here may not exist.
const ROOMS: &[(&str, &[&str])] = &[
    // The ground.
    ("domain", &[]),
    ("strict-json", &[]),
    // The services.
    ("aws-shapes", &["domain"]),
    ("aws", &["domain", "strict-json", "aws-shapes"]),
    ("egress", &[]),
    ("generation", &["domain", "egress", "policy", "search"]),
    ("iam", &["domain"]),
    ("mail", &["domain"]),
    ("mask", &["domain"]),
    ("mcp", &["domain", "strict-json", "egress"]),
    ("openapi", &["strict-json"]),
    ("policy", &["domain"]),
    ("prover", &["policy"]),
    ("search", &[]),
    ("smithy", &["domain", "strict-json"]),
    ("store", &["domain"]),
    ("trail", &["domain", "aws", "egress", "store"]),
    ("telemetry", &["domain", "egress"]),
    // The rooms; the side rooms first, which the two planes use.
    ("compute", &["domain", "mask"]),
    ("identity", &["domain", "strict-json", "egress", "iam", "store"]),
    ("objects", &["domain", "aws", "iam", "identity", "store", "telemetry"]),
    ("inference", &["domain", "aws", "egress", "iam", "identity", "mask", "mcp", "store", "telemetry"]),
    ("functions", &["domain", "compute", "iam", "identity", "store"]),
    ("credentials", &["domain", "aws", "iam", "identity", "mask", "mcp", "store"]),
    ("runtimes", &["domain", "aws", "compute", "egress", "iam", "identity", "store", "telemetry"]),
    ("exec", &["domain"]),
    ("posture", &["domain", "aws", "egress"]),
    (
        "control",
        &[
            "domain",
            "aws-shapes",
            "aws",
            "compute",
            "credentials",
            "egress",
            "functions",
            "generation",
            "iam",
            "identity",
            "mail",
            "mask",
            "mcp",
            "objects",
            "openapi",
            "policy",
            "prover",
            "smithy",
            "store",
            "telemetry",
        ],
    ),
    (
        "gateway",
        &[
            "domain",
            "strict-json",
            "aws",
            "compute",
            "credentials",
            "egress",
            "functions",
            "iam",
            "identity",
            "mask",
            "mcp",
            "openapi",
            "policy",
            "runtimes",
            "smithy",
            "search",
            "store",
            "telemetry",
        ],
    ),
    // The roof.
    (
        "server",
        &[
            "domain",
            "aws",
            "compute",
            "control",
            "credentials",
            "egress",
            "exec",
            "functions",
            "gateway",
            "generation",
            "identity",
            "inference",
            "mail",
            "mask",
            "objects",
            "openapi",
            "policy",
            "posture",
            "prover",
            "runtimes",
            "smithy",
            "store",
            "trail",
            "telemetry",
        ],
    ),
];

/// Crates of others that only some rooms may know.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("cedar-policy", &["policy", "prover"]),
    ("cedar-policy-symcc", &["prover"]),
    ("cedar-policy", &["policy"]),
    ("cedar-policy-formatter", &["policy"]),
    ("hyper-rustls", &["egress"]),
    ("clap", &["server"]),
    ("prost", &["telemetry"]),
    ("quick-xml", &["aws", "objects", "openapi", "posture", "smithy"]),
    ("serde-saphyr", &["openapi"]),
    ("rustix", &["compute", "exec", "prover", "server", "store"]),
    ("lettre", &["mail"]),
    ("mail-parser", &["mail"]),
    ("rcgen", &["exec"]),
    ("tokio-rustls", &["exec", "server"]),
    ("x509-parser", &["server"]),
];

/// Crates of others that a room must not know, although they would build.
const NEVER_IN: &[(&str, &[&str])] = &[
    ("domain", &["serde_json", "tokio", "http", "hyper", "sqlx", "bytes"]),
    ("openapi", &["tokio", "hyper", "sqlx"]),
    ("policy", &["tokio", "http", "hyper"]),
    ("prover", &["sqlx", "http", "hyper"]),
    ("mask", &["tokio", "http", "hyper"]),
    ("search", &["tokio", "http", "hyper"]),
    ("smithy", &["tokio", "hyper"]),
];

pub(super) fn check(root: &Path) -> Result<Vec<String>, Failure> {
    let mut problems = Vec::new();
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    for entry in std::fs::read_dir(root.join("crates"))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(may_use) = allowed.get(name.as_str()) else {
            problems.push(format!("crates/{name} is a room that xtask/src/tidy/rooms.rs does not know"));
            continue;
        };
        let used = dependencies(&entry.path().join("Cargo.toml"))?;
        for other in &used {
            if allowed.contains_key(other.as_str()) && !may_use.contains(&other.as_str()) {
                problems.push(format!("crates/{name} must not know crates/{other}"));
            }
            let only = ONLY_IN.iter().find(|(known, _)| known == other);
            if only.is_some_and(|(_, rooms)| !rooms.contains(&name.as_str())) {
                problems.push(format!("crates/{name} must not know {other}"));
            }
            let never = NEVER_IN.iter().filter(|(room, _)| *room == name);
            if never.flat_map(|(_, others)| *others).any(|forbidden| forbidden == other) {
                problems.push(format!("crates/{name} must not know {other}"));
            }
        }
    }
    Ok(problems)
}

/// What a crate depends on, tests aside.
pub(super) fn dependencies(manifest: &Path) -> Result<Vec<String>, Failure> {
    let manifest: toml::Table =
        toml::from_str(&read(manifest)?).map_err(|error| Failure::new(error.to_string()))?;
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    Ok(table.into_iter().flatten().map(|(name, _)| name.clone()).collect())
}
