//! `kuriiri explain`, `who` and `what`: the label policy asked by people.

use kuriiri_policy::{Case, Explanation, Lang, Policy, What, Who};
use kuriiri_types::{Code, MessageType, Precedence, WireLabel};
use serde::Serialize;

use crate::{
    exit::{DONE, Failure, Outcome},
    output::Output,
    policy::Source,
    system::now,
    words,
};

/// Explain a decision: every rule, gate and limit, with what is needed and what is held.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
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

/// Tell which nodes may receive a label, and which may carry it.
#[derive(Debug, clap::Args)]
pub(crate) struct WhoArgs {
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

/// Tell every label that can go from one node to another, and what each needs.
#[derive(Debug, clap::Args)]
pub(crate) struct WhatArgs {
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

#[derive(Serialize)]
struct Line<'a, T> {
    event: &'static str,
    #[serde(flatten)]
    answer: &'a T,
}

pub(crate) async fn explain(args: &ExplainArgs, output: Output) -> Outcome {
    let policy = args.source.files().await?.policy()?;
    let mut case = Case::new(now(), &args.from, &args.to, args.label.clone());
    case.originating = true;
    case.sealed = args.sealed;
    case.precedence = args.precedence;
    case.size = args.size;
    case.message_type = args.message_type;
    case.next = args.via.clone().or_else(|| way(&policy, &args.from, &args.to));
    let explanation: Explanation = policy.explain(&case).map_err(unknown)?;
    output.data(&Line { event: "explanation", answer: &explanation }, || {
        explanation.render(args.lang).join("\n")
    });
    Ok(DONE)
}

pub(crate) async fn who(args: &WhoArgs, output: Output) -> Outcome {
    let policy = args.source.files().await?.policy()?;
    let who: Who = policy.who(now(), &args.label, args.from.as_deref()).map_err(unknown)?;
    output.data(&Line { event: "who", answer: &who }, || who.render(args.lang).join("\n"));
    Ok(DONE)
}

pub(crate) async fn what(args: &WhatArgs, output: Output) -> Outcome {
    let policy = args.source.files().await?.policy()?;
    let what: What = policy.what(&args.from, &args.to).map_err(unknown)?;
    output.data(&Line { event: "what", answer: &what }, || what.render(args.lang).join("\n"));
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
    let id = |node| federation.get(node).map(|node| node.id().to_owned());
    if federation.linked(at, dest) {
        return id(dest);
    }
    let joins =
        |hub: &kuriiri_policy::NodeId| federation.linked(at, *hub) && federation.linked(*hub, dest);
    federation.hubs().find(joins).or(Some(dest)).and_then(id)
}

fn unknown(error: kuriiri_policy::UnknownNode) -> Failure {
    Failure::new(Code::USAGE, error)
}
