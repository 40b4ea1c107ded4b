//! Checkpoints that were kept, as the verification reads them: line by line, because there may be very many.

use std::collections::BTreeSet;
use std::fs::File;
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use store::{ChainHead, Checkpoints, Finding, Fraud};

use super::folder::{CheckpointError, Lines, WholeLine, files, refused};
use super::line::{Line, digest_of};

/// The checkpoints of folders and files, as far as they reached when this was made.
pub struct KeptCheckpoints {
    /// Of each place its files, with the length that each had.
    places: Vec<Vec<(PathBuf, u64)>>,
    chains: BTreeSet<String>,
    /// What is wrong with the files themselves.
    findings: Vec<Finding>,
}

impl KeptCheckpoints {
    /// Opens folders with checkpoints, or single files of such a folder. A folder that is not there has none.
    ///
    /// # Errors
    /// [`CheckpointError`] when something cannot be read.
    pub fn open(places: &[PathBuf]) -> Result<Self, CheckpointError> {
        let mut kept = Self { places: Vec::new(), chains: BTreeSet::new(), findings: Vec::new() };
        for place in places {
            if place.is_dir() {
                kept.read(&files(place)?, Part::Whole)?;
            } else if place.exists() {
                kept.read(std::slice::from_ref(place), Part::Cut)?;
            }
        }
        Ok(kept)
    }

    /// What is wrong with the files themselves: lines that are gone, lines that are none.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Reads files of which each goes on where the one before ends.
    fn read(&mut self, paths: &[PathBuf], part: Part) -> Result<(), CheckpointError> {
        let (mut before, mut lengths): (Option<String>, _) = (None, Vec::new());
        for path in paths {
            let file = File::open(path).map_err(|error| refused(path, "read", error))?;
            let length = file.metadata().map_err(|error| refused(path, "read", error))?.len();
            for (number, line) in (1_u64..).zip(Lines::of(file, length)) {
                let line = line.map_err(|error| refused(path, "read", error))?;
                match read(&line) {
                    None => self.find(path, number, Fraud::Edited, "is no checkpoint"),
                    Some((line, head)) => {
                        if before.as_ref().is_some_and(|before| *before != line.before) {
                            self.find(
                                path,
                                number,
                                Fraud::Removed,
                                "does not follow from the line before: lines are missing or were changed",
                            );
                        } else if before.is_none() && part == Part::Whole && !line.before.is_empty() {
                            self.find(
                                path,
                                number,
                                Fraud::Removed,
                                "is not the first one: those before are missing",
                            );
                        }
                        self.chains.insert(head.chain);
                    }
                }
                before = Some(digest_of(&line.text));
            }
            lengths.push((path.clone(), length));
        }
        self.places.push(lengths);
        Ok(())
    }

    fn find(&mut self, path: &Path, line: u64, fraud: Fraud, what: &str) {
        let detail = format!("line {line} of {} {what}", path.display());
        self.findings.push(Finding {
            fraud,
            chain: String::new(),
            place: None,
            seq: None,
            event: None,
            detail,
        });
    }
}

/// Whether everything is there that was ever written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Cut,
}

fn read(line: &WholeLine) -> Option<(Line, ChainHead)> {
    let line: Line = serde_json::from_str(&line.text).ok()?;
    let head = line.head()?;
    Some((line, head))
}

impl Checkpoints for KeptCheckpoints {
    fn chains(&self) -> Vec<String> {
        self.chains.iter().cloned().collect()
    }

    fn of<'a>(&'a self, chain: &str) -> Box<dyn Iterator<Item = ChainHead> + 'a> {
        let heads = self.places.iter().map(|files| {
            let chain = chain.to_owned();
            let lines =
                files.iter().filter_map(|(path, length)| Some(Lines::of(File::open(path).ok()?, *length)));
            let heads = lines.flatten().filter_map(|line| read(&line.ok()?).map(|(_, head)| head));
            let heads: Heads<'a> = Box::new(heads.filter(move |head| head.chain == chain));
            heads.peekable()
        });
        Box::new(Merged(heads.collect()))
    }
}

type Heads<'a> = Box<dyn Iterator<Item = ChainHead> + 'a>;

/// The checkpoints of several places as one sequence: each in its order, and of all the earliest first, so that places that
/// tell the same agree.
struct Merged<'a>(Vec<Peekable<Heads<'a>>>);

impl Iterator for Merged<'_> {
    type Item = ChainHead;

    fn next(&mut self) -> Option<ChainHead> {
        let next =
            self.0.iter_mut().enumerate().filter_map(|(at, heads)| Some((heads.peek()?.place, at))).min();
        self.0.get_mut(next?.1)?.next()
    }
}
