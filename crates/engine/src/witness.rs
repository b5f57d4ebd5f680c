//! Witnessing the logs of peers: what was seen of each is durable before it is cosigned, so that no
//! peer can show two histories to the world with this relay's word for both.

use std::collections::BTreeMap;

use bytes::Bytes;
use kuriiri_merkle::verify_consistency;
use kuriiri_tlog::{Checkpoint, Cosigner, Signature, add_signature, log_number};
use kuriiri_types::{
    Code, Digest, LogEvent, Ministry, Refusal, Timestamp,
    limits::{CHECKPOINT_SEEN_BYTES_MAX, CHECKPOINTS_MAX, CHECKPOINTS_PER_MINUTE},
};

use crate::{
    action::{Reply, WitnessAnswer},
    commit::Write,
    event::{Shown, Token},
    reader::Reader,
    record::SeenLog,
    shares::{Allowances, Terms},
    step::Work,
    view::ViewError,
};

/// What this relay cosigned of the logs of peers.
#[derive(Debug)]
pub(crate) struct Witness {
    /// The last checkpoint of each.
    seen: BTreeMap<Ministry, SeenLog>,
    /// How many more each may show now.
    allowances: Allowances<Ministry>,
}

impl Witness {
    pub(crate) fn restore(reader: &Reader<'_>) -> Result<Self, ViewError> {
        let terms = Terms { most: CHECKPOINTS_MAX, per_minute: CHECKPOINTS_PER_MINUTE };
        let seen = reader.view.seen_logs()?.into_iter().collect();
        Ok(Self { seen, allowances: Allowances::new(terms) })
    }

    /// Answers a peer that shows a checkpoint of its log.
    pub(crate) fn on_shown(
        &mut self,
        work: &mut Work<'_>,
        cosigner: &Cosigner,
        token: Token,
        (peer, shown): (&Ministry, Shown),
    ) {
        let answer = self.look_at(work, cosigner, (peer, shown));
        work.answer(token, Reply::Witnessed(answer));
    }

    /// Cosigns a checkpoint of a peer's log, or says why not. The rules are those of C2SP `tlog-witness`.
    fn look_at(
        &mut self,
        work: &mut Work<'_>,
        cosigner: &Cosigner,
        (peer, shown): (&Ministry, Shown),
    ) -> WitnessAnswer {
        let Shown { checkpoint, note, old, proof } = shown;
        let seen = self.seen.get(peer);
        if seen.is_some_and(|seen| is_over(&checkpoint.origin, &seen.origin)) {
            return WitnessAnswer::Refused(Refusal::bare(Code::SIGNATURE));
        }
        // A log that was begun anew is another log: nothing of it was seen yet.
        let seen = seen.filter(|seen| seen.origin == checkpoint.origin);
        let (size, known) = seen.map_or((0, Bytes::new()), |seen| (seen.size, seen.note.clone()));
        if old != size {
            return WitnessAnswer::OtherSize(known);
        }
        if note.len() > CHECKPOINT_SEEN_BYTES_MAX || checkpoint.size < old {
            return WitnessAnswer::Refused(Refusal::bare(Code::MALFORMED));
        }
        if let Some(seen) = seen
            && !grows(seen, &checkpoint, &proof)
        {
            if checkpoint.size == seen.size {
                return WitnessAnswer::OtherSize(known);
            }
            return WitnessAnswer::Refused(Refusal::bare(Code::SIGNATURE));
        }
        let is_news = checkpoint.size > size;
        if is_news && !self.allowances.spend(work.now, peer.clone(), 1) {
            return WitnessAnswer::Refused(Refusal::bare(Code::BUSY));
        }
        let Some((signature, cosigned)) = cosign(cosigner, work.now, &checkpoint, &note) else {
            return WitnessAnswer::Refused(Refusal::bare(Code::MALFORMED));
        };
        if is_news {
            let Checkpoint { origin, size, root } = checkpoint;
            let seen = SeenLog { origin, size, root, note };
            work.note(LogEvent::PeerCheckpoint { checkpoint: cosigned });
            work.commit.writes.push(Write::PutSeenLog(peer.clone(), seen.clone()));
            self.seen.insert(peer.clone(), seen);
        }
        WitnessAnswer::Cosigned(signature.to_string())
    }
}

/// The cosignature, and the note with it. The host hands it out once the step is durable.
fn cosign(
    cosigner: &Cosigner,
    now: Timestamp,
    checkpoint: &Checkpoint,
    note: &Bytes,
) -> Option<(Signature, Bytes)> {
    let seconds = u64::try_from(now.as_millis() / 1000).unwrap_or(0);
    let signature = cosigner.cosign(&checkpoint.to_string(), seconds).ok()?;
    let cosigned = add_signature(note, signature.clone()).ok()?;
    Some((signature, cosigned))
}

fn grows(seen: &SeenLog, checkpoint: &Checkpoint, proof: &[Digest]) -> bool {
    verify_consistency(seen.size, seen.root, checkpoint.size, checkpoint.root, proof)
}

/// True when a later log of the same relay was seen. Whoever could go back to an earlier one, of
/// which nothing is remembered then, could have a second history of it cosigned.
fn is_over(origin: &str, seen: &str) -> bool {
    origin != seen && log_number(origin) <= log_number(seen)
}
