//! The people of the example: officers and operators of each ministry.

use kuriiri_certs::Purpose;
use kuriiri_types::SpiffeRole;

use super::{Member, stewards::STEWARDS};
use crate::tree::Tree;

/// The officers of each ministry.
const OFFICERS: [&str; 3] = ["anna", "bertta", "cecilia"];
/// The role in which officers release messages.
const RELEASE: &str = "release";
/// The operator of each relay.
const OPERATOR: &str = "anna";

impl Member {
    /// The officers of its relay.
    pub(super) fn officers(&self) -> &'static [&'static str] {
        if self.has_systems() { &OFFICERS } else { &[] }
    }

    /// Writes the folders of its officers and of its operator.
    pub(super) fn write_people(&self, tree: &Tree) -> anyhow::Result<()> {
        for officer in self.officers() {
            let folder = format!("{}/officers/{officer}", self.folder());
            self.issue(tree, &folder, &self.id(SpiffeRole::Officer, officer)?)?;
            tree.key(&format!("{folder}/release.key"), &self.release_key().to_text())?;
            tree.text(&format!("{folder}/officer.toml"), &self.officer_toml(officer))?;
        }
        let folder = format!("{}/operators/{OPERATOR}", self.folder());
        let operator = self.id(SpiffeRole::Operator, OPERATOR)?;
        self.issue_one(tree, &format!("{folder}/tls"), &operator, Purpose::Tls)?;
        tree.text(&format!("{folder}/operator.toml"), &self.operator_toml())
    }

    /// Who may sign the files that its relay works by.
    pub(super) fn signers_toml(&self) -> String {
        let stewards = STEWARDS.map(|name| format!("../federation/signers/{name}.pem"));
        let own = |name: &&str| format!("officers/{name}/signing.pem");
        let own: Vec<_> = self.officers().iter().map(own).collect();
        format!(
            "\n[signers]\ncatalogues = {stewards:?}\nfederation = {stewards:?}\n\
             rules = {stewards:?}\ntranslations = {stewards:?}\nlocal-rules = {own:?}\n"
        )
    }

    /// Its officers, as its relay enrols them.
    pub(super) fn officers_toml(&self) -> String {
        let enrol =
            |name: &&str| format!("\n[[officer]]\nname = \"{name}\"\nroles = [\"{RELEASE}\"]\n");
        self.officers().iter().map(enrol).collect()
    }

    fn officer_toml(&self, officer: &str) -> String {
        let id = format!("officer = \"spiffe://{}/officer/{officer}\"", self.ministry());
        format!(
            "# The officer `{officer}` of {} in the example.\n{id}\n{}\
             release-key = \"release.key\"\nroles = [\"{RELEASE}\"]\n{}{}",
            self.ministry(),
            self.relay_and_trust(),
            pair("tls"),
            pair("signing"),
        )
    }

    fn operator_toml(&self) -> String {
        let id = format!("operator = \"spiffe://{}/operator/{OPERATOR}\"", self.ministry());
        format!(
            "# The operator `{OPERATOR}` of {} in the example.\n{id}\n{}{}",
            self.ministry(),
            self.relay_and_trust(),
            pair("tls"),
        )
    }

    fn relay_and_trust(&self) -> String {
        format!("relay = \"{}\"\ntrust = \"../../../federation/trust\"\n", self.address())
    }
}

fn pair(name: &str) -> String {
    format!("\n[{name}]\ncertificate = \"{name}.pem\"\nkey = \"{name}.key\"\n")
}
