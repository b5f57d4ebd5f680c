//! Newer proofs of entries, for whoever keeps receipts: what is handed out at once is proved by a checkpoint
//! that no witness has seen yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use kuriiri_merkle::{Nodes, inclusion};
use kuriiri_store::Store;
use kuriiri_types::{Code, Refusal};
use kuriiri_wire::{Place, Proofs, Proved};

/// Proves entries of this relay's log under checkpoints that witnesses have cosigned.
#[derive(Debug)]
pub(crate) struct Prover {
    store: Arc<Store>,
    known: Mutex<Known>,
}

/// A checkpoint of this relay's log, with the cosignatures that it has so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cosigned {
    pub(crate) size: u64,
    pub(crate) note: Bytes,
    pub(crate) witnesses: usize,
}

#[derive(Debug, Default)]
struct Known {
    /// The newest.
    newest: Option<Cosigned>,
    /// The newest of those that most witnesses cosigned: a witness may be slower than the log grows.
    best: Option<Cosigned>,
}

impl Prover {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// Takes note of a checkpoint that has got more cosignatures.
    pub(crate) fn note(&self, cosigned: Cosigned) {
        let mut known = self.locked();
        if known.best.as_ref().is_none_or(|best| best.witnesses <= cosigned.witnesses) {
            known.best = Some(cosigned.clone());
        }
        known.newest = Some(cosigned);
    }

    /// Proofs of these places, all under one checkpoint. Blocks on the disk where a tile of the log is not
    /// in memory.
    pub(crate) fn prove(&self, places: &[Place]) -> Proved {
        let Some(cosigned) = self.covering(places) else {
            return Proved::Refused(Refusal::bare(Code::NOT_WITNESSED));
        };
        let path = |place: &Place| {
            let is_it = place.index < cosigned.size
                && self.store.node(0, place.index).is_ok_and(|leaf| leaf == place.leaf);
            is_it.then(|| inclusion(&*self.store, place.index, cosigned.size).ok()).flatten()
        };
        let paths = places.iter().map(path).collect();
        Proved::Proofs(Proofs { checkpoint: cosigned.note, paths })
    }

    /// The checkpoint with most cosignatures that covers all places; else the newest.
    fn covering(&self, places: &[Place]) -> Option<Cosigned> {
        let known = self.locked();
        let covers = |best: &&Cosigned| places.iter().all(|place| place.index < best.size);
        known.best.as_ref().filter(covers).or(known.newest.as_ref()).cloned()
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
