//! The messages of the demo.

use anyhow::Context;
use kuriiri_client::Draft;
use kuriiri_types::{Address, Precedence};

use crate::system::Document;

/// A message to the registries of some ministries.
pub(super) fn draft(
    to: &[&str],
    label: &str,
    precedence: Precedence,
    document: &Document,
) -> anyhow::Result<Draft> {
    let address = |ministry: &&str| format!("kirjaamo@{ministry}.example").parse::<Address>();
    let recipients = to.iter().map(address).collect::<Result<Vec<_>, _>>()?;
    let (first, others) = recipients.split_first().context("nobody to send to")?;
    let draft = others.iter().cloned().fold(Draft::to(first.clone()), Draft::action);
    Ok(draft
        .label(label.parse()?)
        .precedence(precedence)
        .subject(&document.name)
        .content_type(document.content_type())
        .body(document.body.clone()))
}
