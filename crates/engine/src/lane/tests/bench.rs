//! A lane with the state below it and the model beside it, compared with each other.

use std::{collections::BTreeSet, time::Duration};

use kuriiri_seal::VerifiedMessage;
use kuriiri_types::Precedence;
use kuriiri_wire::WireCodec;

use super::{
    super::*,
    Op,
    model::{self, Model, State},
};
use crate::{
    Body, Commit,
    commit::BodyFile,
    message::{Keeping, Message},
    testing::{Letter, Memory, NOW, ministry},
};

const NAME: LaneName = LaneName::Messages(Precedence::Routine);
const MINUTE: Duration = Duration::from_secs(60);
/// As in the engine: the upper bits of a number count the starts.
const START_SHIFT: u32 = 40;
/// Bytes that the lane keeps in memory.
const MOST: usize = 2 * 1024 * 1024;

fn queue() -> QueueId {
    QueueId::Outbox(ministry("plm.example"))
}

/// A lane, the state below it and the model beside it.
pub(super) struct Bench {
    pub(super) lane: Lane,
    pub(super) disk: Memory,
    pub(super) model: Model,
    /// The model as of the last commit.
    committed: Model,
    now: Timestamp,
    starts: u64,
    /// What was settled and is not durable yet, and the body files of what was appended.
    pending: Commit,
    files: Vec<BodyFile>,
    letter: VerifiedMessage,
    next_id: u64,
    next_file: u64,
    /// The lane was restored: its count may be too high until all of it was read.
    was_restored: bool,
    /// Notes of expiry that no longer fitted their pack at a restart.
    stale: BTreeSet<(Timestamp, PackKey)>,
    /// Whether packs ever stood on disk only.
    pub(super) spilled: bool,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            lane: Lane::new(queue(), NAME, 1 << START_SHIFT),
            disk: Memory::default(),
            model: Model::new(1 << START_SHIFT),
            committed: Model::new(1 << START_SHIFT),
            now: NOW,
            starts: 1,
            pending: Commit::default(),
            files: Vec::new(),
            letter: Letter::new(1, "kirjaamo@sm.example", &["kirjaamo@plm.example"]).verified(),
            next_id: 0,
            next_file: 0,
            was_restored: false,
            stale: BTreeSet::new(),
            spilled: false,
        }
    }

    pub(super) fn run(&mut self, op: &Op) {
        match *op {
            Op::Append { count, size, minutes, step } => {
                for n in 0..count as u64 {
                    let id = self.next_id.to_be_bytes();
                    let bytes = [id.as_slice(), &vec![0; size.saturating_sub(id.len())]].concat();
                    self.append(Body::Inline(bytes.into()), minutes + n * step);
                }
            }
            Op::AppendFile { minutes } => self.append_file(minutes),
            Op::Take(count) => {
                for _ in 0..count {
                    self.take();
                }
            }
            Op::PutBack(place) => {
                if let Some(seq) = self.model.taken(place) {
                    self.lane.put_back(seq);
                    self.model.return_back(seq);
                }
            }
            Op::Finish { from, count } => {
                for _ in 0..count {
                    self.finish(from);
                }
            }
            Op::Settle => self.settle(),
            Op::Commit => self.commit(),
            Op::Restart { in_time } => self.restart(in_time),
            Op::Expire { minutes } => self.expire(MINUTE * u32::try_from(minutes).unwrap()),
        }
        self.check();
    }

    fn append(&mut self, body: Body, minutes: u64) {
        let expires = self.now.after(MINUTE * u32::try_from(minutes).unwrap());
        // The time of acceptance tells the items apart.
        let accepted = Timestamp::from_millis(self.next_id.try_into().unwrap());
        let (dest, path) = (ministry("plm.example"), Vec::new());
        let (approvals, releases) = (Vec::new(), Vec::new());
        let custody = Keeping { dest, path, expires, accepted, approvals, releases, body };
        self.lane.append(Queued::Message(Message::take(&self.letter, custody)));
        self.model.append(self.next_id, expires);
        self.next_id += 1;
    }

    fn append_file(&mut self, minutes: u64) {
        let file = self.next_file;
        self.next_file += 1;
        self.files.push(BodyFile { file, bodies: Vec::new(), references: 1 });
        self.append(Body::File(BodyRef { file, offset: 0, len: 20_000 }), minutes);
    }

    fn take(&mut self) {
        let reader = Reader { view: &self.disk, codec: &WireCodec };
        let given = self.lane.take(&reader, MOST).unwrap();
        let Some((seq, item)) = given else {
            assert!(self.nothing_can_be_taken(), "an item was not given");
            return;
        };
        assert_eq!(Some(seq), self.model.next_to_take(), "out of order");
        assert_eq!(id_of(&item), self.model.take(seq), "another item than was appended");
    }

    /// True when the model has nothing to give, or only what the lane cannot have read yet.
    fn nothing_can_be_taken(&self) -> bool {
        let Some(next) = self.model.next_to_take() else {
            return true;
        };
        let is_full = self.lane.memory >= MOST;
        let on_disk =
            self.disk.packs.iter().any(|(key, pack)| {
                (key.first..key.first + pack.items.len() as u64).contains(&next)
            });
        self.model.state(next) == State::Waiting && (is_full || !on_disk)
    }

    fn finish(&mut self, place: usize) {
        let Some(seq) = self.model.taken(place) else {
            return;
        };
        assert!(self.lane.finish(seq));
        assert!(!self.lane.finish(seq), "an item ends once");
        self.model.finish(seq);
    }

    fn settle(&mut self) {
        let changes = self.lane.settle(self.now, MOST);
        for write in &changes.writes {
            if let Write::PutPack(_, pack) = write {
                assert!(pack.items.len() == 1 || pack.weight() <= PACK_BYTES_MAX);
            }
        }
        self.pending.writes.extend(changes.writes);
        self.pending.released.extend(changes.released);
        self.model.settle();
    }

    fn commit(&mut self) {
        self.settle();
        for file in self.files.drain(..) {
            self.disk.apply(&Commit { bodies: Some(file), ..Commit::default() });
        }
        self.disk.apply(&mem::take(&mut self.pending));
        self.committed = self.model.clone();
        self.spilled |= self.lane.unread.is_some();
        self.lane.look_again(&Reader { view: &self.disk, codec: &WireCodec }).unwrap();
        self.check_disk();
    }

    fn restart(&mut self, in_time: bool) {
        if in_time {
            self.commit();
        }
        self.pending = Commit::default();
        self.files.clear();
        self.note_stale();
        self.starts += 1;
        let base = self.starts << START_SHIFT;
        self.model = self.committed.restarted(base);
        let span = self.disk.lanes().unwrap().pop();
        self.was_restored = span.is_some();
        self.lane = match span {
            Some(span) => Lane::restore(span, base, &self.disk).unwrap(),
            None => Lane::new(queue(), NAME, base),
        };
    }

    /// A note that does not stand at the time when the first open item of its pack expires: that
    /// item was finished, or its pack was to be looked at again. Who reads the pack back does not
    /// know of the note.
    fn note_stale(&mut self) {
        for (at, key) in &self.disk.due {
            if self.disk.packs.contains_key(key) && Some(*at) != self.first_expiry(key) {
                self.stale.insert((*at, key.clone()));
            }
        }
    }

    fn first_expiry(&self, key: &PackKey) -> Option<Timestamp> {
        let reader = Reader { view: &self.disk, codec: &WireCodec };
        let (pack, _) = reader.pack(key).unwrap()?;
        pack.expiry(key.first)
    }

    // === expiry, as the engine does it ===

    fn expire(&mut self, time: Duration) {
        self.commit();
        self.now = self.now.after(time);
        for (at, key) in self.disk.due(self.now, usize::MAX).unwrap() {
            self.pending.writes.push(Write::DeleteDue(at, key.clone()));
            match self.lane.free_in(key.first) {
                Some(free) => self.expire_in_memory(&key, free),
                None => self.expire_on_disk(&key),
            }
        }
        self.commit();
        let is_late = |(_, item): (Seq, &model::Item)| item.expires <= self.now;
        let late = self.model.free().filter(|entry| is_late(*entry)).count();
        assert_eq!(late, 0, "what has expired and is free has ended");
    }

    fn expire_in_memory(&mut self, key: &PackKey, free: Vec<(Seq, Queued, Timestamp)>) {
        let first = key.first;
        let len = self.lane.packs[&first].items().len() as u64;
        let expected: Vec<_> = self
            .model
            .free()
            .filter(|(s, _)| (first..first + len).contains(s))
            .map(|(seq, item)| (seq, item.id, item.expires))
            .collect();
        let given: Vec<_> = free.iter().map(|(seq, item, at)| (*seq, id_of(item), *at)).collect();
        assert_eq!(given, expected, "what is free in a pack");
        for (seq, _, at) in free {
            if at <= self.now {
                assert!(self.lane.finish(seq));
                self.model.finish(seq);
            }
        }
        if let Some(next) = self.lane.expiry_of(first) {
            let due = if next <= self.now { self.now.after(MINUTE) } else { next };
            assert!(self.lane.set_due(first, due));
            self.pending.writes.push(Write::PutDue(due, key.clone()));
        }
    }

    fn expire_on_disk(&mut self, key: &PackKey) {
        let reader = Reader { view: &self.disk, codec: &WireCodec };
        let Some((mut pack, _)) = reader.pack(key).unwrap() else {
            assert!(self.stale.iter().any(|(_, stale)| stale == key), "a note of no pack");
            return;
        };
        let ended = pack.end_expired(key.first, self.now);
        self.lane.finished_on_disk(ended.len() as u64);
        for item in &ended {
            self.model.finish_id(id_of(item));
        }
        let writes = &mut self.pending.writes;
        match pack.expiry(key.first) {
            None => {
                self.pending.released.extend(pack.body_refs());
                writes.push(Write::DeletePack(key.clone()));
            }
            Some(next) => {
                writes.push(Write::PutDone(key.clone(), pack.done()));
                writes.push(Write::PutDue(next, key.clone()));
            }
        }
    }

    // === what must hold ===

    fn check(&self) {
        let (waiting, expected) = (self.lane.waiting(), self.model.len());
        assert!(waiting >= expected, "{waiting} are counted and {expected} wait");
        let is_exact = !self.was_restored || self.lane.unread.is_none();
        assert!(!is_exact || waiting == expected, "{waiting} are counted and {expected} wait");
        assert_eq!(self.lane.next(), self.model.next);
        let fresh: Vec<_> = self.lane.fresh().map(|(seq, item)| (seq, id_of(item))).collect();
        let expected: Vec<_> = self.model.in_state(State::Fresh).map(|(s, i)| (s, i.id)).collect();
        assert_eq!(fresh, expected);
    }

    fn check_disk(&self) {
        let in_memory = self.lane.packs.keys().map(|first| self.lane.key(*first));
        let bytes: usize = in_memory.map(|key| self.disk.size(&key)).sum();
        assert!(bytes <= MOST + PACK_BYTES_MAX, "{bytes} bytes in memory");
        for key in self.disk.packs.keys() {
            let notes: Vec<_> = self.disk.due.iter().filter(|(_, of)| of == key).collect();
            assert_eq!(notes.len(), 1, "{key:?} has one note of expiry");
        }
    }

    /// Takes and finishes all that is left; nothing may remain but what is known to be stale.
    pub(super) fn drain(&mut self) {
        self.commit();
        for _ in 0..10_000 {
            if self.model.len() == 0 {
                break;
            }
            self.run(&Op::Take(64));
            self.run(&Op::Finish { from: 0, count: self.model.taken_len() });
            self.run(&Op::Commit);
        }
        assert_eq!(self.model.len(), 0, "the lane gives no more");
        let reader = Reader { view: &self.disk, codec: &WireCodec };
        assert!(self.lane.take(&reader, MOST).unwrap().is_none());
        assert!(self.disk.has_no_items());
        assert!(self.disk.due.is_subset(&self.stale), "a note of expiry is left");
        assert!(self.disk.lanes().unwrap().is_empty());
    }
}

fn id_of(item: &Queued) -> u64 {
    item.accepted().unwrap().as_millis().try_into().unwrap()
}
