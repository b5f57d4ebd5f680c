//! Deliberate faults of the hosts, which the invariants must find.

use kuriiri_engine::{Commit, Item, PackKey, QueueId, Write};

/// A way in which a world is broken on purpose. A check that finds nothing in such a world would
/// find nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sabotage {
    /// All is well.
    #[default]
    None,
    /// Hosts speak before the commit, and some crash before they make it.
    SpeaksFirst,
    /// A disk loses a pack of a mailbox.
    LosesAPack,
    /// A disk forgets what was seen, and old batches come again.
    ForgetsWhatWasSeen,
    /// A disk forgets how often its relay started.
    ForgetsStarts,
    /// A disk keeps a body that was released.
    KeepsABody,
    /// A disk loses its body files.
    LosesBodies,
    /// Disks keep no certificates.
    LosesCertificates,
    /// A disk damages a signature.
    DamagesASignature,
    /// Batches are handed over as they come, whatever their numbers.
    HasNoGates,
    /// Relays run on rules that nobody signed.
    ForgedRules,
    /// Readers confirm receipts that they never had.
    ConfirmsUnread,
    /// Two relays never see each other again.
    NeverHeals,
}

/// Carries out what concerns commits.
#[derive(Debug, Default)]
pub(crate) struct Saboteur {
    pub(crate) plan: Sabotage,
    /// Commits that are left alone first, and whether the deed is done.
    pub(crate) patience: u32,
    is_done: bool,
}

impl Saboteur {
    pub(crate) fn new(plan: Sabotage) -> Self {
        Self { plan, patience: 100, is_done: false }
    }

    /// Changes what a disk gets. True when the relay must now crash, so that its memory does not
    /// make up for it.
    pub(crate) fn damage(&mut self, commit: &mut Commit) -> bool {
        let is_patient = self.plan != Sabotage::LosesCertificates;
        self.patience = self.patience.saturating_sub(1);
        if self.is_done || (is_patient && self.patience > 0) {
            return false;
        }
        let (done, must_crash) = match self.plan {
            Sabotage::LosesAPack => (lose_a_pack(commit), true),
            Sabotage::KeepsABody => (commit.released.pop().is_some(), false),
            Sabotage::LosesCertificates => {
                commit.writes.retain(|write| !matches!(write, Write::PutCertificate(_)));
                (false, false)
            }
            Sabotage::DamagesASignature => (damage_a_signature(commit), true),
            Sabotage::None
            | Sabotage::SpeaksFirst
            | Sabotage::ForgetsWhatWasSeen
            | Sabotage::ForgetsStarts
            | Sabotage::LosesBodies
            | Sabotage::HasNoGates
            | Sabotage::ForgedRules
            | Sabotage::ConfirmsUnread
            | Sabotage::NeverHeals => (false, false),
        };
        self.is_done = done;
        done && must_crash
    }
}

fn lose_a_pack(commit: &mut Commit) -> bool {
    let is_lost = |write: &Write| {
        matches!(write, Write::PutPack(PackKey { queue: QueueId::Mailbox(_), .. }, _))
    };
    let place = commit.writes.iter().position(is_lost);
    place.map(|place| commit.writes.remove(place)).is_some()
}

fn damage_a_signature(commit: &mut Commit) -> bool {
    for write in &mut commit.writes {
        if let Write::PutPack(PackKey { queue: QueueId::Outbox(_), .. }, pack) = write {
            for item in &mut pack.items {
                if let Item::Parcel(parcel) = item {
                    parcel.envelope.proof.index ^= 1;
                    return true;
                }
            }
        }
    }
    false
}
