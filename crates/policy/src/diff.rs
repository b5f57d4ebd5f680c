//! What a new policy does differently from the one in force: exact, before it is activated.
//!
//! Every pair of nodes, every hub between them, every level and every combination of values is
//! compared. That is possible because only few things about a value matter between two nodes: who
//! holds it, which rules name it, what it may stand with. Values that agree in all of that, in
//! both policies, are exchanged for one of them; so what is enumerated is small and what is
//! compared is everything. How large, how old, how urgent and how often released a message is
//! need no enumeration: there the merged terms are compared themselves.
//!
//! A few changes are not compared by their effect but count as widening by themselves, because
//! their effect depends on messages that nobody has written yet; [`Note`] lists them.

mod change;
mod compare;
mod context;
mod domain;
mod notes;
mod render;
mod terms;

use crate::policy::Policy;
pub use change::{
    Change, ChangeKind, DIFF_CHANGES_MAX, DIFF_LABELS_MAX, DIFF_WORK_MAX, FieldChange, Note,
    PolicyDiff,
};

impl Policy {
    /// Compares this policy, the one in force, with a new one.
    ///
    /// Compared are the decisions for messages at their origin, directly or through any one hub,
    /// for every valid label under every catalogue, and the obligations; nodes, hubs, levels,
    /// values and catalogues are identified by name (catalogues by OID). Of keys, certificates and addresses
    /// it is told that they are others, and that counts as widening.
    pub fn diff(&self, new: &Self) -> PolicyDiff {
        let mut found = compare::Found::default();
        for id in domain::catalogue_ids(self, new) {
            compare::catalogue([self, new], &id, &mut found);
        }
        notes::note_all(self, new, &mut found.notes);
        if !found.complete() {
            found.notes.push(Note {
                widens: true,
                text: "the policies are too large to be compared in full; this counts as widening"
                    .into(),
            });
        }
        found.conclude()
    }

    /// True when a new policy permits anything that this one does not, or asks less of anything:
    /// then it needs [`SIGNERS_TO_WIDEN`](crate::SIGNERS_TO_WIDEN) signers.
    pub fn widened_by(&self, new: &Self) -> bool {
        self.diff(new).widens
    }
}
