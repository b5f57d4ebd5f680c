//! `kuriiri what`: which labels the label policy lets go from one node to another.

use kuriiri_policy::Lang;

use crate::{
    exit::{DONE, Outcome},
    output::Output,
    policy::{Answer, Source, unknown},
};

/// Tell every label that can go from one node to another, and what each needs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// The sending node, by its id or its domain.
    #[arg(long, value_name = "NODE")]
    from: String,
    /// The receiving node.
    #[arg(long, value_name = "NODE")]
    to: String,
    /// In Finnish, Swedish or English: fi, sv, en.
    #[arg(long, default_value = "en")]
    lang: Lang,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let policy = args.source.files(output).await?.policy()?;
    let what = policy.what(&args.from, &args.to).map_err(unknown)?;
    output.data(&Answer { event: "what", told: &what }, || what.render(args.lang).join("\n"))?;
    Ok(DONE)
}
