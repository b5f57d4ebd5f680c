//! What the engine sees: the committed state, read straight from the records.

use bytes::Bytes;
use kuriiri_engine::{
    ChannelEnd, Done, Hold, HoldNumber, LaneSpan, LogHead, Pack, PackKey, QueueId, SeenLog,
    SeenRun, Seq, View, ViewError,
};
use kuriiri_types::{Fingerprint, Lane, Ministry, Timestamp};

use crate::{
    key::Key,
    records::{decode_key, keys, last_key, record, unreadable},
    store::Store,
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
