//! Relays show each other the checkpoints of their logs, to be cosigned.

use bytes::Bytes;
use kuriiri_engine::{Event, Shown, Token, WitnessAnswer};
use kuriiri_tlog::{Checkpoint, Note};
use kuriiri_types::{Digest, Ministry};

use crate::{
    failure::{Check, hold},
    node::Question,
    planned::Planned,
    sabotage::Sabotage,
    world::World,
};

/// Between two times that a relay shows its log to a peer, at most, in milliseconds.
const SHOWN_WITHIN: u64 = 6000;

impl World {
    /// Every relay will show its log to every peer, now and then.
    pub(crate) fn begin_witnessing(&mut self) {
        let Some(rng) = &mut self.witnessing else { return };
        for (relay, house) in &self.cast.houses {
            for witness in &house.peers {
                let show = Planned::Show { relay: relay.clone(), witness: witness.clone() };
                self.agenda.after(rng.below(SHOWN_WITHIN), show);
            }
        }
    }

    /// A relay shows the log that it has to a peer, if it can reach it, and will again.
    pub(crate) fn show(&mut self, relay: &Ministry, witness: &Ministry) {
        let Some(rng) = self.witnessing.as_mut().filter(|_| !self.is_calm) else { return };
        let show = Planned::Show { relay: relay.clone(), witness: witness.clone() };
        self.agenda.after(rng.between(50, SHOWN_WITHIN), show);
        let are_up = [relay, witness]
            .iter()
            .all(|relay| self.nodes.get(relay).is_some_and(|node| node.is_up()));
        if are_up && !self.network.are_apart(relay, witness) {
            self.ask_for_witness(relay, witness);
        }
    }

    fn ask_for_witness(&mut self, relay: &Ministry, witness: &Ministry) {
        let Some(node) = self.nodes.get(relay) else { return };
        let log = &node.disk.log;
        let Some(note) = self.shown_by(relay, log.checkpoint()) else { return };
        let old = node.witnessed.get(witness).copied().unwrap_or(0);
        let Some(checkpoint) = read(&note) else { return };
        let size = checkpoint.size;
        let Some(proof) = log.grows(old, size) else { return };
        let token = Token(self.number());
        let question = Question::Shown { relay: relay.clone(), size };
        if let Some(node) = self.nodes.get_mut(witness) {
            node.ask(token, question);
        }
        let shown = Shown { checkpoint, note, old, proof };
        self.tell(witness, Event::CheckpointShown { peer: relay.clone(), token, shown });
    }

    /// The checkpoint that a relay shows for the one that it has.
    fn shown_by(&self, relay: &Ministry, note: &Bytes) -> Option<Bytes> {
        if self.saboteur.plan != Sabotage::ShowsAnotherLog {
            return Some(note.clone());
        }
        let other = Checkpoint { root: Digest([7; 32]), ..read(note)? };
        other.sign(&self.cast.houses.get(relay)?.log).ok()
    }

    /// A relay hears what a witness says to its log of so many entries.
    pub(crate) fn on_witnessed(
        &mut self,
        witness: &Ministry,
        (relay, size): (&Ministry, u64),
        answer: &WitnessAnswer,
    ) -> Check {
        let is_refused = matches!(answer, WitnessAnswer::Refused(_));
        hold("honest_logs_are_cosigned", !is_refused, || {
            format!("{witness} says of the {size} entries of {relay}: {answer:?}")
        })?;
        let known = match answer {
            WitnessAnswer::OtherSize(note) => read(note).map_or(0, |known| known.size),
            WitnessAnswer::Cosigned(_) | WitnessAnswer::Refused(_) => size,
        };
        self.trace.line(
            self.agenda.now(),
            format_args!("{witness} has seen {known} entries of {relay}, which showed {size}"),
        );
        if let Some(node) = self.nodes.get_mut(relay).filter(|node| node.is_up()) {
            node.witnessed.insert(witness.clone(), known);
        }
        Ok(())
    }
}

fn read(note: &Bytes) -> Option<Checkpoint> {
    Checkpoint::parse(Note::parse(note).ok()?.text()).ok()
}
