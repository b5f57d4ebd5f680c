//! Logs of the kit's own: one entry that somebody states, and a log that grows whenever a witness is asked.

use bytes::Bytes;
use kuriiri_merkle::{Growth, consistency, inclusion, leaf};
use kuriiri_tlog::{Checkpoint, CheckpointError, NoteSigner};
use kuriiri_types::{Digest, Entry, LogEvent, Receipt, SignedReceipt};
use kuriiri_wire::entry;

use crate::{
    case::{Halt, wrong},
    letter::random,
};

/// The entry that makes a statement, in its canonical encoding.
pub(crate) fn entry_of(receipt: Receipt) -> Result<Bytes, Halt> {
    let (salt, at) = (random()?, receipt.at);
    let event = LogEvent::Receipt(receipt);
    Ok(entry::encode(&Entry { salt, at, boot: 1, channels: Vec::new(), event }))
}

/// An entry with its proof: the second of two in a log that this key signs.
pub(crate) fn in_log(entry: Bytes, signer: &NoteSigner) -> Result<SignedReceipt, Halt> {
    let mut tree = Growth::default();
    tree.push(leaf(b"the first entry"));
    tree.push(leaf(&entry));
    let path = inclusion(&tree, 1, 2).map_err(wrong)?;
    let checkpoint = signed(signer, 2, tree.root()).map_err(wrong)?;
    Ok(SignedReceipt { entry, index: 1, path, checkpoint })
}

/// A checkpoint in the name of this key.
pub(crate) fn signed(
    signer: &NoteSigner,
    size: u64,
    root: Digest,
) -> Result<Bytes, CheckpointError> {
    Checkpoint { origin: signer.name().to_string(), size, root }.sign(signer)
}

/// The log that the kit shows to witnesses. What stands in it follows from the places alone, so that another run
/// can go on where one ended.
pub(crate) struct Shown(Growth);

impl Shown {
    /// So many entries; from the place `forked` on they are others.
    pub(crate) fn new(size: u64, forked: u64) -> Self {
        let mut tree = Growth::default();
        for place in 0..size {
            let history = if place < forked { "kuriiri provoke" } else { "another history" };
            tree.push(leaf(format!("{history} {place}").as_bytes()));
        }
        Self(tree)
    }

    pub(crate) fn root(&self) -> Digest {
        self.0.root()
    }

    /// The proof that it grew out of so many entries.
    pub(crate) fn grown_from(&self, old: u64) -> Result<Vec<Digest>, Halt> {
        consistency(&self.0, old, self.0.size()).map_err(wrong)
    }
}
