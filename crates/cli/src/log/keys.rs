//! Keys for a relay's log and for it as a witness.

use std::path::PathBuf;

use kuriiri_seal::NoteKey;
use kuriiri_tlog::{Cosigner, NoteSigner, VerifierKey, log_origin};
use kuriiri_types::{Code, Ministry};

use crate::{
    exit::{DONE, Failure, Outcome},
    output::Output,
    tree::Tree,
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
    let made = make(args).map_err(|error| Failure::new(Code::KEY_FILE, error))?;
    let (log, witness) = made;
    let object = serde_json::json!({
        "event": "keys", "dir": args.out, "log": log.to_string(), "witness": witness.to_string(),
    });
    output.data(&object, || {
        format!("for the ministry's entry in the federation file:\nlog = \"{log}\"\nwitness = \"{witness}\"")
    });
    Ok(DONE)
}

fn make(args: &Args) -> anyhow::Result<(VerifierKey, VerifierKey)> {
    let (log, witness) = (NotePair::of_log(&args.ministry)?, NotePair::of_witness(&args.ministry)?);
    let tree = Tree::new(&args.out);
    for (name, pair) in [("log", &log), ("witness", &witness)] {
        tree.key(&format!("{name}.key"), &pair.secret)?;
        tree.text(&format!("{name}.vkey"), &format!("{}\n", pair.public))?;
    }
    Ok((log.public, witness.public))
}
