//! What a generation yields: for each piece of the text a statement, or the reason why there is none.
//!
//! The kinds of finding are AgentCore's (`FindingType` of the control plane). An asset always has at least one finding.

/// One piece of the text and what became of it (`PolicyGenerationAsset`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The piece of the text, as it was written (`rawTextFragment`). Never empty.
    pub fragment: String,
    /// The Cedar statement: exactly one policy. `None` when the piece was not understood.
    pub statement: Option<String>,
    /// What is to be said about it, never empty.
    pub findings: Vec<Finding>,
}

impl Asset {
    /// A piece that no policy was made of, with what was not understood and what could be said instead.
    #[must_use]
    pub fn not_translatable(fragment: impl Into<String>, description: impl Into<String>) -> Self {
        let finding = Finding { kind: FindingKind::NotTranslatable, description: description.into() };
        Self { fragment: fragment.into(), statement: None, findings: vec![finding] }
    }

    /// Whether there is a statement that may become a policy as it is: one that fits the schema and has no finding that blocks
    /// it under `FAIL_ON_ANY_FINDINGS`.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.statement.is_some() && self.findings.iter().all(|finding| finding.kind == FindingKind::Valid)
    }
}

/// One thing that is to be said about an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// A sentence for whoever wrote the text.
    pub description: String,
}

/// AgentCore's kinds of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FindingKind {
    /// The statement fits the gateway's schema.
    Valid,
    /// The statement does not fit the gateway's schema.
    Invalid,
    /// The text did not become a statement.
    NotTranslatable,
    /// Every request is allowed.
    AllowAll,
    /// No request is allowed.
    AllowNone,
    /// Every request is denied.
    DenyAll,
    /// No request is denied.
    DenyNone,
}

impl FindingKind {
    /// The kind as the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::Invalid => "INVALID",
            Self::NotTranslatable => "NOT_TRANSLATABLE",
            Self::AllowAll => "ALLOW_ALL",
            Self::AllowNone => "ALLOW_NONE",
            Self::DenyAll => "DENY_ALL",
            Self::DenyNone => "DENY_NONE",
        }
    }
}

impl From<policy::FindingKind> for FindingKind {
    fn from(kind: policy::FindingKind) -> Self {
        match kind {
            policy::FindingKind::AllowAll => Self::AllowAll,
            policy::FindingKind::AllowNone => Self::AllowNone,
            policy::FindingKind::DenyAll => Self::DenyAll,
            policy::FindingKind::DenyNone => Self::DenyNone,
        }
    }
}
