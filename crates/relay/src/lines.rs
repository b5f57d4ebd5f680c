//! Lines of the log that others can cause: the first is written, those that follow are counted, and once a
//! minute there is one line with their number.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use kuriiri_types::limits::LINE_GIVERS_MAX;

/// What was written of late, and how often it would have been.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<HashMap<(String, &'static str), u64>>);

impl Lines {
    /// Whether a line about this giver is to be written now. If not it is counted.
    ///
    /// Givers beyond a bound are counted together.
    pub(crate) fn is_first(&self, giver: &str, what: &'static str) -> bool {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = lines.len() >= LINE_GIVERS_MAX;
        if let Some(count) = lines.get_mut(&(giver.to_owned(), what)) {
            *count = count.saturating_add(1);
            return false;
        }
        let giver = if is_full { OTHERS } else { giver };
        let count = lines.entry((giver.to_owned(), what)).or_insert(0);
        let is_first = *count == 0 && !is_full;
        if is_full {
            *count = count.saturating_add(1);
        }
        is_first
    }

    /// Writes how many lines were not, and begins to count again. Once a minute.
    pub(crate) fn sum_up(&self) {
        for (giver, what, count) in self.take() {
            tracing::warn!(giver, count, "{what}: as many times more in the last minute");
        }
    }

    fn take(&self) -> Vec<(String, &'static str, u64)> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = std::mem::take(&mut *lines).into_iter();
        let counted = all.filter(|(_, count)| *count > 0);
        counted.map(|((giver, what), count)| (giver, what, count)).collect()
    }
}

/// Stands for all givers that there is no room for.
const OTHERS: &str = "others";

/// The network of an address, /24 or /48: whoever has one has all of it.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_written_and_the_others_are_counted() {
        let lines = Lines::default();
        assert!(lines.is_first("um.example", "turned away"));
        assert!(lines.is_first("um.example", "came in"));
        for _ in 0..5 {
            assert!(!lines.is_first("um.example", "turned away"));
        }
        assert!(lines.is_first("plm.example", "turned away"));
        assert_eq!(lines.take(), [("um.example".into(), "turned away", 5)]);
        assert!(lines.is_first("um.example", "turned away"), "a minute later");
    }

    #[test]
    fn a_thousand_givers_write_no_more_than_there_is_room_for() {
        let lines = Lines::default();
        let all = 0..LINE_GIVERS_MAX + 500;
        let written = all.filter(|giver| lines.is_first(&giver.to_string(), "turned away"));
        assert_eq!(written.count(), LINE_GIVERS_MAX);
        assert_eq!(lines.take(), [("others".into(), "turned away", 500)]);
    }

    #[test]
    fn a_network_is_named_by_its_prefix() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("192.0.2.77"), "192.0.2.0/24");
        assert_eq!(of("::ffff:192.0.2.77"), "192.0.2.0/24");
        assert_eq!(of("2001:db8:1:2::3"), "2001:db8:1::/48");
    }
}
