//! Policies in files: `*.cedar` of a folder, single files, or standard input; several statements a file.

use std::fs;
use std::path::{Path, PathBuf};

use domain::PolicyId;

use super::sources::Standing;
use crate::terminal::{Failure, visible};
use crate::verbs::input::{read, shown};

/// A file of policies.
pub(super) struct PolicyFile {
    /// What people call it: the path as it was given, or `-`.
    pub(super) name: String,
    /// Where it is.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl PolicyFile {
    fn read(path: PathBuf) -> Result<Self, Failure> {
        let name = path.to_str().map(str::to_owned).ok_or_else(|| {
            Failure::usage(format!("the name of the file {} is not UTF-8: rename it", shown(&path)))
        })?;
        Ok(Self { text: read(&path)?, name, path })
    }

    /// Its name, as a terminal shows it.
    pub(super) fn shown(&self) -> String {
        visible(&self.name)
    }

    /// Its statements, named after the file: `refunds` for the only one of `refunds.cedar`, `refunds:2` for the second of
    /// several. An annotation `@id("…")` names a statement itself.
    pub(super) fn statements(&self) -> Vec<Standing> {
        let pieces = policy::split(&self.text);
        let path = Path::new(&self.name);
        let stem = path.file_stem().map_or("-".into(), |stem| stem.to_string_lossy());
        let alone = pieces.len() == 1;
        let numbered = pieces.iter().enumerate();
        numbered
            .map(|(index, piece)| {
                let name = policy::annotated_id(piece.text).unwrap_or_else(|| match alone {
                    true => stem.to_string(),
                    false => format!("{stem}:{}", index + 1),
                });
                Standing { id: PolicyId::from_text(name.clone()), name, statement: piece.text.to_owned() }
            })
            .collect()
    }
}

/// Reads files, the `*.cedar` of folders, and standard input for `-`.
pub(super) fn read_policies(paths: &[PathBuf]) -> Result<Vec<PolicyFile>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let found = in_folder(path)?;
            if found.is_empty() {
                return Err(Failure::usage(format!("{} holds no file *.cedar", shown(path))));
            }
            for file in found {
                files.push(PolicyFile::read(file)?);
            }
        } else {
            files.push(PolicyFile::read(path.clone())?);
        }
    }
    Ok(files)
}

/// The statements of several files, no two of one name.
pub(super) fn read_statements(paths: &[PathBuf]) -> Result<Vec<Standing>, Failure> {
    let files = read_policies(paths)?;
    let statements: Vec<Standing> = files.iter().flat_map(PolicyFile::statements).collect();
    let mut names: Vec<&str> = statements.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    match names.array_windows().find(|[one, other]| one == other) {
        Some([name, _]) => Err(Failure::usage(format!(
            "two policies are called `{}`: name them with @id(\"…\"), or rename a file",
            visible(name)
        ))),
        None => Ok(statements),
    }
}

/// The `*.cedar` of a folder and of the folders in it, in alphabetical order.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error: std::io::Error| Failure::usage(format!("cannot read {}: {error}", shown(folder)));
    let mut entries = fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.and_then(|entry| Ok((entry.file_type()?, entry.path()))))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(failed)?;
    entries.sort_by(|(_, one), (_, other)| one.cmp(other));
    let mut found = Vec::new();
    for (kind, path) in entries {
        if kind.is_dir() {
            found.extend(in_folder(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "cedar") {
            found.push(path);
        }
    }
    Ok(found)
}
