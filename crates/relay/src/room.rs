//! How much room the disk has: when it is looked at, who hears of it, and what the operator is told.

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use kuriiri_engine::{Event, RoomLeft};
use kuriiri_store::{CommitError, Room};
use kuriiri_types::Code;
use tokio::time::Instant;

/// Shortest time between two looks at the disk.
const LOOK: Duration = Duration::from_secs(1);
/// The same while room is short. Whoever was turned away is not let in for a moment only, and what comes and goes
/// at the edge makes few lines.
const LOOK_WHILE_SCARCE: Duration = Duration::from_secs(5);

/// What the loop knows of the room on the disk.
#[derive(Debug)]
pub(crate) struct KnownRoom {
    room: Room,
    /// What the engine was told last.
    told: RoomLeft,
    /// A commit waits for room.
    is_waiting: bool,
    next_look: Instant,
}

impl KnownRoom {
    /// Nothing is known: the first look is due.
    pub(crate) fn new(now: Instant) -> Self {
        Self { room: Room::Plenty, told: RoomLeft::Plenty, is_waiting: false, next_look: now }
    }

    /// Looks at the disk if it is time to; gives what the engine has to hear before anything else.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        measure: impl FnOnce() -> io::Result<Room>,
    ) -> Option<Event> {
        if now >= self.next_look {
            match measure() {
                Ok(room) => self.found(room),
                Err(error) => self.cannot_tell(&error),
            }
            self.put_off(now);
        }
        let left = match self.room {
            Room::Plenty => RoomLeft::Plenty,
            Room::Tight => RoomLeft::Tight,
            Room::Low | Room::Critical => RoomLeft::Scarce,
        };
        (std::mem::replace(&mut self.told, left) != left).then_some(Event::Room(left))
    }

    /// A commit found no room, whatever the disk said before.
    pub(crate) fn ran_out(&mut self, now: Instant, error: &CommitError) {
        self.room = self.room.min(Room::Low);
        self.put_off(now);
        if !self.is_waiting {
            self.is_waiting = true;
            tracing::warn!(
                code = %error.code(), %error,
                "nothing is written and nothing acknowledged until there is room; it is tried every second"
            );
        }
    }

    /// A commit was made.
    pub(crate) fn goes_on(&mut self) {
        if std::mem::take(&mut self.is_waiting) {
            tracing::warn!(room = ?self.room, "what waited for room on the disk is written");
        }
    }

    fn is_scarce(&self) -> bool {
        self.room < Room::Tight
    }

    fn put_off(&mut self, now: Instant) {
        self.next_look = now + if self.is_scarce() { LOOK_WHILE_SCARCE } else { LOOK };
    }

    fn found(&mut self, room: Room) {
        if std::mem::replace(&mut self.room, room) == room {
            return;
        }
        let code = Code::STORE_FULL;
        match room {
            // Whoever read that it had none has to read this too, so it is as loud.
            Room::Plenty => tracing::warn!(?room, "the disk has room again: messages are taken in"),
            Room::Tight => tracing::warn!(
                %code, ?room,
                "the disk is filling up: messages are taken in, but no more from whoever has much waiting here; free some space"
            ),
            Room::Low => tracing::warn!(
                %code, ?room,
                "the disk has little room: nothing is taken in, and what waits goes out; free some space"
            ),
            Room::Critical => tracing::warn!(
                %code, ?room,
                "the disk has hardly any room: nothing is taken in, and what waits goes out while it can; free \
                 some space"
            ),
        }
    }

    /// A quota that is used up shows here first: there is nothing left to measure it with.
    fn cannot_tell(&mut self, error: &io::Error) {
        if self.is_scarce() {
            return;
        }
        self.room = Room::Low;
        let codes = [
            (ErrorKind::StorageFull, Code::STORE_FULL),
            (ErrorKind::QuotaExceeded, Code::STORE_QUOTA),
        ];
        let known = codes.into_iter().find(|(kind, _)| *kind == error.kind());
        let code = known.map_or(Code::STORE_IO, |(_, code)| code);
        tracing::warn!(%code, %error, "the disk does not say how much room it has: nothing is taken in");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the engine hears at a time, in seconds, when the disk says this; nothing if it is not asked.
    struct Clock(Instant, KnownRoom);

    impl Clock {
        fn new() -> Self {
            let start = Instant::now();
            Self(start, KnownRoom::new(start))
        }

        fn at(&mut self, seconds: f64, said: io::Result<Room>) -> (bool, Option<RoomLeft>) {
            let mut asked = false;
            let measure = || {
                asked = true;
                said
            };
            let event = self.1.look(self.0 + Duration::from_secs_f64(seconds), measure);
            let told = event.map(|event| {
                let Event::Room(left) = event else { panic!("{event:?}") };
                left
            });
            (asked, told)
        }
    }

    #[test]
    fn the_disk_is_looked_at_at_most_once_a_second_and_the_engine_hears_of_changes() {
        let mut clock = Clock::new();
        assert_eq!(clock.at(0.0, Ok(Room::Plenty)), (true, None));
        assert_eq!(clock.at(0.9, Ok(Room::Low)), (false, None));
        assert_eq!(clock.at(1.0, Ok(Room::Low)), (true, Some(RoomLeft::Scarce)));
        assert_eq!(clock.at(5.9, Ok(Room::Plenty)), (false, None), "not for a moment only");
        assert_eq!(clock.at(6.0, Ok(Room::Critical)), (true, None), "scarce as before");
        assert_eq!(clock.at(11.0, Ok(Room::Low)), (true, None));
        assert_eq!(clock.at(16.0, Ok(Room::Plenty)), (true, Some(RoomLeft::Plenty)));
        assert_eq!(clock.at(17.0, Ok(Room::Critical)), (true, Some(RoomLeft::Scarce)));
        assert_eq!(clock.at(22.0, Ok(Room::Tight)), (true, Some(RoomLeft::Tight)));
        assert_eq!(clock.at(23.0, Ok(Room::Low)), (true, Some(RoomLeft::Scarce)));
    }

    #[test]
    fn a_commit_without_room_counts_whatever_the_disk_says() {
        let error = || CommitError::NotNow {
            path: "journal".into(),
            source: ErrorKind::QuotaExceeded.into(),
            commit: kuriiri_store::Returned::default(),
        };
        let mut clock = Clock::new();
        assert_eq!(clock.at(0.0, Ok(Room::Plenty)), (true, None));
        clock.1.ran_out(clock.0, &error());
        assert!(clock.1.is_waiting);
        assert_eq!(clock.at(1.0, Ok(Room::Plenty)), (false, Some(RoomLeft::Scarce)));
        clock.1.goes_on();
        assert!(!clock.1.is_waiting);
        assert_eq!(clock.at(4.9, Ok(Room::Plenty)), (false, None));
        assert_eq!(clock.at(5.0, Ok(Room::Plenty)), (true, Some(RoomLeft::Plenty)));
    }

    #[test]
    fn a_disk_that_does_not_answer_has_no_room() {
        let mut clock = Clock::new();
        assert_eq!(
            clock.at(0.0, Err(ErrorKind::QuotaExceeded.into())),
            (true, Some(RoomLeft::Scarce))
        );
        assert_eq!(clock.at(5.0, Err(ErrorKind::QuotaExceeded.into())), (true, None));
        assert_eq!(clock.at(10.0, Ok(Room::Plenty)), (true, Some(RoomLeft::Plenty)));
    }
}
