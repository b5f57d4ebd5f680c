//! 35x: checkpoints of the partner's log that no witness may cosign.

use bytes::Bytes;
use kuriiri_seal::NoteKey;
use kuriiri_tlog::{Checkpoint, Note, NoteSigner, Signature, add_signature, log_origin};
use kuriiri_types::Digest;
use kuriiri_wire::{
    Frame,
    relay::{RelayRequest, WitnessRequest, Witnessed},
};

use crate::{
    case::{Case, Halt, Seen, wrong},
    honest::Honest,
    ledger::{Shown, signed},
    letter::random,
    limits::LOG_MAX,
    need::Need,
    partner::Partner,
};

pub(crate) const CASES: &[Case] = &[
    Case::new(351, "a log that grew as it should", COSIGNS, |p| Box::pin(grown(p))),
    Case::new(352, "another root for a size that was witnessed", REFUSES, |p| Box::pin(forked(p))),
    Case::new(353, "a log that grew out of another history", REFUSES, |p| Box::pin(rewritten(p))),
    Case::new(354, "a log that grew, with a proof that is none", REFUSES, |p| {
        Box::pin(false_proof(p))
    }),
    Case::new(355, "a log that is smaller than the witness saw it", REFUSES, |p| {
        Box::pin(shrunk(p))
    }),
    Case::new(356, "a checkpoint that the log's key did not sign", REFUSES, |p| {
        Box::pin(impostor(p))
    }),
    Case::new(357, "a checkpoint of another member's log", REFUSES, |p| Box::pin(foreign(p)))
        .needs(&[Need::Third]),
];

const COSIGNS: &str = "cosigns the checkpoint with its witness key";
const REFUSES: &str = "does not cosign it: it refuses, or shows what it holds";

/// A log that the relay witnesses, and how much of it the relay has seen.
struct Watched {
    honest: Honest,
    size: u64,
}

impl Watched {
    /// Lets the relay see some of the kit's log, and goes on from what it holds.
    async fn begin(partner: &Partner) -> Result<Self, Halt> {
        let honest = Honest::link(partner).await?;
        let first = Shown::new(1, u64::MAX);
        let note = signed(&partner.log, 1, first.root()).map_err(wrong)?;
        let size = match ask(&honest, 0, Vec::new(), note).await? {
            Witnessed::Cosigned(_) => 1,
            Witnessed::Holds(note) => held(partner, &note)?,
            Witnessed::Refused(refusal) => {
                let why = format!("the relay witnesses nothing of the partner: {}", refusal.code);
                return Err(Halt::Skipped(why));
            }
        };
        Ok(Self { honest, size })
    }

    async fn show(&self, proof: Vec<Digest>, note: Bytes) -> Result<Witnessed, Halt> {
        ask(&self.honest, self.size, proof, note).await
    }
}

async fn ask(
    honest: &Honest,
    old: u64,
    proof: Vec<Digest>,
    checkpoint: Bytes,
) -> Result<Witnessed, Halt> {
    let question = RelayRequest::Witness(WitnessRequest { old, proof, checkpoint });
    honest.ask("a checkpoint", question.encode()).await
}

/// The size of the kit's log that the relay holds, if it is the kit's.
fn held(partner: &Partner, note: &Bytes) -> Result<u64, Halt> {
    let held = Checkpoint::verify(note, partner.log.verifier_key());
    let held = held.map_err(|error| wrong(format!("the checkpoint that it holds: {error}")))?;
    let is_kits = held.size <= LOG_MAX && Shown::new(held.size, u64::MAX).root() == held.root;
    let genuine =
        "the relay has witnessed the partner's genuine log; give the kit a member of its own";
    is_kits.then_some(held.size).ok_or_else(|| Halt::Skipped(genuine.into()))
}

fn must_not_cosign(answer: Witnessed) -> Seen {
    match answer {
        Witnessed::Cosigned(_) => Err(wrong("it cosigned the checkpoint")),
        Witnessed::Holds(_) => Ok("it shows what it holds".into()),
        Witnessed::Refused(refusal) if refusal.reasons.is_empty() => {
            Ok(format!("refused with {}", refusal.code))
        }
        Witnessed::Refused(refusal) => Err(wrong(format!("it told why: {:?}", refusal.reasons))),
    }
}

async fn grown(partner: &Partner) -> Seen {
    let watched = Watched::begin(partner).await?;
    let more = Shown::new(watched.size + 2, u64::MAX);
    let note = signed(&partner.log, watched.size + 2, more.root()).map_err(wrong)?;
    let answer = watched.show(more.grown_from(watched.size)?, note.clone()).await?;
    let Witnessed::Cosigned(line) = answer else {
        return Err(wrong("it did not cosign it"));
    };
    let Some(key) = &partner.target.witness else {
        return Ok("it cosigned; the federation file has no key to check that with".into());
    };
    let line = Signature::parse(&line).ok_or_else(|| wrong("its cosignature is no such line"))?;
    let cosigned = add_signature(&note, line).map_err(wrong)?;
    match Note::parse(&cosigned).and_then(|note| note.verify(key)) {
        Ok(Some(_)) => Ok("it cosigned with its witness key".into()),
        Ok(None) | Err(_) => Err(wrong("its cosignature is not by its witness key")),
    }
}

async fn forked(partner: &Partner) -> Seen {
    let watched = Watched::begin(partner).await?;
    let fork = Shown::new(watched.size, watched.size - 1);
    let note = signed(&partner.log, watched.size, fork.root()).map_err(wrong)?;
    must_not_cosign(watched.show(Vec::new(), note).await?)
}

async fn rewritten(partner: &Partner) -> Seen {
    let watched = Watched::begin(partner).await?;
    let other = Shown::new(watched.size + 3, watched.size - 1);
    let note = signed(&partner.log, watched.size + 3, other.root()).map_err(wrong)?;
    must_not_cosign(watched.show(other.grown_from(watched.size)?, note).await?)
}

async fn false_proof(partner: &Partner) -> Seen {
    let watched = Watched::begin(partner).await?;
    let more = Shown::new(watched.size + 3, u64::MAX);
    let note = signed(&partner.log, watched.size + 3, more.root()).map_err(wrong)?;
    must_not_cosign(watched.show(vec![Digest(random()?)], note).await?)
}

async fn shrunk(partner: &Partner) -> Seen {
    // So that there is something smaller than what it saw.
    grown(partner).await?;
    let watched = Watched::begin(partner).await?;
    let less = Shown::new(watched.size - 1, u64::MAX);
    let note = signed(&partner.log, watched.size - 1, less.root()).map_err(wrong)?;
    must_not_cosign(watched.show(Vec::new(), note).await?)
}

async fn impostor(partner: &Partner) -> Seen {
    let watched = Watched::begin(partner).await?;
    let (key, _) = NoteKey::generate().map_err(wrong)?;
    let signer = NoteSigner::new(partner.log.name().clone(), key);
    let more = Shown::new(watched.size + 1, u64::MAX);
    let note = signed(&signer, watched.size + 1, more.root()).map_err(wrong)?;
    must_not_cosign(watched.show(more.grown_from(watched.size)?, note).await?)
}

async fn foreign(partner: &Partner) -> Seen {
    let third = partner.third().ok_or_else(|| wrong("there is no third member"))?;
    let signer = partner.log.renamed(log_origin(third).parse().map_err(wrong)?);
    let honest = Honest::link(partner).await?;
    let note = signed(&signer, 1, Shown::new(1, u64::MAX).root()).map_err(wrong)?;
    must_not_cosign(ask(&honest, 0, Vec::new(), note).await?)
}
