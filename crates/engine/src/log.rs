//! The transparency log as the engine writes it: entries grow in a step, get their places in the
//! tree, and leave with the commit under one signature.
//!
//! A receipt is such an entry. The engine knows its place; its proof is made by whoever hands it out,
//! once the step is durable.

mod ends;
mod passed;

pub(crate) use passed::Passed;

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use kuriiri_merkle::{Frontier, Growth, digest, leaf};
use kuriiri_tlog::{Checkpoint, NoteSigner, log_number};
use kuriiri_types::{
    Channel, Codec, Decided, Digest, Direction, Entry, FilePart, LogEvent, Ministry, Receipt,
    Timestamp,
    limits::{ENTRY_BYTES_MAX, FILE_PART_BYTES_MAX},
};

use crate::{
    action::Unproved,
    commit::LogAppend,
    config::{LogConfig, SignedSet},
    record::LogHead,
    view::{View, ViewError},
};
use ends::{Ends, MovingEnds};

/// Bits of an entry's place below the number of its log: more entries than a relay writes in centuries.
const NUMBER_SHIFT: u32 = 40;

/// The log between two steps.
pub(crate) struct Log {
    parts: Arc<Parts>,
    head: LogHead,
    frontier: Frontier,
    ends: Ends,
    /// The signed checkpoint of this size, once one was needed.
    checkpoint: Option<Bytes>,
}

struct Parts {
    signer: Arc<NoteSigner>,
    codec: Arc<dyn Codec>,
    secret: [u8; 32],
    boot: u64,
    /// Which of the ministry's logs it is; the first is 1.
    number: u32,
}

/// The log while a step is in the making.
pub(crate) struct Writing {
    parts: Arc<Parts>,
    growth: Growth,
    entries: Vec<Bytes>,
    leaves: Vec<Digest>,
    /// Headers beside the entries at these places.
    headers: Vec<(u64, Vec<Bytes>)>,
    ends: MovingEnds,
    policy: Option<Digest>,
    at: Timestamp,
    checkpoint: Option<Bytes>,
    news: bool,
    /// Messages that were acknowledged between this relay and peers.
    passed: Vec<Passed>,
}

/// Chains that an entry becomes a link of.
pub(crate) type Links = Vec<(Ministry, Direction)>;

impl Log {
    /// Takes up the log that was left behind.
    pub(crate) fn restore(
        config: &LogConfig,
        codec: &Arc<dyn Codec>,
        boot: u64,
        view: &dyn View,
    ) -> Result<Self, ViewError> {
        let head = view.log_head()?;
        let frontier = Frontier::from_parts(head.size, head.frontier.clone());
        let frontier = frontier.ok_or_else(|| ViewError("the log's head is damaged".into()))?;
        let ends = Ends::restore(view.channel_ends()?);
        let (signer, codec) = (Arc::clone(&config.signer), Arc::clone(codec));
        let number = log_number(signer.name().as_str()).unwrap_or(1);
        let parts = Arc::new(Parts { signer, codec, secret: config.secret, boot, number });
        Ok(Self { parts, head, frontier, ends, checkpoint: None })
    }

    /// Which files the log says are in force.
    pub(crate) fn policy(&self) -> Option<Digest> {
        self.head.policy
    }

    /// True when nothing has been written yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.size == 0
    }

    /// Begins a step.
    pub(crate) fn begin(&self) -> Writing {
        Writing {
            parts: Arc::clone(&self.parts),
            growth: Growth::on(&self.frontier),
            entries: Vec::new(),
            leaves: Vec::new(),
            headers: Vec::new(),
            ends: self.ends.begin(),
            policy: self.head.policy,
            at: self.head.at,
            checkpoint: self.checkpoint.clone(),
            news: false,
            passed: Vec::new(),
        }
    }

    /// Takes over what a step wrote.
    pub(crate) fn advance(&mut self, written: Writing, append: Option<&LogAppend>) {
        self.checkpoint = written.checkpoint;
        self.ends.advance(written.ends);
        if let Some(append) = append {
            self.head.clone_from(&append.head);
            self.frontier = written.growth.frontier();
        }
    }
}

impl Writing {
    /// Writes an entry; gives its place in the log.
    pub(crate) fn append(&mut self, now: Timestamp, links: Links, event: LogEvent) -> u64 {
        if now < self.at {
            let from = std::mem::replace(&mut self.at, now);
            self.write(Vec::new(), LogEvent::ClockStepped { from });
        }
        self.at = now;
        self.write(links, event)
    }

    fn write(&mut self, links: Links, event: LogEvent) -> u64 {
        let index = self.growth.size();
        self.news |= !matches!(event, LogEvent::PeerCheckpoint { .. });
        let channels = links.iter().map(|link| self.channel(link)).collect();
        let salt = self.parts.salt(index);
        let mut entry = Entry { salt, at: self.at, boot: self.parts.boot, channels, event };
        let mut bytes = self.parts.codec.encode_entry(&entry);
        if bytes.len() > ENTRY_BYTES_MAX
            && let LogEvent::Decided(decided) = &mut entry.event
        {
            // They are in the entries of the officers' acts, at the origin.
            decided.approvals.clear();
            bytes = self.parts.codec.encode_entry(&entry);
        }
        let hash = leaf(&bytes);
        for link in links {
            self.ends.link(link, hash);
        }
        self.entries.push(bytes);
        self.leaves.push(hash);
        self.growth.push(hash)
    }

    /// Writes a decision, with the headers that are to be beside it.
    pub(crate) fn append_decision(
        &mut self,
        now: Timestamp,
        links: Links,
        decided: Decided,
        headers: Vec<Bytes>,
    ) {
        let index = self.append(now, links, LogEvent::Decided(Box::new(decided)));
        if !headers.is_empty() {
            self.headers.push((index, headers));
        }
    }

    /// Notes that messages of peers are acknowledged, if that is what this says.
    pub(crate) fn pass_taken(&mut self, receipt: &Receipt) {
        self.passed.extend(Passed::taken(receipt));
    }

    /// Notes that messages were acknowledged.
    pub(crate) fn pass(&mut self, passed: impl IntoIterator<Item = Passed>) {
        self.passed.extend(passed);
    }

    /// What was acknowledged in this step so far, once.
    pub(crate) fn passed(&mut self) -> Vec<Passed> {
        std::mem::take(&mut self.passed)
    }

    fn channel(&self, (peer, direction): &(Ministry, Direction)) -> Channel {
        let (seq, prev) = self.end(peer, *direction);
        Channel { peer: peer.clone(), direction: *direction, seq, prev }
    }

    /// Where a chain ends: the number of its next link, and the leaf hash of its last.
    pub(crate) fn end(&self, peer: &Ministry, direction: Direction) -> (u64, Digest) {
        self.ends.get(&(peer.clone(), direction))
    }

    /// Writes the certificates of those who signed the files that came into force, the files and their
    /// signatures, and that they came. Nothing is shown twice for that two files have it.
    pub(crate) fn put_in_force(&mut self, now: Timestamp, files: &SignedSet) {
        for der in &files.certificates {
            self.append(now, Vec::new(), LogEvent::Certificate { der: der.clone() });
        }
        let mut shown = BTreeSet::new();
        let both = files.contents.iter().zip(&files.signatures);
        for (file, (content, signatures)) in files.policy.files.iter().zip(both) {
            for (digest, bytes) in [(file.digest, content), (file.signatures, signatures)] {
                if shown.insert(digest) {
                    self.show_file(now, digest, bytes);
                }
            }
        }
        self.append(now, Vec::new(), LogEvent::PolicyChanged(files.policy.clone()));
        self.policy = Some(files.digest());
    }

    fn show_file(&mut self, now: Timestamp, digest: Digest, content: &Bytes) {
        let parts = content.len().div_ceil(FILE_PART_BYTES_MAX);
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        for (part, bytes) in (0..parts).zip(content.chunks(FILE_PART_BYTES_MAX)) {
            let bytes = content.slice_ref(bytes);
            let part = FilePart { digest, part, parts, bytes };
            self.append(now, Vec::new(), LogEvent::FilePart(part));
        }
    }

    /// Which files are in force.
    pub(crate) fn policy(&self) -> Option<Digest> {
        self.policy
    }

    /// The bytes of the entry written last in this step; none when there is none.
    pub(crate) fn last(&self) -> Bytes {
        self.entries.last().cloned().unwrap_or_default()
    }

    /// What the memory of things taken keeps of an entry's place: which of the ministry's logs it is in,
    /// and where there.
    pub(crate) fn reference(&self, index: u64) -> u64 {
        u64::from(self.parts.number.saturating_sub(1)) << NUMBER_SHIFT | index
    }

    /// Whether it goes on from a log that was lost.
    pub(crate) fn is_later(&self) -> bool {
        self.parts.number > 1
    }

    /// The place of an entry; nothing when it is in a log that was lost.
    pub(crate) fn index_of(&self, reference: u64) -> Option<u64> {
        let index = reference & ((1 << NUMBER_SHIFT) - 1);
        (self.reference(index) == reference).then_some(index)
    }

    /// A receipt of this relay, from an entry of this step or of before.
    pub(crate) fn receipt(&self, index: u64, view: &dyn View) -> Result<Unproved, ViewError> {
        let fresh = index.checked_sub(self.growth.base()).and_then(|at| usize::try_from(at).ok());
        let entry = match fresh.and_then(|at| self.entries.get(at)) {
            Some(entry) => Some(entry.clone()),
            None => view.log_entry(index)?,
        };
        let entry = entry.ok_or_else(|| ViewError(format!("entry {index} of the log is gone")))?;
        Ok(Unproved { entry, index })
    }

    /// What was written, for the commit; nothing when nothing was.
    pub(crate) fn finish(&mut self) -> Result<Option<LogAppend>, ViewError> {
        if self.entries.is_empty() {
            return Ok(None);
        }
        self.checkpoint = None;
        Ok(Some(LogAppend {
            first: self.growth.base(),
            entries: std::mem::take(&mut self.entries),
            headers: std::mem::take(&mut self.headers),
            leaves: std::mem::take(&mut self.leaves),
            channels: self.ends.moved(),
            head: self.head(),
            checkpoint: self.checkpoint()?,
            news: self.news,
        }))
    }

    fn checkpoint(&mut self) -> Result<Bytes, ViewError> {
        if let Some(checkpoint) = &self.checkpoint {
            return Ok(checkpoint.clone());
        }
        let (size, root, signer) = (self.growth.size(), self.growth.root(), &self.parts.signer);
        let checkpoint = Checkpoint { origin: signer.name().to_string(), size, root };
        let signed = checkpoint.sign(signer);
        let signed = signed.map_err(|error| ViewError(format!("the log cannot sign: {error}")))?;
        Ok(self.checkpoint.insert(signed).clone())
    }

    fn head(&self) -> LogHead {
        let frontier = self.growth.frontier();
        LogHead {
            size: frontier.size(),
            frontier: frontier.nodes().to_vec(),
            policy: self.policy,
            at: self.at,
        }
    }
}

impl Parts {
    fn salt(&self, index: u64) -> [u8; 32] {
        let text = [self.secret.as_slice(), &self.boot.to_be_bytes(), &index.to_be_bytes()];
        digest(&text.concat()).0
    }
}
