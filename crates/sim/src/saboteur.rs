//! Who carries deliberate faults out: what concerns disks, and what relays read and write.

use std::sync::Arc;

use kuriiri_types::{Codec, Ministry, SignedApproval};
use kuriiri_wire::WireCodec;

use crate::{disk::Disk, lying_codec::LyingCodec, sabotage::Sabotage};

/// Carries out what concerns commits, disks, what is said and what is read.
#[derive(Debug, Default)]
pub(crate) struct Saboteur {
    pub(crate) plan: Sabotage,
    /// Commits that are left alone first, and whether it is done.
    pub(crate) patience: u32,
    pub(crate) is_done: bool,
    /// True when the storm is long over, and people have gone home.
    pub(crate) is_late: bool,
    /// True when all has come to rest.
    pub(crate) is_at_rest: bool,
    /// Approvals of another message.
    pub(crate) spare: Vec<SignedApproval>,
}

impl Saboteur {
    pub(crate) fn new(plan: Sabotage) -> Self {
        Self { plan, patience: 100, ..Self::default() }
    }

    pub(crate) fn is_time(&self) -> bool {
        !self.is_done && self.patience == 0
    }

    /// Changes a disk while its relay is down.
    pub(crate) fn damage_disk(&self, disk: &mut Disk) {
        disk.hides_holds = self.plan == Sabotage::HidesHolds;
        if self.plan == Sabotage::ForgetsStarts {
            disk.forget_starts();
        } else if self.plan == Sabotage::ForgetsWhatWasSeen {
            disk.forget_seen();
        } else if self.plan == Sabotage::LosesBodies {
            disk.bodies.clear();
        } else if self.plan == Sabotage::LosesAHold {
            disk.holds.pop_first();
        } else if self.plan == Sabotage::CutsTheLogBack {
            disk.log.cut_back();
        } else if self.plan == Sabotage::RewritesTheLog {
            disk.log.rewrite();
        } else if self.plan == Sabotage::LosesAHeader {
            disk.log.lose_a_header();
        } else if self.plan == Sabotage::DamagesTheHead {
            disk.log.damage_head();
        }
    }

    /// How a relay reads what is signed, and writes its log.
    pub(crate) fn codec(&self, home: &Ministry) -> Arc<dyn Codec> {
        const LIES: [Sabotage; 14] = [
            Sabotage::CountsTwice,
            Sabotage::MixesUpWords,
            Sabotage::ForgetsDrafters,
            Sabotage::HidesReceipts,
            Sabotage::BreaksChains,
            Sabotage::MisquotesDecisions,
            Sabotage::LosesProofs,
            Sabotage::MixesSenders,
            Sabotage::RepeatsStatements,
            Sabotage::MisquotesSignatures,
            Sabotage::MisquotesRetention,
            Sabotage::MisquotesReceipts,
            Sabotage::MisquotesSums,
            Sabotage::Scribbles,
        ];
        if LIES.contains(&self.plan) {
            Arc::new(LyingCodec::new(self.plan, home.clone()))
        } else {
            Arc::new(WireCodec)
        }
    }
}
