//! Lies of a relay's operator, with all its own keys and all its files consistent: each with what is found,
//! and against whom. Only a check of what is said can help against them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::Duration;

use kuriiri_types::{
    Addressed, Decided, Digest, Entry, FileInForce, LogEvent, MessageId, ReceiptKind, Timestamp,
};
use support::{Author, Bench, Cast, Report, Send, exchange, story};

/// Whose log it is that lies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Liar {
    Sender,
    Receiver,
}

/// What must be found: by which check, in which words, and whether it is held against the liar.
struct Found(&'static str, &'static str, bool);

/// Where a lie is told.
struct Scene<'a> {
    cast: &'a Cast,
    a: Author<'a>,
    b: Author<'a>,
}

impl Scene<'_> {
    /// The statements of the sender's relay on a message, changed.
    fn restate(&mut self, send: &Send, change: impl Fn(&mut kuriiri_types::Receipt)) {
        let id = send.id();
        self.a = self.a.rewritten(|entries| {
            for entry in entries {
                if let LogEvent::Receipt(receipt) = &mut entry.event
                    && receipt.subjects.iter().any(|told| told.subject.message == id)
                {
                    change(receipt);
                }
            }
        });
    }

    fn decided(&mut self, send: &Send, change: impl Fn(&mut Entry)) {
        let leaf = send.leaf(self.cast);
        self.a = self.a.rewritten(|entries| {
            let is_it = |entry: &&mut Entry| {
                matches!(&entry.event, LogEvent::Decided(decided)
                    if decided.subjects.iter().any(|subject| subject.header == leaf))
            };
            entries.iter_mut().filter(is_it).for_each(&change);
        });
    }
}

fn decided(entry: &mut Entry) -> &mut Decided {
    let LogEvent::Decided(decided) = &mut entry.event else { panic!("it is no decision") };
    decided
}

/// An honest day is good; with one lie in it, that is found.
fn lie(liar: Liar, found: &Found, tell: impl FnOnce(&mut Scene<'_>)) {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = story(&cast);
    let mut scene = Scene { cast: &cast, a, b };
    tell(&mut scene);
    let (author, home) = match liar {
        Liar::Sender => (&scene.a, "sm.example"),
        Liar::Receiver => (&scene.b, "plm.example"),
    };
    let report = bench.log(&bench.write(author, &[]), &[]);
    let Found(check, words, is_against) = *found;
    report.finds(check, words);
    let finding = report.tells("fault", check, words);
    let against = finding.get("against").map(|who| who.as_str().unwrap());
    assert_eq!(against, is_against.then_some(home), "{finding}");
}

const OTHERS: Found = Found("messages", "exactly the recipients that its header names", true);

#[test]
fn whoever_is_named_in_the_header_is_spoken_of_and_nobody_else() {
    let send = Send::new("sm", "plm", 600);
    let told = |change: fn(&mut kuriiri_types::Receipt)| {
        lie(Liar::Sender, &OTHERS, |scene| {
            scene.a.submit(&send, Some(&scene.b.home.clone()));
            scene.restate(&send, change);
        });
    };
    // Another sender, another id, one more recipient, and another one.
    told(|receipt| receipt.sender = "toinen@sm.example".parse().unwrap());
    told(|receipt| {
        let id = MessageId::new(receipt.at, [5; 10]);
        receipt.subjects.iter_mut().for_each(|told| told.subject.message = id);
    });
    told(|receipt| {
        let recipient = "muu@plm.example".parse().unwrap();
        let more = Addressed { recipient, ..receipt.subjects[0].clone() };
        receipt.subjects.push(more);
    });
    told(|receipt| receipt.subjects[0].recipient = "muu@plm.example".parse().unwrap());
    // Nobody is told anything.
    lie(Liar::Sender, &OTHERS, |scene| {
        let send = Send::new("sm", "plm", 601);
        scene.a.submit(&send, Some(&scene.b.home.clone()));
        let last = scene.a.entries.len() - 1;
        scene.a = scene.a.rewritten(|entries| entries.truncate(last));
    });
}

#[test]
fn only_the_recipients_relay_says_that_something_was_delivered() {
    let found = Found("order", "it is not for sm.example to say", false);
    lie(Liar::Sender, &found, |scene| {
        let send = Send::new("sm", "plm", 602);
        scene.a.submit(&send, Some(&scene.b.home.clone()));
        let by = scene.cast.member("sm").system.id();
        scene.a.state(&send.header(scene.cast), ReceiptKind::Delivered, Some(by));
    });
    let found = Found("order", "it is not for plm.example to say", false);
    for by in [Some("sm"), None] {
        lie(Liar::Receiver, &found, |scene| {
            let send = Send::new("sm", "plm", 603);
            let signer = &scene.cast.member("sm").system;
            let path = [scene.a.home.clone()];
            scene.b.arrive(&send, &send.envelope(scene.cast, signer), (signer, &path, None));
            let by = by.map(|node| scene.cast.member(node).system.id());
            scene.b.state(&send.header(scene.cast), ReceiptKind::Delivered, by);
        });
    }
}

/// The receiver takes a message, by its rules, and then says that the rules refuse it, or that its time is
/// over.
#[test]
fn an_end_needs_its_reason() {
    let ends = |kind, words| {
        lie(Liar::Receiver, &Found("messages", words, true), |scene| {
            let send = Send::new("sm", "plm", 604);
            let signer = &scene.cast.member("sm").system;
            let path = [scene.a.home.clone()];
            scene.b.arrive(&send, &send.envelope(scene.cast, signer), (signer, &path, None));
            scene.b.at = scene.b.at.after(Duration::from_secs(1));
            scene.b.state(&send.header(scene.cast), kind, None);
        });
    };
    ends(ReceiptKind::Refused, "no decision before denies it");
    ends(ReceiptKind::Expired, "earlier than its header and the rules let it end");
}

#[test]
fn nothing_is_heard_of_what_has_not_left() {
    let found = Found("receipts", "of a copy that had not left", false);
    lie(Liar::Sender, &found, |scene| {
        let send = Send::held("sm", "plm", 605);
        scene.a.submit(&send, None);
        let signer = &scene.cast.member("sm").system;
        let path = [scene.a.home.clone()];
        let at = scene.b.arrive(&send, &send.envelope(scene.cast, signer), (signer, &path, None));
        let (home, receipt) = (scene.b.home.clone(), scene.b.proven(at));
        scene.a.hear(&home, receipt);
    });
}

#[test]
fn messages_go_where_the_decision_says_and_receipts_come_from_where_there_is_a_link() {
    let found = Found("channels", "is not the relay that the decision names", true);
    for links in ["verkko.example", "um.example"] {
        lie(Liar::Sender, &found, |scene| {
            let send = Send::new("sm", "plm", 606);
            scene.a.submit(&send, Some(&scene.b.home.clone()));
            scene.decided(&send, |entry| entry.channels[0].peer = links.parse().unwrap());
        });
    }
    let found = Found("receipts", "has no link here", true);
    lie(Liar::Sender, &found, |scene| {
        exchange(&mut scene.a, &mut scene.b, &Send::new("sm", "plm", 607));
        scene.a = scene.a.rewritten(|entries| {
            if let LogEvent::ReceiptIn { from, .. } = &mut entries.last_mut().unwrap().event {
                *from = "um.example".parse().unwrap();
            }
        });
    });
}

#[test]
fn what_is_erased_was_there_and_what_is_kept_is_kept_long_enough() {
    lie(Liar::Sender, &Found("messages", "knows nothing of", true), |scene| {
        scene.a.say_erased(Digest([9; 32]), true);
    });
    lie(Liar::Sender, &Found("headers", "less than a hundred days", true), |scene| {
        let send = Send::new("sm", "plm", 608);
        scene.a.submit(&send, Some(&scene.b.home.clone()));
        scene.decided(&send, |entry| {
            let soon = Timestamp::from_millis(entry.at.as_millis() + 2000);
            decided(entry).keep_until = Some(soon);
        });
    });
}

#[test]
fn starts_are_counted_one_by_one() {
    lie(Liar::Sender, &Found("order", "comes after start", false), |scene| {
        scene.a.boot = 1 << 23;
        scene.a.append(vec![], LogEvent::Booted { software: "x".into() });
    });
    lie(Liar::Sender, &Found("order", "the first start in it has the number", false), |scene| {
        scene.a = scene.a.rewritten(|entries| entries.iter_mut().for_each(|entry| entry.boot += 1));
    });
}

#[test]
fn two_messages_of_one_id_that_were_both_taken_are_found() {
    lie(
        Liar::Sender,
        &Found("messages", "2 different messages of this id were taken", false),
        |scene| {
            let one = Send::new("sm", "plm", 609);
            let other = Send { sealed: true, ..one.clone() };
            assert_eq!(one.id(), other.id());
            for send in [one, other] {
                scene.a.submit(&send, Some(&scene.b.home.clone()));
            }
        },
    );
}

/// A log that is said to go on from another excuses what is missing. Where it stands, and from which it goes
/// on, is not for its operator to choose.
#[test]
fn only_a_later_log_goes_on_from_another_and_says_so_first() {
    let restored = |scene: &Scene<'_>, of: &str| {
        let mut old = scene.b.rewritten(|_| {});
        if of == "sm" {
            old = scene.a.rewritten(|_| {});
        }
        LogEvent::Restored { checkpoint: old.checkpoint() }
    };
    let only_first = Found("growth", "only the first entry of a later log", true);
    lie(Liar::Sender, &only_first, |scene| {
        let event = restored(scene, "sm");
        scene.a.append(vec![], event);
    });
    lie(Liar::Sender, &only_first, |scene| {
        let event = restored(scene, "sm");
        scene.a = scene.a.rewritten(|entries| {
            let first = Entry { event, ..entries[0].clone() };
            entries.insert(0, first);
        });
    });
    lie(Liar::Sender, &Found("growth", "cannot go on from plm.example/log", true), |scene| {
        let event = restored(scene, "plm");
        scene.a.log = 2;
        scene.a = scene.a.rewritten(|entries| {
            let first = Entry { event, ..entries[0].clone() };
            entries.insert(0, first);
        });
    });
    lie(Liar::Sender, &Found("growth", "does not begin with the log", false), |scene| {
        scene.a.log = 2;
        scene.a = scene.a.rewritten(|_| {});
    });
}

/// The second log says that the first was shorter than a witness knows.
#[test]
fn a_log_goes_on_from_all_that_a_witness_has_of_the_one_before() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, mut b) = story(&cast);
    b.witness_checkpoint(&a);
    let witness = bench.write(&b, &[]);
    let check = |old: &Author<'_>| {
        let second = Author::renewed(old);
        bench.log(&bench.write(&second, &[]), &["--witness-log", witness.to_str().unwrap()])
    };
    check(&a).is_good();
    check(&a.rewritten(|entries| entries.truncate(40)))
        .finds("growth", "is said to have ended with 40");
}

#[test]
fn a_receipt_that_was_kept_shows_that_a_log_was_rewritten() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = story(&cast);
    let folder = kuriiri_verify::LogFolder::open(&bench.write(&a, &[])).unwrap();
    let kept = bench.folder("kept.tlog-proof");
    std::fs::write(&kept, kuriiri_verify::prove(&folder, 30).unwrap()).unwrap();
    let since = ["--since", kept.to_str().unwrap()];
    bench.log(folder.path(), &since).is_good();
    let other = a.rewritten(|entries| {
        if let LogEvent::Booted { software } = &mut entries[0].event {
            *software = "another".into();
        }
    });
    bench.log(&bench.write(&other, &[]), &since).finds("growth", "the log was rewritten");
}

/// Clocks prove nothing against anybody, and times that cannot be relied on are told.
#[test]
fn a_clock_that_was_set_back_is_told_and_what_stands_behind_a_receipt_too() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, _) = story(&cast);
    let from = a.at;
    a.at = a.at.before(Duration::from_secs(2400));
    a.append(vec![], LogEvent::ClockStepped { from });
    let report: Report = bench.log(&bench.write(&a, &[]), &[]);
    report.notes("order", "the clock was set back by 2400s");
    report.tells("unchecked", "order", "one of the two clocks was wrong");
    assert_eq!(report.exit, 2, "{}", report.text);
}

// === signed files ===

/// Rules that let everything go come into force, and then the true ones again.
fn other_rules(
    change: impl Fn(&str) -> String,
    tell: impl FnOnce(&mut Author<'_>, &mut Cast),
) -> Report {
    let cast = Cast::new();
    let mut other = cast.with_other_rules(change);
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, _) = story(&cast);
    tell(&mut a, &mut other);
    a.at = a.at.after(Duration::from_secs(1));
    a.put_in_force_of(&other);
    bench.log(&bench.write(&a, &[]), &[])
}

const STRICTER: fn(&str) -> String =
    |rules| rules.replacen("level = \"JULK\"", "level = \"JULK\"\napprovals = 1", 1);
const LAXER: fn(&str) -> String = |rules| rules.replace("approvals = 1", "approvals = 0");

#[test]
fn rules_are_signed_and_their_serials_rise() {
    other_rules(STRICTER, |_, _| {}).is_good();
    other_rules(LAXER, |_, _| {}).is_good();
    let files = |words: &str, change: fn(&mut Cast)| {
        let report = other_rules(STRICTER, |_, other| change(other));
        report.finds("signed-files", words);
        let found = report.tells("fault", "signed-files", words);
        assert_eq!(found["against"], "sm.example");
    };
    files("nobody has signed it", |other| other.sign_rules(&[]));
    files("two files have the serial 42", |other| other.reissue_rules(42));
    files("serial 7 comes into force after serial 42", |other| other.reissue_rules(7));
    // By another name it is the same file.
    files("serial 7 comes into force after serial 42", |other| {
        other.reissue_rules(7);
        other.in_force.files.last_mut().unwrap().name = "others".into();
    });
    files("serial 4294967338 comes after serial 42", |other| other.reissue_rules(4_294_967_338));
    files("its serial is not 99", |other| other.in_force.files.last_mut().unwrap().serial = 99);
    files("its bytes are not in the log", |other| {
        other.contents.last_mut().unwrap().clone_from(&bytes::Bytes::from_static(b"x"));
        other.in_force.files.last_mut().unwrap().digest = Digest([3; 32]);
    });
    files("the text of its signatures is not in the log", |other| {
        other.in_force.files.last_mut().unwrap().signatures = Digest([3; 32]);
    });
}

#[test]
fn what_lets_more_go_and_what_came_in_at_a_start_is_signed_by_two() {
    let by_one = |change, while_it_ran: bool| {
        other_rules(change, |a, other| {
            other.sign_rules(&[0]);
            if !while_it_ran {
                a.boot += 1;
                a.append(vec![], LogEvent::Booted { software: "again".into() });
            }
        })
    };
    by_one(STRICTER, true).is_good();
    for (change, while_it_ran) in [(STRICTER, false), (LAXER, false), (LAXER, true)] {
        by_one(change, while_it_ran).finds("signed-files", "allows more than before");
    }
}

/// Nobody signs that a file is taken out, and a file that comes in has no other to be held against.
#[test]
fn files_are_taken_out_while_the_relay_runs_and_come_in_at_a_start_signed_by_two() {
    const TRANSLATION: usize = 4;
    let remove = |other: &mut Cast, at: usize| {
        other.in_force.files.remove(at);
        other.contents.remove(at);
        other.signatures.remove(at);
    };
    other_rules(STRICTER, |_, other| remove(other, TRANSLATION)).is_good();
    let taken_out_at_a_start = other_rules(STRICTER, |a, other| {
        remove(other, TRANSLATION);
        a.boot += 1;
        a.append(vec![], LogEvent::Booted { software: "again".into() });
    });
    taken_out_at_a_start.finds("signed-files", "`EU to FI` is no longer in force");
    let own = |by: &'static [usize], while_it_ran: bool| {
        other_rules(STRICTER, move |a, other| {
            // The federation's rules as they are, and stricter ones of the ministry's own beside them.
            other.sign_rules(by);
            let rules = other.in_force.files.pop().unwrap();
            other.in_force.files.push(a.cast.in_force.files.last().unwrap().clone());
            other.in_force.files.push(FileInForce { name: "own".into(), is_own: true, ..rules });
            let before = |of: &[bytes::Bytes]| of.last().unwrap().clone();
            other.contents.insert(5, before(&a.cast.contents));
            other.signatures.insert(5, before(&a.cast.signatures));
            if !while_it_ran {
                a.boot += 1;
                a.append(vec![], LogEvent::Booted { software: "again".into() });
            }
        })
    };
    own(&[0, 1], false).is_good();
    own(&[0], true).is_good();
    own(&[0], false).finds("signed-files", "came in while the relay was down");
}

#[test]
fn stewards_can_be_pinned_and_federation_files_each_for_its_time() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = story(&cast);
    let dir = bench.write(&a, &[]);
    let pem = |cast: &Cast, name: &str| {
        let file = bench.folder(name);
        std::fs::write(&file, &cast.stewards_pem).unwrap();
        file
    };
    let [own, others] = [pem(&cast, "own.pem"), pem(&Cast::new(), "others.pem")];
    let report = bench.log(&dir, &["--stewards", own.to_str().unwrap()]);
    report.is_good();
    assert!(!report.text.contains("taken on faith: spiffe"), "{}", report.text);
    let report = bench.log(&dir, &["--stewards", others.to_str().unwrap()]);
    assert_eq!(report.exit, 2, "{}", report.text);
    report.tells("unchecked", "signed-files", "by none of the stewards");
    bench
        .log(&dir, &[])
        .notes("signed-files", "taken on faith: spiffe://verkko.example/officer/sulo");
    bench.log(&dir, &[]).notes("signed-files", "are those of the federation is taken on faith");

    // The auditor has the file before or after that of the log: nothing is said to be forged.
    let file = |name: &str, text: &str| {
        let file = bench.folder(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let now = file("now.toml", &cast.federation);
    let later = file("later.toml", &support::reissued(&Cast::new().federation));
    let [now, later] = [&now, &later].map(|file| file.to_str().unwrap());
    bench.log(&dir, &["--federation", now]).is_good();
    bench.log(&dir, &["--federation", later, "--federation", now]).is_good();
    let report = bench.log(&dir, &["--federation", later]);
    assert_eq!(report.exit, 2, "{}", report.text);
    report.tells("unchecked", "signed-files", "which is none of those given");
}
