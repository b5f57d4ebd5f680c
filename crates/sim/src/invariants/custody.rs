//! What must always hold of messages and receipts in custody. Each check is called as its invariant is.

use kuriiri_engine::{
    Delivery, Done, LaneSpan, Load, Pack, PackKey, PeerState, QueueId, Seq, Status, Waiting,
};
use kuriiri_policy::{Decision, Policy};
use kuriiri_types::{
    Address, Lane, Ministry, Receipt, ReceiptKind, SignedReceipt, Timestamp, Verdict,
    limits::{
        BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, BATCHES_IN_FLIGHT_MAX, PACK_BYTES_MAX,
        PACK_MESSAGES_MAX,
    },
};

use crate::{
    failure::{Check, hold},
    judgement::{Matter, words},
    node::{Claim, Node},
    observer::{Observer, pairs},
    receiver::{Reader, Taker},
    sender::Sent,
};

// === at each commit ===

impl Observer {
    /// A stored value has a bound, and a pack has one bit for each item.
    pub(crate) fn packs_fit_a_stored_value(&self, pack: &Pack) -> Check {
        let bytes = pack.weight();
        let items = pack.items.len();
        let fits = bytes <= PACK_BYTES_MAX && (1..=PACK_MESSAGES_MAX).contains(&items);
        hold("packs_fit_a_stored_value", fits, || format!("{items} items, {bytes} bytes"))
    }

    /// Numbers in a lane of a relay's queue only ever rise, over every restart.
    pub(crate) fn sequence_numbers_never_repeat(
        &mut self,
        relay: &Ministry,
        key: &PackKey,
        pack: &Pack,
    ) -> Check {
        let lane = (relay.clone(), key.queue.clone(), key.lane);
        let last = key.first.saturating_add(pack.items.len() as u64).saturating_sub(1);
        let before = self.last_seq.insert(lane, last);
        let rises = before.is_none_or(|before| before < key.first);
        hold("sequence_numbers_never_repeat", rises, || {
            format!("{relay}: {key:?} comes after {before:?}")
        })
    }

    /// Over all time, a message is put into a mailbox once at most.
    pub(crate) fn no_mailbox_holds_a_message_twice(
        &mut self,
        message: &Sent,
        address: &Address,
    ) -> Check {
        let is_new = self.boxed.insert((message.leaf, address.clone()));
        hold("no_mailbox_holds_a_message_twice", is_new, || {
            format!("{} of {} in {address}", message.index, message.system)
        })
    }

    /// What one system sent with one precedence stands in each mailbox in the order in which the
    /// system handed it over. A message that some relay was once about to refuse, and then took
    /// when it was handed over again, may stand later; so may one that waited in a hold.
    pub(crate) fn messages_are_boxed_in_order(
        &mut self,
        message: &Sent,
        address: &Address,
        seq: Seq,
    ) -> Check {
        if self.once_refused.contains(&message.leaf) || self.once_held.contains(&message.leaf) {
            return Ok(());
        }
        let line = (message.system.clone(), message.header.lane(), address.clone());
        let before = self.last_boxed.insert(line, message.index);
        let rises = before.is_none_or(|before| before < message.index);
        hold("order_is_kept", rises, || {
            let (index, system) = (message.index, &message.system);
            format!("{address} gets {index} of {system} as {seq:#x} after {before:?}")
        })
    }

    /// A relay says a thing once: of a message and a recipient, one receipt of a kind.
    pub(crate) fn no_receipt_stands_twice(&mut self, to: &Address, receipt: &Receipt) -> Check {
        let Receipt { sender, kind, issuer, .. } = receipt;
        hold("receipts_are_genuine", sender == to, || format!("for {sender}, kept for {to}"))?;
        for (message, recipient) in pairs(receipt) {
            let said = (message, recipient, *kind, issuer.clone());
            let is_new = self.said.insert(said);
            hold("no_receipt_stands_twice", is_new, || {
                format!("{kind} of {message:?}, said by {issuer}: {receipt:?}")
            })?;
        }
        Ok(())
    }

    /// A receipt ends its time in a queue when a reader has had it, not before.
    pub(crate) fn no_receipt_goes_unread(&self, node: &Node, key: &PackKey, done: Done) -> Check {
        let QueueId::Receipts(address) = &key.queue else {
            return Ok(());
        };
        let items = node.disk.packs.get(key).map_or(0, |pack| pack.items.len());
        let ended = (key.first..).take(items).enumerate().filter(|(bit, _)| done >> bit & 1 == 1);
        for (_, seq) in ended {
            let was_read = self.read.contains(&(address.clone(), seq));
            hold("no_receipt_goes_unread", was_read, || format!("{seq:#x} of {address}"))?;
        }
        Ok(())
    }

    // === at each answer ===

    /// What is acknowledged is on the disk of the relay that says so, and what is refused is not
    /// in its custody: else its giver would answer for it a second time.
    pub(crate) fn acknowledged_only_after_commit(
        &self,
        relay: &Ministry,
        claims: &[Option<Claim>],
        verdicts: &[Verdict],
    ) -> Check {
        let counts = claims.len() == verdicts.len();
        hold("each_gets_one_verdict", counts, || format!("{relay}: {}", verdicts.len()))?;
        for (claim, verdict) in claims.iter().zip(verdicts) {
            let Some(claim) = claim else { continue };
            let held = (relay.clone(), claim.leaf, claim.dest.clone());
            let held = self.held.contains(&held);
            let detail = || format!("{relay} says {verdict:?} of {claim:?}");
            match verdict {
                Verdict::Accepted { .. } => hold("acknowledged_only_after_commit", held, detail)?,
                Verdict::Refused(_) => {
                    let may_be_held = self.are_clocks_far_apart;
                    hold("refused_is_not_held", !held || may_be_held, detail)?;
                }
                Verdict::Busy | Verdict::Later(_) => {}
            }
        }
        Ok(())
    }

    // === at each hand-over ===

    /// Nothing goes to a relay that the rules in force do not let have it, now; nor outside the
    /// hours in which it may leave.
    pub(crate) fn nothing_reaches_an_uncleared_relay(
        &self,
        now: Timestamp,
        policy: &Policy,
        (at, next): (&Ministry, &Ministry),
        load: &Load,
    ) -> Check {
        let Load::Parcel { dest, path, envelope, approvals, .. } = load else {
            return Ok(());
        };
        let message = self.signed_bytes_are_verbatim(envelope)?;
        self.released_by_enough_officers(now, at, &message, approvals)?;
        let words = words(&self.cast, now, &message, approvals);
        let message = &*message;
        let matter = Matter { message, at, next: Some(next), dest, path, words: &words };
        let decision = matter.decide(now, policy);
        let label = &message.header.label;
        let terms = match &decision {
            Decision::Permit(terms) => Some(terms),
            Decision::Hold(..) | Decision::Deny(_) => None,
        };
        hold("nothing_reaches_an_uncleared_relay", terms.is_some(), || {
            format!("{at} hands {label:?} for {dest} to {next}: {decision:?}")
        })?;
        let is_time = terms.is_none_or(|terms| policy.may_leave(terms, now));
        hold("nothing_leaves_outside_its_hours", is_time, || {
            format!("{at} hands {label:?} for {dest} to {next} at {now}")
        })
    }

    /// Batches are within their bounds, and so is what is under way in a lane of a link.
    pub(crate) fn batches_are_bounded(&self, load: &[Load], under_way: usize) -> Check {
        let size = |load: &Load| match load {
            Load::Parcel { body, .. } => body.len(),
            Load::Receipt(_) => 0,
        };
        let (items, bytes) = (load.len(), load.iter().map(size).sum::<usize>());
        let fits = (1..=BATCH_MESSAGES_MAX).contains(&items)
            && (items == 1 || bytes <= BATCH_BYTES_MAX)
            && under_way <= BATCHES_IN_FLIGHT_MAX;
        hold("batches_are_bounded", fits, || {
            format!("{items} items, {bytes} bytes, {under_way} batches under way")
        })
    }

    /// A mailbox is handed out in its order: what is handed out for the first time stands after
    /// all that was handed out before. And no receiver holds more than it asked for.
    pub(crate) fn messages_are_handed_out_in_order(
        &mut self,
        taker: &Taker,
        items: &[Delivery],
    ) -> Check {
        let within = taker.unconfirmed <= taker.credit as usize;
        hold("credit_is_kept", within, || format!("{} has {}", taker.mailbox, taker.unconfirmed))?;
        for Delivery { ticket, .. } in items {
            let line = self.handed.entry((taker.mailbox.clone(), ticket.lane)).or_default();
            let last = line.last().copied();
            let in_order = last.is_none_or(|last| last < ticket.seq) || line.contains(&ticket.seq);
            line.insert(ticket.seq);
            hold("order_is_kept", in_order, || {
                format!("{} hands out {ticket:?} after {last:?}", taker.mailbox)
            })?;
        }
        Ok(())
    }

    /// A watch is shown every receipt that stands between where it was and where it is told that
    /// it is.
    pub(crate) fn watches_miss_nothing(
        &self,
        node: &Node,
        reader: &Reader,
        shown: &[(Seq, SignedReceipt)],
        next: Seq,
    ) -> Check {
        let Some(from) = reader.cursor.or(reader.from).filter(|_| reader.watches) else {
            return Ok(());
        };
        let queue = QueueId::Receipts(reader.address.clone());
        let stands = node.disk.open(&queue, Lane::Receipts).map(|(seq, _)| seq);
        let missed = stands
            .filter(|seq| (from..next).contains(seq))
            .find(|seq| !shown.iter().any(|(s, _)| s == seq));
        hold("watches_miss_nothing", missed.is_none(), || {
            format!("{} was not shown {missed:x?} of {from:#x}..{next:#x}", reader.address)
        })
    }

    // === when all is quiet ===

    /// Each recipient of each acknowledged message has it, or the sender knows that not; and what
    /// a receiver has confirmed, the sender knows too.
    pub(crate) fn no_acknowledged_message_lost(&self) -> Check {
        if self.are_clocks_far_apart {
            return Ok(());
        }
        for message in self.acknowledged.iter().filter_map(|leaf| self.sent.get(leaf)) {
            for recipient in &message.header.to {
                let pair = (message.leaf, recipient.address.clone());
                let told = self.finals.contains_key(&pair);
                hold("no_acknowledged_message_lost", told, || {
                    let confirmed = self.confirmed.contains(&pair);
                    let (index, system, to) = (message.index, &message.system, &pair.1);
                    format!("{index} of {system} to {to}; confirmed by a receiver: {confirmed}")
                })?;
            }
        }
        for pair in &self.settled {
            let told = self.finals.get(pair).is_some_and(|f| f.contains(&ReceiptKind::Delivered));
            hold("no_acknowledged_message_lost", told, || format!("no receipt of {pair:?}"))?;
        }
        Ok(())
    }

    /// A relay that has nothing to do holds nothing: no item, no body, and no body's reference.
    pub(crate) fn nothing_is_left_behind(&self, node: &Node) -> Check {
        let home = &node.home;
        let pack = node.disk.packs.keys().next();
        hold("nothing_is_left_behind", pack.is_none(), || format!("{home}: {pack:?}"))?;
        let held = node.disk.holds.keys().next();
        hold("nothing_is_left_behind", held.is_none(), || format!("{home}: hold {held:?}"))?;
        let body = node.disk.bodies.keys().next();
        hold("nothing_is_left_behind", body.is_none(), || format!("{home}: body file {body:?}"))
    }

    /// The counts of references to body files are those that the items make.
    pub(crate) fn references_are_counted(&self, node: &Node) -> Check {
        let (made, counted) = node.disk.references();
        hold("references_are_counted", made == counted, || {
            format!("{}: {made} made, {counted} counted", node.home)
        })
    }

    /// A relay in which nothing waits says so. Its counts may be too high where it has taken over
    /// a lane from the run before and not read it to its end since.
    pub(crate) fn what_waits_is_counted(&self, node: &Node, status: &Status) -> Check {
        let peers = status.peers.iter().map(|peer: &PeerState| &peer.waiting);
        let wrong = status.mailboxes.iter().chain(peers).find(|waiting: &&Waiting| {
            let is_exact = !node.found.iter().any(|lane| self.is_unread(lane, &waiting.name));
            waiting.oldest.is_some() || (is_exact && waiting.messages != 0)
        });
        hold("what_waits_is_counted", wrong.is_none(), || format!("{}: {wrong:?}", node.home))
    }

    /// True when nothing of this lane was handed out that came after it was found.
    fn is_unread(&self, found: &LaneSpan, name: &str) -> bool {
        match &found.queue {
            QueueId::Outbox(ministry) => ministry.as_str() == name,
            QueueId::Receipts(_) | QueueId::MailboxAside(_) | QueueId::OutboxAside(_) => false,
            QueueId::Mailbox(address) => {
                let handed = self.handed.get(&(address.clone(), found.lane));
                let is_read = handed.and_then(|h| h.last()).is_some_and(|seq| *seq > found.last);
                address.to_string() == name && !is_read
            }
        }
    }
}
