//! One member of the example: its names, its keys, and the certificates that it issues.

use std::time::{SystemTime, UNIX_EPOCH};

use kuriiri_certs::{Authority, Issued, Purpose, Validity};
use kuriiri_seal::SealingKey;
use kuriiri_types::{Ministry, SpiffeId, SpiffeRole, Timestamp};

use crate::{log::NotePair, tree::Tree};

/// Folder, trust domain, and whether it has systems, in the order of ports.
const MEMBERS: [(&str, &str, bool); 4] = [
    ("sm", "sm.example", true),
    ("plm", "plm.example", true),
    ("um", "um.example", true),
    ("hub", "verkko.example", false),
];

/// One member with everything that is its own. The CA's key exists only here and is never written.
pub(crate) struct Member {
    pub(super) folder: &'static str,
    pub(super) ministry: Ministry,
    port: u16,
    /// Whether it has systems, and people who look after them.
    pub(super) has_systems: bool,
    pub(super) validity: Validity,
    pub(super) authority: Authority,
    pub(super) sealing: SealingKey,
    /// With which its officers read what they release.
    pub(super) release: SealingKey,
    pub(super) log: NotePair,
    pub(super) witness: NotePair,
}

impl Member {
    /// All members of the example, their relays on the ports after `base_port`, with certificates for so many days.
    pub(super) fn all(base_port: u16, days: u32) -> anyhow::Result<Vec<Self>> {
        let validity = Validity::days(an_hour_ago(), days);
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

    /// What the federation file says of it.
    pub(super) fn federation_entry(&self) -> String {
        // Who has systems has officers.
        let release = self.has_systems.then(|| self.release.public_key());
        format!(
            "domain = \"{}\"\nendpoints = [\"{}\"]\nsealing_keys = [\"{}\"]\nrelease_keys = [{}]\n\
             log = \"{}\"\nwitness = \"{}\"\nca = \"\"\"\n{}\"\"\"",
            self.ministry,
            self.address(),
            self.sealing.public_key(),
            release.map_or_else(String::new, |key| format!("\"{key}\"")),
            self.log.public,
            self.witness.public,
            self.authority.certificate_pem(),
        )
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
