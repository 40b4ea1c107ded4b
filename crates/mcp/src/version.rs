//! The protocol versions that are spoken. Each is whole; one that is not listed is not spoken at all.

use std::fmt;

/// A revision of the protocol. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 2025-03-26: streamable HTTP, with batches.
    V2025_03_26,
    /// 2025-06-18: no batches; the version is a header on every request.
    V2025_06_18,
    /// 2025-11-25.
    V2025_11_25,
    /// 2026-07-28: no handshake and no sessions; every request says for itself what it speaks.
    V2026_07_28,
}

impl Version {
    /// All of them, the newest first.
    pub const ALL: [Self; 4] = [Self::V2026_07_28, Self::V2025_11_25, Self::V2025_06_18, Self::V2025_03_26];

    /// The newest of those that are agreed upon by `initialize`.
    pub const NEWEST_HANDSHAKE: Self = Self::V2025_11_25;

    /// The version that a request without the header `MCP-Protocol-Version` speaks (revision 2025-06-18, "Protocol
    /// Version Header").
    pub const WITHOUT_HEADER: Self = Self::V2025_03_26;

    /// The revision's date.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The version of this date.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }

    /// Whether each request stands for itself, without `initialize` and sessions (2026-07-28, "Versioning": "modern").
    #[must_use]
    pub fn is_modern(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// Whether several messages may come in one array.
    #[must_use]
    pub fn has_batches(self) -> bool {
        self == Self::V2025_03_26
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
