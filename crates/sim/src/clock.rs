//! Virtual time: what is planned, and when.

use std::{collections::BTreeMap, time::Duration};

use kuriiri_types::Timestamp;

/// When every world begins: within the time of the example catalogues and certificates.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// What is going to happen, in order of time; what is planned first for a moment comes first.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    now: Timestamp,
    serial: u64,
    planned: BTreeMap<(Timestamp, u64), T>,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Self {
        Self { now: BEGINNING, serial: 0, planned: BTreeMap::new() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Plans something at a time; what is planned for the past comes next.
    pub(crate) fn at(&mut self, time: Timestamp, what: T) {
        self.serial = self.serial.saturating_add(1);
        self.planned.insert((time.max(self.now), self.serial), what);
    }

    /// Plans something so many milliseconds from now.
    pub(crate) fn after(&mut self, millis: u64, what: T) {
        self.at(self.now.after(Duration::from_millis(millis)), what);
    }

    /// Goes on to what comes next, but not beyond a time.
    pub(crate) fn next_until(&mut self, limit: Timestamp) -> Option<T> {
        let next = self.planned.first_entry().filter(|entry| entry.key().0 <= limit)?;
        let ((time, _), what) = next.remove_entry();
        self.now = time;
        Some(what)
    }

    /// Lets time pass in which nothing happens.
    pub(crate) fn sleep_until(&mut self, time: Timestamp) {
        self.now = self.now.max(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_happen_in_order_and_not_before_their_time() {
        let mut agenda = Agenda::new();
        agenda.after(5, "third");
        agenda.after(0, "first");
        agenda.after(0, "second");
        let soon = BEGINNING.after(Duration::from_millis(4));
        assert_eq!(agenda.next_until(soon), Some("first"));
        assert_eq!(agenda.next_until(soon), Some("second"));
        assert_eq!(agenda.next_until(soon), None);
        let late = soon.after(Duration::from_secs(1));
        assert_eq!(agenda.next_until(late), Some("third"));
        assert_eq!(agenda.now().since(BEGINNING), Duration::from_millis(5));
    }
}
