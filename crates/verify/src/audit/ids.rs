//! Ids of messages: one id is to name one message.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use kuriiri_types::MessageId;

use crate::{
    finding::{Check, Finding, Findings},
    spill::{Record, Spill, groups},
};

/// Messages that share their id with another one and are followed; with more they are not told any more.
const SHARED_MAX: usize = 10_000;

/// Stands for a message.
type Key = [u8; 16];

/// Where a log names a message first. 40 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IdRecord {
    pub(super) id: MessageId,
    /// The beginning of the header's leaf hash.
    pub(super) message: Key,
    pub(super) index: u64,
}

impl Record for IdRecord {
    const BYTES: usize = 40;

    fn write(&self, to: &mut Vec<u8>) {
        to.extend(self.id.as_bytes());
        to.extend(self.message);
        to.extend(self.index.to_be_bytes());
    }

    fn read(from: &[u8]) -> Option<Self> {
        let (id, rest) = from.split_first_chunk()?;
        let (message, rest) = rest.split_first_chunk()?;
        let index = u64::from_be_bytes(*rest.first_chunk()?);
        Some(Self { id: MessageId::from_bytes(*id)?, message: *message, index })
    }

    fn part(&self) -> u8 {
        self.id.as_bytes().last().copied().unwrap_or(0)
    }
}

/// Messages that share their id with another, and those of them that were taken.
#[derive(Debug, Default)]
pub(super) struct Shared {
    messages: HashMap<Key, (MessageId, u64)>,
    taken: BTreeMap<MessageId, Vec<u64>>,
}

impl Shared {
    /// Looks for them among all that a log names.
    pub(super) fn among(ids: Spill<IdRecord>) -> io::Result<Self> {
        let mut shared = Self::default();
        ids.sorted(|records| {
            groups(
                records,
                |record| record.id,
                |same| {
                    let differ = same
                        .iter()
                        .any(|one| Some(&one.message) != same.first().map(|f| &f.message));
                    if differ && shared.messages.len() < SHARED_MAX {
                        let all = same.iter().map(|one| (one.message, (one.id, one.index)));
                        shared.messages.extend(all);
                    }
                },
            );
        })?;
        Ok(shared)
    }

    /// A message was taken.
    pub(super) fn taken(&mut self, message: Key) {
        if let Some((id, index)) = self.messages.get(&message) {
            self.taken.entry(*id).or_default().push(*index);
        }
    }

    /// Tells of those that share an id and were both taken.
    pub(super) fn finish(&self, out: &mut Findings) {
        for (id, taken) in self.taken.iter().filter(|(_, taken)| taken.len() > 1) {
            let what = format!(
                "{} different messages of this id were taken; whoever signed them made them so",
                taken.len()
            );
            let finding = Finding::fault(Check::Messages, what).of(*id);
            let last = taken.iter().max().copied();
            out.add(Finding { entry: last, ..finding });
        }
    }
}
