//! `kuriiri hold release` and `reject`: what an officer says of a message that waits.

use kuriiri_client::{Approved, Officer, OfficerError, Shown};
use kuriiri_types::{Code, MessageId, Timestamp};

use crate::{
    exit::{DONE, Failure, Outcome},
    output::{Output, OutputError, line},
    person::{AsOfficer, failure},
    words,
};

/// Sign that a message may go, as far as this officer is concerned. Read it first.
#[derive(Debug, clap::Args)]
pub(crate) struct ReleaseArgs {
    #[command(flatten)]
    choice: Choice,
    /// Counts until: a time such as 2026-12-24T12:00:00Z, or a span such as '2 h'. Without it, as
    /// long as the message lives.
    #[arg(long, value_name = "WHEN", value_parser = words::parse)]
    until: Option<Timestamp>,
}

/// Sign that a message may not go. Its sender gets a receipt with the note.
#[derive(Debug, clap::Args)]
pub(crate) struct RejectArgs {
    #[command(flatten)]
    choice: Choice,
    /// Why, for whoever wrote it.
    #[arg(long, value_name = "TEXT")]
    note: String,
}

/// Which message, and for whom.
#[derive(Debug, clap::Args)]
struct Choice {
    #[command(flatten)]
    officer: AsOfficer,
    /// The message.
    id: MessageId,
    /// Only if it is still the one with this fingerprint, which `kuriiri hold show` told.
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<String>,
}

pub(crate) async fn release(args: &ReleaseArgs, output: Output) -> Outcome {
    let say = async |officer: &Officer, shown: &Shown| officer.release(shown, args.until).await;
    decide(&args.choice, say, output).await
}

pub(crate) async fn reject(args: &RejectArgs, output: Output) -> Outcome {
    let say = async |officer: &Officer, shown: &Shown| officer.reject(shown, &args.note).await;
    decide(&args.choice, say, output).await
}

/// Reads the message once more, signs what the officer says of it, and tells what came of that.
async fn decide(
    choice: &Choice,
    say: impl AsyncFnOnce(&Officer, &Shown) -> Result<Approved, OfficerError>,
    output: Output,
) -> Outcome {
    let officer = choice.officer.connect(output).await?;
    let said = match choice.read(&officer).await {
        Ok(shown) => say(&officer, &shown).await.map_err(failure).map(|said| (shown, said)),
        Err(failure) => Err(failure),
    };
    officer.close().await;
    let (shown, approved) = said?;
    tell(&shown, approved, output)?;
    Ok(DONE)
}

impl Choice {
    /// The message as it is now, if it is the one that the officer read.
    async fn read(&self, officer: &Officer) -> Result<Shown, Failure> {
        let shown = officer.show(self.id).await.map_err(failure)?;
        match &self.fingerprint {
            Some(read) if *read != shown.fingerprint().to_string() => {
                let what = format!("the message with this id is {} now", shown.fingerprint());
                Err(Failure::new(Code::APPROVAL_VOID, anyhow::Error::msg(what)))
            }
            Some(_) | None => Ok(shown),
        }
    }
}

fn tell(shown: &Shown, approved: Approved, output: Output) -> Result<(), OutputError> {
    let (id, subject) = (shown.id(), line(&shown.header().subject));
    let (outcome, numbers, text) = match approved {
        Approved::Released => ("released", None, "it goes".to_owned()),
        Approved::Counted { have, need } => {
            ("counted", Some((have, need)), format!("{have} of {need} officers have released it"))
        }
        Approved::Rejected => ("rejected", None, "its sender gets the note".to_owned()),
    };
    let object = serde_json::json!({
        "event": "decided", "outcome": outcome, "id": id.to_string(), "fingerprint": shown.fingerprint().to_string(),
        "have": numbers.map(|(have, _)| have), "need": numbers.map(|(_, need)| need),
    });
    output.data(&object, || format!("{outcome:<10} {id}  {subject}: {text}"))
}
