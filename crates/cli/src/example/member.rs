//! One member of the example: its CA, its relay, its systems.

use std::time::{SystemTime, UNIX_EPOCH};

use kuriiri_certs::{Authority, Purpose, Validity};
use kuriiri_seal::SealingKey;
use kuriiri_types::{Ministry, SpiffeId, SpiffeRole, Timestamp};

use super::files::Tree;

/// Days for which the example's certificates and revocation lists hold.
const DAYS: u32 = 365;
/// The systems of each ministry: its registry, and its situation picture.
pub(crate) const SYSTEMS: [&str; 2] = ["kirjaamo", "tilannekuva"];
/// The operator of each relay. Nothing asks for an operator's certificate yet.
const OPERATOR: &str = "anna";
/// Folder, trust domain, and whether it has systems, in the order of ports.
const MEMBERS: [(&str, &str, bool); 4] = [
    ("sm", "sm.example", true),
    ("plm", "plm.example", true),
    ("um", "um.example", true),
    ("hub", "verkko.example", false),
];

/// One member with everything that is its own. The CA's key exists only here and is never written.
pub(crate) struct Member {
    folder: &'static str,
    ministry: Ministry,
    port: u16,
    has_systems: bool,
    validity: Validity,
    authority: Authority,
    sealing: SealingKey,
}

impl Member {
    /// All members of the example, their relays on the ports after `base_port`.
    pub(crate) fn all(base_port: u16) -> anyhow::Result<Vec<Self>> {
        let validity = Validity::days(an_hour_ago(), DAYS);
        let member = |(port, (folder, domain, has_systems)): (u16, (&'static str, &str, bool))| {
            let ministry: Ministry = domain.parse()?;
            let authority = Authority::new(&ministry, validity)?;
            let sealing = SealingKey::generate()?;
            Ok(Self { folder, ministry, port, has_systems, validity, authority, sealing })
        };
        (base_port.saturating_add(1)..).zip(MEMBERS).map(member).collect()
    }

    /// The name of its folder, which is its id in the federation.
    pub(crate) fn folder(&self) -> &'static str {
        self.folder
    }

    /// What the federation file says of it.
    pub(crate) fn federation_entry(&self) -> String {
        format!(
            "domain = \"{}\"\nendpoints = [\"{}\"]\nsealing_key = \"{}\"\nca = \"\"\"\n{}\"\"\"",
            self.ministry,
            self.address(),
            self.sealing.public_key(),
            self.authority.certificate_pem(),
        )
    }

    /// What systems need to believe it: CA, revocation list, sealing key.
    pub(crate) fn write_trust(&self, tree: &Tree) -> anyhow::Result<()> {
        let list = self.authority.crl(&[], self.validity)?;
        let name = |what: &str| format!("federation/{what}");
        tree.text(&name(&format!("revocation/{}.pem", self.ministry)), &list)?;
        tree.text(&name(&format!("trust/{}.crl.pem", self.ministry)), &list)?;
        let ca = self.authority.certificate_pem();
        tree.text(&name(&format!("trust/{}.ca.pem", self.ministry)), ca)?;
        let key = format!("{}\n", self.sealing.public_key());
        tree.text(&name(&format!("trust/{}.seal.pub", self.ministry)), &key)
    }

    /// Writes its relay's folder, its operator's certificate and its systems.
    pub(crate) fn write(&self, tree: &Tree) -> anyhow::Result<()> {
        let relay = self.id(SpiffeRole::Relay, "r1")?;
        self.issue(tree, self.folder, &relay)?;
        tree.text(&format!("{}/relay.toml", self.folder), &self.relay_toml())?;
        let operator = self.id(SpiffeRole::Operator, OPERATOR)?;
        let name = format!("{}/operators/{OPERATOR}/tls", self.folder);
        self.issue_one(tree, &name, &operator, Purpose::Tls)?;
        for system in self.systems() {
            let folder = format!("{}/systems/{system}", self.folder);
            self.issue(tree, &folder, &self.id(SpiffeRole::System, system)?)?;
            tree.key(&format!("{folder}/sealing.key"), &self.sealing.to_text())?;
            tree.text(&format!("{folder}/system.toml"), &self.system_toml(system))?;
        }
        Ok(())
    }

    /// A certificate to connect with, and one to sign with; keys are separate by role.
    fn issue(&self, tree: &Tree, folder: &str, id: &SpiffeId) -> anyhow::Result<()> {
        self.issue_one(tree, &format!("{folder}/tls"), id, Purpose::Tls)?;
        self.issue_one(tree, &format!("{folder}/signing"), id, Purpose::Signing)
    }

    fn issue_one(
        &self,
        tree: &Tree,
        name: &str,
        id: &SpiffeId,
        purpose: Purpose,
    ) -> anyhow::Result<()> {
        let issued = self.authority.issue(id, purpose, self.validity)?;
        tree.text(&format!("{name}.pem"), &issued.certificate_pem)?;
        tree.key(&format!("{name}.key"), &issued.key_pem)
    }

    fn relay_toml(&self) -> String {
        let mut text = format!(
            r#"# The relay of {ministry} in the example. Every key is explained in deploy/relay.toml.
ministry = "{ministry}"
relay = "r1"
listen = "{address}"
state = "state"

federation = "../federation/federation.toml"
catalogues = ["../federation/catalogue-fi.toml", "../federation/catalogue-eu.toml", "../federation/catalogue-tlp.toml"]
rules = "../federation/policy.toml"
translations = ["../federation/translate-eu-fi.toml"]
revocation = "../federation/revocation"

[tls]
certificate = "tls.pem"
key = "tls.key"

[signing]
certificate = "signing.pem"
key = "signing.key"
"#,
            ministry = self.ministry,
            address = self.address(),
        );
        for system in self.systems() {
            let address = format!("{system}@{}", self.ministry);
            text += &format!("\n[[system]]\nname = \"{system}\"\naddresses = [\"{address}\"]\n");
        }
        text
    }

    fn system_toml(&self, system: &str) -> String {
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
            ministry = self.ministry,
            address = self.address(),
        )
    }

    fn systems(&self) -> &'static [&'static str] {
        if self.has_systems { &SYSTEMS } else { &[] }
    }

    fn id(&self, role: SpiffeRole, name: &str) -> anyhow::Result<SpiffeId> {
        Ok(SpiffeId::new(self.ministry.clone(), role, name)?)
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// The example begins to hold a little in the past, for clocks differ.
#[expect(clippy::disallowed_methods, reason = "certificates begin to hold at the real time")]
fn an_hour_ago() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let hour = std::time::Duration::from_secs(3600);
    Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap_or(0)).before(hour)
}
