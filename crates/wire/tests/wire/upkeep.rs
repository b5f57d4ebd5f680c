//! Entries about the log itself: sums of channels, and what left it.

use kuriiri_types::{limits::CHANNEL_HEADS_MAX, *};

use crate::{
    entries::{broken, officer, with},
    limits::over,
    sample,
};

fn sum() -> ChannelHead {
    ChannelHead {
        peer: "um.example".parse().unwrap(),
        direction: Direction::Out,
        minute: Timestamp::from_millis(60_000),
        count: 1,
        root: None,
        next: 7,
        last: Digest([9; 32]),
    }
}

#[test]
fn sums_of_channels_have_messages_and_are_not_too_many() {
    let heads = |count: usize| with(LogEvent::ChannelHeads(vec![sum(); count]));
    assert!(heads(1).is_ok() && heads(CHANNEL_HEADS_MAX).is_ok());
    broken(heads(0), "`heads` is missing");
    over(heads(CHANNEL_HEADS_MAX + 1));
    let empty = ChannelHead { count: 0, ..sum() };
    broken(with(LogEvent::ChannelHeads(vec![empty])), "at least 1");
}

#[test]
fn headers_leave_a_log_by_their_time_or_by_order() {
    let by = officer();
    let pruned = |until, headers| {
        let until = Timestamp::from_millis(until);
        LogEvent::Pruned { until, headers, by: by.clone(), basis: "laki".into() }
    };
    let erased = |header| {
        let subject = Digest([8; 32]);
        LogEvent::Erased { subject, header, by: by.clone(), basis: "laki".into() }
    };
    for event in [pruned(0, 0), pruned(-1, u64::MAX), erased(false), erased(true)] {
        assert_eq!(with(event.clone()), Ok(sample::entry(event)));
    }
}
