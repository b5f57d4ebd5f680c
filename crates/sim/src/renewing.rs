//! A relay loses its state, and goes on from an old copy of it under a new log.

use crate::{planned::Planned, world::World};

/// When the copy is made, and how much later the state is lost, at most, in milliseconds.
const COPIED_WITHIN: u64 = 20_000;
const LOST_WITHIN: u64 = 15_000;

impl World {
    /// One relay will lose its state; before that somebody copies it.
    pub(crate) fn begin_renewal(&mut self) {
        let Some(renewal) = &mut self.renewal else { return };
        self.agenda.after(renewal.rng.between(2000, COPIED_WITHIN), Planned::CopyState);
    }

    /// Somebody copies the state of the relay that will lose it.
    pub(crate) fn copy_state(&mut self) {
        let Some(renewal) = &mut self.renewal else { return };
        renewal.copy = self.nodes.get(&renewal.relay).map(|node| node.disk.clone());
        self.agenda.after(renewal.rng.between(1, LOST_WITHIN), Planned::LoseState);
    }

    /// Its state is lost. It will start on the copy, with a log that goes on from the last checkpoint that
    /// there was of the one before.
    pub(crate) fn lose_state(&mut self) {
        let Some(renewal) = self.renewal.as_mut().filter(|_| !self.is_calm) else { return };
        let (relay, Some(copy)) = (renewal.relay.clone(), renewal.copy.take()) else { return };
        self.crash(&relay);
        self.trace.line(self.agenda.now(), format_args!("{relay} has lost its state"));
        if let Some(node) = self.nodes.get_mut(&relay) {
            let lost = std::mem::replace(&mut node.disk, copy.with_new_log());
            node.lost_log = Some(lost.log);
        }
        self.observer.logs.remove(&relay);
    }
}
