//! What is built, against `deny.toml`: licences, banned crates, second versions, sources.
//!
//! Cargo says what is built for each target, with the features that are on. cargo-deny checks the same from the same file,
//! and advisories besides (`cargo xtask deny`), where it is installed: compiling it takes longer than all our tests of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::chore::{Chore, Failure, cargo, read};

/// `deny.toml`, as far as it is read here.
#[derive(Deserialize)]
struct Rules {
    graph: Graph,
    licenses: Licences,
    bans: Bans,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ruled>,
    skip: Vec<Ruled>,
}

#[derive(Deserialize)]
struct Ruled {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

/// A package that is built.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    /// Where it comes from, when that is not the registry.
    place: Option<String>,
    licence: String,
}

pub(super) fn check(chore: &Chore, root: &Path) -> Result<Vec<String>, Failure> {
    let rules: Rules = toml::from_str(&read(&root.join("deny.toml"))?)
        .map_err(|error| Failure::new(format!("deny.toml: {error}")))?;
    let mut built = BTreeSet::new();
    for target in &rules.graph.targets {
        let mut tree = cargo();
        tree.args(["tree", "--workspace", "--locked", "--edges", "normal,build,dev", "--target", target]);
        tree.args(["--prefix", "none", "--format", "{p}|{l}"]);
        built.extend(chore.output(&mut tree)?.lines().filter_map(package));
    }
    Ok(problems(&rules, &built, &root.display().to_string()))
}

/// A line of `cargo tree`: `name v1.2.3 (place)|licence`, perhaps with `(proc-macro)` and `(*)`.
fn package(line: &str) -> Option<Package> {
    let (package, licence) = line.split_once('|')?;
    let (name, rest) = package.split_once(" v")?;
    let (version, places) = rest.split_once(' ').unwrap_or((rest, ""));
    let place = places.trim_end_matches(" (proc-macro)").trim_matches(['(', ')']);
    Some(Package {
        name: name.to_owned(),
        version: version.to_owned(),
        place: Some(place).filter(|place| !place.is_empty() && *place != "proc-macro").map(str::to_owned),
        licence: licence.trim_end_matches(" (*)").to_owned(),
    })
}

fn problems(rules: &Rules, built: &BTreeSet<Package>, root: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut unused: BTreeMap<&str, &str> =
        rules.bans.skip.iter().map(|skip| (skip.name.as_str(), skip.reason.as_str())).collect();
    for package in built {
        let Package { name, version, place, licence } = package;
        if !is_allowed(licence, &rules.licenses.allow) {
            problems.push(format!(
                "{name} {version} has the licence `{licence}`, which deny.toml does not allow"
            ));
        }
        if let Some(banned) = rules.bans.deny.iter().find(|banned| banned.name == *name) {
            problems.push(format!("{name} must not be built: {}", banned.reason));
        }
        if let Some(place) = place.as_ref().filter(|place| !place.starts_with(root)) {
            problems.push(format!("{name} comes from {place}, and not from crates.io"));
        }
        let exact = format!("{name}@{version}");
        if unused.remove(exact.as_str()).is_none() && !rules.bans.skip.iter().any(|skip| skip.name == exact) {
            versions.entry(name).or_default().push(version);
        }
    }
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        problems
            .push(format!("{name} is built in versions {}: deny.toml does not say why", versions.join(", ")));
    }
    problems.extend(unused.keys().map(|name| format!("deny.toml skips {name}, which is not built")));
    problems
}

/// Whether an expression of licences (SPDX, or the older one with slashes) can be met by those that are allowed.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut words = words.as_slice();
    either(&mut words, allowed) == Some(true) && words.is_empty()
}

/// Each of these takes what it reads from the words; it is `None` when they are no expression.
fn either(words: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    let mut met = both(words, allowed)?;
    while let ["OR", rest @ ..] = words {
        *words = rest;
        met |= both(words, allowed)?;
    }
    Some(met)
}

fn both(words: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    let mut met = one(words, allowed)?;
    while let ["AND", rest @ ..] = words {
        *words = rest;
        met &= one(words, allowed)?;
    }
    Some(met)
}

fn one(words: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    match words {
        ["(", rest @ ..] => {
            *words = rest;
            let met = either(words, allowed)?;
            let [")", rest @ ..] = words else { return None };
            *words = rest;
            Some(met)
        }
        [licence, "WITH", exception, rest @ ..] => {
            let name = format!("{licence} WITH {exception}");
            *words = rest;
            Some(allowed.contains(&name))
        }
        [licence, rest @ ..] => {
            *words = rest;
            Some(allowed.contains(*licence))
        }
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        toml::from_str(
            r#"
            [graph]
            targets = []
            [licenses]
            allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
            [bans]
            deny = [{ crate = "ring", reason = "one is enough" }]
            skip = [{ crate = "old@1.0.0", reason = "somebody" }]
            "#,
        )
        .unwrap()
    }

    fn said(lines: &[&str]) -> Vec<String> {
        let built = lines.iter().filter_map(|line| package(line)).collect();
        problems(&rules(), &built, "/here")
    }

    #[test]
    fn expressions_are_met_or_not() {
        let allowed = rules().licenses.allow;
        for met in [
            "MIT",
            "MIT/GPL-3.0",
            "GPL-3.0 OR MIT",
            "(GPL-3.0 OR MIT) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_allowed(met, &allowed), "{met}");
        }
        for not in ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT OR", "(MIT", "MIT MIT", "MIT WITH LLVM-exception"]
        {
            assert!(!is_allowed(not, &allowed), "{not}");
        }
    }

    #[test]
    fn what_is_out_of_order_is_named() {
        let fine = ["old v1.0.0|MIT", "old v2.0.0|MIT (*)", "ours v0.1.0 (/here/crates/ours)|Apache-2.0"];
        assert!(said(&fine).is_empty(), "{:?}", said(&fine));
        for (line, wanted) in [
            ("bad v1.0.0 (proc-macro)|GPL-3.0", "has the licence `GPL-3.0`"),
            ("none v1.0.0|", "has the licence ``"),
            ("ring v0.17.0|MIT", "one is enough"),
            ("old v3.0.0|MIT", "old is built in versions 2.0.0, 3.0.0"),
            ("far v1.0.0 (https://example.com/far#1)|MIT", "comes from https://example.com/far#1"),
        ] {
            let lines: Vec<_> = fine.iter().copied().chain([line]).collect();
            let said = said(&lines);
            assert!(said.len() == 1 && said[0].contains(wanted), "{said:?}");
        }
        assert_eq!(said(&fine[1..]), ["deny.toml skips old@1.0.0, which is not built"]);
    }
}
