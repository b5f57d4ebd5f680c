//! Why not: stable codes for machines; the sentences for people are in `text`.

mod text;

use std::{fmt, sync::Arc};

use kuriiri_types::{Code, Precedence};

use crate::{label::LabelFault, text::Phrase};

/// One failed check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A node on the way, or the person at the origin, may not have it.
    Gate {
        /// Where on the way.
        gate: Gate,
        /// What the node is called.
        node: Arc<Phrase>,
        /// What it lacks.
        lack: Lack,
    },
    /// The federation has no such node.
    UnknownNode(Gate),
    /// No label, and the catalogue has no default.
    Unlabelled,
    /// The label is not under a verified signature.
    Unverified,
    /// The label is not one of its catalogue.
    Label(LabelFault),
    /// A known policy without rules, and no table or trusted alternative to translate it.
    NoEquivalence(String),
    /// The table has no translation that keeps every restriction.
    TranslationRefused(String),
    /// A trusted alternative is not what our own table says.
    AlternativeDisagrees,
    /// A rule forbids it.
    Forbidden(Arc<Phrase>),
    /// No rule says how the level is handled.
    NoRule(Arc<Phrase>),
    /// It would pass a hub and may not.
    TransitForbidden(Arc<Phrase>),
    /// It must be sealed and is not.
    SealRequired,
    /// Larger than the rules allow; both in bytes.
    TooBig {
        /// The body as carried.
        size: u64,
        /// The most that may go.
        max: u64,
    },
    /// Its time is over.
    Expired,
    /// It has passed more relays than it may.
    Hops,
    /// It would pass a relay twice.
    Loop,
    /// More urgent than the rules allow.
    Precedence(Precedence),
    /// It may not be passed on.
    OnwardForbidden,
    /// No link and no hub leads there.
    NoRoute,
    /// Something that only people can supply is missing at a relay that cannot wait for people.
    Missing(Missing),
}

/// A place on the way of a message where a clearance is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gate {
    /// Who wrote it.
    Origin,
    /// Who handed it over.
    Prev,
    /// The relay that decides, when it is a hub about to take the message.
    Own,
    /// The hub that would get it next.
    Next,
    /// The node of the recipient.
    Dest,
}

impl Gate {
    /// The word before the colon of a code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Prev => "prev",
            Self::Own => "self",
            Self::Next => "next",
            Self::Dest => "dest",
        }
    }
}

/// What a holder lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// Any clearance under the policy.
    Clearance,
    /// The role of a hub.
    Transit,
    /// The level.
    Level(Arc<Phrase>),
    /// Restrictive values, of which all are needed.
    Restrictive {
        /// The tag.
        tag: String,
        /// The missing values.
        values: String,
    },
    /// Permissive values, of which one would do.
    Permissive {
        /// The tag.
        tag: String,
        /// The values of the label.
        values: String,
    },
}

/// Something that people can still supply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// Releases by officers.
    Approvals {
        /// How many count.
        have: usize,
        /// How many are needed.
        need: usize,
    },
    /// None of the releases that count is by an officer in this role.
    ApproverRole(String),
    /// The originator's consent to passing on.
    OriginatorConsent,
}

impl Missing {
    /// The stable code.
    pub fn code(&self) -> String {
        match self {
            Self::Approvals { have, need } => format!("APPROVALS:{have}/{need}"),
            Self::ApproverRole(role) => format!("APPROVER_ROLE:{role}"),
            Self::OriginatorConsent => "ORIGINATOR_CONSENT".into(),
        }
    }
}

impl Reason {
    /// The stable code, such as `next:LEVEL`; codes are never reused with another meaning.
    pub fn code(&self) -> String {
        let plain = match self {
            Self::Gate { gate, lack, .. } => return format!("{}:{}", gate.as_str(), lack.code()),
            Self::Label(fault) => fault.code(),
            Self::Missing(missing) => return missing.code(),
            Self::UnknownNode(_) => "UNKNOWN_NODE",
            Self::Unlabelled => "UNLABELLED",
            Self::Unverified => "UNVERIFIED",
            Self::NoEquivalence(_) => "NO_EQUIVALENCE",
            Self::TranslationRefused(_) => "TRANSLATION_REFUSED",
            Self::AlternativeDisagrees => "ALTERNATIVE_DISAGREES",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::NoRule(_) => "NO_RULE",
            Self::TransitForbidden(_) => "TRANSIT_FORBIDDEN",
            Self::SealRequired => "SEAL_REQUIRED",
            Self::TooBig { .. } => "TOO_BIG",
            Self::Expired => "EXPIRED",
            Self::Hops => "HOPS",
            Self::Loop => "LOOP",
            Self::Precedence(_) => "PRECEDENCE",
            Self::OnwardForbidden => "ONWARD_FORBIDDEN",
            Self::NoRoute => "NO_ROUTE",
        };
        plain.into()
    }

    /// The coarse number: all that a foreign peer may learn, because the reason itself tells what
    /// others are cleared for.
    pub fn coarse(&self) -> Code {
        match self {
            Self::Unverified => Code::SIGNATURE,
            Self::Label(LabelFault::PolicyUnknown(_)) => Code::POLICY,
            Self::Label(_) => Code::MALFORMED,
            Self::UnknownNode(Gate::Dest) => Code::UNKNOWN_RECIPIENT,
            Self::NoRoute => Code::NO_ROUTE,
            Self::TooBig { .. } => Code::TOO_BIG,
            Self::Expired => Code::EXPIRED,
            Self::Missing(_) => Code::NEEDS_RELEASE,
            Self::Gate { .. }
            | Self::UnknownNode(_)
            | Self::Unlabelled
            | Self::NoEquivalence(_)
            | Self::TranslationRefused(_)
            | Self::AlternativeDisagrees
            | Self::Forbidden(_)
            | Self::NoRule(_)
            | Self::TransitForbidden(_)
            | Self::SealRequired
            | Self::Hops
            | Self::Loop
            | Self::Precedence(_)
            | Self::OnwardForbidden => Code::POLICY,
        }
    }
}

impl From<LabelFault> for Reason {
    fn from(fault: LabelFault) -> Self {
        Self::Label(fault)
    }
}

impl Lack {
    fn code(&self) -> String {
        match self {
            Self::Clearance => "NO_CLEARANCE".into(),
            Self::Transit => "NOT_TRANSIT".into(),
            Self::Level(_) => "LEVEL".into(),
            Self::Restrictive { tag, .. } => format!("RESTRICTIVE:{tag}"),
            Self::Permissive { tag, .. } => format!("PERMISSIVE:{tag}"),
        }
    }
}

/// One coarse number for several reasons: the one that no correction of the others would cure.
pub fn coarse(reasons: &[Reason]) -> Code {
    const BY_WEIGHT: [Code; 8] = [
        Code::SIGNATURE,
        Code::MALFORMED,
        Code::UNKNOWN_RECIPIENT,
        Code::POLICY,
        Code::NO_ROUTE,
        Code::EXPIRED,
        Code::TOO_BIG,
        Code::NEEDS_RELEASE,
    ];
    let given = |code: &Code| reasons.iter().any(|reason| reason.coarse() == *code);
    BY_WEIGHT.into_iter().find(given).unwrap_or(Code::POLICY)
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.code())
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.code())
    }
}
