//! Drafts: what the messages of a system say, by chance.

use std::time::Duration;

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_seal::commit;
use kuriiri_types::{
    Address, Header, MessageId, MessageType, Precedence, Recipient, Role, SealKeyId, Sealing,
    Timestamp, WireLabel, limits::BODY_SALT_BYTES,
};

use crate::{
    failure::Failure,
    membership::{Key, key_id},
    rng::Rng,
    sender::{Draft, Sender},
};

/// Labels, and whether they ask for sealing: permitted, permitted to some, and forbidden.
const LABELS: [(&str, bool); 27] = [
    ("FI JULK", false),
    ("FI JULK", false),
    ("FI JULK", false),
    ("FI JULK", false),
    ("FI JULK", false),
    ("FI JULK", true),
    ("FI JULK", true),
    ("FI SALP", true),
    ("FI SALP", true),
    ("FI SALP", true),
    ("FI SALP", true),
    ("FI SALP", false),
    ("FI SALP REL{VN}", true),
    ("FI TL4", true),
    ("FI TL4 COMPARTMENT{RAJA}", true),
    ("FI TL4 REL{PLM,SM}", true),
    ("FI TL3", true),
    ("FI TL3", true),
    ("FI TL3", true),
    ("FI TL3", true),
    ("FI TL3", true),
    ("FI TL2 REL{UM,PLM}", true),
    ("FI TL2 REL{UM,PLM}", true),
    ("FI TL2 REL{UM,PLM}", true),
    ("TLP GREEN", false),
    ("EU R-UE", true),
    ("FI UNHEARD-OF", false),
];

/// Ministries that may have what officers must release, by level and sender.
const CLEARED: [(&str, &str, &[&str]); 5] = [
    ("TL3", "sm.example", &["sm.example", "plm.example"]),
    ("TL3", "plm.example", &["plm.example", "sm.example", "um.example"]),
    ("TL3", "um.example", &["um.example", "plm.example"]),
    ("TL2", "plm.example", &["plm.example", "um.example"]),
    ("TL2", "um.example", &["um.example", "plm.example"]),
];

/// Of the layout of a sealed body: its first byte, what each key takes, and what stands around the text.
const SUITE_BYTE: u8 = 1;
const SLOT_BYTES: usize = 1168;
const SALT_AND_TAG_BYTES: usize = 32 + 16;

/// People who write messages; two of them are officers too.
const DRAFTERS: [&str; 3] = ["anna", "bertta", "maija"];

/// Recipients that do not exist.
const STRANGERS: [&str; 3] = ["nobody@um.example", "nobody@sm.example", "who@stranger.example"];

impl Sender {
    /// A message of any kind.
    pub(crate) fn draft(
        &self,
        now: Timestamp,
        rng: &mut Rng,
        everybody: &[Address],
    ) -> Result<Draft, Failure> {
        let body = body(rng);
        laid_out(self.header(now, rng, everybody, &body)?, body)
    }

    /// The header of a message of any kind, with this salt and body.
    pub(crate) fn header(
        &self,
        now: Timestamp,
        rng: &mut Rng,
        everybody: &[Address],
        body: &Bytes,
    ) -> Result<Header, Failure> {
        let from = rng.pick(&self.addresses).cloned();
        let (label, seal) = rng.pick(&LABELS).copied().unwrap_or(("FI JULK", false));
        let label: WireLabel = label.parse().map_err(Failure::setup)?;
        let cleared = self.cleared(&label.level, everybody);
        let to = if cleared.is_empty() || rng.chance(15) {
            recipients(rng, everybody, 8)?
        } else {
            recipients(rng, &cleared, 0)?
        };
        let needs_officers = !cleared.is_empty();
        let is_signed = rng.chance(if needs_officers { 80 } else { 20 });
        let drafter = rng.pick(&DRAFTERS).filter(|_| is_signed).map(|name| (*name).to_owned());
        let from = from.ok_or_else(|| Failure::setup("a system without an address"))?;
        let mut random = [0; 10];
        rng.fill(&mut random);
        Ok(Header {
            id: MessageId::new(now, random),
            sealing: seal.then(|| sealed(rng, &from, &to)).flatten(),
            from,
            to: to.into_iter().map(|address| Recipient { address, role: Role::Action }).collect(),
            label: (!rng.chance(2)).then_some(label),
            precedence: precedence(rng),
            message_type: MessageType::Operation,
            created: now,
            expires: expires(now, rng),
            content_type: "text/plain".into(),
            body_size: (body.len() - BODY_SALT_BYTES) as u64,
            body_commitment: commit(body).ok_or_else(|| Failure::setup("a body without salt"))?,
            subject: String::new(),
            conversation: None,
            in_reply_to: None,
            obsoletes: None,
            drafter,
        })
    }

    /// The addresses that may have what officers must release; none when they need not.
    pub(crate) fn cleared(&self, level: &str, everybody: &[Address]) -> Vec<Address> {
        let home = self.system.ministry().as_str();
        let here = CLEARED.iter().find(|(at, from, _)| *at == level && *from == home);
        let cleared = here.map_or(&[][..], |(_, _, cleared)| cleared);
        let may_have = |address: &&Address| cleared.contains(&address.ministry().as_str());
        everybody.iter().filter(may_have).cloned().collect()
    }
}

/// Salt and body: mostly small, some too large for a pack.
fn body(rng: &mut Rng) -> Bytes {
    let size = match rng.below(10) {
        0..=5 => rng.between(10, 200),
        6..=7 => rng.between(200, 16 * 1024),
        _ => rng.between(16 * 1024, 40 * 1024),
    };
    salted(rng, usize::try_from(size).unwrap_or(0))
}

/// So many bytes of a body, and the salt before them.
pub(crate) fn salted(rng: &mut Rng, size: usize) -> Bytes {
    let mut bytes = vec![0; BODY_SALT_BYTES + size];
    rng.fill(&mut bytes);
    bytes.into()
}

/// Mostly to the keys that the federation file lists; sometimes to others, or not at all.
fn sealed(rng: &mut Rng, from: &Address, to: &[Address]) -> Option<Sealing> {
    match rng.below(100) {
        0..=84 => Some(sealing(from, to)),
        85..=89 => Some(sealing_to(from, to, Key::Invented)),
        _ => None,
    }
}

/// Some of these, and in so many of a hundred cases somebody who does not exist.
fn recipients(
    rng: &mut Rng,
    everybody: &[Address],
    strangers: u64,
) -> Result<Vec<Address>, Failure> {
    let mut to: Vec<Address> = Vec::new();
    for _ in 0..rng.count(3) {
        to.extend(rng.pick(everybody).cloned());
    }
    if rng.chance(strangers) {
        let stranger = rng.pick(&STRANGERS).copied().unwrap_or_default();
        to.push(stranger.parse().map_err(Failure::setup)?);
    }
    to.sort();
    to.dedup();
    Ok(to)
}

/// Mostly one precedence, so that there is an order to keep.
fn precedence(rng: &mut Rng) -> Precedence {
    match rng.below(8) {
        0 => Precedence::Deferred,
        1 => Precedence::Immediate,
        2 => Precedence::Flash,
        _ => Precedence::Routine,
    }
}

fn expires(now: Timestamp, rng: &mut Rng) -> Option<Timestamp> {
    let seconds = match rng.below(10) {
        0..=4 => return None,
        5..=7 => rng.between(1, 30),
        _ => rng.between(30, 600),
    };
    Some(now.after(Duration::from_secs(seconds)))
}

/// Looks like sealing to the recipients and the sender's officers, and seals nothing: relays cannot
/// tell.
pub(crate) fn sealing(from: &Address, to: &[Address]) -> Sealing {
    sealing_to(from, to, Key::Sealing)
}

fn sealing_to(from: &Address, to: &[Address], key: Key) -> Sealing {
    let recipients = to.iter().map(|address| key_id(address.ministry(), key));
    let officers = key_id(from.ministry(), Key::Release);
    let mut keys: Vec<SealKeyId> = recipients.chain([officers]).collect();
    keys.sort();
    keys.dedup();
    Sealing { suite: Sealing::SUITE, keys, content: leaf(b"content") }
}

/// A draft whose body is laid out as a sealed one, if its header says that it is sealed.
pub(crate) fn laid_out(header: Header, body: Bytes) -> Result<Draft, Failure> {
    let Some(sealing) = &header.sealing else {
        return Ok(Draft { header, body, is_spoilt: false });
    };
    let keys = sealing.keys.len();
    let count = u8::try_from(keys).map_err(Failure::setup)?;
    let mut bytes = body.to_vec();
    bytes.resize(bytes.len().max(BODY_SALT_BYTES + 2 + keys * SLOT_BYTES + SALT_AND_TAG_BYTES), 0);
    bytes.splice(BODY_SALT_BYTES..BODY_SALT_BYTES + 2, [SUITE_BYTE, count]);
    let header = Header {
        body_size: (bytes.len() - BODY_SALT_BYTES) as u64,
        body_commitment: commit(&bytes).ok_or_else(|| Failure::setup("a body without salt"))?,
        ..header
    };
    Ok(Draft { header, body: bytes.into(), is_spoilt: false })
}
