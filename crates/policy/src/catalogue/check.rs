//! Whether a label breaks the rules of its catalogue.

use super::Catalogue;
use crate::{
    bits::Bits,
    label::{Invalid, Label, LabelFault, Use, list},
};

/// What was noticed while reading, before the label is judged.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) level: Option<String>,
    pub(super) unknown: Vec<String>,
    pub(super) aliases: Vec<String>,
}

impl Catalogue {
    /// Holds a label that was computed, not read, against the rules of the catalogue.
    pub(crate) fn check(&self, label: Label) -> Result<Label, Invalid> {
        let with_value = (0..).zip(&self.tags);
        let tags = with_value.filter(|(_, tag)| tag.values.meets(label.values));
        let tags = tags.map(|(index, _)| index).collect();
        self.judge(label, tags, Use::Carriage, Notes::default()).map(|()| label)
    }

    /// Holds a label that has these tags, and of which this was noticed, against the same rules.
    pub(super) fn judge(
        &self,
        label: Label,
        tags: Bits,
        use_: Use,
        notes: Notes,
    ) -> Result<(), Invalid> {
        let mut faults = Vec::new();
        let known = notes.level.is_none();
        faults.extend(notes.level.map(LabelFault::LevelUnknown));
        faults.extend(joined(notes.unknown, LabelFault::CategoryUnknown));
        if let Some(level) = self.level(&label).filter(|_| known) {
            let excluded = level.excluded.and(label.values);
            if !excluded.is_empty() {
                faults.extend(joined(self.written(excluded), LabelFault::ExcludedLevel));
            }
            self.judge_together(label, &mut faults);
            let missing = level.required.iter().filter(|tag| !tags.has(**tag));
            let missing = missing.filter_map(|tag| self.tags.get(usize::from(*tag)));
            let missing: Vec<String> = missing.map(|tag| tag.id.to_string()).collect();
            faults.extend(joined(missing, LabelFault::RequiredCategory));
            if use_ == Use::Origination {
                let mut obsolete = self.written(label.values.and(self.obsolete));
                obsolete.extend(level.obsolete.then(|| level.id.to_string()));
                obsolete.extend(notes.aliases);
                faults.extend(joined(obsolete, LabelFault::Obsolete));
            }
        }
        Invalid::unless_empty(faults)
    }

    fn judge_together(&self, label: Label, faults: &mut Vec<LabelFault>) {
        let excluded = self.values(label.values).map(|value| value.excludes);
        let together = excluded.fold(Bits::EMPTY, Bits::or).and(label.values);
        if !together.is_empty() {
            faults.extend(joined(self.written(together), LabelFault::ExcludedCategory));
        }
    }
}

fn joined(names: Vec<String>, fault: impl Fn(String) -> LabelFault) -> Option<LabelFault> {
    (!names.is_empty()).then(|| fault(list(names)))
}
