//! The example federation with its keys, and letters that its systems sign.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use kuriiri_certs::{Authority, Purpose as For, Validity};
use kuriiri_merkle::{digest, leaf};
use kuriiri_policy::{Catalogue, Federation, Policy, Rules, Sources, Translation};
use kuriiri_seal::{
    Authorities, Purpose, Signer, VerifiedApproval, VerifiedMessage, Verifier, VerifyError, commit,
    sign_file,
};
use kuriiri_types::{
    Address, Approval, ApprovalAct, BatchProof, Digest, Envelope, FileInForce, FileKind, Header,
    MessageId, MessageType, Ministry, Precedence, Recipient, Role, SealKeyId, Sealing,
    SignedApproval, SignedPart, SpiffeId, SpiffeRole, Timestamp, limits::BODY_SALT_BYTES,
};
use kuriiri_wire::{WireCodec, approval, header};

use super::logs;
use crate::{Config, Event, LogConfig, SignedSet};

/// When the tests begin: within the validity of all files of the federation.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// Node, trust domain, direct links. `sm` and `um` meet through the hub only.
pub(crate) const NODES: [(&str, &str, &str); 4] = [
    ("sm", "sm.example", r#""plm", "hub""#),
    ("plm", "plm.example", r#""sm", "um", "hub""#),
    ("um", "um.example", r#""plm", "hub""#),
    ("hub", "verkko.example", r#""sm", "plm", "um""#),
];
/// The systems of each relay; each has the one mailbox of its name.
const SYSTEMS: [&str; 2] = ["kirjaamo", "tilanne"];

/// The program that every relay runs.
pub(crate) const SOFTWARE: &str = "kuriiri in a test";
/// The officers of each relay, all in the one role.
const OFFICERS: [&str; 3] = ["anna", "bertta", "cecilia"];
/// The officers of the hub who sign the files of all.
const STEWARDS: [&str; 2] = ["anna", "bertta"];
/// The role that they hold.
pub(crate) const ROLE: &str = "release";

pub(crate) fn officer(ministry: &Ministry, name: &str) -> SpiffeId {
    SpiffeId::new(ministry.clone(), SpiffeRole::Officer, name).unwrap()
}

fn roles() -> BTreeSet<String> {
    BTreeSet::from([ROLE.to_owned()])
}

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/vectors/labels/", $name))
    };
}

pub(crate) fn ministry(name: &str) -> Ministry {
    name.parse().unwrap()
}

pub(crate) fn address(name: &str) -> Address {
    name.parse().unwrap()
}

/// The system that an address belongs to.
pub(crate) fn system(address: &Address) -> SpiffeId {
    format!("spiffe://{}/system/{}", address.ministry(), address.mailbox()).parse().unwrap()
}

// === the policy ===

/// The policy of the vectors, with domains, endpoints and links.
pub(crate) fn policy() -> Arc<Policy> {
    policy_with(|rules| rules.to_owned())
}

/// The same with other rules.
pub(crate) fn policy_with(change: impl Fn(&str) -> String) -> Arc<Policy> {
    policy_of(&federation(), change)
}

/// The same with another federation file: its text as it is, changed.
pub(crate) fn policy_by(change: impl Fn(&str) -> String) -> Arc<Policy> {
    policy_of(&change(&federation()), str::to_owned)
}

fn policy_of(federation: &str, change: impl Fn(&str) -> String) -> Arc<Policy> {
    let catalogues =
        [vector!("catalogue-fi.toml"), vector!("catalogue-eu.toml"), vector!("catalogue-tlp.toml")];
    let sources = Sources {
        catalogues: catalogues.map(|text| Catalogue::parse(text).unwrap()).into(),
        federation: Federation::parse(federation).unwrap(),
        rules: Rules::parse(&change(vector!("policy.toml"))).unwrap(),
        local: Vec::new(),
        translations: vec![Translation::parse(vector!("translate-eu-fi.toml")).unwrap()],
    };
    Arc::new(Policy::compile(sources).unwrap())
}

/// The files that such a policy is made of, as a relay has them in force.
pub(crate) fn files_with(change: impl Fn(&str) -> String) -> SignedSet {
    let files = [
        (FileKind::Federation, "example", federation()),
        (FileKind::Catalogue, "EU", vector!("catalogue-eu.toml").to_owned()),
        (FileKind::Catalogue, "FI", vector!("catalogue-fi.toml").to_owned()),
        (FileKind::Catalogue, "TLP", vector!("catalogue-tlp.toml").to_owned()),
        (FileKind::Translation, "EU to FI", vector!("translate-eu-fi.toml").to_owned()),
        (FileKind::Rules, "example", change(vector!("policy.toml"))),
    ];
    let stewards =
        STEWARDS.map(|name| &cast().signers[&officer(&ministry("verkko.example"), name)]);
    let certificates = stewards.map(|steward| steward.certificate().clone()).into();
    let mut set = SignedSet { certificates, ..SignedSet::default() };
    for (kind, name, text) in files {
        let sign = |text_so_far: Option<String>, steward: &Arc<Signer>| {
            sign_file(kind, text.as_bytes(), text_so_far.as_deref(), steward).ok()
        };
        let signed = stewards.into_iter().fold(None, sign).unwrap();
        set.policy.files.push(FileInForce {
            kind,
            name: name.to_owned(),
            serial: 1,
            digest: digest(text.as_bytes()),
            signatures: digest(signed.as_bytes()),
            is_own: false,
        });
        set.contents.push(text.into());
        set.signatures.push(signed.into());
    }
    set
}

/// Other rules come into force.
pub(crate) fn change_of(change: impl Fn(&str) -> String + Copy) -> Event {
    Event::PolicyChanged { policy: policy_with(change), files: Box::new(files_with(change)) }
}

fn federation() -> String {
    let text = vector!("federation.toml").to_owned();
    NODES.iter().fold(text, |text, (node, domain, links)| {
        let id = format!("id = \"{node}\"");
        let more = format!(
            "{id}\ndomain = \"{domain}\"\nendpoints = [\"relay.{domain}:4433\"]\nlinks = [{links}]\n\
             sealing_keys = [{}, {}]\nrelease_keys = [{}]",
            key_text(domain, Key::Registry),
            key_text(domain, Key::Situation),
            key_text(domain, Key::Release),
        );
        text.replacen(&id, &more, 1)
    })
}

// === the keys ===

/// The sealing keys of each ministry: of its two systems, and of its officers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    Registry,
    Situation,
    Release,
    /// One that no file lists.
    Invented,
}

/// A sealing key is one byte again and again, for nobody opens anything here.
fn key_bytes(domain: &str, key: Key) -> [u8; 1216] {
    let place = NODES.iter().position(|(_, own, _)| *own == domain).unwrap_or(NODES.len());
    [u8::try_from(place * 4 + key as usize).unwrap(); 1216]
}

pub(crate) fn key_text(domain: &str, key: Key) -> String {
    let digits: String = key_bytes(domain, key).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"kuriiri-sealing-public-key-1:{digits}\"")
}

pub(crate) fn key_id(ministry: &Ministry, key: Key) -> SealKeyId {
    SealKeyId { ministry: ministry.clone(), key: digest(&key_bytes(ministry.as_str(), key)) }
}

struct Cast {
    verifier: Verifier,
    signers: BTreeMap<SpiffeId, Arc<Signer>>,
}

/// The cast, made once for all tests.
fn cast() -> &'static Cast {
    static CAST: OnceLock<Cast> = OnceLock::new();
    CAST.get_or_init(|| {
        let validity = Validity::days(NOW.before(Duration::from_secs(86_400)), 365);
        let (mut authorities, mut signers) = (Authorities::new(), BTreeMap::new());
        for (_, domain, _) in NODES {
            let ministry = ministry(domain);
            let authority = Authority::new(&ministry, validity).unwrap();
            authorities.add(&ministry, authority.certificate_pem()).unwrap();
            let systems = SYSTEMS.map(|name| format!("spiffe://{domain}/system/{name}"));
            let officers = OFFICERS.map(|name| format!("spiffe://{domain}/officer/{name}"));
            for id in systems.into_iter().chain(officers) {
                let id: SpiffeId = id.parse().unwrap();
                let issued = authority.issue(&id, For::Signing, validity).unwrap();
                let signer = Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap();
                signers.insert(id, Arc::new(signer));
            }
        }
        let verifier = Verifier::new(authorities);
        for signer in signers.values() {
            verifier.admit_certificate(signer.certificate(), NOW).unwrap();
        }
        Cast { verifier, signers }
    })
}

/// What the engine of a ministry's relay is made of.
pub(crate) fn config(ministry: &Ministry) -> Config {
    let systems = SYSTEMS.map(|name| {
        let address = Address::new(name, ministry.clone()).unwrap();
        (system(&address), BTreeSet::from([address]))
    });
    Config {
        ministry: ministry.clone(),
        log: LogConfig {
            signer: logs::signer_of(ministry),
            cosigner: logs::cosigner_of(ministry),
            secret: [7; 32],
            software: SOFTWARE.to_owned(),
            restored: None,
        },
        retention: crate::Retention::new(100, [], &policy()).unwrap(),
        files: files_with(str::to_owned),
        codec: Arc::new(WireCodec),
        policy: policy(),
        systems: systems.into(),
        clearances: BTreeMap::new(),
        officers: OFFICERS.map(|name| (officer(ministry, name), roles())).into(),
    }
}

// === letters ===

/// Of the layout of a sealed body: its first byte, what each key takes, and what stands around the text.
const SUITE_BYTE: u8 = 1;
const SLOT_BYTES: usize = 1168;
const SALT_AND_TAG_BYTES: usize = 32 + 16;

/// A message to be made: public, routine, of now, and living as long as the rules let it.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) from: Address,
    /// Whose system signs it: the sender's, if it is right.
    pub(crate) signer: Address,
    pub(crate) to: Vec<Address>,
    pub(crate) label: Option<&'static str>,
    pub(crate) is_sealed: bool,
    /// Sealed to the sender's officers too, if it is sealed.
    pub(crate) officers_read: bool,
    /// Sealed to a key of each recipient's ministry that no federation file lists, if it is sealed.
    pub(crate) is_key_invented: bool,
    /// Its header says that it is sealed, and its body is not laid out so, if it is sealed.
    pub(crate) is_in_the_clear: bool,
    pub(crate) precedence: Precedence,
    pub(crate) created: Timestamp,
    pub(crate) expires: Option<Timestamp>,
    /// Bytes of body, salt not counted; and beyond what sealing adds, if it is sealed.
    pub(crate) size: usize,
    /// Who wrote it.
    pub(crate) drafter: Option<&'static str>,
    /// Tells letters apart.
    pub(crate) number: u8,
}

impl Letter {
    pub(crate) fn new(number: u8, from: &str, to: &[&str]) -> Self {
        Self {
            from: address(from),
            signer: address(from),
            to: to.iter().map(|to| address(to)).collect(),
            label: Some("FI JULK"),
            is_sealed: false,
            officers_read: true,
            is_key_invented: false,
            is_in_the_clear: false,
            precedence: Precedence::Routine,
            created: NOW,
            expires: None,
            size: 100,
            drafter: None,
            number,
        }
    }

    pub(crate) fn id(&self) -> MessageId {
        MessageId::new(self.created, [self.number; 10])
    }

    pub(crate) fn header(&self) -> Header {
        let sealing = || Sealing { suite: 1, keys: self.keys(), content: leaf(b"content") };
        let recipient = |to: &Address| Recipient { address: to.clone(), role: Role::Action };
        Header {
            id: self.id(),
            from: self.from.clone(),
            to: self.to.iter().map(recipient).collect(),
            label: self.label.map(|label| label.parse().unwrap()),
            precedence: self.precedence,
            message_type: MessageType::Operation,
            created: self.created,
            expires: self.expires,
            content_type: "text/plain".into(),
            body_size: (self.salted_body().len() - BODY_SALT_BYTES) as u64,
            body_commitment: commit(&self.salted_body()).unwrap(),
            subject: String::new(),
            conversation: None,
            in_reply_to: None,
            obsoletes: None,
            sealing: self.is_sealed.then(sealing),
            drafter: self.drafter.map(str::to_owned),
        }
    }

    /// What a relay finds when it joins the header and the body.
    pub(crate) fn joined(&self) -> Result<VerifiedMessage, VerifyError> {
        let header = header::encode(&self.header());
        let signer = &cast().signers[&system(&self.signer)];
        let proof = signer.sign(Purpose::Messages, &[leaf(&header)]).remove(0);
        let envelope = Envelope { header, proof };
        let verified = cast().verifier.message(envelope, |bytes| header::decode(bytes), NOW);
        verified.unwrap().with_body(self.salted_body())
    }

    /// The letter signed and verified again.
    pub(crate) fn verified(&self) -> VerifiedMessage {
        Self::all_verified(std::slice::from_ref(self)).remove(0)
    }

    /// Letters verified again, those of each system signed together.
    pub(crate) fn all_verified(letters: &[Self]) -> Vec<VerifiedMessage> {
        let mut proofs: BTreeMap<usize, BatchProof> = BTreeMap::new();
        let encoded: Vec<Bytes> = letters.iter().map(|l| header::encode(&l.header())).collect();
        for signer in letters.iter().map(|letter| &letter.signer) {
            let own = (0..letters.len()).filter(|at| letters[*at].signer == *signer);
            let own: Vec<usize> = own.collect();
            let leaves: Vec<_> = own.iter().map(|at| leaf(&encoded[*at])).collect();
            let signed = cast().signers[&system(signer)].sign(Purpose::Messages, &leaves);
            proofs.extend(own.into_iter().zip(signed));
        }
        let verified = |(letter, (bytes, proof)): (&Self, (Bytes, BatchProof))| {
            let envelope = Envelope { header: bytes, proof };
            let verified = cast().verifier.message(envelope, |bytes| header::decode(bytes), NOW);
            verified.unwrap().with_body(letter.salted_body()).unwrap()
        };
        letters.iter().zip(encoded.into_iter().zip(proofs.into_values())).map(verified).collect()
    }

    /// Letters verified again, whose leaves stand far from each other among others of one signature.
    pub(crate) fn all_scattered(letters: &[Self], leaves: usize) -> Vec<VerifiedMessage> {
        let encoded: Vec<Bytes> = letters.iter().map(|l| header::encode(&l.header())).collect();
        let gap = leaves / letters.len();
        let hash = |at: usize| match encoded.get(at / gap).filter(|_| at.is_multiple_of(gap)) {
            Some(header) => leaf(header),
            None => leaf(&at.to_be_bytes()),
        };
        let leaves: Vec<_> = (0..leaves).map(hash).collect();
        let signer = &cast().signers[&system(&letters[0].signer)];
        let proofs = signer.sign(Purpose::Messages, &leaves).into_iter().step_by(gap);
        let verified = |((letter, header), proof): ((&Self, Bytes), BatchProof)| {
            let envelope = Envelope { header, proof };
            let verified = cast().verifier.message(envelope, |bytes| header::decode(bytes), NOW);
            verified.unwrap().with_body(letter.salted_body()).unwrap()
        };
        letters.iter().zip(encoded.clone()).zip(proofs).map(verified).collect()
    }

    /// The keys that it is sealed to, if it is.
    fn keys(&self) -> Vec<SealKeyId> {
        let officers = self.officers_read.then(|| key_id(self.from.ministry(), Key::Release));
        let key = |to: &Address| match to.mailbox() {
            _ if self.is_key_invented => Key::Invented,
            "tilanne" => Key::Situation,
            _ => Key::Registry,
        };
        let key = |to: &Address| key_id(to.ministry(), key(to));
        let mut keys: Vec<_> = self.to.iter().map(key).chain(officers).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// Laid out as a sealed body is, if it is sealed.
    fn salted_body(&self) -> Bytes {
        if !self.is_sealed || self.is_in_the_clear {
            return vec![self.number; BODY_SALT_BYTES + self.size].into();
        }
        let keys = self.keys().len();
        let front = [SUITE_BYTE, u8::try_from(keys).unwrap()];
        let rest = vec![self.number; keys * SLOT_BYTES + SALT_AND_TAG_BYTES + self.size];
        [&[self.number; BODY_SALT_BYTES][..], &front, &rest].concat().into()
    }
}

/// Holds a part of a signed batch against the signature that it names.
pub(crate) fn check_part(part: &SignedPart, leaves: &[Digest]) {
    cast().verifier.part(part, leaves, NOW).unwrap();
}

/// What an officer says of a letter; changed before it is signed.
pub(crate) fn approval_of(
    letter: &Letter,
    name: &str,
    needed: u32,
    change: impl FnOnce(&mut Approval),
) -> VerifiedApproval {
    let (header, message) = (letter.header(), letter.verified());
    let mut given = Approval {
        message: header.id,
        subject: message.leaf(),
        content: header.content(),
        label: header.label.clone().unwrap(),
        recipients: header.to.clone(),
        keys: header.sealing.as_ref().map(|s| s.keys.clone()).unwrap_or_default(),
        needed,
        until: None,
        expires: header.expires,
        officer: officer(letter.from.ministry(), name),
        roles: vec![ROLE.to_owned()],
        act: ApprovalAct::Release,
        at: NOW,
    };
    change(&mut given);
    let signer = &cast().signers[&given.officer];
    let bytes = approval::encode(&given);
    let proof = signer.sign(Purpose::Approvals, &[leaf(&bytes)]).remove(0);
    let signed = SignedApproval { approval: bytes, proof };
    cast().verifier.approval(signed, |bytes| approval::decode(bytes), NOW).unwrap()
}
