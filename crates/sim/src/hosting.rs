//! Relays as their hosts run them: decide, make durable, speak.

use std::sync::Arc;

use kuriiri_engine::{Action, Reply, Resolution, Step, Token};
use kuriiri_types::{
    Ministry, Verdict,
    limits::{EVENTS_PER_STEP_MAX, OUTBOX_MESSAGES_MAX},
};

use crate::{
    failure::{Check, hold},
    network::{Caller, Cargo},
    node::{Fate, Node, Question},
    planned::{Answer, Planned},
    sabotage::Sabotage,
    world::World,
};

/// Between two counts of the references on a disk, in steps of its relay.
const COUNT_EVERY: u64 = 50;

impl World {
    /// Starts a relay that is down.
    pub(crate) fn restart(&mut self, relay: &Ministry) -> Check {
        let (now, here) = (self.now(), self.time_at(relay));
        let Some(node) = self.nodes.get_mut(relay).filter(|node| !node.is_up()) else {
            return Ok(());
        };
        let Some(house) = self.cast.houses.get(relay) else {
            return Ok(());
        };
        self.saboteur.damage_disk(&mut node.disk);
        if self.saboteur.plan != Sabotage::CutsTheLogBack {
            self.observer.log_stays_as_it_was(node)?;
            self.observer.headers_stay_beside(node)?;
        }
        let rules = &self.cast.rules;
        if self.saboteur.plan == Sabotage::ForgedRules {
            node.policy = Arc::clone(&rules.forged);
        }
        if self.saboteur.plan == Sabotage::AsksForNoOfficers {
            node.policy = Arc::clone(&rules.lax);
        }
        let in_force = (Arc::clone(&node.policy), rules.files(&node.policy, node.own_serial));
        let (retention, codec) = (&self.cast.retention, self.saboteur.codec(relay));
        let lost = node.lost_log.as_ref().map(|lost| lost.checkpoint().clone());
        let config = house.config((relay, lost), in_force, retention, codec)?;
        let step = node.start(config, &house.peers, here)?;
        self.trace.line(now, format_args!("{relay} starts"));
        self.plan_audit(relay);
        self.finish(relay, step)?;
        self.come_back(relay);
        Ok(())
    }

    pub(crate) fn step_if(&mut self, relay: &Ministry, run: u64) -> Check {
        let now = self.now();
        let is_due = |node: &&mut Node| {
            let is_woken = node.wake.is_some_and(|wake| wake <= now);
            node.run == run && node.is_up() && (node.is_step_planned || is_woken)
        };
        match self.nodes.get_mut(relay).filter(is_due) {
            Some(_) => self.step(relay),
            None => Ok(()),
        }
    }

    /// One step of a relay, with as much of its inbox as chance will have.
    pub(crate) fn step(&mut self, relay: &Ministry) -> Check {
        let now = self.time_at(relay);
        let events_max = self.rng.count(EVENTS_PER_STEP_MAX);
        let Some(node) = self.nodes.get_mut(relay) else {
            return Ok(());
        };
        node.is_step_planned = false;
        node.wake = None;
        let changes = node.changes;
        let step = node.step(now, events_max)?;
        if node.changes > changes {
            self.plan_audit(relay);
        }
        self.finish(relay, step)?;
        self.plan_step(relay);
        Ok(())
    }

    /// Makes a step durable, then speaks; unless the relay crashes.
    fn finish(&mut self, relay: &Ministry, step: Step) -> Check {
        let Step { mut commit, mut actions, wake } = step;
        let is_awake = self.saboteur.plan == Sabotage::NeverSleeps && self.saboteur.is_at_rest;
        let wake = if is_awake { Some(self.time_at(relay)) } else { wake };
        self.note_decisions(relay, &actions);
        let mut fate = self.nodes.get_mut(relay).and_then(|node| node.fate.take());
        if self.saboteur.plan == Sabotage::SpeaksFirst && actions.iter().any(acknowledges) {
            // What else it would say, it could not prove.
            actions.retain(acknowledges);
            self.perform(relay, actions)?;
            self.crash(relay);
            return Ok(());
        }
        if fate == Some(Fate::BeforeCommit) {
            self.crash(relay);
            return Ok(());
        }
        let now = self.time_at(relay);
        if let Some(node) = self.nodes.get_mut(relay) {
            self.saboteur.forge(&node.disk, &mut commit);
            self.observer.on_commit(now, node, &commit)?;
            if self.saboteur.damage(&node.disk, &mut commit) {
                fate = Some(Fate::AmidActions);
            }
            let applied = node.disk.apply(&commit);
            let agrees = applied.is_ok();
            hold("commits_agree_with_the_state", agrees, || format!("{relay}: {applied:?}"))?;
            if node.steps % COUNT_EVERY == 0 && self.saboteur.plan == Sabotage::None {
                self.observer.references_are_counted(node)?;
            }
        }
        match fate {
            Some(Fate::BeforeCommit | Fate::AfterCommit) => actions.clear(),
            Some(Fate::AmidActions) => actions.truncate(self.rng.count(actions.len().max(1))),
            None => {}
        }
        self.perform(relay, actions)?;
        if fate.is_some() {
            self.crash(relay);
        } else if let Some(wake) = wake {
            self.plan_wake(relay, wake);
        }
        Ok(())
    }

    /// Hosts are late now and then: a disk is slow, a clock coarse. They count the time until then, and are
    /// not misled when a clock is set.
    fn plan_wake(&mut self, relay: &Ministry, wake: kuriiri_types::Timestamp) {
        let late = if self.rng.chance(15) { self.rng.between(1, 1500) } else { 1 };
        let wake = self.now().after(wake.since(self.time_at(relay)));
        let at = wake.after(std::time::Duration::from_millis(late));
        if let Some(node) = self.nodes.get_mut(relay) {
            node.wake = Some(wake);
            self.agenda.at(at, Planned::Wake(relay.clone(), node.run));
        }
    }

    fn note_decisions(&mut self, relay: &Ministry, actions: &[Action]) {
        let Some(node) = self.nodes.get(relay) else {
            return;
        };
        for action in actions {
            if let Action::Answer(token, Reply::Verdicts { verdicts, .. }) = action
                && let Some(claims) = node.claims(*token)
            {
                self.observer.on_decided(claims, verdicts);
            }
        }
    }

    /// A queue of a relay that is down will look full when it starts, until it is read.
    fn crowd(&mut self, relay: &Ministry) {
        if self.is_calm || !self.rng.chance(30) {
            return;
        }
        let choice = self.rng.below(u64::MAX);
        let disk = self.nodes.get_mut(relay).map(|node| &mut node.disk);
        let key = disk.and_then(|disk| disk.overstate(OUTBOX_MESSAGES_MAX, choice));
        if let Some(key) = key {
            if let Some(node) = self.nodes.get_mut(relay) {
                node.is_crowded = true;
            }
            self.trace.line(self.agenda.now(), format_args!("{relay} will find {key:?} crowded"));
        }
    }

    /// A relay is gone, with all but its disk. The others learn it in time.
    pub(crate) fn crash(&mut self, relay: &Ministry) {
        self.trace.line(self.agenda.now(), format_args!("{relay} crashes"));
        if let Some(node) = self.nodes.get_mut(relay) {
            node.crash();
        }
        let caller = Caller::Relay(relay.clone());
        for id in self.network.all(|link| link.caller == caller || link.called == *relay) {
            if let Some(link) = self.network.link_mut(id) {
                link.caller_open &= link.caller != caller;
                link.called_open &= link.called != *relay;
            }
            self.cut(id);
            self.network.tidy(id);
        }
        self.crowd(relay);
        self.takers.retain(|_, taker| taker.relay != *relay);
        self.readers.retain(|_, reader| reader.relay != *relay);
        let wait = self.rng.between(10, 4000);
        self.agenda.after(wait, Planned::Restart(relay.clone()));
    }

    // === actions ===

    fn perform(&mut self, relay: &Ministry, actions: Vec<Action>) -> Check {
        for action in actions {
            match self.saboteur.forge_action(action) {
                Action::Answer(token, reply) => self.answer(relay, token, reply)?,
                Action::Confirm { subscription, tickets } => {
                    let planned = Planned::Confirmed { subscription, tickets };
                    self.push(subscription, planned);
                }
                Action::Deliver { subscription, items } => self.deliver(subscription, items)?,
                Action::DeliverReceipts { subscription, receipts, next } => {
                    self.deliver_receipts(relay, subscription, receipts, next)?;
                }
                Action::Dial(peer) => {
                    let run = self.nodes.get(relay).map_or(0, |node| node.run);
                    let wait = self.delay();
                    let dialled = Planned::Dialled { from: relay.clone(), run, to: peer };
                    self.agenda.after(wait, dialled);
                }
                Action::Refuse(subscription, refusal) => {
                    let detail = || format!("{relay}: {subscription:?} {refusal:?}");
                    hold("nobody_is_turned_away", false, detail)?;
                }
                Action::Transmit { peer, link, lane, batch, epoch, load } => {
                    let cargo = self.load(relay, &peer, link, lane, (epoch, load))?;
                    self.trace.line(
                        self.agenda.now(),
                        format_args!("{relay} sends {lane:?} {batch:?} epoch {epoch} on {link:?}"),
                    );
                    let wait = self.delay();
                    let number = batch.0;
                    self.agenda.after(wait, Planned::Cargo { link, lane, number, cargo });
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, relay: &Ministry, token: Token, reply: Reply) -> Check {
        let Some(question) = self.nodes.get_mut(relay).and_then(|node| node.answered(token)) else {
            return hold("replies_fit_their_questions", false, || format!("{relay}: {token:?}"));
        };
        match (question, reply) {
            (
                Question::Batch { link, lane, number, claims, cargo },
                Reply::Verdicts { verdicts, receipts },
            ) => {
                self.observer.acknowledged_only_after_commit(relay, &claims, &verdicts)?;
                self.observer.every_fate_is_logged(relay, &claims, &verdicts)?;
                self.observer.receipts_in_are_logged(relay, &cargo, &verdicts)?;
                let receipts = self.prove_all(relay, receipts)?;
                self.observer.answers_bring_their_receipts(relay, &claims, &verdicts, &receipts)?;
                self.keep_for_later(relay, link, lane, &verdicts, cargo);
                let answer = Answer { verdicts, receipts };
                let wait = self.delay();
                self.agenda.after(wait, Planned::Answer { link, lane, number, answer });
                Ok(())
            }
            (Question::Nobody(claims), Reply::Verdicts { verdicts, .. }) => {
                self.observer.acknowledged_only_after_commit(relay, &claims, &verdicts)
            }
            (Question::Status, Reply::Status(status)) if self.is_calm => {
                let node = self.nodes.get(relay);
                node.map_or(Ok(()), |node| self.observer.what_waits_is_counted(node, &status))
            }
            (Question::Status, Reply::Status(_)) => Ok(()),
            (Question::Holds(officer), Reply::Holds(holds, more)) => {
                self.on_holds(relay, officer, holds, more)
            }
            (Question::Hold(officer, intent), Reply::Hold(state)) => {
                self.on_hold(relay, officer, intent, *state)
            }
            (Question::Hold(..), Reply::Refused(_)) => Ok(()),
            (Question::Word(word), Reply::Resolved(_))
                if self.saboteur.plan == Sabotage::MisleadsOfficers =>
            {
                self.on_word_answered(relay, &word, &Reply::Resolved(Resolution::Rejected))
            }
            (Question::Word(word), Reply::Refused(_))
                if self.saboteur.plan == Sabotage::PretendsReleases && !word.is_void() =>
            {
                self.on_word_answered(relay, &word, &Reply::Resolved(Resolution::Released))
            }
            (Question::Word(word), reply) => self.on_word_answered(relay, &word, &reply),
            (Question::Erase(message, digest), Reply::Erased { .. }) => {
                self.on_erased(relay, message, digest)
            }
            (Question::Erase(message, digest), Reply::Refused(_))
                if self.saboteur.plan == Sabotage::ErasesInNameOnly =>
            {
                self.on_erased(relay, message, digest)
            }
            (Question::Erase(..), Reply::Refused(_)) | (Question::LogDeed, Reply::Noted) => Ok(()),
            (Question::Shown { relay: shower, size }, Reply::Witnessed(answer)) => {
                self.on_witnessed(relay, (&shower, size), &answer)
            }
            (question, reply) => hold("replies_fit_their_questions", false, || {
                format!("{relay}: {question:?} is answered by {reply:?}")
            }),
        }
    }

    /// A batch that a relay took whole may come again, long after its time.
    fn keep_for_later(
        &mut self,
        relay: &Ministry,
        link: kuriiri_engine::LinkId,
        lane: kuriiri_types::Lane,
        verdicts: &[Verdict],
        cargo: Cargo,
    ) {
        let caller = self.network.link(link).map(|link| link.caller.clone());
        let whole = verdicts.iter().all(|verdict| matches!(verdict, Verdict::Accepted { .. }));
        if let Some(Caller::Relay(peer)) = caller.filter(|_| whole) {
            self.network.remember(&peer, relay, lane, cargo);
        }
    }
}

/// True when an action tells somebody that something new was taken.
fn acknowledges(action: &Action) -> bool {
    match action {
        Action::Answer(_, Reply::Verdicts { verdicts, .. }) => {
            verdicts.iter().any(|v| matches!(v, Verdict::Accepted { repeat: false, .. }))
        }
        Action::Answer(..)
        | Action::Confirm { .. }
        | Action::Deliver { .. }
        | Action::DeliverReceipts { .. }
        | Action::Dial(_)
        | Action::Refuse(..)
        | Action::Transmit { .. } => false,
    }
}
