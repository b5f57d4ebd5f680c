//! Recorded decisions, taken once more: under a new policy before it is activated, or under the
//! one that was in force, to see that each of them was right.

use kuriiri_types::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    case::Case,
    decide::Decision,
    facts::Facts,
    policy::Policy,
    report::{Told, Word},
};

/// The meaning that decisions have in this version. A change of what any rule means gets another
/// number, and the old meaning is kept for old records.
pub const SEMANTICS: u32 = 3;
/// From this number on a relay that is to hand a message on asks first whether it may take it at all: the same
/// decision without a next relay.
pub const SEMANTICS_ASK_OWN: u32 = 2;
/// From this number on a message counts as sealed only if the federation file lists the keys that its header
/// names ([`check_seal`](crate::Federation::check_seal)). Before, the names of the ministries were enough.
pub const SEMANTICS_SEAL_KEYS: u32 = 3;
/// Changed decisions that are listed; further ones are counted.
pub const REHEARSED_MAX: usize = 10_000;

/// One decision as it was taken, with everything it rested on besides the policy. Enough to take
/// it again bit for bit from the archived files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Whatever names the message for who reads the outcome.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// [`SEMANTICS`] of the version that decided.
    pub semantics: u32,
    /// The facts.
    pub case: Case,
    /// What was decided.
    pub decision: Word,
    /// The stable codes: all reasons of a denial, or all that a hold waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

impl Record {
    /// Writes a decision down.
    pub fn of(
        policy: &Policy,
        id: impl Into<String>,
        now: Timestamp,
        facts: &Facts<'_>,
        decision: &Decision,
    ) -> Self {
        Self {
            id: id.into(),
            semantics: SEMANTICS,
            case: Case::of(policy, now, facts),
            decision: decision.word(),
            reasons: decision.codes(),
        }
    }
}

/// What comes out when records are decided again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Rehearsal {
    /// Records that were decided again.
    pub decided: u64,
    /// Of these, those that come out with another word or other reasons.
    pub changed: u64,
    /// Of those, the ones that come out wider: a denial that is no more, a hold that is a permit.
    pub wider: u64,
    /// Records of a newer [`SEMANTICS`], which were not decided.
    pub foreign: u64,
    /// The changed ones in the order of the records, at most [`REHEARSED_MAX`].
    pub listed: Vec<Rehearsed>,
}

/// A decision that comes out otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rehearsed {
    /// The record's id.
    pub id: String,
    /// When it was decided.
    pub at: Timestamp,
    /// The label as the originator wrote it; empty when there was none.
    pub label: String,
    /// The node whose system signed the message.
    pub from: String,
    /// The node that the recipient belongs to.
    pub to: String,
    /// What was decided then.
    pub then: Word,
    /// Why, by code.
    pub then_reasons: Vec<String>,
    /// What is decided now.
    pub now: Word,
    /// Why.
    pub now_reasons: Vec<Told>,
}

impl Policy {
    /// Decides records again and tells which come out otherwise. Nothing is sent and nothing is
    /// kept; records are taken one at a time, so there may be any number.
    ///
    /// Under the policy that was in force nothing changes: if something does, the record or the
    /// files are not those of then.
    pub fn rehearse(&self, records: impl IntoIterator<Item = Record>) -> Rehearsal {
        let mut rehearsal = Rehearsal::default();
        for record in records {
            if (1..=SEMANTICS).contains(&record.semantics) {
                rehearsal.note(record, self);
            } else {
                rehearsal.foreign += 1;
            }
        }
        rehearsal
    }
}

impl Rehearsal {
    fn note(&mut self, record: Record, policy: &Policy) {
        let decision = record.case.decide(policy);
        self.decided += 1;
        if decision.word() == record.decision && decision.codes() == record.reasons {
            return;
        }
        self.changed += 1;
        self.wider += u64::from(decision.word() > record.decision);
        if self.listed.len() < REHEARSED_MAX {
            let Record { id, case, decision: then, reasons: then_reasons, .. } = record;
            self.listed.push(Rehearsed {
                id,
                at: case.now,
                label: case.label.map_or_else(String::new, |label| label.to_string()),
                from: case.origin,
                to: case.dest,
                then,
                then_reasons,
                now: decision.word(),
                now_reasons: decision.told(),
            });
        }
    }
}
