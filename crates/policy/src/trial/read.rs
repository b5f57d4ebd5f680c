//! From a written case to what is asked and what is expected.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what a field must not be is everything that it may not be, now and later"
)]

use kuriiri_types::{Digest, MessageType, Precedence};

use super::{
    expect::Expected,
    fields::{Fields, Read, TrialFault, each, list, number, text, texts},
    label::{GivenLabel, read_clearance},
    question::{Body, Edits, Move, Revision, Trial},
    value::Value,
};
use crate::{
    case::{Case, CaseAlternative, CaseApproval, read_hex},
    facts::APPROVALS_MAX,
    label::Use,
    replace::{Candidate, Version},
};

/// The content that approvals speak of when a case does not name it.
const SOME_CONTENT: &str = "d0";

pub(super) fn trial(place: usize, value: &Value) -> Trial {
    let named = |key: &str| match value {
        Value::Map(map) => match map.get(key) {
            Some(Value::Text(text)) => Some(text.clone()),
            Some(Value::Int(number)) => Some(number.to_string()),
            Some(_) | None => None,
        },
        _ => None,
    };
    let name = named("id").or_else(|| named("name"));
    Trial {
        name: name.unwrap_or_else(|| format!("#{}", place + 1)),
        title: named("title").unwrap_or_default(),
        body: read(value),
    }
}

fn read(value: &Value) -> Read<(Body, Expected)> {
    let mut fields = Fields::of("", value)?;
    for words in ["id", "name", "title", "rationale", "note", "source", "group", "comment"] {
        fields.take(words);
    }
    let Some(input) = fields.take("in") else {
        let (fields, expected) = Expected::read_short(fields)?;
        return Ok((Body::Decide(Box::new(read_move(fields, true)?)), expected));
    };
    let kind = fields.text(&["kind"])?.unwrap_or_else(|| "decide".into());
    let input = Fields::of("in", input)?;
    let body = match kind.as_str() {
        "admits" => read_admits(input)?,
        "decide" => Body::Decide(Box::new(read_move(input, false)?)),
        "join" => read_join(input)?,
        "bundle" => read_bundle(input)?,
        "marking" => read_marking(input)?,
        other => {
            let what = format!("`{other}` is not admits, decide, join, bundle or marking");
            return Err(fields.fault("kind", what));
        }
    };
    let expected = fields.need("expect")?;
    let expected = Expected::read("expect", expected)?;
    fields.done()?;
    Ok((body, expected))
}

fn read_admits(mut fields: Fields<'_>) -> Read<Body> {
    let policy = fields.text(&["policy"])?.unwrap_or_default();
    let label = fields.need("label")?;
    let label = GivenLabel::read(&fields.at("label"), label, &policy)?;
    let policy = if policy.is_empty() { label.wire.policy.clone() } else { policy };
    let clearance = fields.take("clearance");
    let clearance = clearance.map(|value| read_clearance(&fields.at("clearance"), value, &policy));
    let clearance = clearance.transpose()?;
    let use_ = use_of(&mut fields)?;
    let now = fields.instant(&["now"])?.unwrap_or_default();
    fields.done()?;
    Ok(Body::Admits { policy, label, clearance, use_, now })
}

fn read_join(mut fields: Fields<'_>) -> Read<Body> {
    let policy = fields.text(&["policy"])?.unwrap_or_default();
    let labels = fields.need("labels")?;
    let at = fields.at("labels");
    let read = |at: &str, value: &Value| GivenLabel::read(at, value, &policy);
    let labels = each(&at, list(&at, labels)?, read)?;
    let first = labels.first().map(|label| label.wire.policy.clone());
    let now = fields.instant(&["now"])?.unwrap_or_default();
    fields.done()?;
    let policy = if policy.is_empty() { first.unwrap_or_default() } else { policy };
    Ok(Body::Join { policy, labels, now })
}

fn read_marking(mut fields: Fields<'_>) -> Read<Body> {
    let policy = fields.text(&["policy"])?.unwrap_or_default();
    let label = fields.need("label")?;
    let label = GivenLabel::read(&fields.at("label"), label, &policy)?;
    let policy = if policy.is_empty() { label.wire.policy.clone() } else { policy };
    let lang = fields.word(&["lang", "language"])?;
    let lang = lang.ok_or_else(|| fields.fault("lang", "is missing"))?;
    fields.done()?;
    Ok(Body::Marking { policy, label, lang })
}

fn read_bundle(mut fields: Fields<'_>) -> Read<Body> {
    let now = fields.instant(&["now"])?.unwrap_or_default();
    let current = fields.take("current");
    let current = current.map(|value| {
        let mut fields = Fields::of("in.current", value)?;
        let version = read_version(&mut fields)?;
        fields.take("expires");
        fields.done().map(|()| version)
    });
    let new = fields.need("new")?;
    fields.done()?;
    let mut fields = Fields::of("in.new", new)?;
    let candidate = Candidate {
        version: read_version(&mut fields)?,
        expires: fields.instant(&["expires"])?,
        signature_ok: fields.flag(&["signature_ok"], false)?,
        signers: fields.number(&["signers"])?.unwrap_or(1),
        lint_ok: fields.flag(&["lint_ok"], false)?,
        tests_ok: fields.flag(&["tests_ok"], false)?,
        widens: fields.flag(&["widens"], false)?,
    };
    fields.done()?;
    Ok(Body::Bundle { now, current: current.transpose()?, candidate })
}

fn read_version(fields: &mut Fields<'_>) -> Read<Version> {
    let serial = fields.number(&["serial"])?;
    let serial = serial.ok_or_else(|| fields.fault("serial", "is missing"))?;
    let digest = fields.text(&["digest"])?.unwrap_or_default();
    Ok(Version { serial, digest: content(&digest) })
}

// === a message on its way ===

/// Reads the inputs of a decision. In the short form the message stands at its origin and goes
/// `via` a hub or straight to its destination, and no file may be changed for it.
fn read_move(mut fields: Fields<'_>, short: bool) -> Read<Move> {
    let now = fields.instant(&["now"])?.unwrap_or_default();
    let origin = fields.need_text(&["origin", "from"])?;
    let dest = fields.need_text(&["dest", "to"])?;
    let mut case = Case::new(now, &origin, &dest, None);
    case.at = fields.text(&["at"])?.unwrap_or(origin);
    case.prev = fields.text(&["prev"])?;
    let next = fields.text(&["next", "via"])?;
    case.next = next.or_else(|| (short && case.at != dest).then(|| dest.clone()));
    case.path = fields.texts(&["path"])?;
    case.verified = fields.flag(&VERIFIED, true)?;
    case.originating = use_of(&mut fields)? == Use::Origination;
    case.sealed = fields.flag(&["sealed"], false)?;
    case.size = fields.size(&["size"])?.unwrap_or(0);
    case.created = fields.instant(&["created"])?.unwrap_or(now);
    case.expires = fields.instant(&["expires"])?;
    case.precedence = fields.word::<Precedence>(&["precedence"])?.unwrap_or_default();
    case.message_type = read_type(&mut fields)?;
    case.digest = Some(content(&fields.text(&["digest"])?.unwrap_or_else(|| SOME_CONTENT.into())));
    case.drafter = fields.text(&["drafter"])?;
    case.onward = fields.flag(&["onward"], false)?;
    case.consent = fields.flag(&["consent"], false)?;
    let skew = fields.span(&["skew"])?;
    let labels = read_labels(&mut fields)?;
    case.label = labels.first().map(|label| label.wire.clone());
    let skew = skew.or_else(|| labels.first().map(|label| label.skew)).unwrap_or_default();
    case.skew_ms = u64::try_from(skew.as_millis()).unwrap_or(u64::MAX);
    case.alternatives = read_alternatives(&mut fields)?;
    read_approvals(&mut fields, &mut case)?;
    read_person(&mut fields, &mut case)?;
    let edits = if short { Edits::default() } else { read_edits(&mut fields)? };
    fields.done()?;
    Ok(Move { case, labels, edits })
}

/// What cases call the one thing that a decision has to believe.
const VERIFIED: [&str; 9] = [
    "verified",
    "signature_ok",
    "signature_valid",
    "signature_verified",
    "signed",
    "label_signed",
    "label_verified",
    "bound",
    "binding_ok",
];

fn use_of(fields: &mut Fields<'_>) -> Read<Use> {
    let new = fields.flag(&["originating", "origination"], false)?;
    Ok(if new { Use::Origination } else { Use::Carriage })
}

fn read_type(fields: &mut Fields<'_>) -> Read<MessageType> {
    let Some((at, value)) = fields.take_any(&["type", "message_type"])? else {
        return Ok(MessageType::Operation);
    };
    match text(&at, value)?.to_ascii_lowercase().as_str() {
        "operation" => Ok(MessageType::Operation),
        "exercise" => Ok(MessageType::Exercise),
        "drill" => Ok(MessageType::Drill),
        other => Err(TrialFault::new(at, format!("`{other}` is not operation, exercise or drill"))),
    }
}

/// No label, one, or several: what to make of several is for the decision.
fn read_labels(fields: &mut Fields<'_>) -> Read<Vec<GivenLabel>> {
    let read = |at: &str, value: &Value| GivenLabel::read(at, value, "");
    match fields.take_any(&["label", "labels"])? {
        None => Ok(Vec::new()),
        Some((at, Value::List(labels))) => each(&at, labels, read),
        Some((at, label)) => Ok(vec![read(&at, label)?]),
    }
}

fn read_alternatives(fields: &mut Fields<'_>) -> Read<Vec<CaseAlternative>> {
    let Some((at, value)) = fields.take_any(&["alternatives"])? else {
        return Ok(Vec::new());
    };
    each(&at, list(&at, value)?, |at, value| {
        let Value::Map(map) = value else {
            return Err(TrialFault::new(at, format!("a table, not {}", value.kind())));
        };
        let mut map = map.clone();
        let signer = map.remove("signer").ok_or_else(|| TrialFault::new(at, "has no `signer`"))?;
        let signer = text(&format!("{at}.signer"), &signer)?;
        // Either the label's fields stand beside the signer, or the label stands under its name.
        let label = map.remove("label").unwrap_or(Value::Map(map));
        let label = GivenLabel::read(at, &label, "")?.wire;
        Ok(CaseAlternative { label, signer })
    })
}

/// A list of approvals, or only how many officers of the origin have released it.
fn read_approvals(fields: &mut Fields<'_>, case: &mut Case) -> Read<()> {
    let roles = fields.texts(&["roles"])?;
    let Some((at, value)) = fields.take_any(&["approvals"])? else {
        return Ok(());
    };
    let digest = case.digest.unwrap_or_else(|| content(SOME_CONTENT));
    let origin = case.origin.clone();
    let simple = |officer: String| CaseApproval {
        officer,
        node: origin.clone(),
        digest,
        until: None,
        roles: roles.clone(),
    };
    case.approvals = match value {
        Value::Int(_) => {
            let count: usize = number(&at, value)?;
            (1..=count.min(APPROVALS_MAX)).map(|n| simple(format!("officer-{n}"))).collect()
        }
        other => {
            let read = |at: &str, value: &Value| match value {
                Value::Text(officer) => Ok(Some(simple(officer.clone()))),
                other => read_approval(at, other, simple(String::new())),
            };
            each(&at, list(&at, other)?, read)?.into_iter().flatten().collect()
        }
    };
    Ok(())
}

/// One approval; none when its signature did not verify or its officer is nobody there, because
/// then it never reaches a decision.
fn read_approval(at: &str, value: &Value, usual: CaseApproval) -> Read<Option<CaseApproval>> {
    let mut fields = Fields::of(at, value)?;
    let officer = fields.need_text(&["officer", "by"])?;
    let node = fields.text(&["node"])?.unwrap_or(usual.node);
    let digest = fields.text(&["digest"])?.map_or(usual.digest, |name| content(&name));
    let until = fields.instant(&["until", "expires"])?;
    let roles = fields.take_any(&["roles", "role"])?;
    let roles = roles.map_or(Ok(usual.roles), |(at, value)| texts(&at, value))?;
    let counts = fields.flag(&VERIFIED, true)? && fields.flag(&["enrolled"], true)?;
    fields.done()?;
    Ok(counts.then_some(CaseApproval { officer, node, digest, until, roles }))
}

fn read_person(fields: &mut Fields<'_>, case: &mut Case) -> Read<()> {
    if let Some((at, value)) = fields.take_any(&["person"])? {
        let policy = case.label.as_ref().map_or("", |label| &label.policy);
        let read = |at: &str, value: &Value| read_clearance(at, value, policy);
        case.person = Some(match value {
            Value::List(held) => each(&at, held, read)?,
            held => vec![read(&at, held)?],
        });
    }
    Ok(())
}

// === changes to the files ===

fn read_edits(fields: &mut Fields<'_>) -> Read<Edits> {
    Ok(Edits {
        disable_rules: fields.texts(&["disable_rules"])?,
        clearance: read_revisions(fields, "revised_clearance")?,
        carriage: read_revisions(fields, "revised_carriage")?,
    })
}

fn read_revisions(fields: &mut Fields<'_>, key: &str) -> Read<Vec<Revision>> {
    let Some(value) = fields.take(key) else {
        return Ok(Vec::new());
    };
    let Value::Map(nodes) = value else {
        return Err(fields.fault(key, format!("a table by node, not {}", value.kind())));
    };
    let mut revisions = Vec::new();
    for (node, held) in nodes {
        let at = format!("{}.{node}", fields.at(key));
        let revise = |at: &str, value: &Value| {
            let held = read_clearance(at, value, "")?;
            let policy = (!held.policy.is_empty()).then_some(held.policy);
            Ok(Revision { node: node.clone(), policy, held: Some((held.levels, held.grants)) })
        };
        match held {
            Value::Null => {
                revisions.push(Revision { node: node.clone(), policy: None, held: None })
            }
            Value::List(list) => revisions.extend(each(&at, list, revise)?),
            held => revisions.push(revise(&at, held)?),
        }
    }
    Ok(revisions)
}

/// The digest that a name such as `d0` stands for: different names, different digests.
fn content(name: &str) -> Digest {
    if let Some(digest) = read_hex(name) {
        return digest;
    }
    let mut digest = [0_u8; 32];
    for (place, byte) in name.bytes().enumerate() {
        if let Some(slot) = digest.get_mut(place % 32) {
            *slot = slot.rotate_left(3) ^ byte;
        }
    }
    Digest(digest)
}
