//! Erasing because the law asks for it: salt and body leave the custody of this relay, the sender hears
//! so, and the header beside the log can go too. Entries, receipts and every proof remain.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_types::{Code, Digest, Lane, LogEvent, MessageId, Refusal, SpiffeId};

use crate::{
    action::Reply,
    commit::Write,
    custody::Custody,
    message::Message,
    queued::Queued,
    record::{Body, Item, PackKey, QueueId, Seq},
    stating::Failure,
    step::Work,
    view::ViewError,
};

/// An erasure in the making.
pub(crate) struct Erasure {
    message: MessageId,
    by: SpiffeId,
    basis: String,
    /// Headers that go too.
    headers: Vec<Digest>,
    /// Copies erased so far.
    copies: u32,
}

impl Erasure {
    /// The erasure that somebody asks for, on this legal basis.
    pub(crate) fn new(
        by: SpiffeId,
        message: MessageId,
        basis: String,
        headers: Vec<Digest>,
    ) -> Self {
        Self { message, by, basis, headers, copies: 0 }
    }

    /// Why it cannot be done, or not at this moment, if it cannot. What is under way to a peer has left, or comes
    /// back.
    pub(crate) fn not_now(
        &self,
        custody: &Custody,
        work: &Work<'_>,
        under_way: impl Iterator<Item = (QueueId, Lane, Seq)>,
    ) -> Option<Refusal> {
        if !custody.config.is_ours(&self.by) {
            return Some(Refusal::bare(Code::NOT_AN_OFFICER));
        }
        let busy = |why: &str| Some(Refusal { code: Code::BUSY, reasons: vec![why.into()] });
        // It would be made from the pack as it is on disk, which still has what was erased in this step.
        if work.commit.writes.iter().any(|write| matches!(write, Write::PutPack(..))) {
            return busy("another message is being erased; ask again");
        }
        if is_under_way(custody, self.message, under_way) {
            return busy("a copy of it is under way to a peer; ask again");
        }
        None
    }

    /// Erases what is kept of a message, all of it in this step: everything that waits is gone
    /// through, which takes about a second for a million messages.
    pub(crate) fn carry_out(
        mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
    ) -> Result<Reply, ViewError> {
        // An entry that brings a header comes before the one that says that it is erased.
        work.write_decisions();
        self.take_headers(work);
        erase_holds(custody, work, &mut self)?;
        for (queue, lane) in custody.message_lanes() {
            let mut from = 0;
            while let Some((first, _)) =
                custody.queues.next_pack(&queue, lane, from, &work.reader)?
            {
                let key = PackKey { queue: queue.clone(), lane, first };
                erase_in(custody, work, &key, &mut self)?;
                from = first.saturating_add(1);
            }
        }
        let (copies, headers) =
            (self.copies, u32::try_from(self.headers.len()).unwrap_or(u32::MAX));
        if copies == 0 && headers == 0 {
            let what = format!("erase {}: {}; no body of it was kept", self.message, self.basis);
            work.note(LogEvent::Acted { by: self.by, what });
        }
        Ok(Reply::Erased { copies, headers })
    }

    fn why(&self) -> Failure {
        let reasons = vec![format!("erased: {}", self.basis)];
        Failure::refused(Refusal { code: Code::ERASED, reasons })
    }

    /// Writes the order down with the first copy that goes; it stands for all of them.
    fn note(&mut self, work: &mut Work<'_>, subject: Digest) {
        if self.copies == 0 && !self.headers.contains(&subject) {
            self.tell(work, subject, false);
        }
        self.copies = self.copies.saturating_add(1);
    }

    /// Writes down which headers go, and has them go with the commit.
    fn take_headers(&self, work: &mut Work<'_>) {
        self.headers.iter().for_each(|subject| self.tell(work, *subject, true));
        work.commit.erased_headers.extend(&self.headers);
    }

    fn tell(&self, work: &mut Work<'_>, subject: Digest, header: bool) {
        let (by, basis) = (self.by.clone(), self.basis.clone());
        work.note(LogEvent::Erased { subject, header, by, basis });
    }
}

fn is_under_way(
    custody: &Custody,
    message: MessageId,
    mut under_way: impl Iterator<Item = (QueueId, Lane, Seq)>,
) -> bool {
    let is_away = under_way.any(|(queue, lane, seq)| {
        let item = custody.queues.lane(&queue, lane).and_then(|l| l.item(seq));
        item.is_some_and(|item| item.copy_of(message).is_some())
    });
    is_away || is_arriving(custody, message)
}

/// Whether a copy came in this step: it is in no pack yet.
fn is_arriving(custody: &Custody, message: MessageId) -> bool {
    let mut lanes = custody.message_lanes().into_iter();
    lanes.any(|(queue, lane)| {
        let lane = custody.queues.lane(&queue, lane);
        lane.is_some_and(|lane| lane.fresh().any(|(_, item)| item.copy_of(message).is_some()))
    })
}

fn erase_holds(
    custody: &mut Custody,
    work: &mut Work<'_>,
    erasure: &mut Erasure,
) -> Result<(), ViewError> {
    for number in custody.holds.of(erasure.message) {
        let Some(waiting) = custody.waiting(work, number)? else { continue };
        erasure.note(work, waiting.leaf);
        work.commit.erased.extend(waiting.hold.body.reference());
        custody.end_hold(work, number, &waiting, &erasure.why());
    }
    Ok(())
}

/// Erases the copies in one pack. The pack is written anew without their bodies, unless it goes
/// altogether.
fn erase_in(
    custody: &mut Custody,
    work: &mut Work<'_>,
    key: &PackKey,
    erasure: &mut Erasure,
) -> Result<(), ViewError> {
    let in_memory = custody.queues.lane(&key.queue, key.lane).and_then(|l| l.free_in(key.first));
    let mut on_disk = match in_memory {
        Some(_) => None,
        None => work.reader.pack(key)?.map(|(pack, _)| pack),
    };
    let found: Vec<(Seq, Arc<Message>)> = match (&in_memory, &on_disk) {
        (Some(free), _) => of(erasure.message, free.iter().map(|(seq, item, _)| (*seq, item))),
        (None, Some(pack)) => of(erasure.message, pack.open(key.first)),
        (None, None) => Vec::new(),
    };
    if found.is_empty() {
        return Ok(());
    }
    write_without(work, key, &found)?;
    for (seq, message) in &found {
        erasure.note(work, message.leaf());
        work.commit.erased.extend(message.parcel().body.reference());
        custody.withdraw(work, &key.queue, message, &erasure.why());
        match &mut on_disk {
            Some(pack) => drop(pack.end(key.first, *seq)),
            None => drop(custody.queues.finish(&key.queue, key.lane, *seq)),
        }
    }
    if let Some(pack) = on_disk {
        let ended: Vec<Queued> =
            found.into_iter().map(|(_, message)| Queued::Message(message)).collect();
        custody.queues.finished_on_disk(key, &ended);
        custody.end_pack(work, key, &pack);
        work.ended_on_disk = true;
    }
    Ok(())
}

/// The copies of a message among the items of a pack.
fn of<'a>(
    message: MessageId,
    items: impl Iterator<Item = (Seq, &'a Queued)>,
) -> Vec<(Seq, Arc<Message>)> {
    items.filter_map(|(seq, item)| Some((seq, Arc::clone(item.copy_of(message)?)))).collect()
}

/// The stored pack, with nothing in the place of these bodies.
fn write_without(
    work: &mut Work<'_>,
    key: &PackKey,
    erased: &[(Seq, Arc<Message>)],
) -> Result<(), ViewError> {
    let Some((mut pack, _)) = work.reader.view.pack(key)? else { return Ok(()) };
    for (seq, _) in erased {
        let at = usize::try_from(seq.saturating_sub(key.first)).unwrap_or(usize::MAX);
        if let Some(Item::Parcel(parcel)) = pack.items.get_mut(at)
            && parcel.body.reference().is_none()
        {
            parcel.body = Body::Inline(Bytes::new());
        }
    }
    work.commit.writes.push(Write::PutPack(key.clone(), pack));
    Ok(())
}
