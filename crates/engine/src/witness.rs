//! Witnessing the logs of peers: what was seen of each is durable before it is cosigned, so that no
//! peer can show two histories to the world with this relay's word for both.

use std::collections::BTreeMap;

use bytes::Bytes;
use kuriiri_merkle::verify_consistency;
use kuriiri_tlog::{Checkpoint, Signature, add_signature, log_number};
use kuriiri_types::{
    Code, Digest, LogEvent, Ministry, Refusal, Timestamp, limits::CHECKPOINT_SEEN_BYTES_MAX,
};

use crate::{
    action::{Reply, WitnessAnswer},
    commit::Write,
    engine::Engine,
    event::Token,
    held::Reader,
    record::SeenLog,
    view::ViewError,
    work::Work,
};

/// The last checkpoint of each peer's log that this relay cosigned.
#[derive(Debug, Default)]
pub(crate) struct Witness(BTreeMap<Ministry, SeenLog>);

/// A checkpoint that a peer wants to be cosigned. The host has checked the log's signature.
#[derive(Debug)]
pub struct Shown {
    /// What the log says.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: Bytes,
    /// The size that the peer thinks was cosigned last.
    pub old: u64,
    /// The proof that the log grew from there.
    pub proof: Vec<Digest>,
}

impl Witness {
    pub(crate) fn restore(reader: &Reader<'_>) -> Result<Self, ViewError> {
        Ok(Self(reader.view.seen_logs()?.into_iter().collect()))
    }
}

impl Engine {
    /// Cosigns, or says why not.
    pub(crate) fn on_checkpoint_shown(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        token: Token,
        shown: Shown,
    ) {
        let answer = self.witness(work, peer, shown);
        work.answer(token, Reply::Witnessed(answer));
    }

    /// The rules are those of C2SP `tlog-witness`.
    fn witness(&mut self, work: &mut Work<'_>, peer: &Ministry, shown: Shown) -> WitnessAnswer {
        let Shown { checkpoint, note, old, proof } = shown;
        let seen = self.witness.0.get(peer);
        if seen.is_some_and(|seen| is_over(&checkpoint.origin, &seen.origin)) {
            return WitnessAnswer::Refused(Refusal::bare(Code::SIGNATURE));
        }
        // A log that was begun anew is another log: nothing of it was seen yet.
        let seen = seen.filter(|seen| seen.origin == checkpoint.origin);
        let (size, held) = seen.map_or((0, Bytes::new()), |seen| (seen.size, seen.note.clone()));
        if old != size {
            return WitnessAnswer::Holds(held);
        }
        if note.len() > CHECKPOINT_SEEN_BYTES_MAX || checkpoint.size < old {
            return WitnessAnswer::Refused(Refusal::bare(Code::MALFORMED));
        }
        if let Some(seen) = seen
            && !grows(seen, &checkpoint, &proof)
        {
            if checkpoint.size == seen.size {
                return WitnessAnswer::Holds(held);
            }
            return WitnessAnswer::Refused(Refusal::bare(Code::SIGNATURE));
        }
        let Some((signature, cosigned)) = self.cosign(work.now, &checkpoint, &note) else {
            return WitnessAnswer::Refused(Refusal::bare(Code::MALFORMED));
        };
        if checkpoint.size > size {
            let Checkpoint { origin, size, root } = checkpoint;
            let seen = SeenLog { origin, size, root, note };
            work.note(LogEvent::PeerCheckpoint { checkpoint: cosigned });
            work.commit.writes.push(Write::PutSeenLog(peer.clone(), seen.clone()));
            self.witness.0.insert(peer.clone(), seen);
        }
        WitnessAnswer::Cosigned(signature.to_string())
    }

    /// The cosignature, and the note with it. The host hands it out once the step is durable.
    fn cosign(
        &self,
        now: Timestamp,
        checkpoint: &Checkpoint,
        note: &Bytes,
    ) -> Option<(Signature, Bytes)> {
        let seconds = u64::try_from(now.as_millis() / 1000).unwrap_or(0);
        let cosigner = &self.config.log.cosigner;
        let signature = cosigner.cosign(&checkpoint.to_string(), seconds).ok()?;
        let cosigned = add_signature(note, signature.clone()).ok()?;
        Some((signature, cosigned))
    }
}

fn grows(seen: &SeenLog, checkpoint: &Checkpoint, proof: &[Digest]) -> bool {
    verify_consistency(seen.size, seen.root, checkpoint.size, checkpoint.root, proof)
}

/// True when a later log of the same relay was seen. Whoever could go back to an earlier one, of
/// which nothing is remembered then, could have a second history of it cosigned.
fn is_over(origin: &str, seen: &str) -> bool {
    origin != seen && log_number(origin) <= log_number(seen)
}
