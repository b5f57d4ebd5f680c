//! What an auditor does with the transparency logs of relays: offline, without asking anything, and
//! without believing the operator of any of them.
//!
//! - [`audit`] checks one log from its first entry to its last, and [`Known`] holds it against what
//!   others kept of it: a log that its operator rewrote is whole in itself.
//! - [`reconcile`] holds the logs of two ministries against each other, and writes a file of evidence
//!   for each contradiction that stands alone.
//! - [`bundle_of`] gathers the evidence of one message from both sides, [`prove`] that of one entry,
//!   and [`export`] a part of a log for somebody who may not see the rest; [`check_bundle`],
//!   [`check_receipt`] and [`check_export`] are their other halves.
//! - [`find`] and [`summary`] only read.
//!
//! Everything comes to [`Findings`]: by [`Check`] how much was looked at, and what was wrong
//! ([`Weight::Fault`]), could not be checked ([`Weight::Unchecked`]), is not so yet
//! ([`Weight::NotYet`]) or is good to know. A program exits with 0, 1 or 2 by them ([`Findings::exit`]).
//!
//! In `docs/`: [format and rules](../docs/evidence.md), [findings](../docs/findings.md), [what they prove](../docs/what-the-evidence-proves.md).
//!
//! # What entries say, and headers beside them
//!
//! One entry says one thing about many messages, which it names by ids and digests of their headers. The
//! headers are beside the log. From an entry alone follows that a system signed its messages; with the
//! headers each decision is taken again, message by message. A header may be missing only if the log
//! itself says that it was pruned after its time, or erased; then what cannot be known because of it is
//! told as a note ([`Gone`]). Any other missing header is a fault, and so is one that is another than the
//! entry names. Messages are counted once for every entry and recipient, entries once.
//!
//! # Whom it believes
//!
//! Logs, witnesses and their quorum come from the auditor's own policy file (C2SP `tlog-policy`), in
//! [`Anchors`]. A witness of the log's own ministry counts for nothing. Certificate authorities and the
//! keys of other logs come from the federation file that was in force, which the log shows with its
//! signatures. Whether to believe that file the auditor says, with federation files and certificates of
//! stewards of their own; without these the report says what it took on faith. Revocation is not in a log
//! and not checked.
//!
//! # What is held against whom
//!
//! A finding is *against* a ministry only if its own signatures contradict each other, or the rules that it
//! says it obeys. What another ministry's log says, what a copy lacks, and what clocks showed is never
//! against anybody: it is told as what could not be checked, with what would settle it.
//!
//! # What grows
//!
//! A log of any size is read in one go through a window of bundles. Besides that window there grow:
//! one record of 48 bytes for each message that an entry names, and 88 more for each that it names first, beyond [`SPILL_BYTES_MAX`] in files beside
//! (in the folder for temporary files); one hash for each message of minutes that are not summed up
//! yet, up to a million, and one for each act of an officer; the certificates and signed files that
//! the log shows, each once, and the rules compiled from the last sets of them; distinct checkpoints
//! that others kept, 56 bytes each; and findings, up to [`FINDINGS_MAX`] of each weight.
//!
//! This crate does NOT reach a network, write to a log, or keep a key. It knows the formats of C2SP
//! through `kuriiri-tlog` and entries through `kuriiri-wire`, and shares with a relay only the crates
//! that say what words, labels, signatures and trees mean; not the engine that wrote the log.
//!
//! ```no_run
//! use kuriiri_verify::{Anchors, AuditOptions, LogFolder, audit};
//!
//! let anchors = Anchors::read("auditor.policy".as_ref())?;
//! let folder = LogFolder::open("sm-log".as_ref())?;
//! let report = audit(&folder, &anchors, AuditOptions::default(), |_read| {});
//! for finding in report.findings.listed() {
//!     println!("{finding}");
//! }
//! assert_eq!(report.findings.exit(), 0);
//! # Ok::<(), kuriiri_verify::FolderError>(())
//! ```

mod audit;
mod bundle;
mod check_entry;
mod contradiction;
mod copy;
mod encoded;
mod export;
mod few;
mod finding;
mod flaws;
mod folder;
mod found;
mod heads;
mod histories;
mod html;
mod kept_checkpoints;
mod nodes;
mod order;
mod partial_log;
mod query;
mod receipt;
mod reconcile;
mod rules;
mod scan;
mod signed_tree;
mod spill;
mod timeline;
mod trace;
mod tree;
mod trusted;

pub use audit::{AuditOptions, Gone, LogReport, audit};
pub use bundle::{
    BUNDLE_FORMAT, BundleReport, EVIDENCE_FORMAT, LogPart, MessageBundle, Proved, Restated,
    bundle_of, check_bundle, evidence_of,
};
pub use contradiction::{Claim, ClaimKind, GrowthProof};
pub use export::{EXPORT_FORMAT, ExportReport, Manifest, Selection, check_export, export};
pub use finding::{Check, FINDINGS_MAX, Finding, Findings, Tally, Weight, printable};
pub use folder::{FolderError, LogFolder};
pub use histories::Fates;
pub use html::{fates as fates_of, log_page, reconcile_page};
pub use kept_checkpoints::Known;
pub use query::{Summary, Told, find, prove, summary};
pub use receipt::{ReceiptReport, Stated, check_receipt, read_receipt};
pub use reconcile::{
    EVIDENCE_MAX, Minutes, ReconcileOptions, ReconcileReport, Row, Side, reconcile,
};
pub use rules::Contents;
pub use spill::SPILL_BYTES_MAX;
pub use timeline::{Span, Timeline};
pub use trusted::Anchors;
