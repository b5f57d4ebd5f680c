//! The logs of an honest world, in the hands of an auditor.

use std::time::Duration;

use kuriiri_sim::{Failure, RelayLog, World};

use super::{Auditor, Folder, choice, verdict::Circumstances};

/// By how much clocks are wrong, in seconds: not at all, within what relays put up with, and beyond.
const WRONG_BY: [u64; 6] = [0, 2, 60, 140, 600, 7200];
/// With clocks that are wrong by more, relays refuse what others make: they are too far apart.
const PUT_UP_WITH: u64 = 150;
/// Of so many worlds with the same clocks a relay loses its state in one.
const LOST_EVERY: u64 = 3;

/// In so many worlds there is one in which all ministries change their authorities.
const REKEYED_EVERY: u64 = 5;

/// Worlds that end before their time, by what they end with: each is a fault of a relay, and leaves this
/// list when it is mended.
const KNOWN: [&str; 1] = [
    // A body that was erased is written back, by another erasure in the same step.
    "is written twice",
];

/// The logs of one world.
pub struct Logs {
    pub auditor: Auditor,
    pub logs: Vec<RelayLog>,
    /// What a copy that is made in the end has of each.
    pub whole: Vec<Folder>,
    /// What a copy of an earlier time has of each.
    pub older: Vec<Folder>,
}

impl Logs {
    /// Runs an honest world. Every second auditor has a federation file of their own.
    pub fn of(seed: u64) -> Self {
        let wrong_by = WRONG_BY[seed as usize % WRONG_BY.len()];
        let round = seed / WRONG_BY.len() as u64;
        let loses_state = round % LOST_EVERY == LOST_EVERY - 1;
        let mut world = World::new(seed).unwrap().without_smugglers().with_witnesses();
        if loses_state {
            world = world.with_a_lost_state();
        }
        if seed % REKEYED_EVERY == REKEYED_EVERY - 1 {
            world = world.with_new_authorities();
        }
        if wrong_by > 0 {
            world = world.with_wrong_clocks(Duration::from_secs(wrong_by));
        }
        if let Err(failure) = world.run() {
            let is_known = is_known(&failure);
            assert!(is_known, "seed {seed} fails before anybody audits it: {failure}");
            println!("seed {seed} ends early: {failure}");
        }
        let circumstances = Circumstances {
            is_partial: false,
            is_damaged: false,
            are_clocks_far_apart: wrong_by > PUT_UP_WITH,
            is_renewed: loses_state,
        };
        let mut auditor = Auditor::of(&world, (seed / 7).is_multiple_of(2), circumstances);
        let logs = world.logs().unwrap();
        let whole = logs.iter().map(|log| auditor.get(&log.copy().unwrap())).collect();
        let older = logs.iter().zip(0..).map(|(log, number)| {
            let size = *choice(&log.sizes(), seed, number);
            Folder { is_whole: false, ..auditor.get(&log.copy_of(size).unwrap().unwrap()) }
        });
        let older = older.collect();
        Self { auditor, logs, whole, older }
    }
}

fn is_known(failure: &Failure) -> bool {
    KNOWN.iter().any(|known| failure.to_string().contains(known))
}
