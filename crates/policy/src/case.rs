//! The facts about one message, owned and by name, so that they can be written down, sent, kept
//! for years and asked about again under another policy.

mod facts;

use kuriiri_types::{Digest, MessageType, Precedence, Timestamp, WireLabel};
use serde::{Deserialize, Serialize};

/// Everything that a decision rests on besides the policy, with nodes by name: the id in the
/// federation file (`sm`) or the trust domain (`sm.example`).
///
/// Made from [`Facts`](crate::Facts) by [`Case::of`] or by hand from [`Case::new`]; asked with
/// [`Case::decide`]. Serialised for formats that name their fields (JSON, TOML, CBOR): what has
/// its usual value is left out. Times are in milliseconds since 1970, digests in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// When the decision is taken.
    pub now: Timestamp,
    /// The relay that decides.
    pub at: String,
    /// The node whose system signed the message.
    pub origin: String,
    /// The relay that handed the message over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<String>,
    /// The relay that would get it next; see [`Facts::next`](crate::Facts::next).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The node that the recipient belongs to.
    pub dest: String,
    /// The relays passed so far, origin first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// The signature over header and label was verified.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub verified: bool,
    /// The label as the originator wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<WireLabel>,
    /// Labels under other policies that translators added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<CaseAlternative>,
    /// The message is being submitted now, so its label is new.
    #[serde(default, skip_serializing_if = "is_false")]
    pub originating: bool,
    /// What the person or system that submits holds; none when the node answers for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Vec<CaseClearance>>,
    /// The body is encrypted end to end.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sealed: bool,
    /// Bytes of the body as carried.
    #[serde(default)]
    pub size: u64,
    /// When the originator made it.
    pub created: Timestamp,
    /// Not to be delivered after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// How urgent it is.
    #[serde(default)]
    pub precedence: Precedence,
    /// Whether it is about something real.
    #[serde(default)]
    pub message_type: MessageType,
    /// How far clocks may differ, in milliseconds.
    #[serde(default)]
    pub skew_ms: u64,
    /// What officers approve.
    #[serde(default, with = "hex_or_none", skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The approvals, verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<CaseApproval>,
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drafter: Option<String>,
    /// It passes on content of another originator.
    #[serde(default, skip_serializing_if = "is_false")]
    pub onward: bool,
    /// That originator consented.
    #[serde(default, skip_serializing_if = "is_false")]
    pub consent: bool,
}

/// A label that a translator added; see [`Alternative`](crate::Alternative).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseAlternative {
    /// The label.
    pub label: WireLabel,
    /// Who signed it.
    pub signer: String,
}

/// One officer's release; see [`Approval`](crate::Approval).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseApproval {
    /// The person, unique within the node.
    pub officer: String,
    /// Where the officer is enrolled.
    pub node: String,
    /// What was approved.
    #[serde(with = "hex")]
    pub digest: Digest,
    /// Counts up to and with this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The roles held when signing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// What a person holds under one label policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseClearance {
    /// The name or OID URN of the policy.
    pub policy: String,
    /// The ids of the levels.
    pub levels: Vec<String>,
    /// The values granted, as `TAG:VALUE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
}

impl Case {
    /// A verified, empty, routine message made at `now`, at its origin and about to go straight
    /// to its destination, in clear. Set what is different.
    pub fn new(now: Timestamp, from: &str, to: &str, label: Option<WireLabel>) -> Self {
        Self {
            now,
            at: from.into(),
            origin: from.into(),
            prev: None,
            next: (from != to).then(|| to.into()),
            dest: to.into(),
            path: Vec::new(),
            verified: true,
            label,
            alternatives: Vec::new(),
            originating: false,
            person: None,
            sealed: false,
            size: 0,
            created: now,
            expires: None,
            precedence: Precedence::Routine,
            message_type: MessageType::Operation,
            skew_ms: 0,
            digest: None,
            approvals: Vec::new(),
            drafter: None,
            onward: false,
            consent: false,
        }
    }
}

fn yes() -> bool {
    true
}

fn is_true(flag: &bool) -> bool {
    *flag
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A digest as 64 hexadecimal digits.
pub(crate) fn read_hex(text: &str) -> Option<Digest> {
    let bytes = text.as_bytes();
    let mut digest = [0; 32];
    if bytes.len() != 64 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(bytes.chunks(2)) {
        let pair =
            str::from_utf8(pair).ok().filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(Digest(digest))
}

mod hex {
    use kuriiri_types::Digest;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(digest)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(from)?;
        super::read_hex(&text).ok_or_else(|| D::Error::custom("a digest has 64 hexadecimal digits"))
    }
}

mod hex_or_none {
    use kuriiri_types::Digest;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        digest: &Option<Digest>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => to.collect_str(digest),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Digest>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let wrong = || D::Error::custom("a digest has 64 hexadecimal digits");
        text.map(|text| super::read_hex(&text).ok_or_else(wrong)).transpose()
    }
}
