//! What saboteurs do to commits: to what a relay says is durable, and to what a disk gets of it.

use kuriiri_engine::{BodyFile, BodyRef, Commit, LogAppend, Pack, PackKey, QueueId, Write};
use kuriiri_types::{SignedApproval, limits::PACK_MESSAGES_MAX};

use crate::{clock::BEGINNING, disk::Disk, sabotage::Sabotage, saboteur::Saboteur};

/// Sabotage that a relay's memory would make up for.
const MUST_CRASH: [Sabotage; 3] =
    [Sabotage::LosesAPack, Sabotage::DamagesASignature, Sabotage::KeepsAHold];
/// A body file that no relay ever writes.
const NO_FILE: u64 = u64::MAX;
/// Later than any world lasts.
const NEVER: std::time::Duration = std::time::Duration::from_secs(400 * 24 * 3600);

impl Saboteur {
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
        let is_forged = is_silent || commit.writes.len() != before;
        self.is_done = is_forged || self.forge_more(commit);
    }

    fn forge_more(&self, commit: &mut Commit) -> bool {
        let plan = self.plan;
        (plan == Sabotage::StuffsAPack && stuff_a_pack(commit))
            || (plan == Sabotage::RepeatsAReceipt && repeat_a_receipt(commit))
            || (plan == Sabotage::DoublesAWord && double_a_word(commit))
            || (plan == Sabotage::ShufflesHeaders && shuffle_headers(commit))
            || (plan == Sabotage::ErasesSilently && erase_silently(commit))
    }

    /// Changes what a disk gets. True when the relay must now crash, so that its memory does not
    /// make up for it.
    pub(crate) fn damage(&mut self, disk: &Disk, commit: &mut Commit) -> bool {
        if self.plan == Sabotage::MixesUpWords {
            self.mix_up(disk, commit);
        }
        self.keep_what_goes(commit);
        let is_time = self.is_time() && !self.is_done;
        self.patience = self.patience.saturating_sub(1);
        if !is_time {
            return false;
        }
        self.is_done = self.damage_once(disk, commit);
        self.is_done && MUST_CRASH.contains(&self.plan)
    }

    /// What is not done once but always.
    fn keep_what_goes(&self, commit: &mut Commit) {
        let (plan, is_late) = (self.plan, self.is_late);
        commit.writes.retain(|write| match write {
            Write::PutCertificate(_) => plan != Sabotage::LosesCertificates,
            Write::ForgetSeen { .. } => plan != Sabotage::RemembersForEver,
            Write::DeleteHold(_) => plan != Sabotage::NeverEndsAHold || !is_late,
            Write::PutPack(..)
            | Write::DeletePack(_)
            | Write::PutDone(..)
            | Write::PutDue(..)
            | Write::DeleteDue(..)
            | Write::PutSeen { .. }
            | Write::PutHold(..)
            | Write::PutStart(_)
            | Write::PutSeenLog(..) => true,
        });
    }

    /// True when it is done, once and for all.
    fn damage_once(&self, disk: &Disk, commit: &mut Commit) -> bool {
        let plan = self.plan;
        (plan == Sabotage::LosesAPack && lose_a_pack(commit))
            || (plan == Sabotage::KeepsABody && commit.released.pop().is_some())
            || (plan == Sabotage::DamagesASignature && damage_a_signature(commit))
            || (plan == Sabotage::LosesASignature && lose_a_signature(commit))
            || (plan == Sabotage::KeepsAHold && keep_a_hold(commit))
            || (plan == Sabotage::LosesAWord && lose_a_word(disk, commit))
            || (plan == Sabotage::LeavesANote && leave_a_note(commit))
            || (plan == Sabotage::LeavesABody && leave_a_body(commit))
            || (plan == Sabotage::ReleasesTooMuch && release_too_much(commit))
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

// === what a relay says ===

fn packs(commit: &mut Commit) -> impl Iterator<Item = (&PackKey, &mut Pack)> {
    commit.writes.iter_mut().filter_map(|write| {
        let Write::PutPack(key, pack) = write else { return None };
        Some((&*key, pack))
    })
}

fn stuff_a_pack(commit: &mut Commit) -> bool {
    let Some((_, pack)) = packs(commit).next() else { return false };
    let items = std::mem::take(&mut pack.items);
    pack.items = items.into_iter().cycle().take(PACK_MESSAGES_MAX + 1).collect();
    true
}

fn repeat_a_receipt(commit: &mut Commit) -> bool {
    let mut packs = packs(commit);
    let receipts = packs.find(|(key, _)| matches!(key.queue, QueueId::Receipts(_)));
    let Some((_, pack)) = receipts else { return false };
    let last = pack.items.last().cloned();
    pack.items.extend(last);
    true
}

fn double_a_word(commit: &mut Commit) -> bool {
    let mut holds = commit.writes.iter_mut().filter_map(|write| {
        let Write::PutHold(_, held) = write else { return None };
        Some(held)
    });
    let Some(held) = holds.find(|held| !held.approvals.is_empty()) else {
        return false;
    };
    held.approvals.extend(held.approvals.first().cloned());
    true
}

fn shuffle_headers(commit: &mut Commit) -> bool {
    let beside = commit.log.as_mut().map(|append: &mut LogAppend| &mut append.headers);
    let mut several = beside.into_iter().flatten().filter(|(_, headers)| headers.len() > 1);
    several.next().map(|(_, headers)| headers.rotate_left(1)).is_some()
}

fn erase_silently(commit: &mut Commit) -> bool {
    let beside = commit.log.iter().flat_map(|append| &append.headers);
    let headers = beside.flat_map(|(_, headers)| headers);
    let first = headers.map(|header| kuriiri_merkle::leaf(header)).next();
    commit.erased_headers.extend(first);
    first.is_some()
}

// === what a disk gets ===

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
    let outbox = packs(commit).filter(|(key, _)| matches!(key.queue, QueueId::Outbox(_)));
    let mut parts = outbox.flat_map(|(_, pack)| &mut pack.parts);
    let Some(part) = parts.next() else { return false };
    part.signature = bytes::Bytes::from_static(&[0; 64]);
    true
}

fn lose_a_signature(commit: &mut Commit) -> bool {
    packs(commit).any(|(_, pack)| pack.parts.pop().is_some())
}

fn leave_a_note(commit: &mut Commit) -> bool {
    let Some((key, _)) = packs(commit).next() else { return false };
    let key = key.clone();
    commit.writes.push(Write::PutDue(BEGINNING.after(NEVER), key));
    true
}

fn leave_a_body(commit: &mut Commit) -> bool {
    if commit.bodies.is_some() {
        return false;
    }
    let bodies = vec![bytes::Bytes::from_static(b"nobody's")];
    commit.bodies = Some(BodyFile { file: NO_FILE, bodies, references: 0 });
    true
}

fn release_too_much(commit: &mut Commit) -> bool {
    commit.released.push(BodyRef { file: NO_FILE, offset: 0, len: 1 });
    true
}
