//! The acts of the demo.

use std::time::Instant;

use anyhow::Context;
use kuriiri_client::{Accepted, ReceiveOptions, SendError};
use kuriiri_types::Precedence;

use super::{
    draft::draft,
    release::hold_and_release,
    stage::{SYSTEMS, Stage},
    tally::Tally,
};
use crate::{output::Output, system::Document};

/// Messages that are under way when the relay is killed, at least.
const UNDER_FIRE: usize = 400;

/// What is sent in one act.
struct Act<'a> {
    title: &'a str,
    from: &'a str,
    to: &'a [&'a str],
    label: &'a str,
    precedence: Precedence,
}

/// The acts in which everything goes well.
const PERMITTED: [Act<'_>; 4] = [
    Act {
        title: "Public: the Interior writes to Defence, directly",
        from: "sm",
        to: &["plm"],
        label: "FI JULK",
        precedence: Precedence::Routine,
    },
    Act {
        title: "Class IV: the Interior writes to Foreign Affairs; sealed, the hub carries what it cannot read",
        from: "sm",
        to: &["um"],
        label: "FI TL4",
        precedence: Precedence::Routine,
    },
    Act {
        title: "Class IV, for Defence alone to have: sealed, directly",
        from: "um",
        to: &["plm"],
        label: "FI TL4 REL{PLM,UM}",
        precedence: Precedence::Immediate,
    },
    Act {
        title: "Secret by law, FLASH: one message to two ministries",
        from: "um",
        to: &["sm", "plm"],
        label: "FI SALP",
        precedence: Precedence::Flash,
    },
];

/// The acts in which the label forbids it.
const FORBIDDEN: [Act<'_>; 3] = [
    Act {
        title: "Class III through the hub",
        from: "sm",
        to: &["um"],
        label: "FI TL3 REL{SM,UM}",
        precedence: Precedence::Routine,
    },
    Act {
        title: "Class I, even as FLASH",
        from: "plm",
        to: &["um"],
        label: "FI TL1 REL{PLM,UM}",
        precedence: Precedence::Flash,
    },
    Act {
        title: "A codeword that Foreign Affairs is not cleared for",
        from: "plm",
        to: &["um"],
        label: "FI TL4 COMPARTMENT{RAJA}",
        precedence: Precedence::Routine,
    },
];

/// Plays all acts, and waits until everything has come to its end.
pub(super) async fn tell(
    stage: &mut Stage,
    documents: &[Document],
    output: Output,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::new();
    for ministry in SYSTEMS {
        let client = stage.client(ministry)?;
        let mailbox = client.address().clone();
        tally.receive(mailbox, client.receive(ReceiveOptions::default()));
    }
    output.text("\nPERMITTED")?;
    for act in &PERMITTED {
        play(stage, act, documents, &mut tally, output).await?;
    }
    tally.until(tally.expected()).await;
    output.text("\nREFUSED, before anything left the house")?;
    let one = documents.get(..1).context("no document")?;
    for act in &FORBIDDEN {
        play(stage, act, one, &mut tally, output).await?;
    }
    output.text("\nRELEASED, by a person who did not write it")?;
    let first = documents.first().context("no document")?;
    Box::pin(hold_and_release(stage, first, &mut tally, output)).await?;
    output.text("\nKILLED")?;
    kill_and_recover(stage, documents, &mut tally, output).await?;
    Ok(tally)
}

async fn play(
    stage: &Stage,
    act: &Act<'_>,
    documents: &[Document],
    tally: &mut Tally,
    output: Output,
) -> anyhow::Result<()> {
    let begin = Instant::now();
    let drafts =
        documents.iter().map(|document| draft(act.to, act.label, act.precedence, document));
    let drafts = drafts.collect::<anyhow::Result<Vec<_>>>()?;
    let results = stage.client(act.from)?.send_many(drafts).await;
    let sent = results.len();
    let mut refusal = None;
    for (document, result) in documents.iter().zip(results) {
        refusal = book(tally, document, result)?.or(refusal);
    }
    let took = begin.elapsed().as_millis();
    let head = format!("{} [{}]", act.title, act.label);
    let text = match &refusal {
        None => format!("  {head}\n      {sent} accepted in {took} ms"),
        Some(error) => {
            let reasons = error.reasons().into_iter().map(|r| format!("\n        {r}"));
            let code = error.code();
            format!("  {head}\n      {code} {}{}", code.title(), reasons.collect::<String>())
        }
    };
    let object = serde_json::json!({
        "event": if refusal.is_some() { "refused" } else { "permitted" },
        "title": act.title, "from": act.from, "to": act.to, "label": act.label, "messages": sent,
        "reasons": refusal.as_ref().map(SendError::reasons),
    });
    output.data(&object, || text)?;
    Ok(())
}

/// Notes what became of one message; a refusal by the label is part of the play.
fn book(
    tally: &mut Tally,
    document: &Document,
    result: Result<Accepted, SendError>,
) -> anyhow::Result<Option<SendError>> {
    match result {
        Ok(accepted) => {
            tally.accepted(document, &accepted);
            Ok(None)
        }
        Err(error) if error.code().number() / 1000 == 2 => {
            tally.refused();
            Ok(Some(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Kills the relay of Defence while messages for it are under way, and starts it again.
async fn kill_and_recover(
    stage: &mut Stage,
    documents: &[Document],
    tally: &mut Tally,
    output: Output,
) -> anyhow::Result<()> {
    let act = Act {
        title: "under fire",
        from: "sm",
        to: &["plm"],
        label: "FI JULK",
        precedence: Precedence::Priority,
    };
    let before = tally.expected();
    let many: Vec<&Document> =
        documents.iter().cycle().take(UNDER_FIRE.max(documents.len())).collect();
    let drafts = many.iter().map(|document| draft(act.to, act.label, act.precedence, document));
    let drafts = drafts.collect::<anyhow::Result<Vec<_>>>()?;
    let client = stage.client(act.from)?.clone();
    let sending = async { client.send_many(drafts).await };
    let killing = async {
        tally.until(before + many.len() / 4).await;
        let id = stage.kill("plm").await?;
        output.text(&format!(
            "  {} messages under way from the Interior to Defence; Defence's relay (process {id}) \
             is killed with SIGKILL",
            many.len()
        ))?;
        let begin = Instant::now();
        stage.start("plm").await?;
        anyhow::Ok(begin)
    };
    let (results, begin) = tokio::join!(sending, killing);
    for (document, result) in many.iter().zip(results) {
        book(tally, document, result)?;
    }
    let begin = begin?;
    tally.until(tally.expected()).await;
    let took = begin.elapsed().as_millis();
    let object = serde_json::json!({ "event": "recovered", "relay": "plm", "millis": took });
    output.data(&object, || {
        format!("  started again on what it left on disk; everything is delivered {took} ms later")
    })?;
    Ok(())
}
