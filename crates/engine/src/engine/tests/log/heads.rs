//! Both sides of a channel come to the same sum for each minute.

use std::time::Duration;

use kuriiri_types::{ChannelHead, Digest, Direction};

use super::*;
use crate::testing::{NOW, accepted, verified};

/// The heads that the host wrote in its last step.
fn heads(host: &Host) -> Vec<ChannelHead> {
    let heads = host.written().into_iter().filter_map(|entry| {
        let LogEvent::ChannelHeads(heads) = entry.event else { return None };
        Some(heads)
    });
    heads.flatten().collect()
}

/// The time that is left of a minute.
fn rest_of_minute(host: &Host) -> Duration {
    let passed = host.now.as_millis().rem_euclid(60_000);
    Duration::from_millis(u64::try_from(60_000 - passed).unwrap())
}

/// What matters to the other side.
fn sum(head: &ChannelHead) -> (i64, u64, Option<Digest>) {
    (head.minute.as_millis(), head.count, head.root)
}

#[test]
fn sender_and_receiver_sum_up_a_minute_alike() {
    let (mut sender, mut receiver) = (Host::new("sm.example"), Host::new("plm.example"));
    let two = Letter::new(2, SENDER, &[RECIPIENT, "tilanne@plm.example"]);
    sender.submit(&[letter(1), two.clone()]);
    sender.link_up("plm.example", 1);
    receiver.arrive(&["sm.example"], &[two.clone(), letter(1)]);
    // A repeat is no message more.
    let receipts = std::mem::take(&mut receiver.answered);
    assert_eq!(receipts.len(), 1, "one statement about all three");
    receiver.arrive(&["sm.example"], &[letter(1)]);
    let receipts: Vec<_> = receipts.iter().map(verified).collect();
    sender.answer_with("plm.example", (1, 0), vec![accepted(NOW), accepted(NOW)], receipts);

    let almost = rest_of_minute(&receiver) - Duration::from_millis(1);
    receiver.pass(almost);
    assert_eq!(heads(&receiver), []);
    receiver.pass(Duration::from_millis(1));
    let [came] = heads(&receiver).try_into().unwrap();
    assert_eq!((came.peer.as_str(), came.direction, came.count), ("sm.example", Direction::In, 3));
    assert_eq!((came.next, came.root.is_some()), (1, true));

    sender.pass(Duration::from_millis(119_999));
    assert_eq!(heads(&sender), []);
    sender.pass(Duration::from_millis(1));
    let [went] = heads(&sender).try_into().unwrap();
    assert_eq!((went.peer.as_str(), went.direction, went.next), ("plm.example", Direction::Out, 1));
    assert_eq!(sum(&went), sum(&came));
    // Nothing passes any more, and nothing is written.
    for host in [&mut sender, &mut receiver] {
        host.pass(Duration::from_secs(600));
        assert_eq!(heads(host), []);
    }
}

/// A hub's log tells of both of its neighbours.
#[test]
fn a_message_in_transit_is_summed_up_on_both_sides_of_the_hub() {
    let (mut hub, mut receiver) = (Host::new("verkko.example"), Host::new("um.example"));
    let far = Letter::new(1, "kirjaamo@plm.example", &["kirjaamo@um.example"]);
    hub.step(vec![arrived(&["plm.example"], &far, "um.example")]);
    hub.link_up("um.example", 1);
    receiver.step(vec![arrived(&["plm.example", "verkko.example"], &far, "um.example")]);
    let receipts = receiver.answered.iter().map(verified).collect();
    hub.answer_with("um.example", (1, 0), vec![accepted(NOW)], receipts);
    receiver.pass(rest_of_minute(&receiver));
    let [came] = heads(&receiver).try_into().unwrap();
    assert_eq!((came.peer.as_str(), came.count), ("verkko.example", 1));
    hub.pass(rest_of_minute(&hub));
    let [through] = heads(&hub).try_into().unwrap();
    assert_eq!((through.peer.as_str(), through.direction), ("plm.example", Direction::In));
    hub.pass(Duration::from_secs(120));
    let [went] = heads(&hub).try_into().unwrap();
    assert_eq!((went.peer.as_str(), went.direction), ("um.example", Direction::Out));
    assert_eq!(sum(&went), sum(&came));
}
