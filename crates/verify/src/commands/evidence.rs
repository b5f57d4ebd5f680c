//! `kuriiri-verify receipt`, `bundle` and `export`.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use kuriiri_types::MessageId;
use kuriiri_verify::{
    Anchors, BundleReport, ExportReport, MessageBundle, ReceiptReport, Stated, check_bundle,
    check_export, check_receipt, printable, read_receipt,
};
use serde_json::json;

use crate::output::{Output, findings_json, findings_text, verdict};

/// Whom to believe.
#[derive(Debug, Args)]
pub(crate) struct Trust {
    /// Whom to believe (C2SP tlog-policy).
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// A federation file to believe, for the time in which it was in force. May be given several times.
    #[arg(long, value_name = "FILE")]
    federation: Vec<PathBuf>,
}

impl Trust {
    pub(crate) fn read(&self) -> anyhow::Result<Anchors> {
        let mut anchors = Anchors::read(&self.policy)?;
        for file in &self.federation {
            anchors = anchors.with_federation(file)?;
        }
        Ok(anchors)
    }
}

/// Receipts.
#[derive(Debug, Args)]
pub(crate) struct ReceiptArgs {
    /// The receipts (C2SP tlog-proof with the entry as its extra data).
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// A message that each of them must be about.
    #[arg(long, value_name = "ID")]
    message: Option<MessageId>,
    #[command(flatten)]
    trust: Trust,
}

/// The evidence of one message.
#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// A file of the format kuriiri-bundle/2 or kuriiri-evidence/2.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
}

/// A part of a log.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// A folder of the format kuriiri-export/2.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    trust: Trust,
}

/// Checks each receipt. The exit is that of the worst: a fault before what is not known or not so yet.
pub(crate) fn receipt(args: &ReceiptArgs, output: Output) -> anyhow::Result<u8> {
    let anchors = args.trust.read()?;
    let mut exits = Vec::with_capacity(args.files.len());
    for file in &args.files {
        exits.push(one_receipt(file, args.message, &anchors, output).unwrap_or_else(|error| {
            output.failure(&error);
            2
        }));
    }
    Ok([1, 2].into_iter().find(|exit| exits.contains(exit)).unwrap_or(0))
}

fn one_receipt(
    path: &Path,
    message: Option<MessageId>,
    anchors: &Anchors,
    output: Output,
) -> anyhow::Result<u8> {
    let file = read_receipt(path)?;
    let report = check_receipt(&file, anchors);
    let mut report = report.map_err(|what| anyhow!("{}: {what}", path.display()))?;
    if let Some(message) = message {
        report.expect(message);
    }
    let exit = report.findings.exit();
    let found = findings_json(&report.findings);
    let file = path.display().to_string();
    let object = json!({ "file": file, "receipt": &report, "found": found, "exit": exit });
    output.data(&object, || receipt_text(&file, &report));
    Ok(exit)
}

fn receipt_text(file: &str, report: &ReceiptReport) -> String {
    let by: Vec<&str> = report.cosigned.iter().map(|(who, _)| who.as_str()).collect();
    let by = if by.is_empty() { "nobody".to_owned() } else { by.join(", ") };
    let mut text = format!("{}\n  cosigned by {by}\n", printable(&report.words));
    for Stated { message, recipient, kind, .. } in &report.messages {
        text.push_str(&format!("  {message}  {kind:<9}  {recipient}\n"));
    }
    let findings = findings_text(&report.findings);
    format!("{text}\n{findings}\n{}", verdict(&format!("receipt {file}"), &report.findings))
}

pub(crate) fn bundle(args: &BundleArgs, output: Output) -> anyhow::Result<u8> {
    let anchors = args.trust.read()?;
    let bundle = MessageBundle::read(&args.file)?;
    let report = check_bundle(&bundle, &anchors);
    let exit = report.findings.exit();
    let object = json!({
        "bundle": &report,
        "claim": &bundle.claim,
        "found": findings_json(&report.findings),
        "exit": exit,
    });
    output.data(&object, || bundle_text(&bundle, &report));
    Ok(exit)
}

fn bundle_text(bundle: &MessageBundle, report: &BundleReport) -> String {
    let mut text = String::new();
    if let Some(message) = &report.message {
        text.push_str(&format!("message {}\n", printable(message)));
    }
    if let (Some(claim), Some(restated)) = (&bundle.claim, &report.claim) {
        let (state, against) = match (restated.proved, restated.open) {
            (true, _) => ("PROVED", "against"),
            (false, true) => ("OPEN", "said to be against"),
            (false, false) => ("NOT PROVED", "said to be against"),
        };
        let against = claim.against.as_ref().map(|who| format!(", {against} {who}"));
        let kind = claim.kind.as_str();
        let (against, what) = (against.unwrap_or_default(), printable(&claim.what));
        text.push_str(&format!("claim {kind}{against}: {what}\n"));
        text.push_str(&format!("{state}: {}\n", printable(&restated.what)));
    }
    for (origin, said) in &report.said {
        text.push_str(&format!("\n{}\n", printable(origin)));
        for told in said.iter().filter(|told| told.kind != "FILE") {
            let (index, at, kind) = (told.index, told.at, told.kind);
            let what = printable(&told.what);
            text.push_str(&format!("  {index:>8}  {at}  {kind:<14} {what}\n"));
        }
    }
    text.push_str(&format!("\nbody: {}\n\n", printable(&report.body)));
    text.push_str(&findings_text(&report.findings));
    text.push_str(&format!("\n{}", verdict(&bundle.format, &report.findings)));
    text
}

pub(crate) fn export(args: &ExportArgs, output: Output) -> anyhow::Result<u8> {
    let report = check_export(&args.folder, &args.trust.read()?)?;
    let exit = report.findings.exit();
    let object =
        json!({ "export": &report, "found": findings_json(&report.findings), "exit": exit });
    output.data(&object, || export_text(&report));
    Ok(exit)
}

fn export_text(report: &ExportReport) -> String {
    let manifest = &report.manifest;
    let mut text = format!("{}: {} entries\n", printable(&manifest.origin), manifest.entries);
    if let Some((first, last)) = report.period {
        text.push_str(&format!("  from {first} to {last}\n"));
    }
    for (peer, direction, first, last) in &report.chains {
        text.push_str(&format!("  {direction:?} {peer}: numbers {first} to {last}\n"));
    }
    text.push('\n');
    text.push_str(&findings_text(&report.findings));
    text.push_str(&format!("\n{}", verdict(&manifest.format, &report.findings)));
    text
}
