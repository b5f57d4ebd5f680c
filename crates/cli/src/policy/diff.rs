//! `kuriiri policy diff`: what new files decide otherwise, exactly.

use std::{collections::BTreeMap, path::PathBuf};

use kuriiri_policy::{Change, Lang, PolicyDiff};
use serde::Serialize;

use super::folder::Files;
use crate::{
    exit::{DONE, Outcome},
    output::Output,
};

/// Compare two folders of policy files: what becomes permitted, what denied, what is asked
/// otherwise. A difference marked `+` widens and needs two persons' signatures.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder with the files in force.
    old: PathBuf,
    /// The folder with the new ones.
    new: PathBuf,
    /// In Finnish, Swedish or English: fi, sv, en.
    #[arg(long, default_value = "en")]
    lang: Lang,
    /// List every difference by itself; without it those that are alike stand on one line.
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    #[serde(flatten)]
    diff: &'a PolicyDiff,
}

pub(crate) fn run(args: &Args, output: Output) -> Outcome {
    let (old, new) = (Files::read(&args.old)?.policy()?, Files::read(&args.new)?.policy()?);
    let diff = old.diff(&new);
    output.data(&Line { event: "difference", diff: &diff }, || {
        let lines = diff.render(args.lang);
        if args.all { lines.join("\n") } else { summary(&diff, &lines, args.lang) }
    })?;
    Ok(DONE)
}

/// The head of the difference, one line for all changes of a kind at a level with their first
/// as an example, and the notes.
fn summary(diff: &PolicyDiff, lines: &[String], lang: Lang) -> String {
    let mut alike: BTreeMap<_, Vec<&Change>> = BTreeMap::new();
    for change in &diff.changes {
        let key = (!change.widens, change.kind, &change.policy, &change.level, &change.fields);
        alike.entry(key).or_default().push(change);
    }
    let mut text = lines.first().cloned().unwrap_or_default();
    for changes in alike.values() {
        let kinds: usize = changes.iter().map(|change| change.label_kinds).sum();
        if let [first, rest @ ..] = changes.as_slice() {
            text += &format!("\n{}", first.line(lang));
            if !rest.is_empty() {
                text += &format!("\n    and {} more like it: {kinds} kinds of labels", rest.len());
            }
        }
    }
    for note in &diff.notes {
        text += &format!("\n{} {}", if note.widens { '+' } else { '-' }, note.text);
    }
    text
}
