//! The systems of the example, and their folders.

use kuriiri_types::SpiffeRole;

use super::Member;
use crate::tree::Tree;

/// The systems of each ministry: its registry, and its situation picture.
const SYSTEMS: [&str; 2] = ["kirjaamo", "tilannekuva"];

/// The systems of a member.
pub(super) fn systems(member: &Member) -> &'static [&'static str] {
    if member.has_systems { &SYSTEMS } else { &[] }
}

/// Writes the folders of a member's systems.
pub(super) fn write(member: &Member, tree: &Tree) -> anyhow::Result<()> {
    for system in systems(member) {
        let folder = format!("{}/systems/{system}", member.folder);
        member.issue(tree, &folder, &member.id(SpiffeRole::System, system)?)?;
        tree.key(&format!("{folder}/sealing.key"), &member.sealing.to_text())?;
        tree.text(&format!("{folder}/system.toml"), &system_toml(member, system))?;
    }
    Ok(())
}

fn system_toml(member: &Member, system: &str) -> String {
    format!(
        r#"# The system `{system}` of {ministry} in the example.
system = "spiffe://{ministry}/system/{system}"
address = "{system}@{ministry}"
relay = "{address}"
trust = "../../../federation/trust"
sealing-key = "sealing.key"

[tls]
certificate = "tls.pem"
key = "tls.key"

[signing]
certificate = "signing.pem"
key = "signing.key"
"#,
        ministry = member.ministry,
        address = member.address(),
    )
}
