use kuriiri_policy::{Catalogue, Federation, Rules, Sources};
use kuriiri_types::{
    BatchProof, Decided, Envelope, Header, LoggedRuling, MessageId, MessageType, Precedence,
    Receipt, ReceiptKind, Recipient, Role, SignedReceipt,
};

use super::*;

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/vectors/labels/", $name))
    };
}

fn policy() -> Policy {
    let catalogues =
        [vector!("catalogue-fi.toml"), vector!("catalogue-eu.toml"), vector!("catalogue-tlp.toml")];
    let sources = Sources {
        catalogues: catalogues.map(|text| Catalogue::parse(text).unwrap()).into(),
        federation: Federation::parse(vector!("federation.toml")).unwrap(),
        rules: Rules::parse(vector!("policy.toml")).unwrap(),
        local: Vec::new(),
        translations: Vec::new(),
    };
    Policy::compile(sources).unwrap()
}

/// 200 days for public ones, 1000 for TL4, 500 for most others.
fn retention(policy: &Policy) -> Retention {
    let labels =
        [("FI", "JULK", 200), ("FI", "TL4", 1000), ("TLP", "RED", 300), ("TLP", "WHITE", 250)];
    let labels = labels.map(|(name, level, days)| (name.into(), level.into(), days));
    Retention::new(500, labels, policy).unwrap()
}

const fn day(days: i64) -> Timestamp {
    Timestamp::from_millis(days * 24 * 3600 * 1000)
}

fn digest(message: u8) -> Digest {
    Digest([message; 32])
}

fn encoded(at: Timestamp, event: LogEvent) -> Bytes {
    entry::encode(&Entry { salt: [1; 32], at, boot: 1, channels: Vec::new(), event })
}

/// The first decision on a message of such a label.
fn header(at: Timestamp, message: u8, label: Option<&str>) -> Bytes {
    let header = Header {
        id: MessageId::new(at, [message; 10]),
        from: "kirjaamo@sm.example".parse().unwrap(),
        to: vec![Recipient { address: "kirjaamo@um.example".parse().unwrap(), role: Role::Action }],
        label: label.map(|label| label.parse().unwrap()),
        precedence: Precedence::Routine,
        message_type: MessageType::Operation,
        created: at,
        expires: None,
        content_type: "text/plain".into(),
        body_size: 5,
        body_commitment: digest(9),
        subject: String::new(),
        conversation: None,
        in_reply_to: None,
        obsoletes: None,
        sealing: None,
        drafter: None,
    };
    let proof = BatchProof {
        signer: digest(1),
        index: 0,
        size: 1,
        path: Vec::new(),
        signature: vec![0; 64].into(),
    };
    let envelope = Some(Envelope { header: header::encode(&header), proof });
    encoded(at, LogEvent::Decided(Box::new(decided(message, envelope))))
}

fn decided(message: u8, envelope: Option<Envelope>) -> Decided {
    Decided {
        subject: digest(message),
        envelope,
        dest: "um.example".parse().unwrap(),
        path: Vec::new(),
        submitter: None,
        clearances: None,
        approvals: Vec::new(),
        next: None,
        policy: digest(2),
        semantics: 1,
        ruling: LoggedRuling::Permit,
        reasons: Vec::new(),
    }
}

fn said(at: Timestamp, message: u8) -> LogEvent {
    LogEvent::Receipt(Receipt {
        message: MessageId::new(at, [message; 10]),
        header_digest: digest(message),
        sender: "kirjaamo@sm.example".parse().unwrap(),
        recipient: "kirjaamo@um.example".parse().unwrap(),
        kind: ReceiptKind::Delivered,
        at,
        issuer: "um.example".parse().unwrap(),
        code: None,
        reasons: Vec::new(),
        by: None,
    })
}

fn own(at: Timestamp, message: u8) -> Bytes {
    encoded(at, said(at, message))
}

fn heard(at: Timestamp, message: u8) -> Bytes {
    let entry = encoded(at, said(at, message));
    let receipt =
        SignedReceipt { entry, index: 0, path: Vec::new(), checkpoint: b"c".as_slice().into() };
    let from = "um.example".parse().unwrap();
    encoded(at, LogEvent::ReceiptIn { from, receipt: Box::new(receipt) })
}

fn booted(at: Timestamp) -> Bytes {
    encoded(at, LogEvent::Booted { software: "kuriiri".into() })
}

fn witnessed(at: Timestamp) -> Bytes {
    encoded(at, LogEvent::PeerCheckpoint { checkpoint: b"checkpoint".as_slice().into() })
}

/// A log of these entries and then so many that hold nothing back.
struct Log(Vec<Bytes>);

impl Log {
    fn of(entries: Vec<Bytes>, filler: usize) -> Self {
        let rest = std::iter::repeat_with(|| witnessed(day(0))).take(filler);
        Self(entries.into_iter().chain(rest).collect())
    }

    fn plan_from(&self, start: LogStart, now: Timestamp) -> Plan {
        let (policy, end) = (policy(), self.0.len() as u64);
        let read = |index| Ok(self.0.get(usize::try_from(index).unwrap()).cloned());
        retention(&policy).plan(&policy, now, (start, end), read).unwrap()
    }

    fn plan(&self, now: Timestamp) -> Plan {
        self.plan_from(LogStart::default(), now)
    }
}

/// What leaves, and how long what comes late of it stays: days, and the day of the last.
fn leaves(before: u64, kept: &[u64], late: &[(u32, i64)]) -> Plan {
    Plan::Leaves(Pruning { before, kept: kept.to_vec(), late: lates(late) })
}

fn lates(late: &[(u32, i64)]) -> Vec<Late> {
    late.iter().map(|(days, last)| Late { days: *days, last: day(*last) }).collect()
}

#[test]
fn the_label_of_a_message_says_how_long_its_entries_stay() {
    for (label, days) in [
        (Some("FI JULK"), 200),
        (Some("FI TL4"), 1000),
        (Some("FI TL3"), 500),
        (Some("TLP AMBER"), 500),
        (Some("TLP red"), 300),
        (Some("TLP Clear"), 250),
        (Some("TLP WHITE"), 250),
        (Some("FI TL9"), 1000),
        (None, 500),
    ] {
        let log = Log::of(vec![header(day(1), 1, label), own(day(2), 1), heard(day(3), 1)], 600);
        // The header goes by its own time, and nothing after it before its.
        for (passed, until) in [(days, 1 + days), (days + 1, 2 + days), (days + 2, 3 + days)] {
            let almost = Timestamp::from_millis(day(passed + 1).as_millis() - 1);
            assert_eq!(log.plan(almost), Plan::Stays(Some(day(until))), "{label:?}");
        }
        let late = u32::try_from(days).unwrap();
        assert_eq!(log.plan(day(days + 3)), leaves(512, &[], &[(late, 1)]), "{label:?}");
    }
}

#[test]
fn a_message_holds_back_all_that_come_after_it() {
    let public = |n: u8| header(day(1), n, Some("FI JULK"));
    let mut entries: Vec<Bytes> = (0..250).map(public).collect();
    entries.insert(0, booted(day(1)));
    assert_eq!(Log::of(entries.clone(), 300).plan(day(201)), leaves(512, &[0], &[(200, 1)]));
    entries.push(header(day(1), 251, Some("FI TL4")));
    let log = Log::of(entries, 300);
    assert_eq!(log.plan(day(1000)), Plan::Stays(Some(day(1001))));
    assert_eq!(log.plan(day(1001)), leaves(512, &[0], &[(200, 1), (1000, 1)]));
}

#[test]
fn what_later_entries_are_judged_by_stays() {
    let by = || "spiffe://sm.example/operator/anna".parse().unwrap();
    let acted = encoded(day(1), LogEvent::Acted { by: by(), what: "looked".into() });
    let erased = encoded(
        day(1),
        LogEvent::Erased { subject: digest(1), by: by(), basis: "GDPR art. 17".into() },
    );
    let first = header(day(1), 1, Some("FI JULK"));
    let entries = vec![booted(day(1)), first, witnessed(day(1)), acted, erased];
    let log = Log::of(entries, 300);
    assert_eq!(log.plan(day(201)), leaves(256, &[0, 3, 4], &[(200, 1)]));
    // Nothing is older than what may leave of it: of no message, of no time.
    assert_eq!(Log::of(vec![booted(day(1))], 100).plan(day(9000)), Plan::Stays(None));
}

/// The header left with an earlier pruning, so its label is not known any more.
#[test]
fn what_came_late_of_a_message_that_left_stays_as_long_as_those_that_left_with_it() {
    let log = Log::of([Log::of(Vec::new(), 256).0, vec![own(day(210), 1)]].concat(), 300);
    // Of the message that left on day 100 nothing can come any more.
    let late = [(300, 150), (900, 100)];
    let start = LogStart { first: 256, late: lates(&late) };
    assert_eq!(log.plan_from(start.clone(), day(509)), Plan::Stays(Some(day(510))));
    assert_eq!(log.plan_from(start, day(510)), leaves(512, &[], &late));
    let never = LogStart { first: 256, late: Vec::new() };
    assert_eq!(log.plan_from(never, day(510)), Plan::Stays(Some(day(710))));
    // And when enough has left after it, it is forgotten.
    let more = Log::of([Log::of(Vec::new(), 256).0, vec![header(day(300), 7, None)]].concat(), 300);
    let start = LogStart { first: 256, late: lates(&late) };
    assert_eq!(more.plan_from(start, day(900)), leaves(512, &[], &[(500, 300)]));
}

/// A log that is pruned each day keeps no more than its labels ask for.
#[test]
fn a_log_that_is_pruned_each_day_keeps_up() {
    let mut entries = Vec::new();
    for number in 0..250_u8 {
        let at = i64::from(number);
        entries.push(header(day(at), number, Some("FI JULK")));
        entries.extend((0..50).map(|_| witnessed(day(at))));
        entries.push(own(day(at + 1), number));
    }
    let (log, mut start) = (Log(entries), LogStart::default());
    for today in 0..500 {
        if let Plan::Leaves(Pruning { before, late, .. }) = log.plan_from(start.clone(), day(today))
        {
            start = LogStart { first: before, late };
        }
        // 52 entries a day, and a bundle.
        let most = 52 * u64::try_from((today - 199).clamp(0, 250)).unwrap();
        assert!(start.first <= most && start.first + 512 > most.min(12_800), "{today}: {start:?}");
    }
}

#[test]
fn so_many_at_once_and_no_more() {
    let end = AT_ONCE_MAX + 1000;
    let bytes = witnessed(day(1));
    let (policy, span) = (policy(), (LogStart::default(), end));
    let read = |index| Ok((index < AT_ONCE_MAX).then(|| bytes.clone()));
    let plan = retention(&policy).plan(&policy, day(9000), span, read).unwrap();
    assert_eq!(plan, leaves(AT_ONCE_MAX, &[], &[]));
}

#[test]
fn what_cannot_be_read_or_meant_is_an_error() {
    let policy = policy();
    let plan = |read: &dyn Fn(u64) -> Result<Option<Bytes>, ViewError>| {
        retention(&policy).plan(&policy, day(9000), (LogStart::default(), 512), read)
    };
    assert!(plan(&|_| Ok(None)).is_err());
    assert!(plan(&|_| Ok(Some(b"no entry".as_slice().into()))).is_err());
    let label = |level: &str, days| vec![("FI".to_owned(), level.to_owned(), days)];
    let wrong = |days, labels| Retention::new(days, labels, &policy).unwrap_err();
    assert!(wrong(500, label("TL5", 200)).contains("FI TL5"));
    assert!(wrong(99, Vec::new()).contains("99 days are too few"));
    assert!(wrong(500, label("TL4", 99)).contains("99 days are too few"));
    assert!(wrong(500, [label("TL4", 200), label("TL4", 300)].concat()).contains("twice"));
    let words = retention(&policy).words();
    assert!(words.starts_with("days kept: FI JULK 200, FI TL4 1000, "), "{words}");
    assert!(words.ends_with(", all else 500"), "{words}");
}
