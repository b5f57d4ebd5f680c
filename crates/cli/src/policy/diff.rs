//! `kuriiri policy diff`: what new files decide otherwise, exactly.

use std::path::PathBuf;

use kuriiri_policy::{Lang, PolicyDiff};
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
    output.data(&Line { event: "difference", diff: &diff }, || diff.render(args.lang).join("\n"));
    Ok(DONE)
}
