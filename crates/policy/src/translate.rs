//! Tables from one label policy to another: explicit, one direction, never losing a restriction.

mod compile;

use std::{collections::BTreeMap, sync::Arc};

use kuriiri_types::{FileKind, Timestamp};
use serde::Deserialize;
use toml::value::Datetime;

use crate::{
    bits::Bits,
    catalogue::Catalogue,
    error::PolicyError,
    file::{check_format, optional_instant, read},
    label::{Label, list},
    reason::Reason,
    trial::{Trial, Value, read_embedded},
};

pub(crate) use compile::compile;

/// One translation table as written; checked against both catalogues when a policy is compiled.
#[derive(Debug, Clone)]
pub struct Translation {
    serial: u64,
    issued: Option<Timestamp>,
    expires: Option<Timestamp>,
    created_from: Option<Timestamp>,
    created_until: Option<Timestamp>,
    pub(crate) tests: Arc<[Trial]>,
    written: Written,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    from: String,
    to: String,
    serial: u64,
    issued: Option<Datetime>,
    expires: Option<Datetime>,
    signed_by: String,
    applied: Applied,
    /// Labels created earlier are for another table: equivalences change over time.
    created_from: Option<Datetime>,
    /// Labels created at this time or later are for another table.
    created_until: Option<Datetime>,
    level: BTreeMap<String, String>,
    #[serde(default)]
    adds: Vec<String>,
    #[serde(default)]
    category: BTreeMap<String, Mapping>,
    #[serde(default)]
    test: Vec<Value>,
}

/// When a table is used: on what comes from outside, on what goes out, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Applied {
    Origination,
    Reception,
    Both,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Mapping {
    To(Vec<String>),
    /// `refuse` or `discard`.
    Word(String),
}

impl Translation {
    /// Reads a `label-translation/1` file.
    ///
    /// # Errors
    /// The place and the flaw, for whoever wrote the file.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let written: Written = read(FileKind::Translation, text)?;
        check_format(FileKind::Translation, &written.format)?;
        let time =
            |key, at: &Option<Datetime>| optional_instant(FileKind::Translation, key, at.as_ref());
        Ok(Self {
            serial: written.serial,
            issued: time("issued", &written.issued)?,
            expires: time("expires", &written.expires)?,
            tests: read_embedded(FileKind::Translation, &written.test)?,
            created_from: time("created_from", &written.created_from)?,
            created_until: time("created_until", &written.created_until)?,
            written,
        })
    }

    /// Rises with each issue.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// When this serial was issued, if the file says.
    pub fn issued(&self) -> Option<Timestamp> {
        self.issued
    }

    /// When a newer serial should long be in force, if the file says. Not enforced by decisions.
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// The policy that it reads, by the name that the file uses.
    pub fn from(&self) -> &str {
        &self.written.from
    }

    /// The policy that it writes, by the name that the file uses.
    pub fn to(&self) -> &str {
        &self.written.to
    }

    /// Who signs the table, and is therefore trusted to write labels of its target policy.
    pub fn signed_by(&self) -> &str {
        &self.written.signed_by
    }
}

/// A table between two compiled catalogues.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// Positions of the catalogues.
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) signer: Box<str>,
    on_reception: bool,
    created_from: Timestamp,
    created_until: Timestamp,
    /// By level of the source; `None` refuses.
    levels: Box<[Option<u8>]>,
    /// By value of the source.
    values: Box<[Action]>,
    adds: Bits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
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
        let invalid = |invalid: crate::Invalid| {
            invalid.into_faults().into_iter().map(Reason::Label).collect()
        };
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
    fn image(&self, values: Bits) -> Bits {
        let actions = values.iter().map(|value| self.values.get(usize::from(value)));
        actions.fold(Bits::EMPTY, |set, action| match action {
            Some(Action::To(mapped)) => set.or(*mapped),
            Some(Action::Refuse) | None => set,
        })
    }
}
