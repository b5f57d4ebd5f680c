//! The people of the example: officers and operators of each ministry.

use kuriiri_certs::Purpose;
use kuriiri_types::SpiffeRole;

use super::Member;
use crate::tree::Tree;

/// The officers of each ministry.
const OFFICERS: [&str; 3] = ["anna", "bertta", "cecilia"];
/// The role in which officers release messages.
pub(super) const RELEASE: &str = "release";
/// The operator of each relay.
const OPERATOR: &str = "anna";

/// The officers of a member.
pub(super) fn officers(member: &Member) -> &'static [&'static str] {
    if member.has_systems { &OFFICERS } else { &[] }
}

/// Writes the folders of a member's officers and of its operator.
pub(super) fn write(member: &Member, tree: &Tree) -> anyhow::Result<()> {
    for officer in officers(member) {
        let folder = format!("{}/officers/{officer}", member.folder);
        member.issue(tree, &folder, &member.id(SpiffeRole::Officer, officer)?)?;
        tree.key(&format!("{folder}/release.key"), &member.release.to_text())?;
        tree.text(&format!("{folder}/officer.toml"), &officer_toml(member, officer))?;
    }
    let folder = format!("{}/operators/{OPERATOR}", member.folder);
    let operator = member.id(SpiffeRole::Operator, OPERATOR)?;
    member.issue_one(tree, &format!("{folder}/tls"), &operator, Purpose::Tls)?;
    tree.text(&format!("{folder}/operator.toml"), &operator_toml(member))
}

fn officer_toml(member: &Member, officer: &str) -> String {
    let id = format!("officer = \"spiffe://{}/officer/{officer}\"", member.ministry);
    format!(
        "# The officer `{officer}` of {} in the example.\n{id}\n{}\
         release-key = \"release.key\"\nroles = [\"{RELEASE}\"]\n{}{}",
        member.ministry,
        relay_and_trust(member),
        pair("tls"),
        pair("signing"),
    )
}

fn operator_toml(member: &Member) -> String {
    let id = format!("operator = \"spiffe://{}/operator/{OPERATOR}\"", member.ministry);
    format!(
        "# The operator `{OPERATOR}` of {} in the example.\n{id}\n{}{}",
        member.ministry,
        relay_and_trust(member),
        pair("tls"),
    )
}

fn relay_and_trust(member: &Member) -> String {
    format!("relay = \"{}\"\ntrust = \"../../../federation/trust\"\n", member.address())
}

fn pair(name: &str) -> String {
    format!("\n[{name}]\ncertificate = \"{name}.pem\"\nkey = \"{name}.key\"\n")
}
