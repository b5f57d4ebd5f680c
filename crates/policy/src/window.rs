//! Hours of the week in which a message may leave.

use std::{fmt, str::FromStr};

use kuriiri_types::Timestamp;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY_MILLIS: i64 = 86_400_000;
const EVERY_DAY: u8 = 0b111_1111;
const DAY_MINUTES: u16 = 24 * 60;

/// One span such as `Mon-Fri 08:00-16:00`, in UTC. The end is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// One bit per weekday, Monday first.
    days: u8,
    from: u16,
    to: u16,
}

impl Window {
    pub(crate) fn is_open(self, now: Timestamp) -> bool {
        // 1970-01-01 was a Thursday, three days after a Monday.
        let day = (now.as_millis().div_euclid(DAY_MILLIS) + 3).rem_euclid(7);
        let minute = now.as_millis().rem_euclid(DAY_MILLIS) / 60_000;
        let on_day = (i64::from(self.days) >> day) & 1 == 1;
        on_day && (i64::from(self.from)..i64::from(self.to)).contains(&minute)
    }
}

/// As in the rules.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on: Vec<&str> =
            (0..).zip(DAYS).filter(|(d, _)| self.days >> d & 1 == 1).map(|(_, n)| n).collect();
        match on.as_slice() {
            _ if self.days == EVERY_DAY => {}
            [day] => write!(f, "{day} ")?,
            [first, .., last] => write!(f, "{first}-{last} ")?,
            [] => {}
        }
        let minute = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(f, "{}-{}", minute(self.from), minute(self.to))
    }
}

/// The text is not a span of hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotAWindow(String);

impl fmt::Display for NotAWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        write!(f, "`{text}` is not a window; write it like Mon-Fri 08:00-16:00, in UTC, ")?;
        f.write_str("and one that passes midnight as two")
    }
}

impl FromStr for Window {
    type Err = NotAWindow;

    fn from_str(text: &str) -> Result<Self, NotAWindow> {
        parse(text).ok_or_else(|| NotAWindow(text.into()))
    }
}

fn parse(text: &str) -> Option<Window> {
    let (days, hours) = match text.split_once(' ') {
        Some((days, hours)) => (parse_days(days)?, hours),
        None => (EVERY_DAY, text),
    };
    let (from, to) = hours.split_once('-')?;
    let (from, to) = (parse_minute(from)?, parse_minute(to)?);
    (from < to).then_some(Window { days, from, to })
}

fn parse_days(text: &str) -> Option<u8> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let place = |day: &str| DAYS.iter().position(|name| *name == day);
    let (first, last) = (place(first)?, place(last)?);
    (first <= last).then(|| (first..=last).fold(0, |days, day| days | 1 << day))
}

fn parse_minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY_MINUTES).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_from_the_first_minute_and_closed_at_the_end() {
        let window: Window = "Mon-Fri 08:00-16:00".parse().unwrap();
        let monday = 1_794_787_200_000; // 2026-11-16T00:00:00Z
        let open = |minutes: i64| window.is_open(Timestamp::from_millis(monday + minutes * 60_000));
        assert!(!open(8 * 60 - 1));
        assert!(open(8 * 60));
        assert!(open(4 * 24 * 60 + 16 * 60 - 1));
        assert!(!open(16 * 60));
        assert!(!open(5 * 24 * 60 + 9 * 60));
        assert!(!open(-24 * 60 + 9 * 60));
        assert!("00:00-24:00".parse::<Window>().unwrap().is_open(Timestamp::from_millis(-1)));
    }

    #[test]
    fn other_spellings_are_refused() {
        for bad in [
            "",
            "8:00-16:00",
            "16:00-08:00",
            "08:00-24:01",
            "08:00-08:00",
            "Fri-Mon 08:00-16:00",
            "mon 08:00-16:00",
            "08:60-09:00",
            "08:00",
            "+8:00-16:00",
        ] {
            assert!(bad.parse::<Window>().is_err(), "{bad}");
        }
    }
}
