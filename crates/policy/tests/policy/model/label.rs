//! Labels of the model: validity, dominance, joining.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

use super::{Mistake, Model, flag, list, text, texts};

/// A label as it stands in a case.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Written {
    pub(super) policy: String,
    pub(super) level: String,
    pub(super) tags: BTreeMap<String, BTreeSet<String>>,
    /// Kinds that the label claims for its tags.
    pub(super) claims: BTreeMap<String, String>,
    pub(super) malformed: bool,
}

impl Written {
    pub(super) fn read(value: &Value) -> Self {
        let mut label = Self {
            policy: text(&value["policy"]).into(),
            level: text(&value["level"]).into(),
            ..Self::default()
        };
        for category in list(&value["categories"]) {
            let (tag, values) = (text(&category["tag"]).to_owned(), texts(&category["values"]));
            let count = list(&category["values"]).len();
            label.malformed |= values.is_empty() || values.len() != count;
            if let Some(kind) = category["type"].as_str() {
                label.claims.insert(tag.clone(), kind.to_lowercase());
            }
            label.malformed |= label.tags.insert(tag, values).is_some();
        }
        label
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.level)?;
        for (tag, values) in &self.tags {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            write!(f, " {tag}{{{}}}", values.join(","))?;
        }
        Ok(())
    }
}

/// The values of a tag in the catalogue.
fn known<'a>(catalogue: &'a Value, tag: &str) -> Option<&'a Value> {
    list(&catalogue["tag"]).iter().find(|known| known["id"] == tag)
}

fn entry<'a>(catalogue: &'a Value, tag: &str, value: &str) -> Option<&'a Value> {
    let values = list(&known(catalogue, tag)?["value"]);
    values.iter().find(|known| known["id"] == value)
}

impl Model {
    fn level<'a>(&self, catalogue: &'a Value, name: &str) -> Option<&'a Value> {
        let fold = flag(&catalogue["case_insensitive"]) || self.makes(Mistake::CaseFolded);
        let same = |id: &str| id == name || (fold && id.eq_ignore_ascii_case(name));
        let is = |level: &&Value| {
            same(text(&level["id"])) || texts(&level["aliases"]).iter().any(|alias| same(alias))
        };
        list(&catalogue["level"]).iter().find(is)
    }

    /// What is wrong with a label under its catalogue.
    pub(super) fn invalid(&self, catalogue: &Value, label: &Written, new: bool) -> Vec<String> {
        if label.malformed && !self.makes(Mistake::DoubleTagMerged) {
            return vec!["MALFORMED".into()];
        }
        let claims = label.claims.iter();
        let kind = |tag: &str| known(catalogue, tag).map_or("", |tag| text(&tag["type"]));
        let wrong = claims.clone().any(|(tag, claim)| kind(tag) != claim);
        if wrong && !self.makes(Mistake::WireTypeTrusted) {
            return vec!["TYPE_MISMATCH".into()];
        }
        let mut faults = Vec::new();
        let level = self.level(catalogue, &label.level);
        if level.is_none() {
            faults.push("LEVEL_UNKNOWN");
        }
        let all: Vec<(&String, &String)> = label
            .tags
            .iter()
            .flat_map(|(tag, values)| values.iter().map(move |v| (tag, v)))
            .collect();
        let unknown = |(tag, value): &(&String, &String)| entry(catalogue, tag, value).is_none();
        if all.iter().any(unknown) && !self.makes(Mistake::UnknownIgnored) {
            faults.push("CATEGORY_UNKNOWN");
        }
        if let Some(level) = level {
            let is = |key: &str, tag: &str, value: &str, wanted: &str| {
                entry(catalogue, tag, value)
                    .is_some_and(|entry| texts(&entry[key]).contains(wanted))
            };
            let id = text(&level["id"]);
            if all.iter().any(|(tag, value)| is("not_levels", tag, value, id)) {
                faults.push("EXCLUDED_LEVEL");
            }
            let clash = all.iter().any(|(tag, value)| {
                all.iter().any(|(t, v)| is("excludes", tag, value, &format!("{t}:{v}")))
            });
            if clash && !self.makes(Mistake::ExclusionIgnored) {
                faults.push("EXCLUDED_CATEGORY");
            }
            let missing = list(&catalogue["require"]).iter().any(|require| {
                texts(&require["levels"]).contains(id)
                    && !label.tags.contains_key(text(&require["tag"]))
            });
            if missing && !self.makes(Mistake::RequiredIgnored) {
                faults.push("REQUIRED_CATEGORY");
            }
            let obsolete = |(tag, value): &(&String, &String)| {
                entry(catalogue, tag, value).is_some_and(|entry| flag(&entry["obsolete"]))
            };
            if new && all.iter().any(obsolete) && !self.makes(Mistake::ObsoleteIgnored) {
                faults.push("OBSOLETE");
            }
        }
        faults.into_iter().map(Into::into).collect()
    }

    /// What a clearance lacks for a valid label.
    pub(super) fn lacks(&self, catalogue: &Value, label: &Written, held: &Value) -> Vec<String> {
        if held.is_null() {
            return vec!["NO_CLEARANCE".into()];
        }
        let rank = |name: &str| {
            self.level(catalogue, name).map_or(i64::MIN, |l| l["rank"].as_i64().unwrap())
        };
        let levels = texts(&held["levels"]);
        let admitted = if self.makes(Mistake::MaximumForSet) {
            levels.iter().any(|level| rank(level) >= rank(&label.level))
        } else {
            levels.iter().any(|level| rank(level) == rank(&label.level))
        };
        let grants = self.expanded(catalogue, texts(&held["grants"]));
        let mut lacks = Vec::new();
        if !admitted {
            lacks.push("LEVEL".to_owned());
        }
        for wanted in ["restrictive", "permissive"] {
            for tag in list(&catalogue["tag"]) {
                let id = text(&tag["id"]);
                let Some(values) = label.tags.get(id) else {
                    continue;
                };
                let kind = match label.claims.get(id) {
                    Some(claim) if self.makes(Mistake::WireTypeTrusted) => claim,
                    _ => text(&tag["type"]),
                };
                let holds = |value: &String| grants.contains(&format!("{id}:{value}"));
                let none_held = !grants.iter().any(|grant| grant.starts_with(&format!("{id}:")));
                let passes = match kind {
                    "restrictive" if self.makes(Mistake::AnyForAll) => values.iter().any(holds),
                    "restrictive" => values.iter().all(holds),
                    "permissive" if self.makes(Mistake::VacuousPermissive) && none_held => true,
                    "permissive" if self.makes(Mistake::AllForAny) => values.iter().all(holds),
                    "permissive" => values.iter().any(holds),
                    _ => true,
                };
                if kind == wanted && !passes {
                    lacks.push(format!("{}:{id}", wanted.to_uppercase()));
                }
            }
        }
        lacks
    }

    /// The grants with the groups that their values are in.
    fn expanded(&self, catalogue: &Value, mut grants: BTreeSet<String>) -> BTreeSet<String> {
        for tag in list(&catalogue["tag"]) {
            for value in list(&tag["value"]) {
                let named = |name: &str| format!("{}:{name}", text(&tag["id"]));
                let members = texts(&value["members"]);
                if members.iter().any(|member| grants.contains(&named(member))) {
                    grants.insert(named(text(&value["id"])));
                    if self.makes(Mistake::SiblingsGranted) {
                        grants.extend(members.iter().map(|member| named(member)));
                    }
                }
            }
        }
        grants
    }

    /// The label of the whole; none when a person has to choose.
    pub(super) fn join(&self, catalogue: &Value, labels: &[Written]) -> Option<Written> {
        let rank = |label: &Written| {
            self.level(catalogue, &label.level).map(|level| level["rank"].as_i64().unwrap())
        };
        let lowest = self.makes(Mistake::LowestJoined);
        let pick = if lowest {
            labels.iter().min_by_key(|l| rank(l))
        } else {
            labels.iter().max_by_key(|l| rank(l))
        };
        let (policy, level) = (labels.first()?.policy.clone(), pick?.level.clone());
        let mut joined = Written { policy, level, ..Written::default() };
        for label in labels {
            for (tag, values) in &label.tags {
                let permissive =
                    known(catalogue, tag).is_some_and(|tag| tag["type"] == "permissive");
                let before = joined.tags.get(tag).cloned();
                let both = match before {
                    Some(before) if permissive && !self.makes(Mistake::AudienceUnited) => {
                        before.intersection(values).cloned().collect()
                    }
                    Some(before) => before.union(values).cloned().collect(),
                    None => values.clone(),
                };
                if both.is_empty() && !self.makes(Mistake::AudienceDropped) {
                    return None;
                }
                joined.tags.insert(tag.clone(), both);
            }
        }
        joined.tags.retain(|_, values| !values.is_empty());
        self.invalid(catalogue, &joined, false).is_empty().then_some(joined)
    }
}
