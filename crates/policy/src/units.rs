//! Quantities as people write them: `64 MiB`, `72 h`, `10/min`.

use std::time::Duration;

use serde::Deserialize;

/// A number of bytes, written with B, KiB, MiB or GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Size(pub(crate) u64);

/// A length of time, written with s, min, h or d.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Span(pub(crate) Duration);

/// Messages per hour, written per s, min or h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Rate(pub(crate) u64);

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let factor = |unit: &str| match unit {
            "B" => Some(1),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            "GiB" => Some(1 << 30),
            _ => None,
        };
        quantity(&text, ' ', factor).map(Self).ok_or_else(|| {
            format!("`{text}` is not a size; write it like 64 MiB (B, KiB, MiB, GiB)")
        })
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let factor = |unit: &str| match unit {
            "s" => Some(1),
            "min" => Some(60),
            "h" => Some(3600),
            "d" => Some(24 * 3600),
            _ => None,
        };
        quantity(&text, ' ', factor).map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(
            || format!("`{text}` is not a length of time; write it like 72 h (s, min, h, d)"),
        )
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let factor = |unit: &str| match unit {
            "s" => Some(3600),
            "min" => Some(60),
            "h" => Some(1),
            _ => None,
        };
        quantity(&text, '/', factor)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a rate; write it like 10/min (s, min, h)"))
    }
}

/// A whole number, the mark and a unit; nothing when it is not that or does not fit.
fn quantity(text: &str, mark: char, factor: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let (number, unit) = text.split_once(mark)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(factor(unit)?)
}

/// A number of bytes in the largest unit that divides it.
pub(crate) fn bytes(size: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let fits = units.into_iter().find(|(unit, _)| size > 0 && size.is_multiple_of(*unit));
    let (unit, name) = fits.unwrap_or((1, "B"));
    format!("{} {name}", size / unit)
}

/// A number of seconds in the largest unit that divides it.
pub(crate) fn span(seconds: u64) -> String {
    let units = [(24 * 3600, "d"), (3600, "h"), (60, "min")];
    let fits = units.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    let (unit, name) = fits.unwrap_or((1, "s"));
    format!("{} {name}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_each() {
        assert_eq!(Size::try_from("64 MiB".to_owned()), Ok(Size(67_108_864)));
        let days = Span(Duration::from_secs(604_800));
        assert_eq!(Span::try_from("7 d".to_owned()), Ok(days));
        assert_eq!(Rate::try_from("10/min".to_owned()), Ok(Rate(600)));
        for bad in [
            "64",
            "64MiB",
            "64 MB",
            " 64 MiB",
            "-1 B",
            "+1 B",
            "1.5 MiB",
            "64  MiB",
            "",
            "18446744073709551615 KiB",
        ] {
            assert!(Size::try_from(bad.to_owned()).is_err(), "{bad}");
            assert!(Span::try_from(bad.to_owned()).is_err(), "{bad}");
            assert!(Rate::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
