//! Certificates that nobody may accept: for whoever tests a relay (`kuriiri provoke`).

use std::time::Duration;

use kuriiri_certs::{Purpose, Serial, Validity};
use kuriiri_types::{SpiffeId, SpiffeRole};

use super::{Member, systems::systems};
use crate::tree::Tree;

/// How long the certificates hold whose time is over.
const MINUTE: Duration = Duration::from_secs(60);

/// Writes certificates of a member that are expired, and some that are revoked. Gives the serial numbers of these,
/// for its revocation list.
pub(super) fn write(member: &Member, tree: &Tree) -> anyhow::Result<Vec<Serial>> {
    let Some(system) = systems(member).first() else { return Ok(Vec::new()) };
    let relay = (member.id(SpiffeRole::Relay, "r1")?, "tls", Purpose::Tls);
    let system = (member.id(SpiffeRole::System, system)?, "signing", Purpose::Signing);
    let begins = member.validity.not_before;
    let over = Validity { not_before: begins, not_after: begins.after(MINUTE) };
    let mut revoked = Vec::new();
    for (id, name, purpose) in [relay, system] {
        issue(member, tree, ("expired", name), (&id, purpose, over))?;
        revoked.push(issue(member, tree, ("revoked", name), (&id, purpose, member.validity))?);
    }
    Ok(revoked)
}

fn issue(
    member: &Member,
    tree: &Tree,
    (why, name): (&str, &str),
    (id, purpose, validity): (&SpiffeId, Purpose, Validity),
) -> anyhow::Result<Serial> {
    let issued = member.authority.issue(id, purpose, validity)?;
    let name = format!("{}/misfits/{why}/{name}", member.folder);
    tree.text(&format!("{name}.pem"), &issued.certificate_pem)?;
    tree.key(&format!("{name}.key"), &issued.key_pem)?;
    Ok(issued.serial)
}
