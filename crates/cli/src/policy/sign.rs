//! `kuriiri policy sign`: a person's signature over a file, in the file of signatures beside it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use kuriiri_client::OfficerProfile;
use kuriiri_merkle::digest;
use kuriiri_seal::{Signer, sign_file};
use kuriiri_types::{Code, Digest, FileKind};

use super::folder as policy;
use crate::{
    exit::{DONE, Failure, Outcome},
    files::{PUBLIC, replace, unwritten},
    output::Output,
};

/// Sign files: catalogues, federations, rules, translations. The signature goes into the file of the
/// same name and `.sig` beside each, and the signatures of others in it stay.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of the person who signs: with an `officer.toml`, or only `signing.pem` and
    /// `signing.key`.
    #[arg(long = "as", value_name = "DIR")]
    folder: PathBuf,
    /// Begin with no signature. Whoever changes a file must, for what others signed was another one.
    #[arg(long)]
    afresh: bool,
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// A file that was signed.
struct Signed {
    kind: FileKind,
    digest: Digest,
}

pub(crate) fn run(args: &Args, output: Output) -> Outcome {
    let signer = OfficerProfile::load_signer(&args.folder);
    let signer = signer.map_err(|error| Failure::new(error.code(), error))?;
    for file in &args.files {
        let Signed { kind, digest } = sign(file, &signer, args.afresh)?;
        let (id, name) = (signer.id(), file.display());
        let object = serde_json::json!({
            "event": "signed", "file": file, "kind": kind.as_str(), "signer": id.to_string(),
            "sha256": digest.to_string(),
        });
        output.data(&object, || format!("signed     {name}  {kind} by {id}"))?;
    }
    Ok(DONE)
}

/// Signs a file, and keeps the signatures of others that stand beside it unless it begins afresh.
fn sign(file: &Path, signer: &Signer, afresh: bool) -> Result<Signed, Failure> {
    let wrong = |error: anyhow::Error| Failure::new(Code::POLICY_FILE, error);
    let read = policy::File::read(file)?.with_context(|| {
        format!("{} is no catalogue, federation, rules or translation", file.display())
    });
    let policy::File { kind, text, .. } = read.map_err(wrong)?;
    let beside = policy::signatures_of(file);
    let place = || beside.display().to_string();
    // One that cannot be read holds signatures of others all the same.
    let so_far = if afresh || !beside.exists() {
        None
    } else {
        Some(fs::read_to_string(&beside).with_context(place).map_err(wrong)?)
    };
    let signed = sign_file(kind, text.as_bytes(), so_far.as_deref(), signer);
    let signed = signed
        .map_err(|error| Failure::new(error.code(), anyhow::Error::new(error).context(place())))?;
    replace(&beside, signed.as_bytes(), PUBLIC).map_err(|error| unwritten(&beside, error))?;
    Ok(Signed { kind, digest: digest(text.as_bytes()) })
}
