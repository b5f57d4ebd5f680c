//! What logs sum up of their minutes: held against their own entries, and compared between two logs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use kuriiri_types::{ChannelHead, Digest, LogEvent, Timestamp};
use serde_json::Value;
use support::{Author, Bench, Cast, Send, classes, exchange, exchange_with_heads};

fn pair(cast: &Cast) -> (Author<'_>, Author<'_>) {
    (Author::start(cast, "sm"), Author::start(cast, "plm"))
}

/// What the comparison says of minutes; both logs are good.
fn minutes(cast: &Cast, a: &Author<'_>, b: &Author<'_>) -> Value {
    let bench = Bench::new(cast, &[], 0);
    let (one, two) = (bench.write(a, &[]), bench.write(b, &[]));
    bench.log(&one, &[]).is_good();
    bench.log(&two, &[]).is_good();
    let html = bench.folder("page.html");
    let args = ["reconcile", one.to_str().unwrap(), two.to_str().unwrap()];
    let report = bench.run(&[&args[..], &["--html", html.to_str().unwrap()]].concat());
    report.is_good();
    let minutes = report.json["reconcile"]["minutes"].clone();
    let page = std::fs::read_to_string(html).unwrap();
    let said = format!("{} of {}", minutes["agreed_by_heads"], minutes["with_heads"]);
    assert!(page.contains("By the sums of both logs") && page.contains(&said), "{page}");
    let policy = bench.policy().to_str().unwrap();
    let (_, text) = support::run(&[&args[..], &["--policy", policy]].concat());
    assert!(text.contains(&format!("{said} with sums in both logs")), "{text}");
    minutes
}

fn boot(author: &mut Author<'_>) {
    author.boot += 1;
    author.append(vec![], LogEvent::Booted { software: "test".into() });
}

#[test]
fn minutes_that_are_summed_up_the_same_agree_without_an_entry() {
    let cast = Cast::new();
    let (mut a, mut b) = pair(&cast);
    exchange_with_heads(&mut a, &mut b, 0..20);
    let bench = Bench::new(&cast, &[], 0);
    let report = bench.log(&bench.write(&b, &[]), &[]);
    report.is_good();
    assert_eq!(report.done("heads"), 4);
    assert_eq!(report.json["log"]["kinds"]["CHANNEL_HEADS"], 4);
    let minutes = minutes(&cast, &a, &b);
    assert_eq!((&minutes["compared"], &minutes["agreed"]), (&4.into(), &4.into()));
    assert_eq!((&minutes["with_heads"], &minutes["agreed_by_heads"]), (&4.into(), &4.into()));
    assert_eq!(minutes["by_entries"], 0);
}

#[test]
fn every_message_of_a_statement_is_summed_up() {
    let cast = Cast::new();
    let (mut a, mut b) = classes(&cast, &[0, 10]);
    for author in [&mut a, &mut b] {
        author.sum_up_all();
        let Some(LogEvent::ChannelHeads(heads)) = author.entries.last().map(|e| &e.event) else {
            panic!("nothing was summed up");
        };
        assert_eq!(heads.iter().map(|head| head.count).collect::<Vec<_>>(), [5, 5]);
    }
    let minutes = minutes(&cast, &a, &b);
    assert_eq!((&minutes["compared"], &minutes["agreed_by_heads"]), (&2.into(), &2.into()));
}

#[test]
fn several_sums_of_a_minute_or_none_leave_it_to_the_entries() {
    let cast = Cast::new();
    let (mut a, mut b) = pair(&cast);
    for n in 0..8 {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", n));
        // One side sums up again what comes late, and the other forgets a minute.
        if n == 3 {
            let heads = a.heads(Timestamp::from_millis(i64::MAX));
            a.append(vec![], LogEvent::ChannelHeads(heads));
        }
    }
    a.sum_up_all();
    let forgotten = b.passed[0].0;
    b.passed.retain(|(minute, ..)| *minute != forgotten);
    b.sum_up_all();
    let minutes = minutes(&cast, &a, &b);
    assert_eq!((&minutes["compared"], &minutes["agreed"]), (&2.into(), &2.into()), "{minutes}");
    assert_eq!((&minutes["with_heads"], &minutes["agreed_by_heads"]), (&1.into(), &0.into()));
    assert_eq!(minutes["by_entries"], 2);
}

#[test]
fn a_relay_that_starts_sums_up_what_came_since() {
    for forgets in [true, false] {
        let cast = Cast::new();
        let (mut a, mut b) = pair(&cast);
        exchange(&mut a, &mut b, &Send::new("sm", "plm", 0));
        boot(&mut b);
        if forgets {
            b.passed.clear();
        }
        // The first of them is of the same minute.
        exchange_with_heads(&mut a, &mut b, 1..12);
        let minutes = minutes(&cast, &a, &b);
        let differ = u64::from(forgets);
        assert_eq!(minutes["by_entries"], differ, "{minutes}");
        assert_eq!(minutes["agreed"], minutes["compared"], "{minutes}");
    }
}

#[test]
fn what_a_hub_hands_on_of_others_is_not_summed_up() {
    let cast = Cast::new();
    let (mut a, mut hub) = (Author::start(&cast, "sm"), Author::start(&cast, "hub"));
    let mut um = Author::start(&cast, "um");
    let (send, signer) = (Send::new("sm", "um", 0), &cast.member("sm").system);
    let envelope = send.envelope(&cast, signer);
    a.submit(&send, Some(&hub.home.clone()));
    let path = [a.home.clone(), hub.home.clone()];
    let way = (signer, &path[..1], Some(&um.home.clone()));
    let there = hub.arrive(&send, &envelope, way);
    a.hear(&hub.home, hub.proven(there));
    um.at = hub.at;
    let there = um.arrive(&send, &envelope, (signer, &path, None));
    hub.hear(&um.home, um.proven(there));
    a.hear(&hub.home, um.proven(there));
    for author in [&mut a, &mut hub, &mut um] {
        author.sum_up_all();
    }
    for (one, two, compared) in [(&a, &hub, 1), (&hub, &um, 1), (&a, &um, 0)] {
        let minutes = minutes(&cast, one, two);
        assert_eq!(minutes["compared"], compared, "{minutes}");
        assert_eq!(minutes["agreed_by_heads"], compared, "{minutes}");
    }
}

#[test]
fn a_relay_does_not_forget_without_a_start() {
    let cast = Cast::new();
    let (mut a, mut b) = pair(&cast);
    boot(&mut b);
    exchange(&mut a, &mut b, &Send::new("sm", "plm", 0));
    b.passed.clear();
    exchange(&mut a, &mut b, &Send::new("sm", "plm", 1));
    b.sum_up_all();
    let bench = Bench::new(&cast, &[], 0);
    let report = bench.log(&bench.write(&b, &[]), &[]);
    report.finds("heads", "1 messages from sm.example");
    report.finds("heads", "its entries tell of 2");
}

/// A log of each side with one sum that is not so.
fn lie(words: &str, change: impl Fn(&mut ChannelHead)) {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = pair(&cast);
    exchange_with_heads(&mut a, &mut b, 0..5);
    exchange(&mut a, &mut b, &Send::new("sm", "plm", 40));
    exchange(&mut a, &mut b, &Send::new("sm", "plm", 41));
    for author in [&mut a, &mut b] {
        let mut heads = author.heads(Timestamp::from_millis(i64::MAX));
        heads.iter_mut().for_each(&change);
        author.append(vec![], LogEvent::ChannelHeads(heads));
        let report = bench.log(&bench.write(author, &[]), &[]);
        report.finds("heads", words);
        assert_eq!(report.faults("heads"), 1, "{}", report.text);
        assert!(report.text.contains(&format!(r#""against":"{}""#, author.home)));
    }
    // The comparison sees it too.
    let (one, two) = (bench.write(&a, &[]), bench.write(&b, &[]));
    let report = bench.run(&["reconcile", one.to_str().unwrap(), two.to_str().unwrap()]);
    report.finds("heads", words);
    assert_eq!(report.faults("heads"), 2, "{}", report.text);
}

#[test]
fn sums_that_are_not_those_of_the_entries_are_found() {
    lie("and its entries tell of 2", |head| head.count += 1);
    lie("and its entries tell of 2", |head| head.count -= 1);
    lie("are not those that its entries tell of", |head| head.root = Some(Digest([1; 32])));
    lie("goes on with number", |head| head.next += 1);
    lie("ends at another entry", |head| head.last = Digest([1; 32]));
}

#[test]
fn messages_of_another_minute_or_peer_or_way_or_summed_up_before_are_found() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = pair(&cast);
    exchange(&mut a, &mut b, &Send::new("sm", "plm", 0));
    let head = b.heads(Timestamp::from_millis(i64::MAX)).remove(0);
    let found = |heads: Vec<ChannelHead>, words: &str| {
        let mut b = b.rewritten(|_| {});
        b.append(vec![], LogEvent::ChannelHeads(heads));
        bench.log(&bench.write(&b, &[]), &[]).finds("heads", words);
    };
    let minute = Timestamp::from_millis(head.minute.as_millis() - 60_000);
    found(vec![ChannelHead { minute, ..head.clone() }], "tell of 0");
    let peer = "um.example".parse().unwrap();
    found(vec![ChannelHead { peer, ..head.clone() }], "tell of 0");
    let direction = kuriiri_types::Direction::Out;
    found(vec![ChannelHead { direction, ..head.clone() }], "tell of 0");
    found(vec![head.clone(), head.clone()], "tell of 0");
}
