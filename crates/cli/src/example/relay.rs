//! The folder of a member's relay.

use kuriiri_certs::Purpose;
use kuriiri_types::SpiffeRole;

use super::{
    Member,
    people::{RELEASE, officers},
    signed::SignedFile,
    stewards::STEWARDS,
    systems::systems,
};
use crate::tree::Tree;

/// Writes the relay's folder, with a copy of the signed files that is its own.
pub(super) fn write(member: &Member, tree: &Tree, files: &[SignedFile]) -> anyhow::Result<()> {
    let relay = member.id(SpiffeRole::Relay, "r1")?;
    member.issue_one(tree, &format!("{}/tls", member.folder), &relay, Purpose::Tls)?;
    write_log_keys(member, tree)?;
    tree.text(&format!("{}/relay.toml", member.folder), &relay_toml(member))?;
    let policy = format!("{}/policy", member.folder);
    files.iter().try_for_each(|file| file.write(tree, &policy))
}

/// The keys of its log and of it as a witness. What verifies the log stands beside it.
fn write_log_keys(member: &Member, tree: &Tree) -> anyhow::Result<()> {
    let name = |what: &str| format!("{}/{what}", member.folder);
    tree.key(&name("log.key"), &member.log.secret)?;
    tree.key(&name("witness.key"), &member.witness.secret)?;
    tree.text(&name("log.vkey"), &format!("{}\n", member.log.public))
}

fn relay_toml(member: &Member) -> String {
    let mut text = format!(
        r#"# The relay of {ministry} in the example. Every key is explained in deploy/relay.toml.
ministry = "{ministry}"
relay = "r1"
listen = "{address}"
state = "state"

federation = "policy/federation.toml"
catalogues = ["policy/catalogue-fi.toml", "policy/catalogue-eu.toml", "policy/catalogue-tlp.toml"]
rules = "policy/policy.toml"
translations = ["policy/translate-eu-fi.toml"]
revocation = "../federation/revocation"

[tls]
certificate = "tls.pem"
key = "tls.key"

[log]
dir = "log"
key = "log.key"
witness-key = "witness.key"

[log.retention]
days = 3650

[[log.retention.label]]
policy = "FI"
level = "JULK"
days = 400
"#,
        ministry = member.ministry,
        address = member.address(),
    );
    text += &signers_toml(member);
    for system in systems(member) {
        let address = format!("{system}@{}", member.ministry);
        text += &format!("\n[[system]]\nname = \"{system}\"\naddresses = [\"{address}\"]\n");
    }
    text + &officers_toml(member)
}

/// Who may sign the files that its relay works by.
fn signers_toml(member: &Member) -> String {
    let stewards = STEWARDS.map(|name| format!("../federation/signers/{name}.pem"));
    let own = |name: &&str| format!("officers/{name}/signing.pem");
    let own: Vec<_> = officers(member).iter().map(own).collect();
    format!(
        "\n[signers]\ncatalogues = {stewards:?}\nfederation = {stewards:?}\n\
         rules = {stewards:?}\ntranslations = {stewards:?}\nlocal-rules = {own:?}\n"
    )
}

/// Its officers, as its relay enrols them.
fn officers_toml(member: &Member) -> String {
    let enrol =
        |name: &&str| format!("\n[[officer]]\nname = \"{name}\"\nroles = [\"{RELEASE}\"]\n");
    officers(member).iter().map(enrol).collect()
}
