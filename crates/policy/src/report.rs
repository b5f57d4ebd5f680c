//! What people and programs are told: reasons with their sentences, obligations with their units.

use kuriiri_types::Onward;
use std::{fmt, time::Duration};

use serde::Serialize;

use crate::{
    decide::Decision,
    merge::ReceiptDemand,
    obligations::Obligations,
    policy::Policy,
    reason::{Missing, Reason},
    text::{Lang, Phrase, Trilingual, pick},
    units::{bytes, span},
};

/// The outcome of a decision in one word; serialised as `permit`, `hold` and `deny`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// It may not go.
    Deny,
    /// It waits for people.
    Hold,
    /// It may go.
    Permit,
}

impl Word {
    /// In capitals, as in the test vectors.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "DENY",
            Self::Hold => "HOLD",
            Self::Permit => "PERMIT",
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Decision {
    /// The outcome in one word. Deny is less than hold, hold less than permit.
    pub fn word(&self) -> Word {
        match self {
            Self::Permit(_) => Word::Permit,
            Self::Hold(..) => Word::Hold,
            Self::Deny(_) => Word::Deny,
        }
    }

    /// The stable codes: of every reason of a denial, of all that a hold waits for, none of a
    /// permit.
    pub fn codes(&self) -> Vec<String> {
        match self {
            Self::Permit(_) => Vec::new(),
            Self::Hold(_, missing) => missing.iter().map(Missing::code).collect(),
            Self::Deny(reasons) => reasons.iter().map(Reason::code).collect(),
        }
    }

    /// The same with the sentences.
    pub fn told(&self) -> Vec<Told> {
        match self {
            Self::Permit(_) => Vec::new(),
            Self::Hold(_, missing) => missing.iter().map(Told::from).collect(),
            Self::Deny(reasons) => reasons.iter().map(Told::from).collect(),
        }
    }
}

/// One reason: a code for programs and a sentence for people in each language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The stable code, such as `next:LEVEL`.
    pub code: String,
    /// The sentence.
    pub text: Phrase,
}

impl From<&Reason> for Told {
    fn from(reason: &Reason) -> Self {
        Self { code: reason.code(), text: Phrase::build(|lang| reason.text(lang)) }
    }
}

impl From<&Missing> for Told {
    fn from(missing: &Missing) -> Self {
        Self { code: missing.code(), text: Phrase::build(|lang| missing.text(lang)) }
    }
}

/// [`Obligations`] with every number and name spelt out. What is absent asks nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duties {
    /// The body must be encrypted end to end.
    pub seal: bool,
    /// Only through this named encryptor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal_system: Option<String>,
    /// It must not pass a hub.
    pub direct_only: bool,
    /// Officers that must have released it.
    pub approvals: u8,
    /// Roles of which each must be held by one of those officers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approver_roles: Vec<String>,
    /// Largest body in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// Longest life in seconds, from its making.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
    /// Relays that it may pass, origin counted.
    pub max_hops: usize,
    /// The most urgent that it may be, in capitals.
    pub precedence_max: &'static str,
    /// Whether the recipient may pass it on.
    pub onward: Onward,
    /// What the originator is to be told.
    pub receipt: ReceiptDemand,
    /// Erased within so many seconds of delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain_max_s: Option<u64>,
    /// Kept for at least so many seconds from delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain_min_s: Option<u64>,
    /// At most so many such messages an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_hour: Option<u64>,
    /// Texts shown first and last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub markers: Vec<ShownMarker>,
    /// Hours in which it may leave, in UTC: of every list, some span must be open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Vec<String>>,
}

/// A marker with the rule that asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownMarker {
    /// The id of the rule.
    pub rule: String,
    /// What is shown.
    pub text: Phrase,
}

impl Policy {
    /// Spells obligations out.
    pub fn duties(&self, obligations: &Obligations) -> Duties {
        let seconds = |span: Duration| span.as_secs();
        let markers = self
            .markers(obligations)
            .map(|marker| ShownMarker { rule: marker.rule().into(), text: marker.text().clone() });
        let windows = self.windows(obligations.windows);
        Duties {
            seal: obligations.seal,
            seal_system: self.seal_system(obligations).map(Into::into),
            direct_only: obligations.direct_only,
            approvals: obligations.approvals,
            approver_roles: self.roles(obligations.roles).map(Into::into).collect(),
            max_size: obligations.max_size,
            ttl_s: obligations.ttl.map(seconds),
            max_hops: obligations.max_hops,
            precedence_max: obligations.precedence_max.as_str(),
            onward: obligations.onward,
            receipt: obligations.receipt,
            retain_max_s: obligations.retain_max.map(seconds),
            retain_min_s: obligations.retain_min.map(seconds),
            rate_per_hour: obligations.rate_per_hour,
            markers: markers.collect(),
            windows: windows.map(|w| w.iter().map(ToString::to_string).collect()).collect(),
        }
    }
}

impl Duties {
    /// One line for each duty, in the words of people. Empty when nothing is asked.
    pub fn lines(&self, lang: Lang) -> Vec<String> {
        let mut lines = Vec::new();
        let mut note = |template: Trilingual, argument: String| {
            lines.push(pick(template, lang).replace("{}", &argument));
        };
        if self.seal {
            note(SEAL, String::new());
        }
        if let Some(system) = &self.seal_system {
            note(SYSTEM, system.clone());
        }
        if self.direct_only {
            note(DIRECT, String::new());
        }
        if self.approvals > 0 {
            note(APPROVALS, self.approvals.to_string());
        }
        if !self.approver_roles.is_empty() {
            note(ROLES, self.approver_roles.join(", "));
        }
        if let Some(size) = self.max_size {
            note(SIZE, bytes(size));
        }
        if let Some(ttl) = self.ttl_s {
            note(TTL, span(ttl));
        }
        if self.precedence_max != "OVERRIDE" {
            note(PRECEDENCE, self.precedence_max.into());
        }
        match self.onward {
            Onward::Free => {}
            Onward::OriginatorConsent => note(CONSENT, String::new()),
            Onward::Never => note(NEVER, String::new()),
        }
        if self.receipt != ReceiptDemand::None {
            note(RECEIPT, self.receipt.as_str().into());
        }
        if let Some(limit) = self.retain_max_s {
            note(RETAIN_MAX, span(limit));
        }
        if let Some(limit) = self.retain_min_s {
            note(RETAIN_MIN, span(limit));
        }
        if let Some(rate) = self.rate_per_hour {
            note(RATE, rate.to_string());
        }
        for marker in &self.markers {
            note(MARKER, marker.text.pick(lang).into());
        }
        for window in &self.windows {
            note(WINDOW, window.join(", "));
        }
        lines
    }
}

const SEAL: Trilingual =
    ["salattava päästä päähän", "krypteras från ände till ände", "must be sealed end to end"];
const SYSTEM: Trilingual =
    ["vain salauslaitteella {}", "endast med kryptosystemet {}", "only through the encryptor {}"];
const DIRECT: Trilingual =
    ["suoraan vastaanottajalle", "direkt till mottagaren", "directly to the recipient, no hub"];
const APPROVALS: Trilingual = ["hyväksyjiä: {}", "godkännare: {}", "releasing officers needed: {}"];
const ROLES: Trilingual =
    ["hyväksyjien rooleissa: {}", "bland godkännarna rollerna: {}", "among the officers: {}"];
const SIZE: Trilingual = ["koko enintään {}", "storlek högst {}", "size at most {}"];
const TTL: Trilingual = ["perillä {} kuluessa", "framme inom {}", "delivered within {}"];
const PRECEDENCE: Trilingual =
    ["kiireellisyys enintään {}", "angelägenhetsgrad högst {}", "precedence at most {}"];
const CONSENT: Trilingual = [
    "edelleen vain laatijan luvalla",
    "vidare endast med upphovsmannens tillstånd",
    "onward only with the originator's consent",
];
const NEVER: Trilingual = ["ei edelleen", "får inte vidarebefordras", "may not be forwarded"];
const RECEIPT: Trilingual = ["kuittaus: {}", "kvitto: {}", "receipt: {}"];
const RETAIN_MAX: Trilingual =
    ["poistettava {} kuluessa", "raderas inom {}", "erased within {} of delivery"];
const RETAIN_MIN: Trilingual =
    ["säilytettävä vähintään {}", "bevaras minst {}", "kept for at least {}"];
const RATE: Trilingual = ["enintään {} tunnissa", "högst {} per timme", "at most {} an hour"];
const MARKER: Trilingual = ["näytetään: {}", "visas: {}", "shown first and last: {}"];
const WINDOW: Trilingual =
    ["lähtee vain (UTC): {}", "avgår endast (UTC): {}", "leaves only at (UTC): {}"];
