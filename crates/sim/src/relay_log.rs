//! The logs of a world's relays, handed out for whoever wants to read them as an auditor does.

use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::Bytes;
use kuriiri_merkle::{Growth, leaf};
use kuriiri_tlog::{Checkpoint, Cosigner, Note, NoteSigner, VerifierKey, add_signature};
use kuriiri_types::{Ministry, Timestamp};

use crate::{
    failure::Failure,
    log_history::{Headers, LogHistory},
    world::World,
};

/// The log of one relay as its disk has it, and all that it was since the world began.
#[derive(Clone)]
pub struct RelayLog {
    ministry: Ministry,
    entries: Vec<Bytes>,
    headers: Headers,
    history: LogHistory,
    signers: Signers,
}

/// A copy of the log of one relay, as it was at one of its commits.
#[derive(Clone)]
pub struct LogCopy {
    /// The log's name.
    pub origin: String,
    /// Every entry.
    pub entries: Vec<Bytes>,
    /// The headers beside entries, by the entries' places; nothing where one was pruned or erased.
    pub headers: BTreeMap<u64, Vec<Option<Bytes>>>,
    /// The checkpoint of all entries, signed by the log and cosigned by every relay with a link.
    pub checkpoint: Bytes,
    at: Timestamp,
    signers: Signers,
}

/// Who signs the checkpoints of one log.
#[derive(Clone)]
struct Signers {
    log: Arc<NoteSigner>,
    witnesses: Vec<Arc<Cosigner>>,
}

impl World {
    /// The log of each relay, as its disk has it now; before one that goes on from a log that was lost,
    /// the lost one.
    ///
    /// # Errors
    /// When a log cannot be named.
    pub fn logs(&self) -> Result<Vec<RelayLog>, Failure> {
        let mut logs = Vec::new();
        for (ministry, house) in &self.cast.houses {
            let Some(node) = self.nodes.get(ministry) else { continue };
            let peers = house.peers.iter().filter_map(|peer| self.cast.houses.get(peer));
            let witnesses: Vec<_> = peers.map(|peer| Arc::clone(&peer.cosigner)).collect();
            for (number, disk) in (1..).zip(node.lost_log.iter().chain([&node.disk.log])) {
                let log = house.nth_log(ministry, number)?;
                logs.push(RelayLog {
                    ministry: ministry.clone(),
                    entries: disk.entries().to_vec(),
                    headers: disk.all_headers().clone(),
                    history: disk.history().clone(),
                    signers: Signers { log, witnesses: witnesses.clone() },
                });
            }
        }
        Ok(logs)
    }

    /// The key of the log of each relay, which is that of its later logs too.
    pub fn log_keys(&self) -> Vec<VerifierKey> {
        self.cast.houses.values().map(|house| house.log.verifier_key().clone()).collect()
    }

    /// The keys of all relays as witnesses.
    pub fn witness_keys(&self) -> Vec<VerifierKey> {
        self.cast.houses.values().map(|house| house.cosigner.verifier_key().clone()).collect()
    }

    /// The texts of the federation files that may come into force, first to last.
    pub fn federations(&self) -> &[String] {
        &self.cast.federations
    }
}

impl RelayLog {
    /// Whose it is.
    pub fn ministry(&self) -> &Ministry {
        &self.ministry
    }

    /// How many entries it had after each of its commits, fewest first.
    pub fn sizes(&self) -> Vec<u64> {
        self.history.sizes().collect()
    }

    /// The checkpoint of so many entries as the log alone signed it, if a commit ever had so many.
    pub fn checkpoint(&self, size: u64) -> Option<&Bytes> {
        self.history.checkpoint(size).map(|(_, note)| note)
    }

    /// A copy that was made when the log had so many entries, with the headers of that time; nothing if
    /// no commit ever had so many.
    ///
    /// # Errors
    /// When the checkpoint cannot be cosigned.
    pub fn copy_of(&self, size: u64) -> Result<Option<LogCopy>, Failure> {
        let Some((at, note)) = self.history.checkpoint(size) else { return Ok(None) };
        let kept = usize::try_from(size).unwrap_or(usize::MAX);
        Ok(Some(LogCopy {
            origin: self.signers.log.name().to_string(),
            entries: self.entries.iter().take(kept).cloned().collect(),
            headers: self.history.headers_at(size, &self.headers),
            checkpoint: self.signers.cosign(note, *at)?,
            at: *at,
            signers: self.signers.clone(),
        }))
    }

    /// A copy that is made now.
    ///
    /// # Errors
    /// When nothing was committed, or the checkpoint cannot be cosigned.
    pub fn copy(&self) -> Result<LogCopy, Failure> {
        let copy = self.copy_of(self.entries.len() as u64)?;
        copy.ok_or_else(|| Failure::setup("the last commit signed another size"))
    }
}

impl LogCopy {
    /// The tree over its entries.
    pub fn tree(&self) -> Growth {
        let mut tree = Growth::default();
        self.entries.iter().for_each(|entry| _ = tree.push(leaf(entry)));
        tree
    }

    /// The same after its operator and all who cosign for it have changed its entries and signed them
    /// anew: for tests that must find it.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn forged(&self, change: impl FnOnce(&mut Vec<Bytes>)) -> Result<Self, Failure> {
        let mut forged = self.clone();
        change(&mut forged.entries);
        let (tree, origin) = (forged.tree(), self.origin.clone());
        let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root() };
        let note = checkpoint.sign(&self.signers.log).map_err(Failure::setup)?;
        forged.checkpoint = self.signers.cosign(&note, self.at)?;
        Ok(forged)
    }
}

impl Signers {
    fn cosign(&self, note: &Bytes, at: Timestamp) -> Result<Bytes, Failure> {
        let text = Note::parse(note).map_err(Failure::setup)?.text().to_owned();
        let seconds = u64::try_from(at.as_millis() / 1000).unwrap_or(0);
        let mut cosigned = note.clone();
        for witness in &self.witnesses {
            let signature = witness.cosign(&text, seconds).map_err(Failure::setup)?;
            cosigned = add_signature(&cosigned, signature).map_err(Failure::setup)?;
        }
        Ok(cosigned)
    }
}

impl fmt::Debug for RelayLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ministry, size) = (&self.ministry, self.entries.len());
        f.debug_struct("RelayLog")
            .field("of", ministry)
            .field("size", &size)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for LogCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (origin, size) = (&self.origin, self.entries.len());
        f.debug_struct("LogCopy").field("of", origin).field("size", &size).finish_non_exhaustive()
    }
}
