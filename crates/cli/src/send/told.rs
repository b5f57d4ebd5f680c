//! What is said of each document, and what it all comes to.

use std::fmt;

use serde::Serialize;

/// How many documents, or copies of them, came how far.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    pub(super) event: &'static str,
    pub(super) documents: u64,
    pub(super) accepted: u64,
    pub(super) refused: u64,
    /// Documents that could not be read, or sent for another reason than a refusal.
    pub(super) failed: u64,
    /// Documents without an answer in time: the relay may have them or not.
    pub(super) in_doubt: u64,
    /// Documents that were not even begun.
    pub(super) not_sent: u64,
    /// Copies, one for each recipient, that came this far; only when waited for.
    pub(super) relayed: u64,
    pub(super) delivered: u64,
    pub(super) not_delivered: u64,
    /// Copies that were set aside on the way, whatever became of them later.
    pub(super) set_aside: u64,
    /// Copies that had not come as far as was waited for when the time was over.
    pub(super) unsettled: u64,
}

/// One thing that happened to one document.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    pub(super) event: &'a str,
    pub(super) file: &'a str,
    pub(super) id: Option<String>,
    pub(super) at: Option<String>,
    pub(super) size: Option<usize>,
    pub(super) sha256: Option<String>,
    pub(super) recipient: Option<String>,
    /// Whose relay says so.
    pub(super) issuer: Option<String>,
    /// Officers who have to release it before it leaves.
    pub(super) waits_for: Option<u32>,
    pub(super) code: Option<String>,
    pub(super) reasons: &'a [String],
    /// Of hearsay: what it says. It comes from a relay that is not known to have had the message, and counts
    /// for nothing.
    pub(super) says: Option<&'static str>,
}

impl<'a> Told<'a> {
    pub(super) fn of(event: &'a str, file: &'a str) -> Self {
        Self {
            event,
            file,
            id: None,
            at: None,
            size: None,
            sha256: None,
            recipient: None,
            issuer: None,
            waits_for: None,
            code: None,
            reasons: &[],
            says: None,
        }
    }
}

impl Summary {
    /// True when everything came as far as was asked for.
    pub(super) fn is_good(&self) -> bool {
        let bad = [
            self.refused,
            self.failed,
            self.in_doubt,
            self.not_sent,
            self.not_delivered,
            self.unsettled,
        ];
        bad == [0; 6]
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sent: {} accepted, {} refused", self.documents, self.accepted, self.refused)?;
        let others = [
            ("failed", self.failed),
            ("in doubt", self.in_doubt),
            ("not sent", self.not_sent),
            ("relayed", self.relayed),
            ("delivered", self.delivered),
            ("not delivered", self.not_delivered),
            ("set aside", self.set_aside),
            ("not settled in time", self.unsettled),
        ];
        others.iter().filter(|(_, n)| *n > 0).try_for_each(|(what, n)| write!(f, ", {n} {what}"))
    }
}
