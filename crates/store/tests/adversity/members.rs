//! A federation of one ministry and hundreds that all have a link with it, with the keys of their
//! systems.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use kuriiri_certs::{Authority, Purpose as For, Validity};
use kuriiri_engine::{Config, LogConfig, Retention, SignedSet};
use kuriiri_merkle::{digest, leaf};
use kuriiri_policy::{Catalogue, Federation, Policy, Rules, Sources, Translation};
use kuriiri_seal::{Authorities, NoteKey, Purpose, Signer, VerifiedMessage, Verifier, commit};
use kuriiri_store::Named;
use kuriiri_tlog::{Cosigner, NoteSigner, log_origin};
use kuriiri_types::{
    Address, Envelope, FileInForce, FileKind, Header, LogEvent, MessageId, MessageType, Ministry,
    PolicyInForce, Precedence, Recipient, Role, SpiffeId, Timestamp, limits::BODY_SALT_BYTES,
};
use kuriiri_wire::{WireCodec, entry, header};

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/vectors/labels/", $name))
    };
}

/// When everything happens: within the validity of all files.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
/// The ministry that all others have a link with.
pub(crate) const HOME: &str = "koti.example";

/// The members, and what they are made of.
pub(crate) struct Members {
    pub(crate) peers: Vec<Ministry>,
    signers: BTreeMap<Ministry, Signer>,
    verifier: Verifier,
    policy: Arc<Policy>,
    files: SignedSet,
    log: Arc<NoteSigner>,
    cosigner: Arc<Cosigner>,
}

impl Members {
    /// So many besides the ministry at home.
    pub(crate) fn new(peers: usize) -> Self {
        let peers: Vec<Ministry> =
            (0..peers).map(|n| format!("virasto-{n:04}.example").parse().unwrap()).collect();
        let home: Ministry = HOME.parse().unwrap();
        let validity = Validity::days(NOW.before(Duration::from_secs(86_400)), 365);
        let (mut authorities, mut signers) = (Authorities::new(), BTreeMap::new());
        for ministry in peers.iter().chain([&home]) {
            let authority = Authority::new(ministry, validity).unwrap();
            authorities.add(ministry, authority.certificate_pem()).unwrap();
            let issued = authority.issue(&system(ministry), For::Signing, validity).unwrap();
            let signer = Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap();
            signers.insert(ministry.clone(), signer);
        }
        let verifier = Verifier::new(authorities);
        for signer in signers.values() {
            verifier.admit_certificate(signer.certificate(), NOW).unwrap();
        }
        let federation = federation(&peers);
        let (policy, files) = (policy(&federation), files(federation));
        let key = || NoteKey::generate().unwrap().0;
        let log = Arc::new(NoteSigner::new(log_origin(&home).parse().unwrap(), key()));
        let name = format!("{HOME}/witness").parse().unwrap();
        let cosigner = Arc::new(Cosigner::new(name, key()));
        Self { peers, signers, verifier, policy, files, log, cosigner }
    }

    /// What the engine at home is made of.
    pub(crate) fn config(&self) -> Config {
        let home = registry(&HOME.parse().unwrap());
        Config {
            ministry: home.ministry().clone(),
            log: LogConfig {
                signer: Arc::clone(&self.log),
                cosigner: Arc::clone(&self.cosigner),
                secret: [7; 32],
                software: "kuriiri in a test".into(),
                restored: None,
            },
            retention: Retention::new(365, [], &self.policy).unwrap(),
            files: self.files.clone(),
            codec: Arc::new(WireCodec),
            policy: Arc::clone(&self.policy),
            systems: [(system(home.ministry()), BTreeSet::from([home]))].into(),
            clearances: BTreeMap::new(),
            officers: BTreeMap::new(),
        }
    }

    /// A public message from the registry of one member to that of another; the number tells it from
    /// others.
    pub(crate) fn letter(&self, from: &Ministry, to: &Ministry, number: u32) -> VerifiedMessage {
        let body = Bytes::from(vec![9; BODY_SALT_BYTES + 100]);
        let mut random = [0; 10];
        random[..4].copy_from_slice(&number.to_be_bytes());
        let bytes = header::encode(&Header {
            id: MessageId::new(NOW, random),
            from: registry(from),
            to: vec![Recipient { address: registry(to), role: Role::Action }],
            label: Some("FI JULK".parse().unwrap()),
            precedence: Precedence::Routine,
            message_type: MessageType::Operation,
            created: NOW,
            expires: None,
            content_type: "text/plain".into(),
            body_size: 100,
            body_commitment: commit(&body).unwrap(),
            subject: String::new(),
            conversation: None,
            in_reply_to: None,
            obsoletes: None,
            sealing: None,
            drafter: None,
        });
        let proof = self.signers[from].sign(Purpose::Messages, &[leaf(&bytes)]).remove(0);
        let envelope = Envelope { header: bytes, proof };
        let verified = self.verifier.message(envelope, |bytes| header::decode(bytes), NOW);
        verified.unwrap().with_body(body).unwrap()
    }
}

/// The one address of a member.
fn registry(of: &Ministry) -> Address {
    Address::new("kirjaamo", of.clone()).unwrap()
}

/// The one system of a member.
pub(crate) fn system(of: &Ministry) -> SpiffeId {
    format!("spiffe://{of}/system/kirjaamo").parse().unwrap()
}

fn federation(peers: &[Ministry]) -> String {
    let mut text = "format = \"federation/1\"\nserial = 1\n".to_owned();
    let mut node = |id: &str, domain: &str, more: &str| {
        write!(
            text,
            "[[node]]\nid = \"{id}\"\ndomain = \"{domain}\"\ngoverning = \"FI\"\n{more}\n\
             name = {{ fi = \"a\", sv = \"b\", en = \"c\" }}\n\
             [[node.clearance]]\npolicy = \"FI\"\nlevels = [\"JULK\"]\n"
        )
        .unwrap();
    };
    node("koti", HOME, &format!("endpoints = [\"relay.{HOME}:4433\"]"));
    for peer in peers {
        let id = peer.as_str().trim_end_matches(".example");
        node(id, peer.as_str(), "links = [\"koti\"]");
    }
    text
}

fn policy(federation: &str) -> Arc<Policy> {
    let catalogues =
        [vector!("catalogue-fi.toml"), vector!("catalogue-eu.toml"), vector!("catalogue-tlp.toml")];
    let sources = Sources {
        catalogues: catalogues.map(|text| Catalogue::parse(text).unwrap()).into(),
        federation: Federation::parse(federation).unwrap(),
        rules: Rules::parse(vector!("policy.toml")).unwrap(),
        local: Vec::new(),
        translations: vec![Translation::parse(vector!("translate-eu-fi.toml")).unwrap()],
    };
    Arc::new(Policy::compile(sources).unwrap())
}

/// Of the files in force, those that the log is to have, without signatures.
fn files(federation: String) -> SignedSet {
    let file = FileInForce {
        kind: FileKind::Federation,
        name: "example".into(),
        serial: 1,
        digest: digest(federation.as_bytes()),
        signatures: digest(b""),
        is_own: false,
    };
    let policy = PolicyInForce { files: vec![file], ..PolicyInForce::default() };
    let (contents, signatures) = (vec![federation.into()], vec![Bytes::new()]);
    SignedSet { policy, contents, signatures, certificates: Vec::new() }
}

/// What an entry says of the messages that it names for the first time.
pub(crate) fn named(bytes: &Bytes) -> Option<Named> {
    let LogEvent::Decided(decided) = entry::decode(bytes).ok()?.event else { return None };
    let headers = decided.subjects.iter().map(|subject| subject.header).collect();
    Some(Named { keep_until: decided.keep_until?, headers })
}
