//! Labels, clearances and handling rules: whether a message may take its next step.
//!
//! Three signed kinds of file say what is allowed. *Catalogues* say which labels exist; the
//! *federation* says who its members are and what each is cleared for; *rules* say how each label
//! is handled; *translations* say what labels of other policies mean here. [`Policy::compile`]
//! makes one immutable [`Policy`] of them, and [`Policy::decide`] answers.
//!
//! * Nothing is permitted that no file permits: unknown policies, levels, values, nodes and levels
//!   without a rule are all denied, and only a catalogue can make the [`Label`] that a decision
//!   needs.
//! * Rules have no order. All that match apply, and the strictest wins.
//! * A denial lists every failed check, with stable codes and in three languages.
//! * A hub may carry sealed what it may not read: *carriage* beside *clearance*.
//!
//! # For tools
//!
//! | question | asked with | people read | programs read |
//! |---|---|---|---|
//! | is the policy sound? | [`Policy::findings`], [`Policy::run_tests`] | [`Finding`] | [`TrialReport`] |
//! | do these cases hold? | [`Tester::run`] on [`Trials`] | [`TrialResult`] | [`TrialReport`] |
//! | why this decision? | [`Policy::explain`] on a [`Case`] | [`Explanation::render`] | serde |
//! | who may have this label? | [`Policy::who`] | [`Who::render`] | serde |
//! | what can go from here to there? | [`Policy::what`] | [`What::render`] | serde |
//! | what does a new policy change? | [`Policy::diff`], [`Policy::widened_by`] | [`PolicyDiff::render`] | serde |
//! | what would have come out otherwise? | [`Policy::rehearse`] on [`Record`]s | [`Rehearsed`] | serde |
//! | may a new file be put in force? | [`accept`] on a [`Candidate`] | [`Acceptance::code`] | [`Acceptance::code`] |
//!
//! Whoever activates a new file fills the [`Candidate`] with what these say: `lint_ok` when it
//! compiles and no finding [is serious](Finding::is_serious), `tests_ok` when nothing of
//! [`Policy::run_tests`] is [not held](TrialReport::not_held), `widens` from
//! [`Policy::widened_by`].
//!
//! This crate does no IO, reads no clock, verifies no signature, and neither keeps nor enforces
//! obligations: whoever calls it brings the time and verified facts, and does what the answer
//! says. The expiry of the files themselves is for the caller too.
//!
//! ```
//! use kuriiri_policy::{Catalogue, Lang, Use, admits};
//! use kuriiri_types::Timestamp;
//!
//! let catalogue = Catalogue::parse(
//!     r#"
//!     format = "label-catalogue/1"
//!     id = "urn:oid:2.25.1"
//!     name = "DEMO"
//!     serial = 1
//!     issued = 2026-01-01T00:00:00Z
//!     expires = 2027-01-01T00:00:00Z
//!     [[level]]
//!     id = "OPEN"
//!     rank = 0
//!     marking = { fi = "AVOIN", sv = "ÖPPEN", en = "OPEN" }
//!     [[level]]
//!     id = "CLOSED"
//!     rank = 1
//!     marking = { fi = "SULJETTU", sv = "STÄNGD", en = "CLOSED" }
//!     "#,
//! )?;
//! let now = Timestamp::from_millis(0);
//! let skew = std::time::Duration::ZERO;
//! let label = catalogue.resolve(&"DEMO CLOSED".parse()?, Use::Origination, now, skew)?;
//! let clearance = catalogue.clearance(&["OPEN"], &[])?;
//! let shortfall = admits(&catalogue, &label, &clearance).unwrap_err();
//! assert_eq!(shortfall.codes(&catalogue), ["LEVEL"]);
//! assert_eq!(catalogue.marking(&label, Lang::Sv), "STÄNGD");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admit;
mod approvals;
mod bits;
mod case;
mod catalogue;
mod clearance;
mod decide;
mod diff;
mod effective_label;
mod error;
mod explain;
mod facts;
mod federation;
mod file;
mod file_id;
mod gates;
mod label;
mod lint;
mod merge;
mod names;
mod nearest;
mod node_id;
mod obligations;
mod plan;
mod policy;
mod reason;
mod rehearse;
mod replace;
mod report;
mod route;
mod rules;
mod seal_keys;
mod sealed;
mod text;
mod translate;
mod trial;
mod units;
mod what;
mod who;
mod window;

pub use admit::{Shortfall, UnknownName, admits};
pub use case::{Case, CaseAlternative, CaseApproval, CaseClearance};
pub use catalogue::{Catalogue, LEVELS_MAX, NeedsPerson, TAGS_MAX, TagKind, VALUES_MAX};
pub use clearance::Clearance;
pub use decide::Decision;
pub use diff::{
    Change, ChangeKind, DIFF_CHANGES_MAX, DIFF_LABELS_MAX, DIFF_WORK_MAX, FieldChange, Note,
    PolicyDiff,
};
pub use error::{Flaw, PolicyError};
pub use explain::{
    ExplainedAct, ExplainedGate, ExplainedLabel, ExplainedLimit, ExplainedRule, Explanation,
    InForce, LabelSource,
};
pub use facts::{ALTERNATIVES_MAX, APPROVALS_MAX, Alternative, Approval, Facts};
pub use federation::{Federation, NODES_MAX, Node};
pub use file::FILE_BYTES_MAX;
pub use file_id::FileId;
pub use label::{Invalid, Label, LabelFault, Use, sole_label};
pub use lint::Finding;
pub use merge::ReceiptDemand;
pub use nearest::UnknownNode;
pub use node_id::NodeId;
pub use obligations::Obligations;
pub use plan::{KINDS_MAX, Marker};
pub use policy::{Policy, Sources};
pub use reason::{Gate, Lack, Missing, Reason, coarse};
pub use rehearse::{
    REHEARSED_MAX, Record, Rehearsal, Rehearsed, SEMANTICS, SEMANTICS_ASK_OWN, SEMANTICS_SEAL_KEYS,
};
pub use replace::{Acceptance, Candidate, SERIAL_JUMP_MAX, SIGNERS_TO_WIDEN, Version, accept};
pub use report::{Duties, ShownMarker, Told, Word};
pub use route::Route;
pub use rules::{RULES_MAX, Rules};
pub use sealed::Unsealed;
pub use text::{Lang, Phrase};
pub use translate::Translation;
pub use trial::{
    Answer, Coverage, Difference, TRIALS_MAX, Tester, TrialFault, TrialOutcome, TrialReport,
    TrialResult, Trials,
};
pub use what::{WHAT_HUBS_MAX, What, WhatForm, WhatLevel, WhatNeed, WhatRoute, WhatRule, WhatTag};
pub use who::{Access, Who, WhoNode};
