//! Who takes part, with all keys.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use kuriiri_certs::{Authority, Purpose as For, Validity};
use kuriiri_merkle::digest;
use kuriiri_policy::{Catalogue, Federation, Policy, Rules, Sources, Translation};
use kuriiri_seal::{NoteKey, Signer, sign_file};
use kuriiri_tlog::{Cosigner, NoteSigner, Trust, VerifierKey};
use kuriiri_types::{FileInForce, FileKind, PolicyInForce, SpiffeId, Timestamp};

pub const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
pub const DAY: Duration = Duration::from_secs(86_400);

/// Node, trust domain, direct links. `sm` and `um` meet through the hub only.
const NODES: [(&str, &str, &str); 4] = [
    ("sm", "sm.example", r#""plm", "hub""#),
    ("plm", "plm.example", r#""sm", "um", "hub""#),
    ("um", "um.example", r#""plm", "hub""#),
    ("hub", "verkko.example", r#""sm", "plm", "um""#),
];

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/vectors/labels/", $name))
    };
}

pub struct Member {
    pub authority: Authority,
    pub system: Signer,
    pub officer: Signer,
    pub log: NoteSigner,
    pub witness: Cosigner,
}

/// The members, and those who sign the files of all.
type People = (Arc<BTreeMap<&'static str, Member>>, Arc<[Signer; 2]>, String);

pub struct Cast {
    pub members: Arc<BTreeMap<&'static str, Member>>,
    pub policy: Policy,
    pub in_force: PolicyInForce,
    pub contents: Vec<Bytes>,
    /// The files of signatures beside them, in the same order.
    pub signatures: Vec<Bytes>,
    /// The officers of the hub who sign every file.
    pub stewards: Arc<[Signer; 2]>,
    /// Their certificates.
    pub stewards_pem: String,
    pub federation: String,
}

impl Cast {
    pub fn new() -> Self {
        Self::with_rules(|rules| rules.to_owned())
    }

    /// With other rules than those of the vectors.
    pub fn with_rules(change: impl Fn(&str) -> String) -> Self {
        let members = NODES.iter().map(|(node, domain, _)| (*node, Member::new(domain)));
        let members: Arc<BTreeMap<_, _>> = Arc::new(members.collect());
        let federation = federation(&members);
        let mut stewards_pem = String::new();
        let stewards = ["sulo", "taru"].map(|name| {
            let id = format!("spiffe://verkko.example/officer/{name}").parse().unwrap();
            let validity = Validity::days(NOW.before(DAY), 365);
            let issued = members["hub"].authority.issue(&id, For::Signing, validity).unwrap();
            stewards_pem += &issued.certificate_pem;
            Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap()
        });
        let people = (members, Arc::new(stewards), stewards_pem);
        Self::of(people, federation, change(vector!("policy.toml")))
    }

    /// The same members under other rules.
    pub fn with_other_rules(&self, change: impl Fn(&str) -> String) -> Self {
        let rules = reissued(&change(vector!("policy.toml")));
        let (members, stewards) = (Arc::clone(&self.members), Arc::clone(&self.stewards));
        Self::of((members, stewards, self.stewards_pem.clone()), self.federation.clone(), rules)
    }

    fn of((members, stewards, stewards_pem): People, federation: String, rules: String) -> Self {
        let files = [
            (FileKind::Federation, "example", federation.clone()),
            (FileKind::Catalogue, "EU", vector!("catalogue-eu.toml").to_owned()),
            (FileKind::Catalogue, "FI", vector!("catalogue-fi.toml").to_owned()),
            (FileKind::Catalogue, "TLP", vector!("catalogue-tlp.toml").to_owned()),
            (FileKind::Translation, "EU to FI", vector!("translate-eu-fi.toml").to_owned()),
            (FileKind::Rules, "example", rules),
        ];
        let (mut in_force, mut contents) = (PolicyInForce::default(), Vec::new());
        let mut signatures = Vec::new();
        for (kind, name, text) in &files {
            let signed = signed_by(stewards.as_slice(), *kind, text);
            in_force.files.push(FileInForce {
                kind: *kind,
                name: (*name).to_owned(),
                serial: serial_of(text),
                digest: digest(text.as_bytes()),
                signatures: digest(signed.as_bytes()),
                is_own: false,
            });
            contents.push(Bytes::from(text.clone()));
            signatures.push(Bytes::from(signed));
        }
        let sources = Sources {
            catalogues: files[1..4].iter().map(|f| Catalogue::parse(&f.2).unwrap()).collect(),
            federation: Federation::parse(&federation).unwrap(),
            rules: Rules::parse(&files[5].2).unwrap(),
            local: Vec::new(),
            translations: vec![Translation::parse(&files[4].2).unwrap()],
        };
        let policy = Policy::compile(sources).unwrap();
        Self { members, policy, in_force, contents, signatures, stewards, stewards_pem, federation }
    }

    /// Has the rules signed by these of the stewards alone.
    pub fn sign_rules(&mut self, by: &[usize]) {
        let text = String::from_utf8(self.contents.last().unwrap().to_vec()).unwrap();
        let none = format!(
            "format = \"signatures/1\"\ntype = \"{}\"\n",
            kuriiri_seal::payload_type(FileKind::Rules)
        );
        let signed = by.iter().fold(none, |signed, at| {
            let signer = &self.stewards[*at];
            sign_file(FileKind::Rules, text.as_bytes(), Some(&signed), signer).unwrap()
        });
        self.in_force.files.last_mut().unwrap().signatures = digest(signed.as_bytes());
        *self.signatures.last_mut().unwrap() = signed.into();
    }

    /// Has the rules issued with another serial, and signed by all.
    pub fn reissue_rules(&mut self, serial: u64) {
        let text = String::from_utf8(self.contents.last().unwrap().to_vec()).unwrap();
        let now = serial_of(&text);
        let text = text.replacen(&format!("serial = {now}"), &format!("serial = {serial}"), 1);
        let file = self.in_force.files.last_mut().unwrap();
        (file.serial, file.digest) = (serial, digest(text.as_bytes()));
        *self.contents.last_mut().unwrap() = text.into();
        self.sign_rules(&[0, 1]);
    }

    /// The auditor's policy: all logs, all witnesses but the log's own, all of them needed.
    pub fn write_policy(&self, path: &Path, witnesses: &[&str], needed: usize) {
        let logs: Vec<VerifierKey> =
            self.members.values().map(|m| m.log.verifier_key().clone()).collect();
        let witnesses: Vec<VerifierKey> = witnesses
            .iter()
            .map(|name| self.members[name].witness.verifier_key().clone())
            .collect();
        let trust = Trust::new(&logs, &witnesses, needed).unwrap();
        fs::write(path, trust.to_bytes()).unwrap();
    }

    pub fn member(&self, node: &str) -> &Member {
        &self.members[node]
    }
}

impl Member {
    fn new(domain: &str) -> Self {
        let ministry = domain.parse().unwrap();
        let validity = Validity::days(NOW.before(DAY), 365);
        let authority = Authority::new(&ministry, validity).unwrap();
        let issue = |id: &str| {
            let id: SpiffeId = id.parse().unwrap();
            let issued = authority.issue(&id, For::Signing, validity).unwrap();
            Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap()
        };
        let key = || NoteKey::generate().unwrap().0;
        Self {
            system: issue(&format!("spiffe://{domain}/system/kirjaamo")),
            officer: issue(&format!("spiffe://{domain}/officer/anna")),
            log: NoteSigner::new(format!("{domain}/log").parse().unwrap(), key()),
            witness: Cosigner::new(format!("{domain}/witness").parse().unwrap(), key()),
            authority,
        }
    }

    /// A signer of the same ministry with a certificate of another time.
    pub fn signer(&self, id: &str, from: Timestamp, days: u32) -> Signer {
        let id: SpiffeId = id.parse().unwrap();
        let issued = self.authority.issue(&id, For::Signing, Validity::days(from, days)).unwrap();
        Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap()
    }
}

/// The file of signatures of these persons over a file.
pub fn signed_by(signers: &[Signer], kind: FileKind, text: &str) -> String {
    let sign = |signed: Option<String>, signer: &Signer| {
        Some(sign_file(kind, text.as_bytes(), signed.as_deref(), signer).unwrap())
    };
    signers.iter().fold(None, sign).unwrap()
}

fn federation(members: &BTreeMap<&'static str, Member>) -> String {
    let text = vector!("federation.toml").to_owned();
    NODES.iter().fold(text, |text, (node, domain, links)| {
        let id = format!("id = \"{node}\"");
        let Member { authority, log, witness, .. } = &members[node];
        let more = format!(
            "{id}\ndomain = \"{domain}\"\nendpoints = [\"relay.{domain}:4433\"]\n\
             links = [{links}]\nsealing_keys = [{}]\nrelease_keys = [{}]\nlog = \"{}\"\nwitness = \"{}\"\n\
             ca = \"\"\"\n{}\"\"\"",
            key_text(node, Key::Sealing),
            key_text(node, Key::Release),
            log.verifier_key(),
            witness.verifier_key(),
            authority.certificate_pem()
        );
        text.replacen(&id, &more, 1)
    })
}

/// The keys of a member to which bodies are sealed.
#[derive(Clone, Copy)]
pub enum Key {
    Sealing,
    Release,
    /// One that no file lists.
    Invented,
}

/// A key is one byte again and again, for nobody opens anything here.
pub fn key_bytes(node: &str, key: Key) -> [u8; 1216] {
    let place = NODES.iter().position(|(own, ..)| *own == node).unwrap();
    [(place * 4 + key as usize) as u8; 1216]
}

fn key_text(node: &str, key: Key) -> String {
    let digits: String = key_bytes(node, key).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"kuriiri-sealing-public-key-1:{digits}\"")
}

/// The serial that a file says that it has.
fn serial_of(text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("serial")).unwrap();
    line.trim_start_matches([' ', '=']).split([' ', '#']).next().unwrap().parse().unwrap()
}

/// The file with the next serial.
pub fn reissued(text: &str) -> String {
    let serial = serial_of(text);
    text.replacen(&format!("serial = {serial}"), &format!("serial = {}", serial + 1), 1)
}
