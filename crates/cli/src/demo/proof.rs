//! The last act: the logs of all relays are verified, as an auditor would, and laid side by side.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use kuriiri_verify::{
    Anchors, AuditOptions, LogFolder, LogReport, ReconcileOptions, ReconcileReport, Row, audit,
    reconcile,
};
use serde_json::json;
use tokio::time::sleep;

use super::stage::RELAYS;
use crate::output::{Output, OutputError};

/// Logs are shown and witnessed once a second; longer than this nobody needs.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than from one showing to the next.
const STILL: Duration = Duration::from_millis(1500);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Who exchanges messages directly; the first pair is the one to tell of.
const LINKS: [[&str; 2]; 4] = [["sm", "plm"], ["sm", "hub"], ["um", "hub"], ["um", "plm"]];

/// Verifies every log, and compares the two that had most to do with each other. True when all is good.
pub(super) async fn verify(dir: &Path, output: Output) -> anyhow::Result<bool> {
    output.text("\nVERIFIED, as an auditor does, from the logs alone")?;
    let begin = Instant::now();
    still(dir, begin).await;
    let mut good = true;
    // First, as they end when nothing is under way any more: only then do the logs stay as they are.
    for pair in LINKS {
        good &= side_by_side(dir, pair, begin).await?.findings.exit() == 0;
    }
    for relay in RELAYS {
        let report = witnessed(&dir.join(relay), begin).await?;
        good &= report.findings.exit() == 0;
        tell(relay, &report, output)?;
    }
    let report = side_by_side(dir, LINKS[0], begin).await?;
    let agrees = report.findings.exit() == 0;
    let messages: u64 = report.rows.values().sum();
    let object = json!({ "event": "reconciled", "messages": messages, "good": agrees });
    output.data(&object, || {
        let word = if agrees { "agree" } else { "DO NOT AGREE" };
        format!("  sm and plm side by side: they {word} on {messages} messages")
    })?;
    Ok(good && agrees)
}

/// Waits until the logs show nothing new for longer than it takes a relay to show what it has. What is
/// shown later, while the relays stop one after the other, might find no witness any more.
async fn still(dir: &Path, begin: Instant) {
    let look = || RELAYS.map(|relay| fs::read(dir.join(relay).join("log/checkpoint")).ok());
    let (mut shown, mut since) = (look(), Instant::now());
    while since.elapsed() < STILL && begin.elapsed() < PATIENCE {
        sleep(PAUSE).await;
        let now = look();
        if now != shown {
            (shown, since) = (now, Instant::now());
        }
    }
}

/// Two logs compared, as soon as the last receipts are in both and shown.
async fn side_by_side(
    dir: &Path,
    relays: [&str; 2],
    begin: Instant,
) -> anyhow::Result<ReconcileReport> {
    let anchors = Anchors::read(&dir.join("federation/logs.policy"))?;
    loop {
        let [one, two] = relays.map(|relay| LogFolder::open(&dir.join(relay).join("log")));
        let report = reconcile([&one?, &two?], &anchors, &ReconcileOptions::default(), |_| {});
        let is_at_rest = report.rows.keys().all(|row| *row == Row::Matched);
        if report.findings.exit() == 0 && is_at_rest || begin.elapsed() > PATIENCE {
            return Ok(report);
        }
        sleep(PAUSE).await;
    }
}

/// An audit of a log, as soon as enough witnesses have cosigned it.
async fn witnessed(relay: &Path, begin: Instant) -> anyhow::Result<LogReport> {
    let anchors = Anchors::read(&relay.join("log.policy"))?;
    loop {
        if let Ok(log) = LogFolder::open(&relay.join("log")) {
            let report = audit(&log, &anchors, AuditOptions::default(), |_| {});
            if report.findings.exit() == 0 || begin.elapsed() > PATIENCE {
                return Ok(report);
            }
        } else if begin.elapsed() > PATIENCE {
            anyhow::bail!("{} shows no log", relay.display());
        }
        sleep(PAUSE).await;
    }
}

fn tell(relay: &str, report: &LogReport, output: Output) -> Result<(), OutputError> {
    let wrong: Vec<&str> = report.findings.listed().iter().map(|f| f.what.as_str()).collect();
    let good = report.findings.exit() == 0;
    let object = json!({
        "event": "verified", "relay": relay, "entries": report.size, "good": good,
        "witnesses": report.cosigned.len(),
    });
    output.data(&object, || {
        let word = if good { "good" } else { "WRONG" };
        let mut text = format!(
            "  {relay}: {} entries, {} witnesses, every signature checked and every decision taken \
             again: {word}",
            report.size,
            report.cosigned.len(),
        );
        if !good {
            text += &format!("\n    {}", wrong.join("\n    "));
        }
        text
    })
}
