//! Which relay loses its state, and the old copy that it goes on from under a new log.

use kuriiri_types::Ministry;

use crate::{disk::Disk, rng::Rng};

/// The relay that loses its state, and the copy that it goes on from.
#[derive(Debug)]
pub(crate) struct Renewal {
    pub(crate) relay: Ministry,
    pub(crate) copy: Option<Disk>,
    pub(crate) rng: Rng,
}

impl Renewal {
    /// Chance decides which relay it is.
    pub(crate) fn of(mut rng: Rng, relays: &[Ministry]) -> Option<Self> {
        let relay = rng.pick(relays)?.clone();
        Some(Self { relay, copy: None, rng })
    }
}
