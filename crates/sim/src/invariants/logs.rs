//! What must always hold of the transparency logs. Each check is called as its invariant is.

use std::collections::BTreeSet;

use bytes::Bytes;
use kuriiri_engine::{LogAppend, LogHead};
use kuriiri_merkle::leaf;
use kuriiri_policy::{Case, CaseApproval, CaseClearance, Decision, Policy};
use kuriiri_tlog::Checkpoint;
use kuriiri_types::{
    Address, Code, Decided, Digest, Entry, Header, LogEvent, LoggedRuling, Ministry, Receipt,
    ReceiptKind, SignedApproval, SignedReceipt, Subject, Timestamp, Verdict,
    limits::CLOCK_SKEW_MAX,
};
use kuriiri_wire::{approval, entry, header, receipt};

use super::{statements::one_entry_for_one_statement, sums::sums_add_up};
use crate::{
    committed_log::{CommittedLog, Copied, Statement, statements},
    failure::{Check, Failure, hold},
    network::Cargo,
    node::{Claim, Node},
    observer::Observer,
};

const NOTHING: Digest = Digest([0; 32]);

// === at each commit ===

impl Observer {
    /// Takes in what a commit appends to a relay's log. Gives the decisions among it.
    pub(crate) fn on_append(
        &mut self,
        home: &Ministry,
        append: Option<&LogAppend>,
    ) -> Result<Vec<(Timestamp, Decided)>, Failure> {
        let mut log = self.logs.remove(home).unwrap_or_default();
        log.turn_page();
        let mut decided = Vec::new();
        if let Some(append) = append {
            self.log_append_only(home, &log, append)?;
            for (index, bytes) in (append.first..).zip(&append.entries) {
                let read = entry::decode(bytes);
                let error = read.as_ref().err().map(ToString::to_string).unwrap_or_default();
                hold("entries_can_be_read", read.is_ok(), || format!("{home}: {error}"))?;
                let Ok(entry) = read else { continue };
                channels_are_contiguous(home, &log, &entry)?;
                let headers = append.headers.iter().find(|(place, _)| *place == index);
                let headers = headers.map_or(&[][..], |(_, headers)| headers);
                self.entry_holds(home, &log, &entry, headers)?;
                decided.extend(log.note(bytes, entry, headers));
            }
            self.log_is_signed_as_it_stands(home, &log, append)?;
        }
        self.logs.insert(home.clone(), log);
        Ok(decided)
    }

    /// What is appended comes after all that was ever committed.
    fn log_append_only(&self, home: &Ministry, log: &CommittedLog, append: &LogAppend) -> Check {
        let size = log.tree.size();
        hold("log_append_only", append.first == size, || {
            format!("{home} has written {size} entries and goes on at {}", append.first)
        })
    }

    /// Head and checkpoint are those of everything that was ever committed.
    fn log_is_signed_as_it_stands(
        &self,
        home: &Ministry,
        log: &CommittedLog,
        append: &LogAppend,
    ) -> Check {
        let frontier = log.tree.frontier();
        let LogHead { size, frontier: nodes, .. } = &append.head;
        let is_head = *size == frontier.size() && *nodes == frontier.nodes();
        let key = self.cast.houses.get(home).map(|house| house.log.verifier_key());
        let signed = key.and_then(|key| Checkpoint::verify(&append.checkpoint, key).ok());
        let is_signed =
            signed.is_some_and(|s| (s.size, s.root) == (log.tree.size(), log.tree.root()));
        hold("log_append_only", is_head && is_signed, || {
            format!("{home} does not sign what stands: {}", log.tree.size())
        })
    }

    /// What must hold of a single entry and the headers beside it.
    fn entry_holds(
        &self,
        home: &Ministry,
        log: &CommittedLog,
        entry: &Entry,
        headers: &[Bytes],
    ) -> Check {
        self.headers_stand_beside_their_entry(home, log, &entry.event, headers)?;
        sums_add_up(home, log, &entry.event)?;
        match &entry.event {
            LogEvent::Decided(decided) => {
                self.a_class_proves_its_own_signature(home, entry.at, decided, headers)?;
                self.headers_are_kept_by_their_labels(home, entry.at, decided, headers)
            }
            LogEvent::Receipt(receipt) => self.no_receipt_speaks_of_two_senders(home, receipt),
            LogEvent::ReceiptIn { receipt, .. } => one_entry_for_one_statement(home, log, receipt),
            LogEvent::TurnedAway { .. }
            | LogEvent::Approved { .. }
            | LogEvent::Certificate { .. }
            | LogEvent::PolicyChanged(_)
            | LogEvent::FilePart(_)
            | LogEvent::PeerCheckpoint { .. }
            | LogEvent::Booted { .. }
            | LogEvent::Restored { .. }
            | LogEvent::Erased { .. }
            | LogEvent::Acted { .. }
            | LogEvent::ClockStepped { .. }
            | LogEvent::ChannelHeads(_)
            | LogEvent::Pruned { .. }
            | LogEvent::Exported { .. } => Ok(()),
        }
    }

    /// Every decision can be taken again from the log and the headers beside it alone, by the rules that
    /// it names: for each message of its class.
    pub(crate) fn decisions_replay(
        &self,
        home: &Ministry,
        at: Timestamp,
        decided: &Decided,
    ) -> Check {
        let name = "decisions_replay";
        let policy = self.cast.rules.policy(decided.policy);
        hold(name, policy.is_some(), || format!("{home} by unknown rules: {:?}", decided.policy))?;
        let Some(policy) = policy else { return Ok(()) };
        for Subject { message, header: digest } in &decided.subjects {
            let bytes = self.logs.get(home).and_then(|log| log.read.get(digest));
            let header = bytes.and_then(|bytes| header::decode(bytes).ok());
            let header = header.filter(|header| header.id == *message);
            hold(name, header.is_some(), || format!("{home} has no header of {message:?}"))?;
            let Some(header) = header else { continue };
            let decision = case(home, at, decided, (*digest, &header), &policy).decide(&policy);
            let same = word(&decision) == decided.ruling && decision.codes() == decided.reasons;
            hold(name, same, || {
                let Decided { ruling, reasons, dest, .. } = decided;
                format!("{home}: {message:?} to {dest}: {ruling:?} {reasons:?}, {decision:?}")
            })?;
        }
        Ok(())
    }
}

/// The numbers of a chain have no gap, and each link names the one before it, over every restart.
fn channels_are_contiguous(home: &Ministry, log: &CommittedLog, entry: &Entry) -> Check {
    for link in &entry.channels {
        let end = log.ends.get(&(link.peer.clone(), link.direction)).copied();
        let end = end.unwrap_or((0, NOTHING));
        hold("channels_are_contiguous", (link.seq, link.prev) == end, || {
            format!("{home}: {link:?} comes after {end:?}")
        })?;
    }
    Ok(())
}

// === when something is said ===

impl Observer {
    /// A receipt that anybody is handed stands in the log of the relay that issued it, with these
    /// very bytes, at the place that it names; and the proof that comes with it says so.
    pub(crate) fn receipts_are_in_the_log(
        &mut self,
        by: &Ministry,
        signed: &SignedReceipt,
    ) -> Check {
        let name = "receipts_are_in_the_log";
        let verified = self.cast.receipts.receipt(signed.clone(), |b| receipt::decode(b));
        let error = verified.as_ref().err().map(ToString::to_string).unwrap_or_default();
        hold(name, verified.is_ok(), || format!("{by} hands out what is in no log: {error}"))?;
        let Ok(verified) = verified else { return Ok(()) };
        let (issuer, hash) = (verified.receipt().issuer.clone(), leaf(&signed.entry));
        let stands = self.logs.get(&issuer).and_then(|log| log.leaf(signed.index));
        hold(name, stands == Some(hash), || {
            format!("{by} hands out entry {} of {issuer}, which has another", signed.index)
        })?;
        self.shown.insert((issuer, signed.index, hash));
        Ok(())
    }

    /// What a relay says of messages that it was handed stands in its log.
    pub(crate) fn every_fate_is_logged(
        &self,
        relay: &Ministry,
        claims: &[Option<Claim>],
        verdicts: &[Verdict],
    ) -> Check {
        for (claim, verdict) in claims.iter().zip(verdicts) {
            let Some((claim, kind)) = claim.as_ref().zip(fate(claim.as_ref(), verdict)) else {
                continue;
            };
            for to in self.concerned(claim) {
                self.is_stated(relay, claim.leaf, to, kind)?;
            }
        }
        Ok(())
    }

    /// With its verdicts a relay gives what it states of each message, for each recipient: so whoever
    /// handed them over can show it.
    pub(crate) fn answers_bring_their_receipts(
        &self,
        relay: &Ministry,
        claims: &[Option<Claim>],
        verdicts: &[Verdict],
        receipts: &[SignedReceipt],
    ) -> Check {
        let said = receipts.iter().filter_map(|signed| receipt::decode(&signed.entry).ok());
        let said: BTreeSet<Statement> =
            said.flat_map(|said| statements(&said).collect::<Vec<_>>()).collect();
        for (claim, verdict) in claims.iter().zip(verdicts) {
            let Some((claim, kind)) = claim.as_ref().zip(fate(claim.as_ref(), verdict)) else {
                continue;
            };
            for to in self.concerned(claim) {
                let is_there = said.contains(&(claim.leaf, to.clone(), kind));
                hold("answers_bring_their_receipts", is_there, || {
                    format!("{relay} says {verdict:?} of {claim:?} and shows nothing of {to}")
                })?;
            }
        }
        Ok(())
    }

    /// The recipients that a claim is about.
    fn concerned(&self, claim: &Claim) -> impl Iterator<Item = &Address> {
        let sent = self.sent.get(&claim.leaf);
        let all = sent.into_iter().flat_map(|sent| &sent.header.to);
        let dest = claim.dest.clone();
        all.map(|recipient| &recipient.address)
            .filter(move |to| dest.as_ref().is_none_or(|dest| dest == to.ministry()))
    }

    /// What a receiver has confirmed durably stands in the log.
    pub(crate) fn delivery_is_logged(&self, message: Digest, mailbox: &Address) -> Check {
        self.is_stated(mailbox.ministry(), message, mailbox, ReceiptKind::Delivered)
    }

    /// Whether a message was erased while a receiver had it: its sender was told so instead.
    pub(crate) fn was_erased_meanwhile(&self, message: Digest, mailbox: &Address) -> bool {
        let log = self.logs.get(mailbox.ministry());
        log.is_some_and(|log| log.says(message, mailbox, ReceiptKind::Refused))
    }

    fn is_stated(
        &self,
        relay: &Ministry,
        message: Digest,
        to: &Address,
        kind: ReceiptKind,
    ) -> Check {
        let stands = self.logs.get(relay).is_some_and(|log| log.says(message, to, kind));
        hold("every_fate_is_logged", stands, || {
            format!("{relay} says {kind} of {message:?} to {to}, and its log does not")
        })
    }

    /// The receipts that a relay took from another stand in its log.
    pub(crate) fn receipts_in_are_logged(
        &self,
        relay: &Ministry,
        cargo: &Cargo,
        verdicts: &[Verdict],
    ) -> Check {
        let Cargo::Receipts(receipts) = cargo else { return Ok(()) };
        for (signed, verdict) in receipts.iter().zip(verdicts) {
            if matches!(verdict, Verdict::Accepted { .. }) {
                self.receipt_in_is_logged(relay, signed)?;
            }
        }
        Ok(())
    }

    /// A receipt that a system has read stands in the log of its own relay.
    pub(crate) fn what_is_read_is_logged(
        &self,
        receipt: &Receipt,
        signed: &SignedReceipt,
    ) -> Check {
        let home = receipt.sender.ministry();
        if receipt.issuer == *home { Ok(()) } else { self.receipt_in_is_logged(home, signed) }
    }

    fn receipt_in_is_logged(&self, relay: &Ministry, signed: &SignedReceipt) -> Check {
        let hash = leaf(&signed.entry);
        let stands = self.logs.get(relay).is_some_and(|log| log.received.contains(&hash));
        hold("every_fate_is_logged", stands, || {
            format!("{relay} took entry {} of another log and does not say so", signed.index)
        })
    }

    /// The receipt that an item of a queue refers to; one of this relay is not proven yet.
    pub(crate) fn queued_receipt(&self, node: &Node, index: u64) -> Result<Receipt, Failure> {
        let fresh = self.logs.get(&node.home).and_then(|log| log.fresh(index));
        let bytes = fresh.or_else(|| node.disk.log.entry(index));
        let read = bytes.and_then(|bytes| entry::decode(bytes).ok()).map(|entry| entry.event);
        match read {
            Some(LogEvent::Receipt(said)) => {
                self.receipts_are_true(&said)?;
                Ok(said)
            }
            Some(LogEvent::ReceiptIn { receipt, .. }) => self.receipts_are_genuine(&receipt),
            _ => Err(Failure::Breach {
                invariant: "every_fate_is_logged",
                detail: format!("{}: entry {index} is queued and no receipt", node.home),
            }),
        }
    }
}

// === when a relay starts, and when all is quiet ===

impl Observer {
    /// No entry ever gets other bytes, and none goes.
    pub(crate) fn log_stays_as_it_was(&self, node: &Node) -> Check {
        let leaves = self.logs.get(&node.home).map_or(&[][..], |log| &log.leaves);
        let kept = node.disk.log.entries();
        hold("log_append_only", kept.len() == leaves.len(), || {
            format!("{}: {} entries were written, {} stand", node.home, leaves.len(), kept.len())
        })?;
        let changed = kept.iter().zip(leaves).position(|(bytes, hash)| leaf(bytes) != *hash);
        hold("log_append_only", changed.is_none(), || {
            format!("{}: entry {changed:?} has other bytes", node.home)
        })
    }

    /// What was ever handed out as a receipt is still what stands at its place.
    pub(crate) fn shown_receipts_stand(&self, node: &Node) -> Check {
        for (_, index, hash) in self.shown.iter().filter(|(issuer, ..)| *issuer == node.home) {
            let stands = node.disk.log.entry(*index).map(|bytes| leaf(bytes));
            hold("receipts_are_in_the_log", stands == Some(*hash), || {
                format!("{}: entry {index} is not what was handed out", node.home)
            })?;
        }
        Ok(())
    }

    /// What the log of one relay says of what went to another, the log of the other says too.
    pub(crate) fn logs_agree(&self) -> Check {
        for (home, log) in &self.logs {
            for ((issuer, said), (index, hash)) in &log.heard {
                let there = self.logs.get(issuer);
                let stands =
                    there.is_some_and(|t| t.leaf(*index) == Some(*hash) && t.said.contains(said));
                hold("logs_agree", stands, || format!("{home} has {said:?} of {issuer}"))?;
            }
            for copy in &log.out {
                self.a_copy_has_an_end(home, log, copy)?;
            }
            for (peer, message, dest) in &log.taken {
                let copy = (home.clone(), *message, dest.clone());
                let went = self.logs.get(peer).is_some_and(|there| there.out.contains(&copy));
                hold("logs_agree", went, || {
                    format!("{home} has {message:?} for {dest} from {peer}, which never sent it")
                })?;
            }
        }
        Ok(())
    }

    /// Of a copy that was to go to a peer, either the peer has stated what became of it, or the
    /// relay itself that it did not go.
    fn a_copy_has_an_end(&self, home: &Ministry, log: &CommittedLog, copy: &Copied) -> Check {
        let (peer, message, dest) = copy;
        let Some(sent) = self.sent.get(message) else { return Ok(()) };
        for to in sent.header.recipients_at(dest).map(|recipient| &recipient.address) {
            let theirs =
                |kind| log.heard.contains_key(&(peer.clone(), (*message, to.clone(), kind)));
            let ours = |kind| log.says(*message, to, kind);
            let has_end = theirs(ReceiptKind::Relayed)
                || ours(ReceiptKind::Refused)
                || ours(ReceiptKind::Expired);
            hold("logs_agree", has_end, || {
                let (index, system) = (sent.index, &sent.system);
                format!("{home}: nothing is known of {index} of {system} to {to} by {peer}")
            })?;
            let is_taken = !theirs(ReceiptKind::Relayed)
                || self.logs.get(peer).is_some_and(|there| {
                    there.taken.contains(&(home.clone(), *message, dest.clone()))
                });
            hold("logs_agree", is_taken, || format!("{peer} has {message:?} and not from {home}"))?;
        }
        Ok(())
    }
}

/// What a relay states of a message with such a verdict; nothing of one that it turned away unread.
fn fate(claim: Option<&Claim>, verdict: &Verdict) -> Option<ReceiptKind> {
    let is_submitted = claim.is_some_and(|claim| claim.dest.is_none());
    match verdict {
        Verdict::Accepted { .. } if is_submitted => Some(ReceiptKind::Accepted),
        Verdict::Accepted { .. } => Some(ReceiptKind::Relayed),
        Verdict::Refused(refusal) if refusal.code == Code::SIGNATURE => None,
        Verdict::Refused(_) => Some(ReceiptKind::Refused),
        Verdict::Busy | Verdict::Later(_) => None,
    }
}

// === a decision, put together again from the log ===

fn word(decision: &Decision) -> LoggedRuling {
    match decision {
        Decision::Permit(_) => LoggedRuling::Permit,
        Decision::Hold(..) => LoggedRuling::Hold,
        Decision::Deny(_) => LoggedRuling::Deny,
    }
}

fn case(
    home: &Ministry,
    at: Timestamp,
    decided: &Decided,
    (digest, header): (Digest, &Header),
    policy: &Policy,
) -> Case {
    let (origin, dest) = (header.from.ministry().to_string(), decided.dest.to_string());
    let person = decided.clearances.as_ref().map(|held| {
        let held = held.iter().cloned();
        held.map(|c| CaseClearance { policy: c.policy, levels: c.levels, grants: c.grants })
            .collect()
    });
    let approvals = decided.approvals.iter();
    Case {
        at: home.to_string(),
        prev: decided.path.last().map(ToString::to_string),
        next: decided.next.clone(),
        path: decided.path.iter().chain([home]).map(ToString::to_string).collect(),
        originating: decided.path.is_empty() && decided.giver.is_some(),
        person,
        sealed: policy.federation().check_seal(header, &decided.dest).is_ok(),
        size: header.body_size,
        created: header.created,
        expires: header.expires,
        precedence: header.precedence,
        message_type: header.message_type,
        skew_ms: u64::try_from(CLOCK_SKEW_MAX.as_millis()).unwrap_or(u64::MAX),
        digest: Some(digest),
        approvals: approvals.filter_map(|signed| released(&origin, signed)).collect(),
        drafter: header.drafter.clone(),
        ..Case::new(at, &origin, &dest, header.label.clone())
    }
}

fn released(origin: &str, signed: &SignedApproval) -> Option<CaseApproval> {
    let given = approval::decode(&signed.approval).ok()?;
    Some(CaseApproval {
        officer: given.officer.name().to_owned(),
        node: origin.to_owned(),
        digest: given.subject,
        until: given.until,
        roles: given.roles,
    })
}
