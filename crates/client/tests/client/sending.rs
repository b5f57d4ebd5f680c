//! Batches, their order, and what becomes of every message in them.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use kuriiri_client::{Accepted, SendError, limits::LANE_MESSAGES_MAX};
use kuriiri_types::{
    Code, Lane, Precedence, Refusal, Timestamp, Verdict,
    limits::{BATCH_MESSAGES_MAX, BATCHES_IN_FLIGHT_MAX, BODY_BYTES_MAX},
};
use kuriiri_wire::client::Reply;
use tokio::sync::oneshot;

use crate::{
    relay::{Submitting, accepted},
    world::{World, both, draft, soon},
};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| n.to_string()).collect()
}

fn subjects(submissions: &[Submitting]) -> Vec<String> {
    submissions.iter().flat_map(Submitting::subjects).collect()
}

type Sent = Result<Accepted, SendError>;

#[tokio::test]
async fn drafts_that_wait_together_travel_together_and_in_order() {
    let (world, mut relay, client) = World::connected().await;
    let sending = client.send_many((0..300).map(draft));
    let relaying = async {
        // Nothing is answered before all are there, and then the last first.
        let submissions = relay.submissions(300_usize.div_ceil(BATCH_MESSAGES_MAX)).await;
        assert_eq!(subjects(&submissions), names(300));
        for (number, Submitting { submission, .. }) in (0..).zip(&submissions) {
            assert_eq!((submission.number, submission.epoch), (number, 0));
            assert_eq!(submission.lane, Lane::Messages(Precedence::Routine));
            assert_eq!(submission.parts.len(), 1, "signed one by one");
            assert!(submission.parts[0].signed.proof.is_empty(), "some went another way");
        }
        for submitting in submissions.into_iter().rev() {
            submitting.accept(&world.sm.log).await;
        }
    };
    let (sent, ()) = both(sending, relaying).await;
    assert_eq!(sent.len(), 300);
    // They are kept, so that none can take the place of another.
    let (mut shared, mut kept) = (HashSet::new(), Vec::new());
    for (name, sent) in sent.into_iter().enumerate() {
        let Accepted { header, recipients, repeat, receipts, .. } = sent.unwrap();
        assert_eq!((repeat, receipts.len()), (false, 1), "{name}");
        assert!(receipts[0].receipt().is_about(header, &recipients[0]), "{name}");
        shared.insert(Arc::as_ptr(&receipts[0]));
        kept.extend(receipts);
    }
    assert_eq!(shared.len(), 300_usize.div_ceil(BATCH_MESSAGES_MAX), "one for each batch");
}

#[tokio::test]
async fn no_more_batches_are_under_way_than_agreed() {
    let (world, mut relay, client) = World::connected().await;
    let batches = BATCHES_IN_FLIGHT_MAX * 3;
    let sending = client.send_many((0..batches * BATCH_MESSAGES_MAX).map(draft));
    let relaying = async {
        let mut held = relay.submissions(BATCHES_IN_FLIGHT_MAX).await;
        let mut seen = held.len();
        while !held.is_empty() {
            held.remove(0).accept(&world.sm.log).await;
            if seen < batches {
                held.push(relay.submission().await);
                seen += 1;
            }
            let highest = held.iter().map(|held| held.submission.number).max();
            assert!(held.len() <= BATCHES_IN_FLIGHT_MAX, "{highest:?}");
        }
        assert!(relay.is_idle());
    };
    let (sent, ()) = both(sending, relaying).await;
    assert!(sent.iter().all(Result::is_ok));
}

#[tokio::test]
async fn every_message_gets_its_own_verdict() {
    let (world, mut relay, client) = World::connected().await;
    let sending = client.send_many((0..3).map(draft));
    let relaying = async {
        let at = Timestamp::from_millis(42);
        let refusal = Refusal { code: Code::UNKNOWN_RECIPIENT, reasons: vec!["who?".into()] };
        let verdicts = vec![
            Verdict::Accepted { at, repeat: true },
            Verdict::Refused(refusal),
            Verdict::Accepted { at, repeat: false },
        ];
        relay.submission().await.judge(&world.sm.log, verdicts).await;
    };
    let (sent, ()) = both(sending, relaying).await;
    let [first, second, third]: [Sent; 3] = sent.try_into().unwrap();
    let first = first.unwrap();
    assert_eq!((first.repeat, first.at.as_millis()), (true, 42));
    assert!(!third.unwrap().repeat);
    let refused = second.unwrap_err();
    assert_eq!((refused.code(), refused.reasons()), (Code::UNKNOWN_RECIPIENT, vec!["who?".into()]));
    assert!(refused.to_string().contains("who?"));
    assert_eq!(refused.receipts()[0].receipt().code, Some(Code::UNKNOWN_RECIPIENT));
}

#[tokio::test]
async fn a_refused_batch_is_refused_message_by_message() {
    let (_world, mut relay, client) = World::connected().await;
    let sending = client.send_many((0..2).map(draft));
    let relaying = async {
        let refusal = Refusal::bare(Code::INTERNAL);
        relay.submission().await.reply(Reply::Refused(refusal)).await;
    };
    let (sent, ()) = both(sending, relaying).await;
    assert!(sent.iter().all(|sent| sent.as_ref().unwrap_err().code() == Code::INTERNAL));
}

#[tokio::test]
async fn after_busy_all_goes_again_in_order_in_a_new_epoch() {
    let (world, mut relay, client) = World::connected().await;
    let count = 2 * BATCH_MESSAGES_MAX + 32;
    let sending = client.send_many((0..count).map(draft));
    let relaying = async {
        let log = &world.sm.log;
        let mut first = relay.submissions(3).await;
        let envelopes: Vec<_> =
            first.iter().flat_map(Submitting::messages).skip(10).cloned().collect();
        // The last is answered first; only the first ten of all were taken.
        for submitting in first.drain(1..).rev() {
            let busy = vec![Verdict::Busy; submitting.messages().count()];
            submitting.judge(log, busy).await;
        }
        let some: Vec<_> = (0..BATCH_MESSAGES_MAX)
            .map(|n| if n < 10 { accepted() } else { Verdict::Busy })
            .collect();
        first.remove(0).judge(log, some).await;

        let again = relay.submissions(3).await;
        assert_eq!(subjects(&again), names(count)[10..]);
        let numbers: Vec<_> =
            again.iter().map(|s| (s.submission.epoch, s.submission.number)).collect();
        assert_eq!(numbers, [(1, 3), (1, 4), (1, 5)]);
        let messages: Vec<_> = again.iter().flat_map(Submitting::messages).cloned().collect();
        assert_eq!(messages, envelopes, "other bytes than the first time");
        for submitting in again {
            submitting.accept(log).await;
        }
    };
    let (sent, ()) = both(sending, relaying).await;
    assert!(sent.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_full_queue_makes_the_sender_wait() {
    let (world, mut relay, client) = World::connected().await;
    let (drawn, answered) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let room = usize::try_from(LANE_MESSAGES_MAX).unwrap();
    let total = room + 2000;
    let drafts = (0..total).map(|n| {
        // One more than fits is drawn before it waits.
        let drawn = drawn.fetch_add(1, Ordering::SeqCst);
        assert!(drawn <= answered.load(Ordering::SeqCst) + room, "{drawn} were let in");
        draft(n)
    });
    let sending = client.send_many(drafts);
    let relaying = async {
        while drawn.load(Ordering::SeqCst) <= room {
            tokio::task::yield_now().await;
        }
        while answered.load(Ordering::SeqCst) < total {
            let submitting = relay.submission().await;
            answered.fetch_add(submitting.messages().count(), Ordering::SeqCst);
            submitting.accept(&world.sm.log).await;
        }
    };
    let (sent, ()) = both(sending, relaying).await;
    assert!(sent.iter().all(Result::is_ok));
}

#[tokio::test]
async fn precedences_do_not_wait_for_each_other() {
    let (world, mut relay, client) = World::connected().await;
    let held = client.send(draft("routine"));
    let relaying = async {
        let routine = relay.submission().await;
        let flash = client.send(draft("flash").precedence(Precedence::Flash));
        let answering = async {
            let submitting = relay.submission().await;
            assert_eq!(submitting.submission.lane, Lane::Messages(Precedence::Flash));
            assert_eq!(submitting.submission.number, 0);
            submitting.accept(&world.sm.log).await;
        };
        tokio::join!(flash, answering).0.unwrap();
        routine.accept(&world.sm.log).await;
    };
    both(held, relaying).await.0.unwrap();
}

#[tokio::test]
async fn what_is_no_message_is_told_before_anybody_is_asked() {
    let (_world, mut relay, client) = World::connected().await;
    let twice = draft("twice").info("kirjaamo@um.example".parse().unwrap());
    let long = draft("x".repeat(1000));
    for malformed in [twice, long] {
        let asked = client.ask(&malformed).await.unwrap_err();
        let sent = soon(client.send(malformed)).await.unwrap_err();
        assert_eq!((asked.code(), sent.code()), (Code::MALFORMED, Code::MALFORMED));
        // What is wrong with it, and not only that something is.
        let [reason] = &sent.reasons()[..] else { panic!("{sent}") };
        assert!(reason.starts_with("the draft is not a message: "), "{reason}");
    }
    assert!(relay.questions().is_empty());
    let body = vec![0; usize::try_from(BODY_BYTES_MAX).unwrap() + 1];
    let big = soon(client.send(draft("big").body(body))).await.unwrap_err();
    assert!(matches!(big, SendError::TooBig { max: BODY_BYTES_MAX, .. }), "{big}");
    assert!(relay.is_idle());
}

#[tokio::test]
async fn whoever_will_not_wait_is_told_what_has_come_and_what_has_not() {
    let (world, mut relay, client) = World::connected().await;
    let (over, is_over) = oneshot::channel();
    let sending = client.send_many_until((0..300).map(draft), async {
        let _ = is_over.await;
    });
    let relaying = async {
        let mut submissions = relay.submissions(300_usize.div_ceil(BATCH_MESSAGES_MAX)).await;
        submissions.remove(0).accept(&world.sm.log).await;
        over.send(()).unwrap();
        submissions
    };
    let (sent, _unanswered) = both(sending, relaying).await;
    assert_eq!(sent.len(), 300);
    for (number, sent) in sent.iter().enumerate() {
        match sent {
            Ok(_) => assert!(number < BATCH_MESSAGES_MAX, "{number}"),
            Err(error) => assert!(matches!(error, SendError::TimedOut), "{number}: {error}"),
        }
    }
}

#[tokio::test]
async fn no_draft_is_taken_when_the_time_is_over() {
    let (_world, relay, client) = World::connected().await;
    let sent = soon(client.send_many_until((0..3).map(draft), async {})).await;
    assert!(sent.iter().all(|sent| matches!(sent, Err(SendError::TimedOut))), "{sent:?}");
    // Only the first was asked about before the time was looked at.
    assert!(relay.questions().len() <= 1);
}
