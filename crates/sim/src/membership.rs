//! Who the members of the federation are: how they are linked, and by which keys all know them.

use std::collections::BTreeMap;

use kuriiri_merkle::digest;
use kuriiri_tlog::VerifierKey;
use kuriiri_types::{Ministry, SealKeyId};

use crate::failure::Failure;

/// The federation of the vectors, which says of its members what they are cleared for.
const CLEARED: &str = include_str!("../../../tests/vectors/labels/federation.toml");

/// Node, trust domain, direct links. `sm` and `um` meet through the hub only.
const NODES: [(&str, &str, &[&str]); 4] = [
    ("sm", "sm.example", &["plm", "hub"]),
    ("plm", "plm.example", &["sm", "um", "hub"]),
    ("um", "um.example", &["plm", "hub"]),
    ("hub", HUB, &["sm", "plm", "um"]),
];

/// The trust domain of the hub, whose officers sign the files of the federation.
pub(crate) const HUB: &str = "verkko.example";

/// The serial of that file.
const SERIAL: u64 = 19;

/// Which of its authorities each member is known by: in the first federation file by the first, in the
/// second by both, in the third by the second alone.
const AUTHORITIES: [&[usize]; 3] = [&[0], &[0, 1], &[1]];

/// By what a member is known to all others.
#[derive(Debug)]
pub(crate) struct Known {
    /// The certificates of its authorities, in PEM: of the first, and of the one that follows it.
    pub(crate) authorities: [String; 2],
    pub(crate) log: VerifierKey,
    pub(crate) witness: VerifierKey,
}

/// Every member, in the order of the federation file.
pub(crate) fn members() -> Result<Vec<Ministry>, Failure> {
    NODES.iter().map(|(_, domain, _)| domain.parse().map_err(Failure::setup)).collect()
}

/// The relays that one has a direct link with.
pub(crate) fn peers(of: &Ministry) -> Result<Vec<Ministry>, Failure> {
    let here = NODES.iter().find(|(_, domain, _)| *domain == of.as_str());
    let links = here.map_or(&[][..], |(.., links)| links);
    let linked = NODES.iter().filter(|(node, ..)| links.contains(node));
    linked.map(|(_, domain, _)| domain.parse().map_err(Failure::setup)).collect()
}

/// The federation files that come into force one after another: the federation of the vectors, with
/// domains, endpoints, links and keys.
pub(crate) fn federations(known: &BTreeMap<Ministry, Known>) -> Result<Vec<String>, Failure> {
    let line = |serial: u64| format!("serial = {serial}");
    let files = (SERIAL..).zip(AUTHORITIES).map(|(serial, authorities)| {
        let text = CLEARED.replacen(&line(SERIAL), &line(serial), 1);
        federation(text, known, authorities)
    });
    files.collect()
}

fn federation(
    mut text: String,
    known: &BTreeMap<Ministry, Known>,
    authorities: &[usize],
) -> Result<String, Failure> {
    for (node, domain, links) in NODES {
        let member: Ministry = domain.parse().map_err(Failure::setup)?;
        let known = known.get(&member).ok_or_else(|| Failure::setup("a member without keys"))?;
        let Known { log, witness, .. } = known;
        let ca = authorities.iter().filter_map(|at| known.authorities.get(*at));
        let ca: String = ca.map(String::as_str).collect();
        let id = format!("id = \"{node}\"");
        let more = format!(
            "{id}\ndomain = \"{domain}\"\nendpoints = [\"relay.{domain}:4433\"]\nlinks = {links:?}\n\
             log = \"{log}\"\nwitness = \"{witness}\"\nca = \"\"\"\n{ca}\"\"\"\n\
             sealing_keys = [{}]\nrelease_keys = [{}]",
            key_text(&member, Key::Sealing),
            key_text(&member, Key::Release),
        );
        text = text.replacen(&id, &more, 1);
    }
    Ok(text)
}

/// The keys of a member to which bodies are sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    Sealing,
    Release,
    /// One that no file lists.
    Invented,
}

/// A key is one byte again and again, for nobody opens anything here.
fn key_bytes(member: &Ministry, key: Key) -> [u8; 1216] {
    let place = NODES.iter().position(|(_, domain, _)| *domain == member.as_str());
    let place = place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX / 4);
    [place.wrapping_mul(4).wrapping_add(key as u8); 1216]
}

fn key_text(member: &Ministry, key: Key) -> String {
    let digits: String = key_bytes(member, key).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"kuriiri-sealing-public-key-1:{digits}\"")
}

pub(crate) fn key_id(member: &Ministry, key: Key) -> SealKeyId {
    SealKeyId { ministry: member.clone(), key: digest(&key_bytes(member, key)) }
}
