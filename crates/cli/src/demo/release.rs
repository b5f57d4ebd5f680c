//! The act of the demo in which people must say yes.

use bytes::Bytes;
use kuriiri_client::{Approved, Draft, Officer, Shown};
use kuriiri_types::{MessageId, Precedence};

use super::{draft::draft, stage::Stage, tally::Tally};
use crate::{
    output::{Output, OutputError},
    system::Document,
};

/// The label: class III, which an officer of the sender's ministry must release.
const LABEL: &str = "FI TL3";
/// Who wrote it, and so may not release it.
const DRAFTER: &str = "bertta";
/// Who may.
const OFFICER: &str = "anna";

/// The Interior writes to Defence, the drafter tries to release it, and an officer does.
pub(super) async fn hold_and_release(
    stage: &Stage,
    document: &Document,
    tally: &mut Tally,
    output: Output,
) -> anyhow::Result<()> {
    let letter = draft(&["plm"], LABEL, Precedence::Routine, document)?;
    let id = send(stage, letter.drafter(DRAFTER), document, tally, output).await?;
    let (drafter, officer) =
        (stage.officer("sm", DRAFTER).await?, stage.officer("sm", OFFICER).await?);
    let refused = match drafter.release(&drafter.show(id).await?, None).await {
        Err(error) => error.code(),
        Ok(_) => anyhow::bail!("the drafter could release it"),
    };
    tell(
        output,
        "own-draft",
        &format!("{DRAFTER} wrote it and may not release it: {}", refused.title()),
    )?;
    let shown = officer.show(id).await?;
    anyhow::ensure!(
        shown.body().is_ok_and(|body| *body == document.body),
        "the officer reads something else"
    );
    let outcome = officer.release(&shown, None).await?;
    anyhow::ensure!(matches!(outcome, Approved::Released), "it still waits");
    tell(output, "released", &read_and_signed(&officer, &shown))?;
    tally.until(tally.expected()).await;
    tell(output, "arrived", "delivered, with the signature of who released it")?;
    drafter.close().await;
    officer.close().await;
    Ok(())
}

async fn send(
    stage: &Stage,
    letter: Draft,
    document: &Document,
    tally: &mut Tally,
    output: Output,
) -> anyhow::Result<MessageId> {
    let accepted = stage.client("sm")?.send(letter).await?;
    tally.accepted(document, &accepted);
    tell(
        output,
        "held",
        &format!(
            "the Interior writes to Defence [{LABEL}]: {} is accepted and waits for an officer",
            accepted.id
        ),
    )?;
    Ok(accepted.id)
}

fn read_and_signed(officer: &Officer, shown: &Shown) -> String {
    let header = shown.header();
    let name = officer.id().name();
    format!(
        "{name} reads all {} bytes of `{}`, which the relay that holds it cannot, and signs",
        shown.body().map_or(0, Bytes::len),
        header.subject,
    )
}

fn tell(output: Output, event: &str, text: &str) -> Result<(), OutputError> {
    let object = serde_json::json!({ "event": event, "text": text });
    output.data(&object, || format!("  {text}"))
}
