//! Policies that are written from plain language: what was asked for, and what became of it.
//!
//! A generation belongs to an engine and is about one gateway. Its text and its assets are the owner's words and live for
//! seven days; what may be known without them is its summary.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Arn, GenerationStatus, PolicyEngineId, PolicyGenerationId, Scope, Timestamp};

/// How long a generation is kept (API reference, `PolicyGenerationAsset`: seven days).
pub const GENERATION_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A generation of policies (API type `PolicyGeneration`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyGeneration {
    /// Its identifier.
    pub id: PolicyGenerationId,
    /// The engine it is in.
    pub engine: PolicyEngineId,
    /// Whose it is and where.
    pub scope: Scope,
    /// Its name, unique in its engine.
    pub name: String,
    /// The gateway that the policies are about.
    pub gateway: Arn,
    /// What was asked for, 1 to 2,000 characters.
    pub text: String,
    /// What was made of it: one asset for each piece of the text.
    pub assets: Vec<GenerationAsset>,
    /// Where it is in its life.
    pub status: GenerationStatus,
    /// Why it is there, when that needs saying.
    pub status_reasons: Vec<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
    /// When it is taken away.
    pub expires_at: Timestamp,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

impl PolicyGeneration {
    /// What may be known of it without the text and what was made of it.
    #[must_use]
    pub fn summary(&self) -> GenerationSummary {
        GenerationSummary {
            id: self.id.clone(),
            engine: self.engine.clone(),
            scope: self.scope.clone(),
            name: self.name.clone(),
            gateway: self.gateway.clone(),
            status: self.status,
            findings: self.findings(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// How many pieces of the text became what: `2 VALID, 1 NOT_TRANSLATABLE`. `None` before that is known.
    #[must_use]
    pub fn findings(&self) -> Option<String> {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for finding in self.assets.iter().flat_map(|asset| &asset.findings) {
            match counts.iter_mut().find(|(kind, _)| *kind == finding.kind.as_str()) {
                Some((_, count)) => *count += 1,
                None => counts.push((finding.kind.as_str(), 1)),
            }
        }
        let told: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// One piece of the text and what became of it (API type `PolicyGenerationAsset`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationAsset {
    /// Its identifier, unique in its generation.
    pub id: String,
    /// The piece of the text.
    pub fragment: String,
    /// The statement, when one was made.
    pub statement: Option<String>,
    /// What is to be said about it.
    pub findings: Vec<GenerationFinding>,
}

/// One thing that is to be said about an asset (API type `Finding`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationFinding {
    /// Its kind.
    pub kind: GenerationFindingKind,
    /// A sentence for whoever wrote the text.
    pub description: String,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)?) => {
        /// The kinds of finding (API type `FindingType`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum GenerationFindingKind { $($(#[$doc])* #[serde(rename = $text)] $variant),* }

        impl GenerationFindingKind {
            /// The kind as the API writes it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

kinds! {
    /// The statement fits the gateway's schema.
    Valid = "VALID",
    /// The statement does not fit the gateway's schema.
    Invalid = "INVALID",
    /// The piece did not become a statement.
    NotTranslatable = "NOT_TRANSLATABLE",
    /// Every request is allowed.
    AllowAll = "ALLOW_ALL",
    /// No request is allowed.
    AllowNone = "ALLOW_NONE",
    /// Every request is denied.
    DenyAll = "DENY_ALL",
    /// No request is denied.
    DenyNone = "DENY_NONE",
}

/// What may be known of a generation without its text, and so without the key that the text is sealed under
/// (API type `PolicyGenerationSummary`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationSummary {
    /// Its identifier.
    pub id: PolicyGenerationId,
    /// The engine it is in.
    pub engine: PolicyEngineId,
    /// Whose it is and where.
    pub scope: Scope,
    /// Its name, unique in its engine.
    pub name: String,
    /// The gateway that the policies are about.
    pub gateway: Arn,
    /// Where it is in its life.
    pub status: GenerationStatus,
    /// How many pieces of the text became what.
    pub findings: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
}
