//! Labels and clearances as test cases write them: as one text, or as a table.

use std::time::Duration;

use kuriiri_types::{Category, Timestamp, WireLabel};

use super::{
    fields::{Fields, Read, TrialFault, each, list, text, texts},
    value::Value,
};
use crate::{case::CaseClearance, catalogue::TagKind};

/// The clocks' difference when a case says nothing of it.
const NO_SKEW: Duration = Duration::ZERO;

/// A label with what only foreign formats say of it.
#[derive(Debug, Clone)]
pub(crate) struct GivenLabel {
    pub(crate) wire: WireLabel,
    /// The kinds that the label claims for its tags.
    pub(crate) claims: Vec<(String, TagKind)>,
    pub(crate) skew: Duration,
}

impl GivenLabel {
    /// Reads a label; `policy` is used when it names none itself.
    pub(crate) fn read(at: &str, value: &Value, policy: &str) -> Read<Self> {
        if let Value::Text(text) = value {
            return Self::read_text(at, text, policy);
        }
        let mut fields = Fields::of(at, value)?;
        let policy = fields.text(&["policy"])?.unwrap_or_else(|| policy.into());
        let mut wire = WireLabel::plain(&policy, &fields.text(&["level"])?.unwrap_or_default());
        let mut claims = Vec::new();
        if let Some((at, categories)) = fields.take_any(&["categories", "category"])? {
            for (category, claim) in each(&at, list(&at, categories)?, read_category)? {
                claims.extend(claim.map(|kind| (category.tag.clone(), kind)));
                wire.categories.push(category);
            }
        }
        let mut skew = fields.span(&["skew"])?.unwrap_or(NO_SKEW);
        if let Some(succession) = fields.take("succession") {
            let at = fields.at("succession");
            let (succession, given) = read_succession(&at, succession, &policy)?;
            wire.succession = Some(Box::new(succession));
            skew = given.unwrap_or(skew);
        }
        wire.review_at = fields.instant(&["review_at", "review"])?;
        wire.privacy_mark = fields.text(&["privacy_mark"])?.unwrap_or_default();
        // For people only, or a hint: a marking is never parsed and a serial is no authority.
        for shown in ["marking", "catalogue_serial", "created"] {
            fields.take(shown);
        }
        fields.done()?;
        Ok(Self { wire, claims, skew })
    }

    fn read_text(at: &str, text: &str, policy: &str) -> Read<Self> {
        let alone = format!("{policy} {text}");
        let parsed = text.parse::<WireLabel>();
        let parsed = if parsed.is_err() && !policy.is_empty() { alone.parse() } else { parsed };
        let wire = parsed.map_err(|error| TrialFault::new(at, error.to_string()))?;
        Ok(Self { wire, claims: Vec::new(), skew: NO_SKEW })
    }
}

fn read_succession(
    at: &str,
    value: &Value,
    policy: &str,
) -> Read<((Timestamp, WireLabel), Option<Duration>)> {
    let mut fields = Fields::of(at, value)?;
    let when = fields.instant(&["at"])?.ok_or_else(|| fields.fault("at", "is missing"))?;
    let label = fields.need("label")?;
    let label = GivenLabel::read(&fields.at("label"), label, policy)?;
    let skew = fields.span(&["skew"])?;
    fields.done()?;
    Ok(((when, label.wire), skew))
}

fn read_category(at: &str, value: &Value) -> Read<(Category, Option<TagKind>)> {
    let mut fields = Fields::of(at, value)?;
    let tag = fields.need_text(&["tag"])?;
    let values = fields.need("values")?;
    let values = texts(&fields.at("values"), values)?;
    let claim = fields.take_any(&["type", "kind"])?;
    let claim = claim.map(|(at, value)| read_kind(&at, value)).transpose()?;
    fields.done()?;
    Ok((Category { tag, values }, claim))
}

fn read_kind(at: &str, value: &Value) -> Read<TagKind> {
    let word = text(at, value)?;
    match word.to_ascii_lowercase().as_str() {
        "restrictive" => Ok(TagKind::Restrictive),
        "permissive" => Ok(TagKind::Permissive),
        "informative" => Ok(TagKind::Informative),
        _ => Err(TrialFault::new(at, format!("`{word}` is not a kind of tag"))),
    }
}

/// Levels and grants; `policy` is used when the clearance names none itself.
pub(crate) fn read_clearance(at: &str, value: &Value, policy: &str) -> Read<CaseClearance> {
    let mut fields = Fields::of(at, value)?;
    let policy = fields.text(&["policy"])?.unwrap_or_else(|| policy.into());
    let levels = fields.texts(&["levels", "level"])?;
    let grants = fields.texts(&["grants"])?;
    fields.done()?;
    Ok(CaseClearance { policy, levels, grants })
}
