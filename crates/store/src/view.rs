//! What the engine sees: the committed state, read straight from the records.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use kuriiri_engine::{
    ChannelEnd, Done, Hold, HoldNumber, LaneSpan, LogHead, Pack, PackKey, QueueId, SeenLog,
    SeenRun, Seq, View, ViewError,
};
use kuriiri_tlog::TILE_WIDTH;
use kuriiri_types::{Fingerprint, Lane, Ministry, Timestamp};
use serde::de::DeserializeOwned;

use crate::{
    key::Key,
    log::{Beside, HeadedEntry, LogPack},
    store::Store,
    tree::Tree,
    value,
};

impl View for Store {
    fn starts(&self) -> Result<u64, ViewError> {
        Ok(record(self.tree(), &Key::Starts)?.unwrap_or(0))
    }

    /// Looks at two keys of each lane, however many packs lie between them.
    fn lanes(&self) -> Result<Vec<LaneSpan>, ViewError> {
        let mut lanes = Vec::new();
        let mut rest = Key::packs();
        while let Some(first) = keys(self.tree(), rest.clone()).next() {
            let first = pack_key(first?)?;
            let lane = Key::lane(&first.queue, first.lane, first.first);
            rest.start.clone_from(&lane.end);
            let last = match last_key(self.tree(), lane)? {
                Some(last) => pack_key(last)?.first,
                None => first.first,
            };
            lanes.push(LaneSpan { queue: first.queue, lane: first.lane, first: first.first, last });
        }
        Ok(lanes)
    }

    fn packs(
        &self,
        queue: &QueueId,
        lane: Lane,
        from: Seq,
        bytes_max: usize,
    ) -> Result<Vec<(Seq, Pack, Done)>, ViewError> {
        let mut packs = Vec::new();
        let mut bytes = 0_usize;
        for entry in self.tree().range(Key::lane(queue, lane, from)) {
            let (key, stored) = entry.map_err(unreadable(&"a pack"))?;
            let key = pack_key(decode_key(&key)?)?;
            bytes = bytes.saturating_add(stored.len());
            let done = self.done(&key)?;
            let first = key.first;
            packs.push((first, value::decode(&Key::Pack(key), &stored)?, done));
            if bytes > bytes_max {
                break;
            }
        }
        Ok(packs)
    }

    fn pack(&self, key: &PackKey) -> Result<Option<(Pack, Done)>, ViewError> {
        match record(self.tree(), &Key::Pack(key.clone()))? {
            Some(pack) => Ok(Some((pack, self.done(key)?))),
            None => Ok(None),
        }
    }

    fn due(
        &self,
        through: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, PackKey)>, ViewError> {
        keys(self.tree(), Key::due_through(through)).take(limit).map(|key| due(key?)).collect()
    }

    fn next_due(&self) -> Result<Option<Timestamp>, ViewError> {
        let first = keys(self.tree(), Key::due()).next();
        first.map(|key| Ok(due(key?)?.0)).transpose()
    }

    fn next_hold(&self, from: HoldNumber) -> Result<Option<(HoldNumber, Hold)>, ViewError> {
        let Some(entry) = self.tree().range(Key::holds_from(from)).next() else {
            return Ok(None);
        };
        let (key, stored) = entry.map_err(unreadable(&"a hold"))?;
        let key = decode_key(&key)?;
        let Key::Hold(number) = key else {
            return Err(ViewError(format!("{key:?} stands among the holds")));
        };
        Ok(Some((number, value::decode(&key, &stored)?)))
    }

    fn seen(&self, bucket: u64) -> Result<Vec<SeenRun>, ViewError> {
        let entries = self.tree().range(Key::seen_in(bucket));
        let runs = entries.map(|entry| {
            let (key, stored) = entry.map_err(unreadable(&"a run of marks"))?;
            value::decode(&decode_key(&key)?, &stored)
        });
        runs.collect()
    }

    fn log_head(&self) -> Result<LogHead, ViewError> {
        Ok(record(self.tree(), &Key::LogHead)?.unwrap_or_default())
    }

    fn channel_ends(&self) -> Result<Vec<ChannelEnd>, ViewError> {
        let entries = self.tree().range(Key::channel_ends());
        let ends = entries.map(|entry| {
            let (key, stored) = entry.map_err(unreadable(&"the end of a chain"))?;
            let key = decode_key(&key)?;
            let (next, last) = value::decode(&key, &stored)?;
            let Key::ChannelEnd(peer, direction) = key else {
                return Err(ViewError(format!("{key:?} stands among the ends of chains")));
            };
            Ok(ChannelEnd { peer, direction, next, last })
        });
        ends.collect()
    }

    fn seen_logs(&self) -> Result<Vec<(Ministry, SeenLog)>, ViewError> {
        let entries = self.tree().range(Key::seen_logs());
        let seen = entries.map(|entry| {
            let (key, stored) = entry.map_err(unreadable(&"a log that was cosigned"))?;
            let key = decode_key(&key)?;
            let Key::SeenLog(peer) = &key else {
                return Err(ViewError(format!("{key:?} stands among the logs of peers")));
            };
            Ok((peer.clone(), value::decode(&key, &stored)?))
        });
        seen.collect()
    }

    fn log_entry(&self, index: u64) -> Result<Option<Bytes>, ViewError> {
        self.disk().log.entry(index)
    }
}

impl Store {
    /// A certificate that was kept, in DER.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn certificate(&self, fingerprint: &Fingerprint) -> Result<Option<Bytes>, ViewError> {
        record(self.tree(), &Key::Certificate(*fingerprint))
    }

    /// What this relay cosigned last of a peer's log.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn seen_log(&self, peer: &Ministry) -> Result<Option<SeenLog>, ViewError> {
        record(self.tree(), &Key::SeenLog(peer.clone()))
    }

    fn done(&self, key: &PackKey) -> Result<Done, ViewError> {
        Ok(record(self.tree(), &Key::Done(key.clone()))?.unwrap_or(0))
    }
}

/// A record, if it is there.
pub(crate) fn record<T: DeserializeOwned>(tree: &Tree, key: &Key) -> Result<Option<T>, ViewError> {
    let stored = tree.get(&key.encode()).map_err(unreadable(key))?;
    stored.map(|stored| value::decode(key, &stored)).transpose()
}

/// The place of the first entry of the log that stands among the records.
pub(crate) fn first_entry(tree: &Tree) -> Result<Option<u64>, ViewError> {
    match keys(tree, Key::entries()).next().transpose()? {
        Some(Key::Entries(first)) => Ok(Some(first)),
        Some(key) => Err(ViewError(format!("{key:?} stands among the log's entries"))),
        None => Ok(None),
    }
}

/// The entries of the log that stand among the records, in order, each pack with its place.
pub(crate) fn entries(tree: &Tree) -> impl Iterator<Item = Result<(u64, LogPack), ViewError>> {
    tree.range(Key::entries()).map(|entry| {
        let (key, stored) = entry.map_err(unreadable(&"entries of the log"))?;
        let key = decode_key(&key)?;
        let Key::Entries(first) = key else {
            return Err(ViewError(format!("{key:?} stands among the log's entries")));
        };
        Ok((first, value::decode(&key, &stored)?))
    })
}

/// The headers among the records beside entries of the log, in order, each with the entry's place.
pub(crate) fn headed(
    tree: &Tree,
    range: Range<Vec<u8>>,
) -> impl Iterator<Item = Result<(u64, HeadedEntry), ViewError>> {
    tree.range(range).map(|entry| {
        let (key, stored) = entry.map_err(unreadable(&"headers beside the log"))?;
        let key = decode_key(&key)?;
        let Key::Headers(index) = key else {
            return Err(ViewError(format!("{key:?} stands among the headers beside the log")));
        };
        Ok((index, value::decode(&key, &stored)?))
    })
}

/// Those beside the entries of one bundle.
pub(crate) fn headed_in(tree: &Tree, bundle: u64) -> Result<Beside, ViewError> {
    let width = u64::from(TILE_WIDTH);
    let headed = headed(tree, Key::headers_in(bundle * width..(bundle + 1) * width));
    let beside = headed.map(|headed| {
        let (index, headed) = headed?;
        Ok((u8::try_from(index % width).unwrap_or(u8::MAX), Arc::new(headed)))
    });
    beside.collect()
}

/// The keys in a range, in order.
pub(crate) fn keys(
    tree: &Tree,
    range: Range<Vec<u8>>,
) -> impl Iterator<Item = Result<Key, ViewError>> {
    tree.range(range).map(|record| decode_key(&record.map_err(unreadable(&"a key"))?.0))
}

/// The last key in a range.
pub(crate) fn last_key(tree: &Tree, range: Range<Vec<u8>>) -> Result<Option<Key>, ViewError> {
    let last = tree.last(range).map_err(unreadable(&"a key"))?;
    last.map(|(key, _)| decode_key(&key)).transpose()
}

/// The error for a record that sled could not read.
pub(crate) fn unreadable(what: &dyn std::fmt::Debug) -> impl Fn(sled::Error) -> ViewError {
    move |error| ViewError(format!("{what:?}: {error}"))
}

fn decode_key(bytes: &[u8]) -> Result<Key, ViewError> {
    Key::decode(bytes).ok_or_else(|| ViewError(format!("{bytes:02x?} is not a key")))
}

fn pack_key(key: Key) -> Result<PackKey, ViewError> {
    if let Key::Pack(key) = key {
        return Ok(key);
    }
    Err(ViewError(format!("{key:?} stands among the packs")))
}

fn due(key: Key) -> Result<(Timestamp, PackKey), ViewError> {
    if let Key::Due(at, key) = key {
        return Ok((at, key));
    }
    Err(ViewError(format!("{key:?} stands among the notes of expiry")))
}
