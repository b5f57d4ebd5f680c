//! One member of the example: its CA, its relay, its systems.

use std::time::{SystemTime, UNIX_EPOCH};

use kuriiri_certs::{Authority, Issued, Purpose, Validity};
use kuriiri_seal::SealingKey;
use kuriiri_tlog::VerifierKey;
use kuriiri_types::{Ministry, SpiffeId, SpiffeRole, Timestamp};

use super::signed::SignedFile;
use crate::{log::NotePair, tree::Tree};

/// Days for which the example's certificates and revocation lists hold.
const DAYS: u32 = 365;
/// The systems of each ministry: its registry, and its situation picture.
pub(crate) const SYSTEMS: [&str; 2] = ["kirjaamo", "tilannekuva"];
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
    /// With which its officers read what they release.
    release: SealingKey,
    log: NotePair,
    witness: NotePair,
}

impl Member {
    /// All members of the example, their relays on the ports after `base_port`.
    pub(super) fn all(base_port: u16) -> anyhow::Result<Vec<Self>> {
        let validity = Validity::days(an_hour_ago(), DAYS);
        let member = |(port, (folder, domain, has_systems)): (u16, (&'static str, &str, bool))| {
            let ministry: Ministry = domain.parse()?;
            let authority = Authority::new(&ministry, validity)?;
            let (sealing, release) = (SealingKey::generate()?, SealingKey::generate()?);
            Ok(Self {
                folder,
                port,
                has_systems,
                validity,
                authority,
                sealing,
                release,
                log: NotePair::of_log(&ministry)?,
                witness: NotePair::of_witness(&ministry)?,
                ministry,
            })
        };
        (base_port.saturating_add(1)..).zip(MEMBERS).map(member).collect()
    }

    /// The name of its folder, which is its id in the federation.
    pub(crate) fn folder(&self) -> &'static str {
        self.folder
    }

    /// Its trust domain.
    pub(super) fn ministry(&self) -> &Ministry {
        &self.ministry
    }

    /// What the federation file says of it.
    pub(super) fn federation_entry(&self) -> String {
        format!(
            "domain = \"{}\"\nendpoints = [\"{}\"]\nsealing_key = \"{}\"\nlog = \"{}\"\nwitness = \"{}\"\n\
             ca = \"\"\"\n{}\"\"\"",
            self.ministry,
            self.address(),
            self.sealing.public_key(),
            self.log.public,
            self.witness.public,
            self.authority.certificate_pem(),
        )
    }

    /// What systems need to believe it: CA, revocation list, key of its log, sealing key; and, at home,
    /// its officers' release key.
    pub(super) fn write_trust(&self, tree: &Tree) -> anyhow::Result<()> {
        let list = self.authority.crl(&[], self.validity)?;
        let name = |what: &str| format!("federation/{what}");
        tree.text(&name(&format!("revocation/{}.pem", self.ministry)), &list)?;
        tree.text(&name(&format!("trust/{}.crl.pem", self.ministry)), &list)?;
        let ca = self.authority.certificate_pem();
        tree.text(&name(&format!("trust/{}.ca.pem", self.ministry)), ca)?;
        let key = format!("{}\n", self.log.public);
        tree.text(&name(&format!("trust/{}.log.vkey", self.ministry)), &key)?;
        let key = format!("{}\n", self.sealing.public_key());
        tree.text(&name(&format!("trust/{}.seal.pub", self.ministry)), &key)?;
        if self.officers().is_empty() {
            return Ok(());
        }
        let key = format!("{}\n", self.release.public_key());
        tree.text(&name(&format!("trust/{}.release.pub", self.ministry)), &key)
    }

    /// Writes its relay's folder with its own copy of the signed files, its people and its systems.
    pub(super) fn write(&self, tree: &Tree, files: &[SignedFile]) -> anyhow::Result<()> {
        let relay = self.id(SpiffeRole::Relay, "r1")?;
        self.issue_one(tree, &format!("{}/tls", self.folder), &relay, Purpose::Tls)?;
        self.write_log_keys(tree)?;
        tree.text(&format!("{}/relay.toml", self.folder), &self.relay_toml())?;
        let policy = format!("{}/policy", self.folder);
        files.iter().try_for_each(|file| file.write(tree, &policy))?;
        self.write_people(tree)?;
        for system in self.systems() {
            let folder = format!("{}/systems/{system}", self.folder);
            self.issue(tree, &folder, &self.id(SpiffeRole::System, system)?)?;
            tree.key(&format!("{folder}/sealing.key"), &self.sealing.to_text())?;
            tree.text(&format!("{folder}/system.toml"), &self.system_toml(system))?;
        }
        Ok(())
    }

    /// The keys of its log and of it as a witness. What verifies the log stands beside it.
    fn write_log_keys(&self, tree: &Tree) -> anyhow::Result<()> {
        let name = |what: &str| format!("{}/{what}", self.folder);
        tree.key(&name("log.key"), &self.log.secret)?;
        tree.key(&name("witness.key"), &self.witness.secret)?;
        tree.text(&name("log.vkey"), &format!("{}\n", self.log.public))
    }

    /// A certificate to connect with, and one to sign with; keys are separate by role.
    pub(super) fn issue(&self, tree: &Tree, folder: &str, id: &SpiffeId) -> anyhow::Result<()> {
        self.issue_one(tree, &format!("{folder}/tls"), id, Purpose::Tls)?;
        self.issue_one(tree, &format!("{folder}/signing"), id, Purpose::Signing)
    }

    pub(super) fn issue_one(
        &self,
        tree: &Tree,
        name: &str,
        id: &SpiffeId,
        purpose: Purpose,
    ) -> anyhow::Result<()> {
        let issued = self.certify(id, purpose)?;
        tree.text(&format!("{name}.pem"), &issued.certificate_pem)?;
        tree.key(&format!("{name}.key"), &issued.key_pem)
    }

    /// A certificate and its key, in memory.
    pub(super) fn certify(&self, id: &SpiffeId, purpose: Purpose) -> anyhow::Result<Issued> {
        Ok(self.authority.issue(id, purpose, self.validity)?)
    }

    /// The secret key with which its officers read what they release.
    pub(super) fn release_key(&self) -> &SealingKey {
        &self.release
    }

    fn relay_toml(&self) -> String {
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
            ministry = self.ministry,
            address = self.address(),
        );
        text += &self.signers_toml();
        for system in self.systems() {
            let address = format!("{system}@{}", self.ministry);
            text += &format!("\n[[system]]\nname = \"{system}\"\naddresses = [\"{address}\"]\n");
        }
        text + &self.officers_toml()
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

    /// The public key of its log.
    pub(super) fn log(&self) -> &VerifierKey {
        &self.log.public
    }

    /// The public key with which it witnesses the logs of others.
    pub(super) fn witness(&self) -> &VerifierKey {
        &self.witness.public
    }

    /// Whether it has systems, and people who look after them.
    pub(super) fn has_systems(&self) -> bool {
        self.has_systems
    }

    fn systems(&self) -> &'static [&'static str] {
        if self.has_systems { &SYSTEMS } else { &[] }
    }

    pub(super) fn id(&self, role: SpiffeRole, name: &str) -> anyhow::Result<SpiffeId> {
        Ok(SpiffeId::new(self.ministry.clone(), role, name)?)
    }

    pub(super) fn address(&self) -> String {
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
