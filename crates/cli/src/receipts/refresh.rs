//! Newer proofs for the receipts in a folder.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use kuriiri_client::{Client, VerifiedReceipt, receipt_proof};
use kuriiri_types::{Code, Ministry};
use serde::Serialize;

use crate::exit::Failure;

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

/// Of which receipts newer proofs are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// Those that nobody has cosigned.
    Unwitnessed,
}

/// Asks for newer proofs of receipts in a folder.
pub(crate) async fn refresh(
    client: &Client,
    folder: &Path,
    which: Which,
) -> Result<Refreshed, Failure> {
    let (refreshed, witnessed, not_yet, reasons) = (0, 0, 0, Vec::new());
    let mut outcome = Refreshed { event: "receipts", refreshed, witnessed, not_yet, reasons };
    let files = files(folder).with_context(|| folder.display().to_string());
    for some in files.map_err(Failure::usage)?.chunks(AT_ONCE) {
        let mut by_issuer: BTreeMap<Ministry, Vec<Kept>> = BTreeMap::new();
        for path in some {
            let receipt = read(client, path)?;
            if receipt.cosignatures() > 0 && which == Which::Unwitnessed {
                outcome.witnessed += 1;
            } else {
                let issuer = receipt.receipt().issuer.clone();
                by_issuer.entry(issuer).or_default().push((path.clone(), receipt));
            }
        }
        for kept in by_issuer.into_values() {
            refresh_some(client, kept, &mut outcome).await?;
        }
    }
    Ok(outcome)
}

/// Receipts of one log: another log may be out of reach.
async fn refresh_some(
    client: &Client,
    kept: Vec<Kept>,
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
        match newer.filter(|newer| newer.cosignatures() > old.cosignatures()) {
            Some(newer) => {
                let written = replace(path, &receipt_proof(newer.signed()));
                let written = written.with_context(|| path.display().to_string());
                written.map_err(|error| Failure::new(Code::STORE_IO, error))?;
                outcome.refreshed += 1;
            }
            None if old.cosignatures() > 0 => outcome.witnessed += 1,
            None => outcome.not_yet += 1,
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

/// The old file stays until the new one is whole.
fn replace(path: &Path, file: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut written = File::create(&new)?;
    written.write_all(file)?;
    written.sync_all()?;
    fs::rename(new, path)
}
