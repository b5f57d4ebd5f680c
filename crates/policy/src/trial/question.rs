//! What a case asks.

use kuriiri_types::Timestamp;

use super::{expect::Expected, fields::TrialFault, label::GivenLabel};
use crate::{
    case::{Case, CaseClearance},
    label::Use,
    replace::{Candidate, Version},
    text::Lang,
};

/// One case, or why it is not understood.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) body: Result<(Body, Expected), TrialFault>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// Does a clearance admit a label?
    Admits {
        policy: String,
        label: GivenLabel,
        /// None: the holder has no clearance under the policy.
        clearance: Option<CaseClearance>,
        use_: Use,
        now: Timestamp,
    },
    /// May a message take its next step?
    Decide(Box<Move>),
    /// What is the label of the whole?
    Join { policy: String, labels: Vec<GivenLabel>, now: Timestamp },
    /// May a new file replace the one in force?
    Bundle { now: Timestamp, current: Option<Version>, candidate: Candidate },
    /// What do people see?
    Marking { policy: String, label: GivenLabel, lang: Lang },
}

/// A message on its way, as a case gives it.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    pub(crate) case: Case,
    /// All labels of the message; `case.label` is the first.
    pub(crate) labels: Vec<GivenLabel>,
    pub(crate) edits: Edits,
}

/// Changes to the files that hold for one case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Edits {
    pub(crate) disable_rules: Vec<String>,
    /// Node, policy (none: the first that it has), and the clearance that it has instead.
    pub(crate) clearance: Vec<Revision>,
    pub(crate) carriage: Vec<Revision>,
}

/// A clearance that a node has instead of the one in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision {
    pub(crate) node: String,
    pub(crate) policy: Option<String>,
    /// None: it has none.
    pub(crate) held: Option<(Vec<String>, Vec<String>)>,
}

impl Edits {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
