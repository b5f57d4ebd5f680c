//! The few shapes of DER (X.690 §10) in which a revocation list says which one it is.
//!
//! Only what [`webpki`] has taken for a list comes here, so this reads and judges nothing.

use kuriiri_types::Timestamp;
use time::{Date, Month};

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
/// The first field of a sequence that is tagged by its place.
pub(crate) const CONTEXT_0: u8 = 0xa0;

/// Values one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a>(&'a [u8]);

/// One value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    /// Tag, length and content.
    pub(crate) whole: &'a [u8],
    pub(crate) content: &'a [u8],
}

impl<'a> Values<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next value, if it has this tag; else it stays the next one.
    pub(crate) fn want(&mut self, tag: u8) -> Option<Value<'a>> {
        let (value, rest) = Value::first(self.0).filter(|(value, _)| value.tag == tag)?;
        self.0 = rest;
        Some(value)
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    /// The next value; none where the rest is no value, or nothing.
    fn next(&mut self) -> Option<Value<'a>> {
        let (value, rest) = Value::first(self.0)?;
        self.0 = rest;
        Some(value)
    }
}

impl<'a> Value<'a> {
    /// The first value and what is behind it.
    fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&[tag, length], rest) = bytes.split_first_chunk::<2>()?;
        let (length, rest) = match length {
            0..=0x7f => (usize::from(length), rest),
            // A list of four gigabytes is read by nobody.
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
                (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let whole = bytes.get(..bytes.len().checked_sub(rest.len())?)?;
        Some((Self { tag, whole, content }, rest))
    }

    /// What is in it.
    pub(crate) fn values(&self) -> Values<'a> {
        Values(self.content)
    }

    /// The moment that it says, as certificates write moments (RFC 5280 §4.1.2.5).
    pub(crate) fn time(&self) -> Option<Timestamp> {
        let text = str::from_utf8(self.content).ok()?.strip_suffix('Z')?;
        let (year, rest) = match self.tag {
            UTC_TIME => {
                let (year, rest) = number(text, 2)?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            GENERALIZED_TIME => number(text, 4)?,
            _ => return None,
        };
        let (month, rest) = number(rest, 2)?;
        let (day, rest) = number(rest, 2)?;
        let (hour, rest) = number(rest, 2)?;
        let (minute, rest) = number(rest, 2)?;
        let (second, rest) = number(rest, 2)?;
        if !rest.is_empty() {
            return None;
        }
        let small = |number: u16| u8::try_from(number).ok();
        let month = Month::try_from(small(month)?).ok()?;
        let date = Date::from_calendar_date(year.into(), month, small(day)?).ok()?;
        let at = date.with_hms(small(hour)?, small(minute)?, small(second)?).ok()?;
        Some(Timestamp::from_millis(at.assume_utc().unix_timestamp().checked_mul(1000)?))
    }
}

/// A number of so many digits, and what is behind it.
fn number(text: &str, digits: usize) -> Option<(u16, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    let all = number.bytes().all(|digit| digit.is_ascii_digit());
    all.then(|| number.parse().ok()).flatten().map(|number| (number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_turn_and_never_beyond_their_end() {
        let bytes = [0x30, 5, 0x02, 1, 7, 0x04, 0, 0x02, 0x81, 1, 9, 0x02, 2, 1];
        let mut all = Values::of(&bytes);
        assert!(all.want(INTEGER).is_none());
        let sequence = all.want(SEQUENCE).unwrap();
        assert_eq!(sequence.whole, &bytes[..7]);
        let inside: Vec<_> = sequence.values().map(|value| (value.tag, value.content)).collect();
        assert_eq!(inside, [(INTEGER, &[7][..]), (OCTET_STRING, &[])]);
        assert_eq!(all.want(INTEGER).unwrap().content, [9]);
        assert!(all.next().is_none(), "it is cut short");
        for bytes in [&[][..], &[0x30], &[0x30, 0x80, 0, 0], &[0x30, 0x85, 0, 0, 0, 0, 1, 0]] {
            assert!(Values::of(bytes).next().is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn moments_are_read_as_certificates_write_them() {
        let time = |tag, text: &'static str| {
            Value { tag, whole: &[], content: text.as_bytes() }.time().map(|at| at.to_string())
        };
        assert_eq!(time(UTC_TIME, "261118110640Z").unwrap(), "2026-11-18T11:06:40Z");
        assert_eq!(time(UTC_TIME, "500101000000Z").unwrap(), "1950-01-01T00:00:00Z");
        assert_eq!(time(GENERALIZED_TIME, "20510228235959Z").unwrap(), "2051-02-28T23:59:59Z");
        for (tag, text) in [
            (UTC_TIME, "261118110640"),
            (UTC_TIME, "20261118110640Z"),
            (UTC_TIME, "26111811064+Z"),
            (GENERALIZED_TIME, "20510229235959Z"),
            (INTEGER, "261118110640Z"),
        ] {
            assert_eq!(time(tag, text), None, "{text}");
        }
    }
}
