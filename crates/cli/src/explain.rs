//! `kuriiri explain`: why the label policy lets a message go, or not.

use kuriiri_policy::{Case, Lang, Policy};
use kuriiri_types::{MessageType, Precedence, WireLabel};

use crate::{
    exit::{DONE, Outcome},
    output::Output,
    policy::{Answer, Source, unknown},
    system::now,
    words,
};

/// Explain a decision: every rule, gate and limit, with what is needed and what is held.
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
    /// The label, such as `FI TL3 REL{PLM}`; without it the message has none.
    #[arg(long)]
    label: Option<WireLabel>,
    /// The hub on the way. Without it the direct way is taken, or that by a hub where there is none.
    #[arg(long, value_name = "NODE")]
    via: Option<String>,
    /// The body is encrypted end to end.
    #[arg(long)]
    sealed: bool,
    /// How urgent it is.
    #[arg(long, default_value = "routine")]
    precedence: Precedence,
    /// Bytes of the body as carried.
    #[arg(long, default_value_t = 0, value_name = "BYTES")]
    size: u64,
    /// What it is about: operation, exercise or drill.
    #[arg(long = "type", value_parser = words::message_type, default_value = "operation")]
    message_type: MessageType,
    /// In Finnish, Swedish or English: fi, sv, en.
    #[arg(long, default_value = "en")]
    lang: Lang,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let policy = args.source.files(output).await?.policy()?;
    let mut case = Case::new(now(), &args.from, &args.to, args.label.clone());
    case.originating = true;
    case.sealed = args.sealed;
    case.precedence = args.precedence;
    case.size = args.size;
    case.message_type = args.message_type;
    case.next = args.via.clone().or_else(|| way(&policy, &args.from, &args.to));
    let explanation = policy.explain(&case).map_err(unknown)?;
    output.data(&Answer { event: "explanation", told: &explanation }, || {
        explanation.render(args.lang).join("\n")
    })?;
    Ok(DONE)
}

/// The next node on the way that a relay would take: straight where there is a link, else the hub
/// that has links with both.
fn way(policy: &Policy, from: &str, to: &str) -> Option<String> {
    let federation = policy.federation();
    let (at, dest) = (policy.require_node(from).ok()?, policy.require_node(to).ok()?);
    if at == dest {
        return None;
    }
    let next = federation.hop_by_links(at, dest).unwrap_or(dest);
    federation.get(next).map(|node| node.id().to_owned())
}
