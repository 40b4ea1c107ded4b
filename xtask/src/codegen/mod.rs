//! Turns AWS's models and our promise into Rust: `models/*.json`, `models/surface.toml` and `models/overrides.toml`
//! become `crates/aws-shapes/src/{service}/` and `docs/surface.md`.
//!
//! One folder a service, one file a resource: its trait, its request and response types, and the schema that the wire
//! is decoded, checked and encoded by. What two resources share is in `shared.rs`.

mod document;
mod emit;
mod model;
mod naming;
mod plan;
mod surface;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::chore::{Chore, Failure, project, read};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    Check,
}

impl Mode {
    pub(crate) fn from_check(check: bool) -> Self {
        if check { Self::Check } else { Self::Write }
    }
}

/// Derives everything and writes what differs, or only says what does.
pub(crate) fn run(chore: &Chore, mode: Mode) -> Result<(), Failure> {
    let root = project();
    let mut files = BTreeMap::new();
    let promise = surface::Promise::read(&root.join("models"))?;
    let mut models = BTreeMap::new();
    for name in promise.services.keys() {
        let text = read(&root.join("models").join(format!("{name}.json")))?;
        let mut model = model::Model::parse(name, &text)?;
        promise.apply_overrides(name, &mut model)?;
        models.insert(name, model);
    }
    let mut services = Vec::new();
    for ((name, service), model) in promise.services.iter().zip(models.values()) {
        let plan = plan::Plan::make(name, service, model)?;
        emit::service(&plan, model, &mut files);
        services.push(plan);
    }
    let shapes = root.join("crates/aws-shapes/src");
    let mut outputs: BTreeMap<PathBuf, String> = BTreeMap::new();
    for (path, text) in files {
        outputs.insert(shapes.join(path), formatted(&text)?);
    }
    outputs.insert(shapes.join("services.rs"), formatted(&emit::services(&services))?);
    outputs.insert(root.join("docs/surface.md"), document::surface(&services, &promise));
    settle(chore, mode, &shapes, &outputs)
}

/// Brings the checkout in line with what was derived.
fn settle(
    chore: &Chore,
    mode: Mode,
    shapes: &Path,
    outputs: &BTreeMap<PathBuf, String>,
) -> Result<(), Failure> {
    let mut stale = Vec::new();
    for (path, text) in outputs {
        if std::fs::read_to_string(path).ok().as_deref() != Some(text) {
            stale.push(path.clone());
            if mode == Mode::Write {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                std::fs::write(path, text)?;
            }
        }
    }
    for orphan in orphans(shapes, outputs)? {
        if mode == Mode::Write {
            std::fs::remove_file(&orphan)?;
        }
        stale.push(orphan);
    }
    match (mode, stale.len()) {
        (_, 0) => chore.say(format!("{} derived files are fresh", outputs.len())),
        (Mode::Write, count) => chore.say(format!("{count} of {} derived files written", outputs.len())),
        (Mode::Check, _) => {
            let names: Vec<_> = stale.iter().map(|path| path.display().to_string()).collect();
            return Err(Failure::new(format!("stale: {}; run `cargo xtask codegen`", names.join(", "))));
        }
    }
    Ok(())
}

/// Generated files that nothing derives any more.
fn orphans(shapes: &Path, outputs: &BTreeMap<PathBuf, String>) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for service in std::fs::read_dir(shapes)?.flatten().filter(|entry| entry.path().is_dir()) {
        for file in std::fs::read_dir(service.path())?.flatten() {
            if !outputs.contains_key(&file.path()) {
                found.push(file.path());
            }
        }
    }
    Ok(found)
}

/// The text as rustfmt would have it, so that `cargo fmt --check` holds for generated files too.
fn formatted(text: &str) -> Result<String, Failure> {
    use std::io::Write as _;
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(project())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| {
            Failure::new(format!(
                "cannot start rustfmt: {error}; install it with `rustup component add rustfmt`"
            ))
        })?;
    if let Some(mut input) = rustfmt.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    let output = rustfmt.wait_with_output()?;
    if !output.status.success() {
        return Err(Failure::new(format!("rustfmt refuses generated code:\n{text}")));
    }
    String::from_utf8(output.stdout).map_err(|error| Failure::new(error.to_string()))
}
