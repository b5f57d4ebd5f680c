//! The label catalogue: which labels exist, what they look like, what may stand together.

mod check;
mod compile;
mod entry;
mod join;
mod resolve;
mod succession;

use std::sync::Arc;

use kuriiri_types::{Category, Timestamp, WireLabel};

use crate::{bits::Bits, label::Label, names::Names, text::Lang, trial::Trial};
pub use entry::TagKind;
pub(crate) use entry::{Level, Tag, Value};
pub use join::NeedsPerson;

/// Levels in one catalogue: a clearance keeps them as the bits of one word. More: refused.
pub const LEVELS_MAX: usize = 64;
/// Tags in one catalogue, as many as a label may have. More: refused.
pub const TAGS_MAX: usize = kuriiri_types::limits::LABEL_CATEGORIES_MAX;
/// Values in one catalogue over all tags. More: refused.
pub const VALUES_MAX: usize = kuriiri_types::limits::LABEL_VALUES_MAX;

/// One label policy, compiled: what X.841 calls a security policy information file.
///
/// A catalogue is the only maker of [`Label`]s, and every label knows which catalogue, and which
/// serial of it, made it. A label of another catalogue is admitted by nothing here.
#[derive(Debug, Clone)]
pub struct Catalogue {
    pub(crate) key: u64,
    pub(crate) id: Box<str>,
    pub(crate) name: Box<str>,
    serial: u64,
    issued: Timestamp,
    expires: Timestamp,
    /// The level that unlabelled content gets, if any.
    pub(crate) default: Option<u8>,
    /// By rank, least sensitive first.
    pub(crate) levels: Box<[Level]>,
    pub(crate) level_names: Names,
    pub(crate) tags: Box<[Tag]>,
    pub(crate) tag_names: Names,
    pub(crate) values: Box<[Value]>,
    pub(crate) restrictive: Bits,
    /// One set for each permissive tag.
    pub(crate) permissive: Box<[Bits]>,
    pub(crate) obsolete: Bits,
    pub(crate) tests: Arc<[Trial]>,
}

impl Catalogue {
    /// The OID URN that names the policy for ever.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The short name, such as `FI`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Rises with each issue.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// When this serial was issued.
    pub fn issued(&self) -> Timestamp {
        self.issued
    }

    /// When a newer serial should long be in force. Not enforced by decisions.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// True when `policy` is this catalogue's name or OID URN. Compared bytewise.
    pub fn is_called(&self, policy: &str) -> bool {
        policy == &*self.name || policy == &*self.id
    }

    /// The ids of all levels, least sensitive first.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.levels.iter().map(|level| &*level.id)
    }

    /// The ids of the levels in a set of one bit each, least sensitive first.
    pub(crate) fn levels_in(&self, set: u64) -> impl Iterator<Item = &str> {
        let numbered = (0_u32..64).zip(self.levels());
        numbered.filter(move |(place, _)| (set >> place) & 1 == 1).map(|(_, level)| level)
    }

    /// The label for people: level, then each tag in the order of the catalogue. Generated, never
    /// parsed. Empty for a label of another catalogue.
    pub fn marking(&self, label: &Label, lang: Lang) -> String {
        let Some(level) = self.level(label) else {
            return String::new();
        };
        let mut text = level.marking.pick(lang).to_owned();
        for tag in &self.tags {
            let shown: Vec<&str> = self
                .values(tag.values.and(label.values))
                .map(|value| value.marking.as_ref().map_or(&*value.id, |m| m.pick(lang)))
                .collect();
            if !shown.is_empty() {
                text.push(' ');
                text.push_str(tag.prefix.as_ref().map_or("", |prefix| prefix.pick(lang)));
                text.push_str(&shown.join(&tag.separator));
            }
        }
        text
    }

    /// The id of the level that has this name, by the catalogue's own rules: an id, an alias, in the
    /// spelling of either.
    pub fn level_called(&self, name: &str) -> Option<&str> {
        let found = self.level_names.find(name)?;
        self.levels.get(usize::from(found.index)).map(|level| &*level.id)
    }

    /// The level's id, or nothing for a label of another catalogue.
    pub fn level_id(&self, label: &Label) -> Option<&str> {
        self.level(label).map(|level| &*level.id)
    }

    /// The level's short form for lists; its id when the catalogue has none.
    pub fn short(&self, label: &Label) -> Option<&str> {
        self.level(label).map(|level| level.short.as_deref().unwrap_or(&level.id))
    }

    /// The level's colour, if it has one. Never the only sign of a level.
    pub fn colour(&self, label: &Label) -> Option<&str> {
        self.level(label).and_then(|level| level.colour.as_deref())
    }

    /// The canonical written form, in the catalogue's spelling and under its short name. Nothing
    /// for a label of another catalogue.
    pub fn write(&self, label: &Label) -> Option<WireLabel> {
        let mut wire = WireLabel::plain(&self.name, self.level_id(label)?);
        for tag in &self.tags {
            let held = self.values(tag.values.and(label.values));
            let mut values: Vec<String> = held.map(|value| value.id.to_string()).collect();
            values.sort();
            if !values.is_empty() {
                let tag = tag.id.to_string();
                wire.categories.push(Category { tag, values });
            }
        }
        wire.categories.sort();
        Some(wire)
    }

    /// True when letters of either case are the same in its names.
    pub(crate) fn folds(&self) -> bool {
        self.level_names.folds()
    }

    pub(crate) fn level(&self, label: &Label) -> Option<&Level> {
        let level = self.levels.get(usize::from(label.level));
        level.filter(|_| label.catalogue == self.key)
    }

    pub(crate) fn values(&self, set: Bits) -> impl Iterator<Item = &Value> {
        set.iter().filter_map(|i| self.values.get(usize::from(i)))
    }

    pub(crate) fn find_tag(&self, name: &str) -> Option<(u8, &Tag)> {
        let index = self.tag_names.find(name)?.index;
        self.tags.get(usize::from(index)).map(|tag| (index, tag))
    }

    /// The permissive tags with their values.
    pub(crate) fn permissive_tags(&self) -> impl Iterator<Item = (&str, Bits)> {
        let permissive = |set: &Bits| self.permissive.contains(set);
        let tags = self.tags.iter().filter(move |tag| permissive(&tag.values));
        tags.map(|tag| (&*tag.id, tag.values))
    }

    /// The position of `TAG:VALUE`.
    pub(crate) fn find_value(&self, name: &str) -> Option<u8> {
        let (tag, value) = name.split_once(':')?;
        let (_, tag) = self.find_tag(tag)?;
        tag.names.find(value).map(|found| found.index)
    }

    /// `TAG:VALUE` of each member, for people.
    pub(crate) fn written(&self, set: Bits) -> Vec<String> {
        let name = |value: &Value| {
            let tag = self.tags.get(usize::from(value.tag));
            format!("{}:{}", tag.map_or("", |tag| &*tag.id), value.id)
        };
        self.values(set).map(name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "format='label-catalogue/1'\nid='urn:oid:2.25.1'\nname='T'\nserial=1\n\
        issued=2026-01-01T00:00:00Z\nexpires=2027-01-01T00:00:00Z\n";
    const MARKING: &str = "marking={fi='a',sv='b',en='c'}\n";

    fn parse(body: &str) -> Result<Catalogue, String> {
        let text = format!("{HEAD}{}", body.replace("MARKING", MARKING));
        Catalogue::parse(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn levels_stand_by_rank_and_not_by_place() {
        let body = "[[level]]\nid='HI'\nrank=5\nMARKING[[level]]\nid='LO'\nrank=-11\nMARKING";
        let catalogue = parse(body).unwrap();
        assert_eq!(catalogue.levels().collect::<Vec<_>>(), ["LO", "HI"]);
    }

    #[test]
    fn impossible_catalogues_are_refused_with_the_place() {
        let level = "[[level]]\nid='A'\nrank=1\nMARKING";
        let values = |values: &str| format!("{level}[[tag]]\nid='T'\ntype='permissive'\n{values}");
        for (body, words) in [
            (String::new(), "levels"),
            (format!("{level}[[level]]\nid='A'\nrank=2\nMARKING"), "twice"),
            (format!("{level}[[level]]\nid='B'\nrank=1\nMARKING"), "rank"),
            (format!("{level}[[level]]\nid='B'\nrank=2\naliases=['A']\nMARKING"), "twice"),
            (format!("{level}colour='x'\n[[level]]\nid='B'\nrank=2\ncolour='x'\nMARKING"), "twice"),
            ("[[level]]\nid='A'\nrank=1\nmarking={fi='a',sv='b'}\n".into(), "cannot be read"),
            (format!("unlabelled='Z'\n{level}"), "`Z` is not defined"),
            (format!("{level}surprise=1\n"), "cannot be read"),
            (format!("{level}[[require]]\nlevels=['A']\ntag='T'\n"), "`T` is not defined"),
            (format!("{level}[[tag]]\nid='T'\ntype='permissive'\n"), "empty"),
            (values("[[tag.value]]\nid='X'\nnot_levels=['Q']\n"), "`Q` is not defined"),
            (values("[[tag.value]]\nid='X'\nexcludes=['T:Y']\n"), "`T:Y` is not defined"),
            (values("[[tag.value]]\nid='X'\nmembers=['X']\n"), "contains itself"),
            (
                values(
                    "[[tag.value]]\nid='X'\nmembers=['Y']\n[[tag.value]]\nid='Y'\nmembers=['X']\n",
                ),
                "contains itself",
            ),
            (
                values(
                    "[[tag.value]]\nid='X'\nobsolete=true\n[[require]]\nlevels=['A']\ntag='T'\n",
                ),
                "obsolete",
            ),
        ] {
            let error = parse(&body).unwrap_err();
            assert!(error.contains(words), "{body}\n{error}");
        }
    }

    #[test]
    fn groups_of_groups_are_expanded() {
        let catalogue = parse(
            "[[level]]\nid='A'\nrank=1\nMARKING[[tag]]\nid='T'\ntype='permissive'\n\
             [[tag.value]]\nid='X'\n[[tag.value]]\nid='G'\nmembers=['X']\n\
             [[tag.value]]\nid='H'\nmembers=['G']\n",
        )
        .unwrap();
        let groups = catalogue.values.first().unwrap().groups;
        assert_eq!(catalogue.written(groups), ["T:G", "T:H"]);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "(?s).{0,200}", cut in 0_usize..3000) {
            let _ = Catalogue::parse(&text);
            let whole = include_str!("../../../tests/vectors/labels/catalogue-fi.toml");
            let part: String = whole.chars().take(cut).chain(text.chars()).collect();
            let _ = Catalogue::parse(&part);
        }
    }
}
