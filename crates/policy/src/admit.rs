//! Whether a label is within a clearance, and how a clearance is made.

use crate::{
    bits::Bits,
    catalogue::{Catalogue, TagKind},
    clearance::Clearance,
    label::Label,
};

/// A clearance names a level or a value that its catalogue does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a level or a TAG:VALUE of the catalogue")]
pub struct UnknownName(pub(crate) String);

/// Everything that a clearance lacks for a label. Never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortfall {
    /// The clearance, or the label, is of another catalogue; nothing else was compared.
    pub(crate) foreign: bool,
    pub(crate) level: bool,
    /// Restrictive values of the label that are not granted.
    pub(crate) restrictive: Bits,
    /// Values of the permissive tags of which none is granted.
    pub(crate) permissive: Bits,
}

impl Shortfall {
    pub(crate) const NO_CLEARANCE: Self =
        Self { foreign: true, level: false, restrictive: Bits::EMPTY, permissive: Bits::EMPTY };

    /// The stable codes: `NO_CLEARANCE`, or `LEVEL`, `RESTRICTIVE:{tag}` and `PERMISSIVE:{tag}` in
    /// the order of the catalogue.
    pub fn codes(&self, catalogue: &Catalogue) -> Vec<String> {
        if self.foreign {
            return vec!["NO_CLEARANCE".into()];
        }
        let level = self.level.then(|| "LEVEL".to_owned());
        let tags = self.lacking_tags(catalogue).map(|(kind, tag, _)| match kind {
            TagKind::Permissive => format!("PERMISSIVE:{tag}"),
            TagKind::Restrictive | TagKind::Informative => format!("RESTRICTIVE:{tag}"),
        });
        level.into_iter().chain(tags).collect()
    }

    /// Each tag that is lacking, with its missing values: restrictive tags first.
    pub(crate) fn lacking_tags<'a>(
        &self,
        catalogue: &'a Catalogue,
    ) -> impl Iterator<Item = (TagKind, &'a str, Bits)> {
        let sets =
            [(TagKind::Restrictive, self.restrictive), (TagKind::Permissive, self.permissive)];
        sets.into_iter().flat_map(move |(kind, missing)| {
            let tags = catalogue.tags.iter();
            let lacking = tags.filter(move |tag| tag.values.meets(missing));
            lacking.map(move |tag| (kind, &*tag.id, tag.values.and(missing)))
        })
    }
}

impl Catalogue {
    /// A clearance from the names of levels and of grants, such as `REL:SM`. A grant brings every
    /// group that the value is in; a group never brings its members.
    ///
    /// # Errors
    /// The first name that is not in the catalogue.
    pub fn clearance<S: AsRef<str>>(
        &self,
        levels: &[S],
        grants: &[S],
    ) -> Result<Clearance, UnknownName> {
        let mut clearance = Clearance { catalogue: self.key, levels: 0, grants: Bits::EMPTY };
        for level in levels.iter().map(AsRef::as_ref) {
            clearance.levels |= 1_u64 << self.known_level(level)?;
        }
        for grant in grants.iter().map(AsRef::as_ref) {
            let value = self.find_value(grant);
            let value = value.ok_or_else(|| UnknownName(grant.into()))?;
            let groups = self.values.get(usize::from(value)).map(|v| v.groups);
            let expanded = groups.unwrap_or_default().or(Bits::one(value));
            clearance.grants = clearance.grants.or(expanded);
        }
        Ok(clearance)
    }

    /// The ids of every level up to and with this one, by rank.
    pub(crate) fn levels_up_to(&self, level: &str) -> Result<Vec<String>, UnknownName> {
        let top = usize::from(self.known_level(level)?);
        Ok(self.levels().take(top + 1).map(Into::into).collect())
    }

    fn known_level(&self, level: &str) -> Result<u8, UnknownName> {
        let found = self.level_names.find(level).map(|found| found.index);
        found.ok_or_else(|| UnknownName(level.into()))
    }
}

/// The access decision proper (ADatP-4774.1 §3.11.4): the level is in the clearance's set, every
/// restrictive value is granted, and of each permissive tag in the label at least one value is.
///
/// # Errors
/// Everything that is missing.
#[inline]
pub fn admits(
    catalogue: &Catalogue,
    label: &Label,
    clearance: &Clearance,
) -> Result<(), Shortfall> {
    if label.catalogue != catalogue.key || clearance.catalogue != catalogue.key {
        return Err(Shortfall::NO_CLEARANCE);
    }
    let level = (clearance.levels >> (label.level & 63)) & 1 == 0;
    let restrictive = label.values.and(catalogue.restrictive).minus(clearance.grants);
    let mut permissive = Bits::EMPTY;
    for tag in &catalogue.permissive {
        let audience = label.values.and(*tag);
        if !audience.is_empty() && !audience.meets(clearance.grants) {
            permissive = permissive.or(audience);
        }
    }
    if !level && restrictive.is_empty() && permissive.is_empty() {
        return Ok(());
    }
    Err(Shortfall { foreign: false, level, restrictive, permissive })
}
