//! What must always hold of messages that wait, and of what people do with them.

use std::collections::BTreeSet;

use kuriiri_engine::{Commit, Hold, HoldNumber, HoldState, Parcel, QueueId, Write};
use kuriiri_policy::{Decision, Policy, Route};
use kuriiri_types::{
    Address, Approval, Digest, Ministry, SignedApproval, SpiffeId, Timestamp,
    limits::PACK_BYTES_MAX,
};
use kuriiri_wire::approval;

use crate::{
    failure::{Check, hold},
    judgement::{Matter, officers_at_least, persons, words},
    node::Node,
    observer::Observer,
    quiet_queues::QuietQueues,
    sender::Sent,
};

// === at each commit ===

impl Observer {
    /// A hold is one stored value, of one message for all its time, with one word of each officer.
    pub(crate) fn holds_stay_what_they_are(
        &self,
        node: &Node,
        number: HoldNumber,
        held: &Hold,
    ) -> Check {
        let before = node.disk.holds.get(&number);
        let same = before.is_none_or(|b| b.envelope == held.envelope && b.dests == held.dests);
        let officers: Vec<SpiffeId> = officers_of(&held.approvals);
        let once = officers.iter().collect::<BTreeSet<_>>().len() == officers.len();
        let bytes = held.weight();
        let fits = bytes <= PACK_BYTES_MAX;
        hold("holds_stay_what_they_are", same && once && fits, || {
            format!("{}: {number} of {bytes} bytes, signed by {officers:?}", node.home)
        })
    }

    /// When a hold ends, each of its copies is in a queue, or its sender is told that it will not
    /// be: in the same commit.
    pub(crate) fn no_hold_vanishes(&self, node: &Node, commit: &Commit) -> Check {
        for write in &commit.writes {
            let Write::DeleteHold(number) = write else { continue };
            let Some((message, dests)) = self.known_hold(node, commit, *number) else {
                let detail = || format!("{}: {number} ends and never was", node.home);
                return hold("no_hold_vanishes", false, detail);
            };
            for dest in dests {
                let is_queued = self.fresh.queued.contains(&(message.leaf, dest.clone()));
                let told = |to: &Address| self.fresh.told.contains(&(message.leaf, to.clone()));
                let mut recipients = message.header.recipients_at(&dest).map(|r| &r.address);
                hold("no_hold_vanishes", is_queued || recipients.all(told), || {
                    let (index, system) = (message.index, &message.system);
                    format!("{}: {index} of {system} to {dest}", node.home)
                })?;
            }
        }
        Ok(())
    }

    fn known_hold(
        &self,
        node: &Node,
        commit: &Commit,
        number: HoldNumber,
    ) -> Option<(std::sync::Arc<Sent>, Vec<Ministry>)> {
        let written = commit.writes.iter().find_map(|write| match write {
            Write::PutHold(at, held) if *at == number => Some(held),
            Write::PutHold(..)
            | Write::PutPack(..)
            | Write::DeletePack(_)
            | Write::PutDone(..)
            | Write::PutDue(..)
            | Write::DeleteDue(..)
            | Write::PutSeen { .. }
            | Write::ForgetSeen { .. }
            | Write::DeleteHold(_)
            | Write::PutCertificate(_)
            | Write::PutStart(_)
            | Write::PutSeenLog(..) => None,
        });
        let held = written.or_else(|| node.disk.holds.get(&number))?;
        let message = self.signed_bytes_are_verbatim(&held.envelope).ok()?;
        Some((message, held.dests.clone()))
    }

    /// What a relay puts into a queue, the rules that it went by let it have and pass on.
    pub(crate) fn nothing_is_taken_against_the_rules(
        &self,
        now: Timestamp,
        node: &Node,
        queue: &QueueId,
        (message, parcel): (&Sent, &Parcel),
    ) -> Check {
        let said = words(&self.cast, now, message, &parcel.approvals);
        let path = path_of(&node.home, &parcel.path);
        let matter = matter(message, &node.home, next_of(queue), &parcel.dest, &path, &said);
        let decisions: Vec<Decision> =
            node.rules.iter().map(|policy| matter.decide(now, policy)).collect();
        let permitted = decisions.iter().any(|d| matches!(d, Decision::Permit(_)));
        hold("nothing_is_taken_against_the_rules", permitted, || {
            let (index, system, home) = (message.index, &message.system, &node.home);
            format!("{home} takes {index} of {system} for {queue:?}: {decisions:?}")
        })
    }

    /// A message goes nowhere before as many officers of its ministry have released it as must,
    /// each another person, and none of them its drafter.
    pub(crate) fn released_by_enough_officers(
        &self,
        now: Timestamp,
        relay: &Ministry,
        message: &Sent,
        approvals: &[SignedApproval],
    ) -> Check {
        let needed = officers_at_least(message);
        if needed == 0 {
            return Ok(());
        }
        let said = words(&self.cast, now, message, approvals);
        let persons = persons(now, message, &said);
        hold("released_by_enough_officers", persons.len() >= needed, || {
            let (index, system) = (message.index, &message.system);
            format!("{relay} lets {index} of {system} go: {persons:?} of {needed}")
        })
    }
}

// === at each answer to an officer ===

impl Observer {
    /// An officer is shown what waits: truly, and all of it up to the last when there is more.
    pub(crate) fn officers_see_what_waits(
        &self,
        node: &Node,
        listed: &[HoldState],
        more: bool,
    ) -> Check {
        let last = listed.last().filter(|_| more).map(|state| state.header.id);
        let mut seen = BTreeSet::new();
        for state in listed {
            self.a_hold_is_shown_as_it_is(node, state)?;
            seen.insert(kuriiri_merkle::leaf(&state.envelope.header));
        }
        let shown = |id| last.is_none_or(|last| id <= last);
        let still = node.disk.holds.values().filter_map(|held| {
            let header = kuriiri_wire::header::decode(&held.envelope.header).ok()?;
            shown(header.id).then(|| kuriiri_merkle::leaf(&held.envelope.header))
        });
        let missed = still.filter(|leaf| node.held_before.contains(leaf) && !seen.contains(leaf));
        let missed: Vec<Digest> = missed.collect();
        hold("officers_see_what_waits", missed.is_empty(), || format!("{}: {missed:?}", node.home))
    }

    /// Header, body and what was signed so far are what they were when the message was taken.
    pub(crate) fn a_hold_is_shown_as_it_is(&self, node: &Node, state: &HoldState) -> Check {
        let message = self.signed_bytes_are_verbatim(&state.envelope)?;
        self.signers_are_known(node, &state.envelope.proof)?;
        for signed in &state.approvals {
            self.signers_are_known(node, &signed.proof)?;
        }
        let stays =
            node.disk.holds.values().any(|held| held.envelope.header == state.envelope.header);
        let body = node.disk.body(&state.body);
        let same = !stays || body.is_ok_and(|body| body == message.body);
        hold("bodies_are_there", same, || format!("of {}, which waits", message.index))
    }

    /// A word that says something else than the truth, or comes from somebody whose word it is
    /// not, changes nothing.
    pub(crate) fn void_words_count_for_nothing(
        &self,
        is_refused: bool,
        detail: impl FnOnce() -> String,
    ) -> Check {
        hold("void_words_count_for_nothing", is_refused, detail)
    }

    /// An officer's word that counts is on the disk before the officer hears so.
    pub(crate) fn counted_words_are_kept(
        &self,
        node: &Node,
        leaf: Digest,
        officer: &SpiffeId,
    ) -> Check {
        let waiting = node.disk.holds.values();
        let waiting = waiting.filter(|held| kuriiri_merkle::leaf(&held.envelope.header) == leaf);
        let waiting: Vec<Vec<SpiffeId>> = waiting.map(|h| officers_of(&h.approvals)).collect();
        let has_ended = self.fresh.ended.contains(&leaf);
        let is_kept = has_ended || waiting.iter().any(|officers| officers.contains(officer));
        hold("counted_words_are_kept", is_kept, || {
            format!("{}: of {officer} on {leaf:?}, where {waiting:?}", node.home)
        })
    }

    /// What an officer sends back is over, and its sender is told, before the officer hears so.
    pub(crate) fn rejections_are_told(&self, node: &Node, leaf: Digest) -> Check {
        let told = self.fresh.told.iter().any(|(told, _)| *told == leaf);
        let is_over = told && self.fresh.ended.contains(&leaf);
        hold("rejections_are_told", is_over, || format!("{}: {leaf:?}", node.home))
    }

    /// What an officer hears is released has left its hold, or waits for nobody there.
    pub(crate) fn releases_are_made(&self, node: &Node, leaf: Digest) -> Check {
        let waits = |held: &Hold| kuriiri_merkle::leaf(&held.envelope.header) == leaf;
        let is_made = self.fresh.ended.contains(&leaf) || node.disk.holds.values().any(waits);
        hold("releases_are_made", is_made, || format!("{}: {leaf:?}", node.home))
    }
}

// === some time after the rules have changed ===

impl Observer {
    /// What the rules no longer allow is withdrawn, what they now want people for waits for them,
    /// and what they want nobody for goes: soon after they have changed, whether or not a peer can
    /// be reached. What was under way then is spared.
    pub(crate) fn nothing_waits_against_the_rules(
        &self,
        now: Timestamp,
        node: &Node,
        quiet: &QuietQueues,
    ) -> Check {
        for (key, seq, parcel) in node.disk.open_parcels() {
            if !quiet.has_queue(&key.queue) {
                continue;
            }
            let message = self.sent_with(&parcel.header)?;
            let path = path_of(&node.home, &parcel.path);
            let against = |when: Timestamp| {
                let said = words(&self.cast, when, &message, &parcel.approvals);
                let matter =
                    matter(&message, &node.home, next_of(&key.queue), &parcel.dest, &path, &said);
                let decision = matter.decide(when, &node.in_force);
                (!matches!(decision, Decision::Permit(_))).then_some(decision)
            };
            let wrong = against(now).and_then(|_| against(node.changed_at));
            hold("nothing_waits_against_the_rules", wrong.is_none(), || {
                let (index, system, home) = (message.index, &message.system, &node.home);
                format!("{home}: {index} of {system} is {seq:#x} of {:?}: {wrong:?}", key.queue)
            })?;
        }
        node.disk.holds.values().try_for_each(|held| self.waits_for_something(now, node, held))
    }

    fn waits_for_something(&self, now: Timestamp, node: &Node, held: &Hold) -> Check {
        let message = self.signed_bytes_are_verbatim(&held.envelope)?;
        let rule = |when| self.rule(when, node, &message, held);
        let (then, later) = (rule(node.changed_at), rule(now));
        let stays = then == Stay::Waits || later == Stay::Waits || then != later;
        let may_stay = stays || (then == Stay::Goes && node.is_crowded);
        hold("nothing_waits_against_the_rules", may_stay, || {
            let (index, system, home) = (message.index, &message.system, &node.home);
            format!("{home}: {index} of {system} is held, though it {then:?}")
        })
    }

    fn rule(&self, now: Timestamp, node: &Node, message: &Sent, held: &Hold) -> Stay {
        let (path, policy) = (path_of(&node.home, &held.path), &*node.in_force);
        let said = words(&self.cast, now, message, &held.approvals);
        let mut stay = Stay::Goes;
        for dest in &held.dests {
            match matter(message, &node.home, None, dest, &path, &said).route(now, policy) {
                Err(_) => return Stay::Ends,
                Ok(Route::Hold(..)) => stay = Stay::Waits,
                Ok(Route::Forward(_, terms)) if has_to_wait(policy, now, &terms) => {
                    stay = Stay::Waits;
                }
                Ok(Route::Forward(..) | Route::Arrived(_)) => {}
            }
        }
        stay
    }
}

/// What the rules want of a message in a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stay {
    Goes,
    Waits,
    Ends,
}

/// Messages of which only so many may leave in an hour may always have to wait.
fn has_to_wait(policy: &Policy, now: Timestamp, terms: &kuriiri_policy::Obligations) -> bool {
    !policy.may_leave(terms, now) || terms.rate_per_hour.is_some()
}

fn matter<'a>(
    message: &'a Sent,
    at: &'a Ministry,
    next: Option<&'a Ministry>,
    dest: &'a Ministry,
    path: &'a [Ministry],
    words: &'a [Approval],
) -> Matter<'a> {
    Matter { message, at, next, dest, path, words }
}

fn path_of(home: &Ministry, before: &[Ministry]) -> Vec<Ministry> {
    before.iter().chain([home]).cloned().collect()
}

fn next_of(queue: &QueueId) -> Option<&Ministry> {
    queue.peer()
}

fn officers_of(approvals: &[SignedApproval]) -> Vec<SpiffeId> {
    let officer = |signed: &SignedApproval| approval::decode(&signed.approval).ok();
    approvals.iter().filter_map(officer).map(|approval| approval.officer).collect()
}
