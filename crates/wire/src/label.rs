//! Labels as written.

use kuriiri_types::{
    Category, Timestamp, WireLabel,
    limits::{LABEL_CATEGORIES_MAX, LABEL_VALUES_MAX, PRIVACY_MARK_BYTES_MAX},
};

use crate::{
    error::Flaw,
    field, proto,
    shape::{Field, Shape},
};

static CATEGORY: Shape = Shape::new("Category", &[Field::plain("values", 2, LABEL_VALUES_MAX)]);
static SUCCESSION: Shape = Shape::new("Succession", &[Field::one("label", 2, &SUCCESSOR)]);
/// A successor has no successor, so the walk over a label has an end.
static SUCCESSOR: Shape = Shape::new("Label", &[CATEGORIES, Field::none("succession", 4)]);
pub(crate) static LABEL: Shape =
    Shape::new("Label", &[CATEGORIES, Field::one("succession", 4, &SUCCESSION)]);
const CATEGORIES: Field = Field::many("categories", 3, LABEL_CATEGORIES_MAX, &CATEGORY);

pub(crate) fn write(label: &WireLabel) -> proto::Label {
    proto::Label {
        policy: label.policy.clone(),
        level: label.level.clone(),
        categories: label.categories.iter().map(write_category).collect(),
        succession: label.succession.as_deref().map(|(at, next)| {
            Box::new(proto::Succession { at: at.as_millis(), label: Some(Box::new(write(next))) })
        }),
        review_at: label.review_at.map(Timestamp::as_millis),
        privacy_mark: label.privacy_mark.clone(),
    }
}

pub(crate) fn read(wire: proto::Label) -> Result<WireLabel, Flaw> {
    let label = read_unchecked(wire)?;
    check(&label)?;
    Ok(label)
}

/// Holds a label against the rules of the format.
pub(crate) fn check(label: &WireLabel) -> Result<(), Flaw> {
    let check_mark = |mark: &str| field::check_line("privacy_mark", PRIVACY_MARK_BYTES_MAX, mark);
    check_mark(&label.privacy_mark)?;
    if let Some((_, next)) = label.succession.as_deref() {
        check_mark(&next.privacy_mark)?;
    }
    Ok(label.check()?)
}

fn write_category(category: &Category) -> proto::Category {
    proto::Category { tag: category.tag.clone(), values: category.values.clone() }
}

/// What is written, whatever it is.
pub(crate) fn read_unchecked(wire: proto::Label) -> Result<WireLabel, Flaw> {
    let succession = wire.succession.map(|s| read_succession(*s)).transpose()?;
    let category = |c: proto::Category| Category { tag: c.tag, values: c.values };
    Ok(WireLabel {
        policy: wire.policy,
        level: wire.level,
        categories: wire.categories.into_iter().map(category).collect(),
        succession: succession.map(Box::new),
        review_at: field::maybe_time(wire.review_at),
        privacy_mark: wire.privacy_mark,
    })
}

fn read_succession(wire: proto::Succession) -> Result<(Timestamp, WireLabel), Flaw> {
    let next = field::present("succession.label", wire.label)?;
    Ok((Timestamp::from_millis(wire.at), read_unchecked(*next)?))
}
