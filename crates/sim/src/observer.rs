//! What is known of a world from outside its relays: who sent what, and what became of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kuriiri_engine::{QueueId, Seq};
use kuriiri_types::{Address, Digest, Lane, Ministry, Receipt, ReceiptKind, SpiffeId, Verdict};

use crate::{cast::Cast, committed_log::CommittedLog, node::Claim, sender::Sent};

/// Everything that invariants need to know.
pub(crate) struct Observer {
    pub(crate) cast: Arc<Cast>,
    /// Every message that was ever signed.
    pub(crate) sent: BTreeMap<Digest, Arc<Sent>>,
    /// Messages of which their system heard that they are taken.
    pub(crate) acknowledged: BTreeSet<Digest>,
    /// Messages that a relay was ever about to refuse, or put off; they may be taken after later ones.
    pub(crate) once_refused: BTreeSet<Digest>,
    /// Messages that ever waited in a hold: others may have gone before them.
    pub(crate) once_held: BTreeSet<Digest>,
    /// Which relay has ever held which message, for which ministry and at all, as committed.
    pub(crate) held: BTreeSet<(Ministry, Digest, Option<Ministry>)>,
    /// What was ever put into a mailbox.
    pub(crate) boxed: BTreeSet<(Digest, Address)>,
    /// The last message of a system put into a mailbox.
    pub(crate) last_boxed: BTreeMap<(SpiffeId, Lane, Address), u64>,
    /// The last number given out in a lane.
    pub(crate) last_seq: BTreeMap<(Ministry, QueueId, Lane), Seq>,
    /// The numbers ever handed to a receiver, the last of each lane.
    pub(crate) handed: BTreeMap<(Address, Lane), BTreeSet<Seq>>,
    /// What a receiver has confirmed.
    pub(crate) confirmed: BTreeSet<(Digest, Address)>,
    /// What a receiver has heard to be confirmed durably.
    pub(crate) settled: BTreeSet<(Digest, Address)>,
    /// What was ever put into a queue of receipts: message, recipient, what, by whom.
    pub(crate) said: BTreeSet<(Digest, Address, ReceiptKind, Ministry)>,
    /// The receipts that a reader who consumes them has had in its hands.
    pub(crate) read: BTreeSet<(Address, Seq)>,
    /// The final receipts that a system has read.
    pub(crate) finals: BTreeMap<(Digest, Address), BTreeSet<ReceiptKind>>,
    /// What was ever committed to the log of each relay.
    pub(crate) logs: BTreeMap<Ministry, CommittedLog>,
    /// The receipts that anybody was ever handed: whose log, which place, which leaf.
    pub(crate) shown: BTreeSet<(Ministry, u64, Digest)>,
    /// Relays refuse what others made, because it is of a time that they do not believe. What they said
    /// before may then be refused when it comes again, and receipts are lost.
    pub(crate) are_clocks_far_apart: bool,
    /// What the last commit did.
    pub(crate) fresh: Fresh,
}

/// What became of messages in one commit.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    /// Copies that were put into a queue.
    pub(crate) queued: BTreeSet<(Digest, Ministry)>,
    /// Recipients of whom the relay said that they will not have it.
    pub(crate) told: BTreeSet<(Digest, Address)>,
    /// Messages that waited in a hold until now.
    pub(crate) ended: BTreeSet<Digest>,
}

impl Observer {
    pub(crate) fn new(cast: Arc<Cast>) -> Self {
        Self {
            cast,
            sent: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            once_refused: BTreeSet::new(),
            once_held: BTreeSet::new(),
            held: BTreeSet::new(),
            boxed: BTreeSet::new(),
            last_boxed: BTreeMap::new(),
            last_seq: BTreeMap::new(),
            handed: BTreeMap::new(),
            confirmed: BTreeSet::new(),
            settled: BTreeSet::new(),
            said: BTreeSet::new(),
            read: BTreeSet::new(),
            finals: BTreeMap::new(),
            logs: BTreeMap::new(),
            shown: BTreeSet::new(),
            are_clocks_far_apart: false,
            fresh: Fresh::default(),
        }
    }

    pub(crate) fn on_composed(&mut self, messages: Vec<Arc<Sent>>) {
        self.sent.extend(messages.into_iter().map(|message| (message.leaf, message)));
    }

    /// A system hears the verdict of its message.
    pub(crate) fn on_heard(&mut self, message: &Sent, verdict: &Verdict) {
        if matches!(verdict, Verdict::Accepted { .. }) {
            self.acknowledged.insert(message.leaf);
        }
    }

    /// A relay has decided on a batch, whether or not it lives to say so.
    pub(crate) fn on_decided(&mut self, claims: &[Option<Claim>], verdicts: &[Verdict]) {
        for (claim, verdict) in claims.iter().zip(verdicts) {
            if let (Some(claim), Verdict::Refused(_) | Verdict::Later(_)) = (claim, verdict) {
                self.once_refused.insert(claim.leaf);
            }
        }
    }

    /// Messages and recipients that were confirmed and of which a relay also said no.
    pub(crate) fn contradictions(&self) -> usize {
        self.finals.values().filter(|kinds| kinds.len() > 1).count()
    }
}

/// The messages and recipients that a receipt speaks of.
pub(crate) fn pairs(receipt: &Receipt) -> impl Iterator<Item = (Digest, Address)> {
    receipt.subjects.iter().map(|told| (told.subject.header, told.recipient.clone()))
}
