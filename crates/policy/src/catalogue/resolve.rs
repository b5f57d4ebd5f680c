//! From a label as it is written to one that means something.

use std::time::Duration;

use kuriiri_types::{Timestamp, WireLabel};

use super::{Catalogue, check::Notes, entry::TagKind};
use crate::{
    bits::Bits,
    label::{Invalid, Label, LabelFault, Use, check_form},
};

impl Catalogue {
    /// Reads a label: the only way from what was written to a [`Label`].
    ///
    /// When the label has a successor, the one in force at `now` is returned; `skew` is how far
    /// clocks may differ. A successor that asks less takes over only when its time has surely
    /// come, one that asks more as soon as it may have.
    ///
    /// The order of tags and values is free here: it changes no meaning. Whoever decodes signed
    /// bytes holds them against the canonical form with [`WireLabel::check`].
    ///
    /// # Errors
    /// Everything that is wrong. Malformed labels are not looked at further.
    pub fn resolve(
        &self,
        wire: &WireLabel,
        use_: Use,
        now: Timestamp,
        skew: Duration,
    ) -> Result<Label, Invalid> {
        check_form(wire)?;
        if !self.is_called(&wire.policy) {
            return Err(LabelFault::PolicyUnknown(wire.policy.clone()).into());
        }
        match &wire.succession {
            None => self.resolve_flat(wire, use_),
            Some(succession) => {
                let (at, successor) = (succession.0, &succession.1);
                let old = self.resolve_flat(wire, use_)?;
                let new = self.resolve_successor(successor, use_)?;
                self.in_force(old, at, new, now, skew)
            }
        }
    }

    /// For formats that write the kind of a tag into the label, such as ADatP-4774: the catalogue
    /// says what a tag is, and a label that claims otherwise is refused.
    ///
    /// # Errors
    /// [`LabelFault::TypeMismatch`], or [`LabelFault::CategoryUnknown`] when there is no such tag.
    pub fn check_kind(&self, tag: &str, claimed: TagKind) -> Result<(), Invalid> {
        match self.find_tag(tag) {
            Some((_, found)) if found.kind == claimed => Ok(()),
            Some(_) => Err(LabelFault::TypeMismatch(tag.into()).into()),
            None => Err(LabelFault::CategoryUnknown(tag.into()).into()),
        }
    }

    /// The label that unlabelled content gets, if the catalogue names one.
    pub fn default_label(&self) -> Option<Label> {
        let label = |level| Label { catalogue: self.key, level, values: Bits::EMPTY };
        self.default.map(label)
    }

    fn resolve_successor(&self, wire: &WireLabel, use_: Use) -> Result<Label, Invalid> {
        check_form(wire)?;
        let plain = wire.succession.is_none() && wire.review_at.is_none();
        if !plain || !self.is_called(&wire.policy) {
            return Err(LabelFault::Malformed.into());
        }
        self.resolve_flat(wire, use_)
    }

    fn resolve_flat(&self, wire: &WireLabel, use_: Use) -> Result<Label, Invalid> {
        let mut notes = Notes::default();
        let level = self.level_names.find(&wire.level);
        match level {
            None => notes.level = Some(wire.level.clone()),
            Some(found) if found.alias => notes.aliases.push(wire.level.clone()),
            Some(_) => {}
        }
        let (tags, values) = self.read_categories(wire, &mut notes)?;
        let label =
            Label { catalogue: self.key, level: level.map_or(0, |found| found.index), values };
        self.judge(label, tags, use_, notes).map(|()| label)
    }

    /// The tags and the values that the label names; a name read twice is malformed, also when
    /// the two spellings differ.
    fn read_categories(
        &self,
        wire: &WireLabel,
        notes: &mut Notes,
    ) -> Result<(Bits, Bits), Invalid> {
        let (mut tags, mut values) = (Bits::EMPTY, Bits::EMPTY);
        for category in &wire.categories {
            let Some((index, tag)) = self.find_tag(&category.tag) else {
                notes.unknown.push(category.tag.clone());
                continue;
            };
            if tags.has(index) {
                return Err(LabelFault::Malformed.into());
            }
            tags = tags.or(Bits::one(index));
            for value in &category.values {
                match tag.names.find(value) {
                    None => notes.unknown.push(format!("{}:{value}", category.tag)),
                    Some(found) if values.has(found.index) => {
                        return Err(LabelFault::Malformed.into());
                    }
                    Some(found) => {
                        values = values.or(Bits::one(found.index));
                        if found.alias {
                            notes.aliases.push(format!("{}:{value}", category.tag));
                        }
                    }
                }
            }
        }
        Ok((tags, values))
    }
}
