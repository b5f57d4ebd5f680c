//! Deliberate faults of the hosts, which the invariants must find.

use std::sync::Arc;

use kuriiri_engine::{Action, Codec, Commit, Item, PackKey, QueueId, Reply, Write};
use kuriiri_types::{Ministry, SignedApproval};

use crate::{cast::WireCodec, disk::Disk, liar::Liar};

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
    /// A message is said to be held that no disk holds.
    HoldsNothing,
    /// A disk loses a hold while its relay is down.
    LosesAHold,
    /// A hold ends, and with it all that would have come of it.
    EndsAHoldSilently,
    /// A disk keeps a hold that has ended, and its relay starts on it.
    KeepsAHold,
    /// An officer's word is counted and not kept.
    LosesAWord,
    /// Officers are shown nothing of what waits.
    HidesHolds,
    /// The same officer counts again under another name.
    CountsTwice,
    /// What officers said of one message is kept with another, and counts there.
    MixesUpWords,
    /// Nobody knows any more who wrote a message that waits.
    ForgetsDrafters,
    /// Whoever hands in a word is taken for whoever signed it.
    TrustsAnybody,
    /// Officers are told of a rejection that nobody made.
    MisleadsOfficers,
    /// Relays run on rules that ask for no officers.
    AsksForNoOfficers,
    /// Relays are not told of new rules.
    KeepsOldRules,
    /// When rules change, what is only on disk cannot be seen.
    SkipsWhatIsOnDisk,
    /// A disk loses what was written into the log last, while its relay is down.
    CutsTheLogBack,
    /// A disk changes an entry of the log.
    RewritesTheLog,
    /// Receipts are handed out with the place of another.
    MisplacesReceipts,
    /// A relay keeps what it has taken, and not what it wrote of it.
    ForgetsToWrite,
    /// Receipts of other relays are taken and not written into the log.
    HidesReceipts,
    /// The links of chains are counted wrongly.
    BreaksChains,
    /// The log has other decisions than those that were taken.
    MisquotesDecisions,
    /// Relays on the way do not write that the next one has a message.
    LosesProofs,
}

/// Whose deed a relay's memory would make up for.
const MUST_CRASH: [Sabotage; 3] =
    [Sabotage::LosesAPack, Sabotage::DamagesASignature, Sabotage::KeepsAHold];

/// Carries out what concerns commits, disks and what is read of them.
#[derive(Debug, Default)]
pub(crate) struct Saboteur {
    pub(crate) plan: Sabotage,
    /// Commits that are left alone first, and whether the deed is done.
    pub(crate) patience: u32,
    is_done: bool,
    /// Approvals of another message.
    spare: Vec<SignedApproval>,
}

impl Saboteur {
    pub(crate) fn new(plan: Sabotage) -> Self {
        Self { plan, patience: 100, is_done: false, spare: Vec::new() }
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
            disk.paper.cut_back();
        } else if self.plan == Sabotage::RewritesTheLog {
            disk.paper.rewrite();
        }
    }

    /// Changes what is said of the place of a receipt.
    pub(crate) fn misplace(&self, action: &mut Action) {
        if self.plan == Sabotage::MisplacesReceipts
            && let Action::Answer(_, Reply::Verdicts { receipts, .. }) = action
        {
            receipts.iter_mut().for_each(|receipt| receipt.index ^= 1);
        }
    }

    /// How a relay reads what is signed.
    pub(crate) fn codec(&self, home: &Ministry) -> Arc<dyn Codec> {
        const LIES: [Sabotage; 7] = [
            Sabotage::CountsTwice,
            Sabotage::MixesUpWords,
            Sabotage::ForgetsDrafters,
            Sabotage::HidesReceipts,
            Sabotage::BreaksChains,
            Sabotage::MisquotesDecisions,
            Sabotage::LosesProofs,
        ];
        if LIES.contains(&self.plan) {
            Arc::new(Liar::new(self.plan, home.clone()))
        } else {
            Arc::new(WireCodec)
        }
    }

    /// Changes what a relay says it has made durable.
    pub(crate) fn forge(&mut self, disk: &Disk, commit: &mut Commit) {
        if !self.is_time() {
            return;
        }
        let before = commit.writes.len();
        if self.plan == Sabotage::HoldsNothing {
            let is_new = |write: &Write| matches!(write, Write::PutHold(number, _) if !disk.holds.contains_key(number));
            commit.writes.retain(|write| !is_new(write));
        }
        let ends = commit.writes.iter().any(|write| matches!(write, Write::DeleteHold(_)));
        if self.plan == Sabotage::EndsAHoldSilently && ends {
            commit.writes.retain(|write| !matches!(write, Write::PutPack(..)));
        }
        let is_silent = self.plan == Sabotage::ForgetsToWrite && commit.log.take().is_some();
        self.is_done = is_silent || commit.writes.len() != before;
    }

    /// Changes what a disk gets. True when the relay must now crash, so that its memory does not
    /// make up for it.
    pub(crate) fn damage(&mut self, disk: &Disk, commit: &mut Commit) -> bool {
        if self.plan == Sabotage::MixesUpWords {
            self.mix_up(disk, commit);
        }
        let is_time = self.is_time() && !self.is_done;
        let is_patient = self.plan != Sabotage::LosesCertificates;
        self.patience = self.patience.saturating_sub(1);
        if is_patient && !is_time {
            return false;
        }
        self.is_done = self.deed(disk, commit);
        self.is_done && MUST_CRASH.contains(&self.plan)
    }

    /// True when it is done, once and for all.
    fn deed(&self, disk: &Disk, commit: &mut Commit) -> bool {
        let plan = self.plan;
        if plan == Sabotage::LosesCertificates {
            commit.writes.retain(|write| !matches!(write, Write::PutCertificate(_)));
        }
        (plan == Sabotage::LosesAPack && lose_a_pack(commit))
            || (plan == Sabotage::KeepsABody && commit.released.pop().is_some())
            || (plan == Sabotage::DamagesASignature && damage_a_signature(commit))
            || (plan == Sabotage::KeepsAHold && keep_a_hold(commit))
            || (plan == Sabotage::LosesAWord && lose_a_word(disk, commit))
    }

    fn is_time(&self) -> bool {
        !self.is_done && self.patience == 0
    }

    /// Puts what was said of one message beside another of which nothing was said.
    fn mix_up(&mut self, disk: &Disk, commit: &mut Commit) {
        let is_ours = |word: &&SignedApproval| disk.has_certificate(&word.proof.signer);
        for write in &mut commit.writes {
            let Write::PutHold(_, held) = write else { continue };
            if held.approvals.is_empty() {
                held.approvals = self.spare.iter().filter(is_ours).cloned().collect();
            } else {
                self.spare = held.approvals.iter().take(1).cloned().collect();
            }
        }
    }
}

fn lose_a_pack(commit: &mut Commit) -> bool {
    let is_lost = |write: &Write| {
        matches!(write, Write::PutPack(PackKey { queue: QueueId::Mailbox(_), .. }, _))
    };
    lose(commit, is_lost)
}

fn keep_a_hold(commit: &mut Commit) -> bool {
    lose(commit, |write| matches!(write, Write::DeleteHold(_)))
}

fn lose_a_word(disk: &Disk, commit: &mut Commit) -> bool {
    lose(commit, |write| {
        let Write::PutHold(number, held) = write else { return false };
        let before = disk.holds.get(number);
        before.is_some_and(|before| before.approvals.len() < held.approvals.len())
    })
}

fn lose(commit: &mut Commit, is_lost: impl Fn(&Write) -> bool) -> bool {
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
