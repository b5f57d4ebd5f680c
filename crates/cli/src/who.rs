//! `kuriiri who`: whom the label policy lets have a label.

use kuriiri_policy::Lang;
use kuriiri_types::WireLabel;

use crate::{
    exit::{DONE, Outcome},
    output::Output,
    policy::{Answer, Source, unknown},
    system::now,
};

/// Tell which nodes may receive a label, and which may carry it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// The label.
    #[arg(long)]
    label: WireLabel,
    /// As this node would send it, by its id or its domain.
    #[arg(long, value_name = "NODE")]
    from: Option<String>,
    /// In Finnish, Swedish or English: fi, sv, en.
    #[arg(long, default_value = "en")]
    lang: Lang,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let policy = args.source.files(output).await?.policy()?;
    let who = policy.who(now(), &args.label, args.from.as_deref()).map_err(unknown)?;
    output.data(&Answer { event: "who", told: &who }, || who.render(args.lang).join("\n"))?;
    Ok(DONE)
}
