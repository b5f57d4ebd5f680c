//! Keys for a relay's log and for it as a witness.

use std::{fs, path::PathBuf};

use kuriiri_seal::NoteKey;
use kuriiri_tlog::{Cosigner, NoteSigner, VerifierKey, log_origin};
use kuriiri_types::{Code, Ministry};

use crate::{
    exit::{DONE, Failure, Outcome},
    files::{PRIVATE, PUBLIC, create, unwritten},
    output::Output,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Whose relay, such as `sm.example`.
    ministry: Ministry,
    /// The folder for `log.key`, `log.vkey`, `witness.key` and `witness.vkey`; none of them may be there.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

/// A key pair in a note's form: what everybody gets, and the text of its file.
pub(crate) struct NotePair {
    pub(crate) public: VerifierKey,
    pub(crate) secret: String,
}

impl NotePair {
    /// For a ministry's log.
    pub(crate) fn of_log(ministry: &Ministry) -> anyhow::Result<Self> {
        let (key, secret) = NoteKey::generate()?;
        let signer = NoteSigner::new(log_origin(ministry).parse()?, key);
        Ok(Self { public: signer.verifier_key().clone(), secret: secret.to_string() })
    }

    /// For a ministry's relay as a witness.
    pub(crate) fn of_witness(ministry: &Ministry) -> anyhow::Result<Self> {
        let (key, secret) = NoteKey::generate()?;
        let cosigner = Cosigner::new(format!("{ministry}/witness").parse()?, key);
        Ok(Self { public: cosigner.verifier_key().clone(), secret: secret.to_string() })
    }
}

pub(super) fn run(args: &Args, output: Output) -> Outcome {
    let (log, witness) = make(args)?;
    let object = serde_json::json!({
        "event": "keys", "dir": args.out, "log": log.to_string(), "witness": witness.to_string(),
    });
    output.data(&object, || {
        format!("for the ministry's entry in the federation file:\nlog = \"{log}\"\nwitness = \"{witness}\"")
    })?;
    Ok(DONE)
}

fn make(args: &Args) -> Result<(VerifierKey, VerifierKey), Failure> {
    let unmade = |error| Failure::new(Code::KEY_FILE, error);
    let log = NotePair::of_log(&args.ministry).map_err(unmade)?;
    let witness = NotePair::of_witness(&args.ministry).map_err(unmade)?;
    fs::create_dir_all(&args.out).map_err(|error| unwritten(&args.out, error))?;
    for (name, pair) in [("log", &log), ("witness", &witness)] {
        let public = format!("{}\n", pair.public);
        for (ending, text, mode) in [("key", &pair.secret, PRIVATE), ("vkey", &public, PUBLIC)] {
            let path = args.out.join(format!("{name}.{ending}"));
            create(&path, text.as_bytes(), mode).map_err(|error| unwritten(&path, error))?;
        }
    }
    Ok((log.public, witness.public))
}
