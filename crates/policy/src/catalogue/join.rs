//! One label for several: for a message with parts, for a label about to change.

use super::Catalogue;
use crate::label::{Invalid, Label};

/// No rule can choose the common label; a person must.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NeedsPerson {
    /// There was nothing to join.
    #[error("there is no label to join")]
    Nothing,
    /// A label of another catalogue.
    #[error("the labels are not of one policy")]
    Foreign,
    /// Nobody is in the audience of all parts.
    #[error("the labels have no common value of {0}")]
    Audience(String),
    /// The common label breaks the catalogue.
    #[error("the common label breaks the catalogue")]
    Invalid(#[source] Invalid),
}

impl Catalogue {
    /// The least label that asks at least what each part asks: highest level, all restrictive and
    /// informative values, and of permissive values those that every part with the tag has.
    ///
    /// This departs on purpose from ADatP-4774.1 §4.4 rules 5 and 6: a permissive tag is never
    /// dropped, because dropping it would release the content to more readers.
    ///
    /// # Errors
    /// When a person has to decide.
    pub fn join_labels(&self, labels: &[Label]) -> Result<Label, NeedsPerson> {
        let (first, rest) = labels.split_first().ok_or(NeedsPerson::Nothing)?;
        if labels.iter().any(|label| self.level(label).is_none()) {
            return Err(NeedsPerson::Foreign);
        }
        let mut joined = *first;
        for label in rest {
            joined = self.join_two(joined, *label)?;
        }
        self.check(joined).map_err(NeedsPerson::Invalid)
    }

    fn join_two(&self, a: Label, b: Label) -> Result<Label, NeedsPerson> {
        let mut values = a.values.or(b.values);
        for (tag, set) in self.permissive_tags() {
            let (x, y) = (a.values.and(set), b.values.and(set));
            let audience = match (x.is_empty(), y.is_empty()) {
                (true, _) => y,
                (_, true) => x,
                (false, false) => x.and(y),
            };
            if audience.is_empty() && x.or(y).meets(set) {
                return Err(NeedsPerson::Audience(tag.into()));
            }
            values = values.minus(set).or(audience);
        }
        Ok(Label { catalogue: self.key, level: a.level.max(b.level), values })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kuriiri_types::Timestamp;

    use super::*;
    use crate::label::Use;

    /// The written form of the join, or what a person is asked.
    fn join(texts: &[&str]) -> String {
        let text = include_str!("../../../../tests/vectors/labels/catalogue-fi.toml");
        let catalogue = Catalogue::parse(text).unwrap();
        let now = Timestamp::default();
        let read = |text: &&str| {
            let wire = text.parse().unwrap();
            catalogue.resolve(&wire, Use::Carriage, now, Duration::ZERO).unwrap()
        };
        let labels: Vec<Label> = texts.iter().map(read).collect();
        match catalogue.join_labels(&labels) {
            Ok(label) => catalogue.write(&label).unwrap().to_string(),
            Err(person) => person.to_string(),
        }
    }

    #[test]
    fn an_audience_is_narrowed_and_never_dropped() {
        let narrowed = join(&["FI TL3 REL{PLM,SM}", "FI TL4 REL{PLM,UM}"]);
        assert_eq!(narrowed, "FI TL3 REL{PLM}");
        for order in [["FI TL4 REL{SM}", "FI TL3"], ["FI TL3", "FI TL4 REL{SM}"]] {
            assert_eq!(join(&order), "FI TL3 REL{SM}");
        }
        let none = join(&["FI TL3 REL{SM}", "FI TL3", "FI TL3 REL{UM}"]);
        assert_eq!(none, "the labels have no common value of REL");
    }

    #[test]
    fn what_has_no_common_label_is_for_a_person() {
        assert_eq!(join(&[]), "there is no label to join");
        let invalid = join(&["FI TL3 COMPARTMENT{MERI}", "FI TL3 REL{NATO}"]);
        assert_eq!(invalid, "the common label breaks the catalogue");
        assert_eq!(join(&["FI SALP", "FI TL2 REL{PLM}"]), "FI TL2 REL{PLM}");
    }
}
