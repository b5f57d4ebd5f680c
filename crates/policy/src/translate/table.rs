//! A table in use: what a label of one policy is under another.

use kuriiri_types::Timestamp;

use crate::{
    bits::Bits,
    catalogue::Catalogue,
    label::{Invalid, Label, list},
    reason::Reason,
};

/// A table between two compiled catalogues.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// Positions of the catalogues.
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) signer: Box<str>,
    pub(super) on_reception: bool,
    pub(super) created_from: Timestamp,
    pub(super) created_until: Timestamp,
    /// By level of the source; `None` refuses.
    pub(super) levels: Box<[Option<u8>]>,
    /// By value of the source.
    pub(super) values: Box<[Action]>,
    pub(super) adds: Bits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Refuse,
    /// These values; none for one that is dropped.
    To(Bits),
}

impl Table {
    /// True when labels of `from`, created at that time, are read with this table under `to`.
    pub(crate) fn reads(&self, from: usize, to: usize, created: Timestamp) -> bool {
        let valid = self.created_from <= created && created < self.created_until;
        self.on_reception && self.from == from && self.to == to && valid
    }

    /// The label under the target policy, valid there.
    pub(crate) fn translate(
        &self,
        from: &Catalogue,
        to: &Catalogue,
        label: &Label,
    ) -> Result<Label, Vec<Reason>> {
        let level = self.levels.get(usize::from(label.level)).copied().flatten();
        let mut lost = Vec::new();
        if level.is_none() {
            lost.extend(from.level_id(label).map(str::to_owned));
        }
        let mut values = self.adds;
        let mut refused = Bits::EMPTY;
        for value in label.values.iter() {
            match self.values.get(usize::from(value)) {
                Some(Action::To(mapped)) => values = values.or(*mapped),
                Some(Action::Refuse) | None => refused = refused.or(Bits::one(value)),
            }
        }
        for (_, tag) in from.permissive_tags() {
            let audience = label.values.and(tag);
            let vanishes = !audience.is_empty() && self.image(audience).is_empty();
            refused = if vanishes { refused.or(audience) } else { refused };
        }
        lost.extend(from.written(refused));
        let (Some(level), true) = (level, lost.is_empty()) else {
            return Err(vec![Reason::TranslationRefused(list(lost))]);
        };
        let translated = Label { catalogue: to.key, level, values };
        let invalid =
            |invalid: Invalid| invalid.into_faults().into_iter().map(Reason::Label).collect();
        to.check(translated).map_err(invalid)
    }

    /// By level of the source, the level of the target; none refuses.
    pub(crate) fn level_map(&self) -> impl Iterator<Item = Option<u8>> {
        self.levels.iter().copied()
    }

    /// What one source value becomes; none refuses.
    pub(crate) fn image_of(&self, value: u8) -> Option<Bits> {
        match self.values.get(usize::from(value)) {
            Some(Action::To(mapped)) => Some(*mapped),
            Some(Action::Refuse) | None => None,
        }
    }

    /// The values that every translated label gets.
    pub(crate) fn added(&self) -> Bits {
        self.adds
    }

    /// True when it is used on what comes in.
    pub(crate) fn is_read(&self) -> bool {
        self.on_reception
    }

    /// From and until when the labels that it reads were made, in milliseconds.
    pub(crate) fn times(&self) -> (i64, i64) {
        (self.created_from.as_millis(), self.created_until.as_millis())
    }

    /// What a set of source values becomes, refusals left out.
    pub(super) fn image(&self, values: Bits) -> Bits {
        let actions = values.iter().map(|value| self.values.get(usize::from(value)));
        actions.fold(Bits::EMPTY, |set, action| match action {
            Some(Action::To(mapped)) => set.or(*mapped),
            Some(Action::Refuse) | None => set,
        })
    }
}
