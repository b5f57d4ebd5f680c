//! From the written catalogue to the compiled one, with all its checks.

use std::{collections::BTreeSet, sync::Arc};

use kuriiri_types::{FileKind, is_label_id};
use serde::Deserialize;
use toml::value::Datetime;

use super::{
    Catalogue, LEVELS_MAX, TAGS_MAX, VALUES_MAX,
    entry::{Level, Tag, TagKind, Value},
};
use crate::{
    bits::Bits,
    error::{Flaw, PolicyError},
    file::{check_format, instant, read},
    names::Names,
    text::Phrase,
    trial::{Value as WrittenTest, read_embedded},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    id: String,
    name: String,
    serial: u64,
    issued: Datetime,
    expires: Datetime,
    /// `deny`, or the level that unlabelled content gets.
    #[serde(default = "deny")]
    unlabelled: String,
    #[serde(default)]
    case_insensitive: bool,
    #[serde(default)]
    level: Vec<WrittenLevel>,
    #[serde(default)]
    tag: Vec<WrittenTag>,
    #[serde(default)]
    require: Vec<WrittenRequire>,
    #[serde(default)]
    test: Vec<WrittenTest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLevel {
    id: String,
    rank: i64,
    marking: Phrase,
    short: Option<String>,
    colour: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    obsolete: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTag {
    id: String,
    #[serde(rename = "type")]
    kind: WrittenKind,
    marking: Option<Phrase>,
    separator: Option<String>,
    #[serde(default)]
    value: Vec<WrittenValue>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum WrittenKind {
    Restrictive,
    Permissive,
    Informative,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenValue {
    id: String,
    marking: Option<Phrase>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    not_levels: Vec<String>,
    #[serde(default)]
    excludes: Vec<String>,
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    obsolete: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRequire {
    levels: Vec<String>,
    tag: String,
}

fn deny() -> String {
    "deny".into()
}

impl Catalogue {
    /// Reads and compiles a `label-catalogue/1` file.
    ///
    /// # Errors
    /// The place and the flaw, for whoever wrote the file.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        compile(read(FileKind::Catalogue, text)?)
    }
}

fn compile(mut written: Written) -> Result<Catalogue, PolicyError> {
    check_format(FileKind::Catalogue, &written.format)?;
    check_head(&written)?;
    written.level.sort_by_key(|level| level.rank);
    let fold = written.case_insensitive;
    let (levels, level_names) = compile_levels(&written.level, fold)?;
    let (tags, tag_names, values) = compile_tags(&written.tag, fold)?;
    let mut catalogue = Catalogue {
        key: key(&written.id, written.serial),
        issued: instant(FileKind::Catalogue, "issued", &written.issued)?,
        expires: instant(FileKind::Catalogue, "expires", &written.expires)?,
        restrictive: of_kind(&tags, TagKind::Restrictive).fold(Bits::EMPTY, Bits::or),
        permissive: of_kind(&tags, TagKind::Permissive).collect(),
        obsolete: obsolete(&written.tag),
        default: None,
        tests: read_embedded(FileKind::Catalogue, &written.test)?,
        id: written.id.into(),
        name: written.name.into(),
        serial: written.serial,
        levels,
        level_names,
        tags,
        tag_names,
        values,
    };
    if written.unlabelled != "deny" {
        catalogue.default = Some(catalogue.named_level("`unlabelled`", &written.unlabelled)?);
    }
    catalogue.relate(&written.tag)?;
    catalogue.require(&written.require)?;
    Ok(catalogue)
}

fn wrong(item: impl Into<String>, flaw: Flaw) -> PolicyError {
    PolicyError::content(FileKind::Catalogue, item, flaw)
}

fn check_head(written: &Written) -> Result<(), PolicyError> {
    if !is_label_id(&written.name) {
        return Err(wrong(format!("name `{}`", written.name), Flaw::NotAnId));
    }
    let arcs = written.id.strip_prefix("urn:oid:").unwrap_or("");
    let fits = written.id.len() <= kuriiri_types::limits::LABEL_ID_BYTES_MAX;
    if !fits || !arcs.starts_with(|first: char| first.is_ascii_digit()) {
        let flaw = Flaw::Conflict("a policy is named by an OID, such as urn:oid:2.25.1".into());
        return Err(wrong(format!("id `{}`", written.id), flaw));
    }
    match written.level.len() {
        0 => Err(wrong("its levels", Flaw::Empty)),
        n if n > LEVELS_MAX => Err(wrong("its levels", Flaw::TooMany(LEVELS_MAX))),
        _ => Ok(()),
    }
}

fn compile_levels(
    written: &[WrittenLevel],
    fold: bool,
) -> Result<(Box<[Level]>, Names), PolicyError> {
    let mut colours = BTreeSet::new();
    for level in written {
        let colour = level.colour.as_deref();
        if let Some(colour) = colour.filter(|colour| !colours.insert(*colour)) {
            return Err(wrong(format!("level `{}`", level.id), Flaw::Duplicate(colour.into())));
        }
    }
    if let Some([_, b]) = written.array_windows().find(|[a, b]| a.rank == b.rank) {
        let flaw = Flaw::Duplicate(format!("rank {}", b.rank));
        return Err(wrong(format!("level `{}`", b.id), flaw));
    }
    let names =
        (0..).zip(written).flat_map(|(index, level)| named(index, &level.id, &level.aliases));
    let names = Names::new(names, fold).map_err(|flaw| wrong("its levels", flaw))?;
    let levels = written.iter().map(|level| Level {
        id: level.id.as_str().into(),
        marking: Arc::new(level.marking.clone()),
        short: level.short.as_deref().map(Into::into),
        colour: level.colour.as_deref().map(Into::into),
        obsolete: level.obsolete,
        excluded: Bits::EMPTY,
        required: Box::new([]),
    });
    Ok((levels.collect(), names))
}

type Tags = (Box<[Tag]>, Names, Box<[Value]>);

fn compile_tags(written: &[WrittenTag], fold: bool) -> Result<Tags, PolicyError> {
    let count: usize = written.iter().map(|tag| tag.value.len()).sum();
    if written.len() > TAGS_MAX || count > VALUES_MAX {
        let flaw = Flaw::TooMany(if count > VALUES_MAX { VALUES_MAX } else { TAGS_MAX });
        return Err(wrong("its tags or values", flaw));
    }
    let tag_names = (0..).zip(written).flat_map(|(index, tag)| named(index, &tag.id, &[]));
    let tag_names = Names::new(tag_names, fold).map_err(|flaw| wrong("its tags", flaw))?;
    let (mut tags, mut values) = (Vec::new(), Vec::new());
    for (index, tag) in (0..).zip(written) {
        if tag.value.is_empty() {
            return Err(wrong(format!("tag `{}`", tag.id), Flaw::Empty));
        }
        let first = u8::try_from(values.len()).unwrap_or(u8::MAX);
        let placed: Vec<(u8, &WrittenValue)> = (first..=u8::MAX).zip(&tag.value).collect();
        let names = placed.iter().flat_map(|(i, value)| named(*i, &value.id, &value.aliases));
        let names =
            Names::new(names, fold).map_err(|flaw| wrong(format!("tag `{}`", tag.id), flaw))?;
        tags.push(compile_tag(tag, names, placed.iter().map(|(i, _)| *i).collect()));
        values.extend(tag.value.iter().map(|value| compile_value(value, index)));
    }
    Ok((tags.into(), tag_names, values.into()))
}

fn compile_tag(written: &WrittenTag, names: Names, values: Bits) -> Tag {
    Tag {
        id: written.id.as_str().into(),
        kind: match written.kind {
            WrittenKind::Restrictive => TagKind::Restrictive,
            WrittenKind::Permissive => TagKind::Permissive,
            WrittenKind::Informative => TagKind::Informative,
        },
        prefix: written.marking.clone(),
        separator: written.separator.as_deref().unwrap_or(", ").into(),
        values,
        names,
    }
}

fn compile_value(written: &WrittenValue, tag: u8) -> Value {
    Value {
        id: written.id.as_str().into(),
        marking: written.marking.clone(),
        tag,
        excludes: Bits::EMPTY,
        groups: Bits::EMPTY,
    }
}

fn named<'a>(
    index: u8,
    id: &'a str,
    aliases: &'a [String],
) -> impl Iterator<Item = (&'a str, u8, bool)> {
    let aliases = aliases.iter().map(move |alias| (alias.as_str(), index, true));
    std::iter::once((id, index, false)).chain(aliases)
}

fn of_kind(tags: &[Tag], kind: TagKind) -> impl Iterator<Item = Bits> {
    let wanted = tags.iter().filter(move |tag| tag.kind == kind);
    wanted.map(|tag| tag.values)
}

fn obsolete(written: &[WrittenTag]) -> Bits {
    let values = written.iter().flat_map(|tag| &tag.value);
    let obsolete = (0..=u8::MAX).zip(values).filter(|(_, value)| value.obsolete);
    obsolete.map(|(index, _)| index).collect()
}

/// FNV-1a over id and serial: tells labels of different catalogues apart inside one process.
fn key(id: &str, serial: u64) -> u64 {
    let bytes = id.bytes().chain(serial.to_be_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

// === relations between entries ===

impl Catalogue {
    fn relate(&mut self, written: &[WrittenTag]) -> Result<(), PolicyError> {
        let written: Vec<_> = written
            .iter()
            .flat_map(|tag| tag.value.iter().map(move |value| (tag, value)))
            .collect();
        let mut direct = vec![Bits::EMPTY; written.len()];
        for (index, (tag, value)) in (0..=u8::MAX).zip(&written) {
            let item = format!("value `{}:{}`", tag.id, value.id);
            for level in &value.not_levels {
                let level = self.named_level(&item, level)?;
                if let Some(level) = self.levels.get_mut(usize::from(level)) {
                    level.excluded = level.excluded.or(Bits::one(index));
                }
            }
            for other in &value.excludes {
                let other = self.named_value(&item, other)?;
                self.exclude(index, other);
                self.exclude(other, index);
            }
            for member in &value.members {
                let member = self.named_value(&item, &format!("{}:{member}", tag.id))?;
                if let Some(groups) = direct.get_mut(usize::from(member)) {
                    *groups = groups.or(Bits::one(index));
                }
            }
        }
        self.expand_groups(&direct)
    }

    fn exclude(&mut self, value: u8, other: u8) {
        if let Some(value) = self.values.get_mut(usize::from(value)) {
            value.excludes = value.excludes.or(Bits::one(other));
        }
    }

    /// Every value gets the groups of its groups; a group that meets itself is refused.
    fn expand_groups(&mut self, direct: &[Bits]) -> Result<(), PolicyError> {
        for (index, value) in (0..=u8::MAX).zip(self.values.iter_mut()) {
            let mut groups = direct.get(usize::from(index)).copied().unwrap_or_default();
            loop {
                let wider = groups
                    .iter()
                    .filter_map(|group| direct.get(usize::from(group)))
                    .fold(groups, |all, more| all.or(*more));
                if wider == groups {
                    break;
                }
                groups = wider;
            }
            if groups.has(index) {
                return Err(wrong(format!("value `{}`", value.id), Flaw::Cycle));
            }
            value.groups = groups;
        }
        Ok(())
    }

    fn require(&mut self, written: &[WrittenRequire]) -> Result<(), PolicyError> {
        for require in written {
            let item = format!("requirement of `{}`", require.tag);
            if require.levels.is_empty() {
                return Err(wrong(item, Flaw::Empty));
            }
            let Some((index, tag)) = self.find_tag(&require.tag) else {
                return Err(wrong(item, Flaw::Unknown(require.tag.clone())));
            };
            if tag.values.within(self.obsolete) {
                let flaw = Flaw::Conflict("all values of the required tag are obsolete".into());
                return Err(wrong(item, flaw));
            }
            for level in &require.levels {
                let level = self.named_level(&item, level)?;
                if let Some(level) = self.levels.get_mut(usize::from(level)) {
                    let required = level.required.iter().copied().chain([index]);
                    level.required = required.collect::<BTreeSet<u8>>().into_iter().collect();
                }
            }
        }
        Ok(())
    }

    fn named_level(&self, item: &str, name: &str) -> Result<u8, PolicyError> {
        let found = self.level_names.find(name).map(|found| found.index);
        found.ok_or_else(|| wrong(item, Flaw::Unknown(name.into())))
    }

    fn named_value(&self, item: &str, name: &str) -> Result<u8, PolicyError> {
        let found = self.find_value(name);
        found.ok_or_else(|| wrong(item, Flaw::Unknown(name.into())))
    }
}
