//! What happens is held against the invariants: commits of relays, and receipts that systems read.

use kuriiri_engine::{Commit, Done, Hold, HoldNumber, Item, Pack, PackKey, QueueId, Seq, Write};
use kuriiri_types::{Envelope, SignedReceipt, Timestamp};

use crate::{
    failure::Check,
    node::Node,
    observer::{Fresh, Observer, pairs},
};

impl Observer {
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
}
