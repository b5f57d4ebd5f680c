//! What two logs can be shown to contradict each other in.

use kuriiri_types::{Digest, Ministry};
use serde::{Deserialize, Serialize};

use crate::encoded::hashes;

/// Something that an evidence file is said to prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// What.
    pub kind: ClaimKind,
    /// Against whom, if against anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Ministry>,
    /// In words, for people; nothing follows from them.
    pub what: String,
    /// The root that the larger of two trees has at the size of the smaller, and the proof of it, for
    /// a split view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<GrowthProof>,
}

/// The true beginning of a tree (RFC 9162 §2.1.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrowthProof {
    /// The root that it really has at the smaller size, alone in a list.
    #[serde(with = "hashes")]
    pub root: Vec<Digest>,
    /// That the larger tree begins with it.
    #[serde(with = "hashes")]
    pub proof: Vec<Digest>,
}

/// The rows of a reconciliation that are evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimKind {
    /// A receipt names an entry of the issuer's log, and the issuer's log has another there or none.
    MissingAtReceiver,
    /// A sender's log says that a message left, and nobody has said since what became of it.
    Stalled,
    /// The receiver has a message that its sender's system signed, and the log that it is said to have
    /// come from does not say that it left.
    Unaccounted,
    /// The receiver took a message that its sender did not sign.
    UnsignedExtra,
    /// Two messages of one id, both signed by the sender's systems.
    ContentDiffers,
    /// A message was taken twice.
    Duplicate,
    /// A chain between two relays has a gap or a wrong link.
    ChainGap,
    /// One relay let a message go that the next refused.
    PolicyDivergence,
    /// A log showed two histories.
    SplitView,
}

impl ClaimKind {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingAtReceiver => "missing-at-receiver",
            Self::Stalled => "stalled",
            Self::Unaccounted => "unaccounted",
            Self::UnsignedExtra => "unsigned-extra",
            Self::ContentDiffers => "content-differs",
            Self::Duplicate => "duplicate",
            Self::ChainGap => "chain-gap",
            Self::PolicyDivergence => "policy-divergence",
            Self::SplitView => "split-view",
        }
    }
}
