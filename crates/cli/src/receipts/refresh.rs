//! Newer proofs for the receipts in a folder.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use kuriiri_client::{Client, VerifiedReceipt, receipt_proof};
use kuriiri_tlog::Trust;
use kuriiri_types::Ministry;
use serde::Serialize;

use crate::{
    exit::Failure,
    files::{PUBLIC, replace, unwritten},
};

/// How the name of a receipt's file ends.
const ENDING: &str = "tlog-proof";
/// Receipts in memory at once, some KiB each.
const AT_ONCE: usize = 1024;

/// What became of the receipts in a folder.
#[derive(Debug, Serialize)]
pub(crate) struct Refreshed {
    event: &'static str,
    /// Files that have a newer proof now.
    refreshed: usize,
    /// Files that as many witnesses had cosigned before.
    witnessed: usize,
    /// Files that no witness has seen yet, or whose log could not be asked.
    not_yet: usize,
    /// Why not, where a relay said so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

impl Refreshed {
    pub(crate) fn is_complete(&self) -> bool {
        self.not_yet == 0
    }
}

impl fmt::Display for Refreshed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refreshed, witnessed, not_yet, reasons, .. } = self;
        write!(f, "receipts: {refreshed} have newer proofs, {witnessed} were witnessed before")?;
        if *not_yet > 0 {
            write!(f, ", {not_yet} are not witnessed yet: refresh them again in some seconds")?;
        }
        reasons.iter().try_for_each(|reason| write!(f, "\n  {reason}"))
    }
}

type Kept = (PathBuf, VerifiedReceipt);

/// Of which receipts newer proofs are asked for, and which of them count.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// Those that nobody has cosigned. Whoever signs counts, for nobody checks who it is.
    AnyCosignature,
    /// All of them, for more may have cosigned. Nor is checked who.
    MoreCosignatures,
    /// Those that the witnesses of a policy have not cosigned as it asks for.
    Quorum(Box<Trust>),
}

/// How far a proof is witnessed.
#[derive(Debug, Clone, Copy)]
struct Standing {
    /// Whether no better one is needed.
    is_enough: bool,
    cosignatures: usize,
}

impl Wanted {
    /// Nothing when a cosignature is not that of the witness whose name it bears.
    fn standing(&self, receipt: &VerifiedReceipt) -> Option<Standing> {
        let cosignatures = receipt.cosignatures();
        match self {
            Self::AnyCosignature => Some(Standing { is_enough: cosignatures > 0, cosignatures }),
            Self::MoreCosignatures => Some(Standing { is_enough: false, cosignatures }),
            Self::Quorum(trust) => {
                let (_, quorum) = trust.checkpoint(&receipt.signed().checkpoint).ok()?;
                Some(Standing { is_enough: quorum.met, cosignatures: quorum.by.len() })
            }
        }
    }

    /// Whether a receipt needs no more once it stands so.
    fn is_content(&self, standing: Standing) -> bool {
        match self {
            Self::AnyCosignature | Self::MoreCosignatures => standing.cosignatures > 0,
            Self::Quorum(_) => standing.is_enough,
        }
    }
}

/// Asks for newer proofs of receipts in a folder.
pub(crate) async fn refresh(
    client: &Client,
    folder: &Path,
    wanted: &Wanted,
) -> Result<Refreshed, Failure> {
    let (refreshed, witnessed, not_yet, reasons) = (0, 0, 0, Vec::new());
    let mut outcome = Refreshed { event: "receipts", refreshed, witnessed, not_yet, reasons };
    let files = files(folder).with_context(|| folder.display().to_string());
    for some in files.map_err(Failure::usage)?.chunks(AT_ONCE) {
        let mut by_issuer: BTreeMap<Ministry, Vec<Kept>> = BTreeMap::new();
        for path in some {
            let receipt = read(client, path)?;
            if wanted.standing(&receipt).is_some_and(|standing| standing.is_enough) {
                outcome.witnessed += 1;
            } else {
                let issuer = receipt.receipt().issuer.clone();
                by_issuer.entry(issuer).or_default().push((path.clone(), receipt));
            }
        }
        for kept in by_issuer.into_values() {
            refresh_some(client, kept, wanted, &mut outcome).await?;
        }
    }
    Ok(outcome)
}

/// Receipts of one log: another log may be out of reach.
async fn refresh_some(
    client: &Client,
    kept: Vec<Kept>,
    wanted: &Wanted,
    outcome: &mut Refreshed,
) -> Result<(), Failure> {
    let receipts: Vec<&VerifiedReceipt> = kept.iter().map(|(_, receipt)| receipt).collect();
    let newer = match client.refresh(&receipts).await {
        Ok(newer) => newer,
        Err(error) if error.code().retry() => {
            outcome.not_yet += kept.len();
            outcome.reasons.push(format!("{}: {error}", error.code()));
            return Ok(());
        }
        Err(error) => return Err(Failure::new(error.code(), error)),
    };
    for ((path, old), newer) in kept.iter().zip(newer) {
        let nothing = Standing { is_enough: false, cosignatures: 0 };
        let mut standing = wanted.standing(old).unwrap_or(nothing);
        let newer = newer.and_then(|newer| Some((wanted.standing(&newer)?, newer)));
        let better = newer.filter(|(newer, _)| newer.cosignatures > standing.cosignatures);
        let is_replaced = better.is_some();
        if let Some((newer_standing, newer)) = better {
            let written = replace(path, &receipt_proof(newer.signed()), PUBLIC);
            written.map_err(|error| unwritten(path, error))?;
            standing = newer_standing;
        }
        match (wanted.is_content(standing), is_replaced) {
            (false, _) => outcome.not_yet += 1,
            (true, true) => outcome.refreshed += 1,
            (true, false) => outcome.witnessed += 1,
        }
    }
    Ok(())
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(client: &Client, path: &Path) -> Result<VerifiedReceipt, Failure> {
    let place = || path.display().to_string();
    let file = fs::read(path).with_context(place).map_err(Failure::usage)?;
    client.kept_receipt(&file).map_err(|error| {
        let code = error.code();
        Failure::new(code, anyhow::Error::new(error).context(place()))
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kuriiri_merkle::leaf;
    use kuriiri_seal::NoteKey;
    use kuriiri_tlog::{
        Checkpoint, Cosigner, LogKeys, Note, NoteSigner, ReceiptVerifier, add_signature,
    };
    use kuriiri_types::{Receipt, ReceiptKind, SignedReceipt, Timestamp};

    use super::*;

    const ENTRY: &[u8] = b"entry";

    struct World {
        log: NoteSigner,
        witnesses: [Cosigner; 2],
    }

    impl World {
        fn new() -> Self {
            let key = || NoteKey::generate().unwrap().0;
            let log = NoteSigner::new("sm.example/log".parse().unwrap(), key());
            let names = ["plm.example/witness", "um.example/witness"];
            let witnesses = names.map(|name| Cosigner::new(name.parse().unwrap(), key()));
            Self { log, witnesses }
        }

        fn quorum(&self) -> Wanted {
            let witnesses = self.witnesses.each_ref().map(|witness| witness.verifier_key().clone());
            let logs = [self.log.verifier_key().clone()];
            Wanted::Quorum(Box::new(Trust::new(&logs, &witnesses, 2).unwrap()))
        }

        fn note(&self, entry: &[u8]) -> Bytes {
            let (origin, root) = ("sm.example/log".to_owned(), leaf(entry));
            Checkpoint { origin, size: 1, root }.sign(&self.log).unwrap()
        }

        /// A receipt whose checkpoint has the cosignatures that these witnesses made of some checkpoint.
        fn receipt(&self, by: &[(usize, &[u8])]) -> VerifiedReceipt {
            let mut checkpoint = self.note(ENTRY);
            for (witness, of) in by {
                let other = self.note(of);
                let text = Note::parse(&other).unwrap().text().to_owned();
                let signature = self.witnesses[*witness].cosign(&text, 7).unwrap();
                checkpoint = add_signature(&checkpoint, signature).unwrap();
            }
            let entry = Bytes::from_static(ENTRY);
            let signed = SignedReceipt { entry, index: 0, path: Vec::new(), checkpoint };
            let receipt = Receipt {
                issuer: "sm.example".parse().unwrap(),
                kind: ReceiptKind::Accepted,
                at: Timestamp::from_millis(1_795_000_000_000),
                sender: "kirjaamo@sm.example".parse().unwrap(),
                by: None,
                code: None,
                reasons: Vec::new(),
                subjects: Vec::new(),
            };
            let mut keys = LogKeys::new();
            keys.add(self.log.verifier_key()).unwrap();
            ReceiptVerifier::new(keys).receipt(signed, |_| Ok::<_, String>(receipt)).unwrap()
        }
    }

    /// Whether it is enough, and how many have cosigned; nothing when it is forged.
    fn standing(wanted: &Wanted, receipt: &VerifiedReceipt) -> Option<(bool, usize)> {
        let standing = wanted.standing(receipt)?;
        Some((wanted.is_content(standing), standing.cosignatures))
    }

    #[test]
    fn with_a_policy_only_its_witnesses_count_and_a_forged_one_spoils_the_proof() {
        let world = World::new();
        let quorum = world.quorum();
        for (by, by_policy, by_number) in [
            (vec![], Some((false, 0)), (false, 0)),
            (vec![(0, ENTRY)], Some((false, 1)), (true, 1)),
            (vec![(0, ENTRY), (1, ENTRY)], Some((true, 2)), (true, 2)),
            (vec![(0, ENTRY), (1, b"another".as_slice())], None, (true, 2)),
        ] {
            let receipt = world.receipt(&by);
            assert_eq!(standing(&quorum, &receipt), by_policy, "{by:?}");
            for wanted in [Wanted::AnyCosignature, Wanted::MoreCosignatures] {
                assert_eq!(standing(&wanted, &receipt), Some(by_number), "{by:?}");
            }
        }
        let more = Wanted::MoreCosignatures.standing(&world.receipt(&[(0, ENTRY)])).unwrap();
        assert!(!more.is_enough, "there may be more");
    }
}
