//! What is known of a world from outside its relays: who sent what, and what became of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kuriiri_engine::{Commit, Done, Hold, HoldNumber, Item, Pack, PackKey, QueueId, Seq, Write};
use kuriiri_types::{
    Address, Digest, Envelope, Lane, Ministry, Receipt, ReceiptKind, SignedReceipt, SpiffeId,
    Timestamp, Verdict,
};

use crate::{
    cast::Cast,
    failure::Check,
    logbook::Logbook,
    node::{Claim, Node},
    sender::Sent,
};

/// Everything that invariants need to know.
pub(crate) struct Ledger {
    pub(crate) cast: Arc<Cast>,
    /// Every message that was ever signed.
    pub(crate) sent: BTreeMap<Digest, Arc<Sent>>,
    /// Messages of which their system heard that they are taken.
    pub(crate) acknowledged: BTreeSet<Digest>,
    /// Messages that a relay was ever about to refuse; a repeat may be taken after later ones.
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
    pub(crate) books: BTreeMap<Ministry, Logbook>,
    /// The receipts that anybody was ever handed: whose log, which place, which leaf.
    pub(crate) shown: BTreeSet<(Ministry, u64, Digest)>,
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

impl Ledger {
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
            books: BTreeMap::new(),
            shown: BTreeSet::new(),
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
            if let (Some(claim), Verdict::Refused(_)) = (claim, verdict) {
                self.once_refused.insert(claim.leaf);
            }
        }
    }

    /// A commit is about to become durable.
    pub(crate) fn on_commit(&mut self, now: Timestamp, node: &Node, commit: &Commit) -> Check {
        self.fresh = Fresh::default();
        let decided = self.on_append(&node.home, commit.log.as_ref())?;
        for write in &commit.writes {
            match write {
                Write::PutPack(key, pack) => self.on_pack(now, node, key, pack)?,
                Write::DeletePack(key) => self.no_receipt_goes_unread(node, key, Done::MAX)?,
                Write::PutDone(key, done) => self.no_receipt_goes_unread(node, key, *done)?,
                Write::PutHold(number, held) => self.on_hold(node, *number, held)?,
                Write::DeleteHold(number) => self.on_hold_ends(node, *number),
                Write::PutDue(..)
                | Write::DeleteDue(..)
                | Write::PutSeen { .. }
                | Write::ForgetSeen { .. }
                | Write::PutCertificate(_)
                | Write::PutStart(_)
                | Write::PutSeenLog(..) => {}
            }
        }
        self.no_hold_vanishes(node, commit)?;
        for (at, decided) in &decided {
            self.decisions_replay(&node.home, *at, decided)?;
        }
        self.headers_leave_as_the_log_says(&node.home, commit)
    }

    fn on_pack(&mut self, now: Timestamp, node: &Node, key: &PackKey, pack: &Pack) -> Check {
        self.packs_fit_a_stored_value(pack)?;
        if node.disk.packs.contains_key(key) {
            // Bodies are erased in it; whether that is all, the disk sees.
            return Ok(());
        }
        self.sequence_numbers_never_repeat(&node.home, key, pack)?;
        let mut proofs = self.proofs_of(pack)?.into_iter();
        for (seq, item) in (key.first..).zip(&pack.items) {
            if let Item::Parcel(parcel) = item {
                let header = parcel.header.clone();
                let envelope = proofs.next().map(|(_, proof)| Envelope { header, proof });
                envelope.map_or(Ok(()), |it| self.signed_bytes_are_verbatim(&it).map(drop))?;
            }
            self.on_item(now, node, (key, seq), item)?;
        }
        Ok(())
    }

    /// A hold is custody, of a message that will overtake none and may be overtaken by any.
    fn on_hold(&mut self, node: &Node, number: HoldNumber, held: &Hold) -> Check {
        let message = self.signed_bytes_are_verbatim(&held.envelope)?;
        self.holds_stay_what_they_are(node, number, held)?;
        for dest in [None].into_iter().chain(held.dests.iter().cloned().map(Some)) {
            self.held.insert((node.home.clone(), message.leaf, dest));
        }
        self.once_held.insert(message.leaf);
        Ok(())
    }

    fn on_hold_ends(&mut self, node: &Node, number: HoldNumber) {
        let held = node.disk.holds.get(&number);
        self.fresh.ended.extend(held.map(|held| kuriiri_merkle::leaf(&held.envelope.header)));
    }

    fn on_item(
        &mut self,
        now: Timestamp,
        node: &Node,
        (key, seq): (&PackKey, Seq),
        item: &Item,
    ) -> Check {
        match item {
            Item::Receipt(index) => {
                let receipt = self.queued_receipt(node, *index)?;
                if receipt.code.is_some() && receipt.issuer == node.home {
                    self.fresh.told.extend(pairs(&receipt));
                }
                if let QueueId::Receipts(address) = &key.queue {
                    self.no_receipt_stands_twice(address, &receipt)?;
                }
                Ok(())
            }
            Item::Parcel(parcel) => {
                let message = self.sent_with(&parcel.header)?;
                let taken = (&*message, parcel);
                self.released_by_enough_officers(now, &node.home, &message, &parcel.approvals)?;
                self.nothing_is_taken_against_the_rules(now, node, &key.queue, taken)?;
                self.fresh.queued.insert((message.leaf, parcel.dest.clone()));
                for dest in [None, Some(parcel.dest.clone())] {
                    self.held.insert((node.home.clone(), message.leaf, dest));
                }
                let QueueId::Mailbox(address) = &key.queue else {
                    return Ok(());
                };
                self.no_mailbox_holds_a_message_twice(&message, address)?;
                self.messages_are_boxed_in_order(&message, address, seq)
            }
        }
    }

    /// A system has read a receipt.
    pub(crate) fn on_read(&mut self, signed: &SignedReceipt) -> Check {
        let receipt = self.receipts_are_genuine(signed)?;
        self.what_is_read_is_logged(&receipt, signed)?;
        if receipt.kind.is_final() {
            for pair in pairs(&receipt) {
                self.finals.entry(pair).or_default().insert(receipt.kind);
            }
        }
        Ok(())
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
