//! The entries of a log: their one encoding, their rules and their limits.

use kuriiri_types::{limits::*, *};
use kuriiri_wire::{Flaw, WireError, entry, limits::*};

use crate::{decided::decided, limits::over, pieces, sample, signed::assert_not_canonical};

/// What comes of an entry that says this.
pub(crate) fn with(event: LogEvent) -> Result<Entry, WireError> {
    entry::decode(&entry::encode(&sample::entry(event)))
}

pub(crate) fn broken(result: Result<Entry, WireError>, expected: &str) {
    let error = result.expect_err(expected);
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(error.code(), Code::MALFORMED);
}

/// All that stands before the event.
fn head() -> Vec<u8> {
    let fields = pieces::split(&entry::encode(&sample::entry(booted())));
    fields[..4].concat()
}

/// What comes of an entry with this event, written by hand.
pub(crate) fn by_hand(event: pieces::Piece) -> Result<Entry, WireError> {
    entry::decode(&[head(), event].concat())
}

/// The fields of an event.
pub(crate) fn fields_of(event: LogEvent) -> Vec<pieces::Piece> {
    let outer = pieces::split(&entry::encode(&sample::entry(event)));
    pieces::split(&pieces::content(&outer[4]))
}

fn booted() -> LogEvent {
    LogEvent::Booted { software: "kuriiri 0.1.0".into() }
}

pub(crate) fn officer() -> SpiffeId {
    "spiffe://sm.example/officer/anna".parse().unwrap()
}

// === one encoding ===

#[test]
fn a_second_encoding_of_an_entry_is_refused() {
    let good = entry::encode(&sample::entry(LogEvent::Receipt(sample::receipt())));
    let fields = pieces::split(&good);
    let last = |piece: pieces::Piece| [head(), piece].concat();
    let mut reordered = fields.clone();
    reordered.swap(0, 1);
    let mut shuffled = fields_of(LogEvent::Receipt(sample::receipt()));
    let hidden = [shuffled.concat(), pieces::number(99, 1)].concat();
    shuffled.swap(0, 1);
    let booted = pieces::field(19, b"kuriiri 0.1.0");
    let second_encodings = [
        ("fields out of order", reordered.concat()),
        ("an unknown field", [good.to_vec(), pieces::field(99, b"hidden")].concat()),
        ("an unknown field inside", last(pieces::field(10, &hidden))),
        ("fields out of order inside", last(pieces::field(10, &shuffled.concat()))),
        ("the event twice", [good.to_vec(), fields[4].clone()].concat()),
        ("a second event", [good.to_vec(), booted.clone()].concat()),
        ("a second event before it", [head(), booted, fields[4].clone()].concat()),
    ];
    for (what, bytes) in second_encodings {
        assert_not_canonical(what, entry::decode(&bytes));
    }
    entry::decode(&good).unwrap();
}

#[test]
fn an_event_is_written_even_when_it_is_zero_or_empty() {
    for event in [
        LogEvent::ClockStepped { from: Timestamp::from_millis(0) },
        LogEvent::Booted { software: String::new() },
        LogEvent::PolicyChanged(PolicyInForce::default()),
    ] {
        assert_eq!(with(event.clone()), Ok(sample::entry(event)));
    }
    let cleared_for_nothing = decided(|d| d.clearances = Some(Vec::new())).unwrap();
    let LogEvent::Decided(read) = cleared_for_nothing.event else { panic!("a decision") };
    assert_eq!(read.clearances, Some(Vec::new()));
}

#[test]
fn an_entry_of_another_version_or_without_its_event_is_refused() {
    let fields = pieces::split(&entry::encode(&sample::entry(booted())));
    let first = |piece: pieces::Piece| [piece, fields[1..].concat()].concat();
    let version = |number| Flaw::Unknown { field: "version", number };
    for (bytes, flaw) in [
        (first(Vec::new()), version(0)),
        (first(pieces::number(1, 1)), version(1)),
        (first(pieces::number(1, 3)), version(3)),
        (head(), Flaw::Missing("event")),
    ] {
        assert_eq!(entry::decode(&bytes).unwrap_err().flaw(), &flaw);
    }
}

// === rules ===

#[test]
fn an_entry_is_a_link_of_a_chain_once() {
    let linked = |channels| {
        let event = LogEvent::Receipt(sample::receipt());
        entry::decode(&entry::encode(&Entry { channels, ..sample::entry(event) }))
    };
    let channel = sample::channel;
    let both = vec![channel("um.example", Direction::In), channel("um.example", Direction::Out)];
    linked(both.clone()).unwrap();
    let mut again = channel("um.example", Direction::In);
    again.seq += 1;
    broken(linked([both, vec![again]].concat()), "`channels` has a chain twice");
    let many = |count: usize| -> Vec<_> {
        (0..count).map(|i| channel(&format!("m{i}.example"), Direction::Out)).collect()
    };
    linked(many(CHANNELS_MAX)).unwrap();
    over(linked(many(CHANNELS_MAX + 1)));
}

#[test]
fn directions_and_rulings_are_known() {
    let channels = vec![sample::channel("um.example", Direction::In)];
    let linked = Entry { channels, ..sample::entry(booted()) };
    let fields = pieces::split(&entry::encode(&linked));
    let channel = |direction: pieces::Piece| {
        let (ends, prev) = (pieces::field(1, b"um.example"), pieces::field(4, &[5; 32]));
        let channel = [ends, direction, pieces::number(3, 7), prev].concat();
        let mut fields = fields.clone();
        fields[4] = pieces::field(5, &channel);
        entry::decode(&fields.concat())
    };
    assert!(channel(pieces::number(2, 1)).is_ok() && channel(pieces::number(2, 2)).is_ok());
    assert!(channel(Vec::new()).is_err() && channel(pieces::number(2, 3)).is_err());

    let inner = fields_of(LogEvent::Decided(Box::new(sample::decided())));
    let ruling =
        |ruling: pieces::Piece| by_hand(pieces::field(12, &pieces::replaced(&inner, 9, ruling)));
    assert!((1..=3).all(|number| ruling(pieces::number(9, number)).is_ok()));
    assert!(ruling(Vec::new()).is_err() && ruling(pieces::number(9, 4)).is_err());
}

#[test]
fn files_in_force_have_one_order() {
    let file = |kind, name: &str| FileInForce {
        kind,
        name: name.into(),
        serial: 42,
        digest: Digest([1; 32]),
        signatures: Digest([2; 32]),
        is_own: false,
    };
    let changed = |files| with(LogEvent::PolicyChanged(PolicyInForce { files, by: None }));
    let sorted = vec![
        file(FileKind::Federation, "z.toml"),
        file(FileKind::Catalogue, "eu.toml"),
        file(FileKind::Catalogue, "fi.toml"),
        file(FileKind::Translation, "a.toml"),
        file(FileKind::Rules, "a.toml"),
    ];
    changed(sorted.clone()).unwrap();
    let rule = "`files` must be sorted by kind and name, and none may stand twice";
    for at in 1..sorted.len() {
        let mut swapped = sorted.clone();
        swapped.swap(at - 1, at);
        broken(changed(swapped), rule);
    }
    broken(changed(vec![sorted[0].clone(); 2]), rule);
    broken(changed(vec![file(FileKind::Rules, "")]), "`files.name` is missing");
    let many = |count: usize| -> Vec<_> {
        (0..count).map(|i| file(FileKind::Rules, &format!("{i:0>3}.toml"))).collect()
    };
    changed(many(FILES_MAX)).unwrap();
    over(changed(many(FILES_MAX + 1)));
    let named = |length| vec![file(FileKind::Rules, &"n".repeat(length))];
    changed(named(FILE_NAME_BYTES_MAX)).unwrap();
    over(changed(named(FILE_NAME_BYTES_MAX + 1)));
}

#[test]
fn a_file_in_force_names_its_signatures() {
    let file = |signatures: pieces::Piece, own: pieces::Piece| {
        let kind = [pieces::field(1, b"routing-policy"), pieces::field(2, b"a.toml")].concat();
        let file = [kind, pieces::field(4, &[1; 32]), signatures, own].concat();
        by_hand(pieces::field(16, &pieces::field(1, &file)))
    };
    let signatures = |length| pieces::field(5, &vec![2; length]);
    file(signatures(32), Vec::new()).unwrap();
    file(signatures(32), pieces::number(6, 1)).unwrap();
    assert!(file(signatures(32), pieces::number(6, 2)).is_err(), "true is written in one way");
    for (wrong, length) in [(Vec::new(), 0), (signatures(31), 31), (signatures(33), 33)] {
        let rule = format!("`files.signatures` is {length} bytes long, not 32");
        broken(file(wrong, Vec::new()), &rule);
    }
}

#[test]
fn a_kind_of_file_that_nobody_knows_is_refused() {
    let kind = |word: &str| {
        let file = [pieces::field(1, word.as_bytes()), pieces::field(2, b"a.toml")].concat();
        let file = [file, pieces::field(4, &[1; 32]), pieces::field(5, &[2; 32])].concat();
        by_hand(pieces::field(16, &pieces::field(1, &file)))
    };
    kind("routing-policy").unwrap();
    broken(kind("Routing-Policy"), "`files.kind` is not a kind of signed file");
}

#[test]
fn parts_of_a_file() {
    let part = |part, parts, length: usize| {
        let (digest, bytes) = (Digest([1; 32]), vec![7; length].into());
        with(LogEvent::FilePart(FilePart { digest, part, parts, bytes }))
    };
    let most = FILE_PARTS_MAX as u32;
    part(most - 1, most, FILE_PART_BYTES_MAX).unwrap();
    over(part(0, most + 1, 1));
    over(part(0, 1, FILE_PART_BYTES_MAX + 1));
    broken(part(1, 1, 1), "`part` must be below `parts`");
    broken(part(0, 0, 1), "`parts` is missing");
    broken(part(0, 1, 0), "`content` is missing");
}

#[test]
fn who_handed_over_is_a_system_or_the_ministry_of_a_peer() {
    let by = |text: &str| {
        let away = [pieces::field(1, text.as_bytes()), pieces::number(2, 2102)].concat();
        by_hand(pieces::field(13, &away))
    };
    let system: SpiffeId = "spiffe://sm.example/system/kirjaamo".parse().unwrap();
    let away = |by| sample::entry(LogEvent::TurnedAway { by, code: Code::MALFORMED, count: 0 });
    assert_eq!(by("um.example"), Ok(away(Giver::Peer("um.example".parse().unwrap()))));
    assert_eq!(by("spiffe://sm.example/system/kirjaamo"), Ok(away(Giver::System(system))));
    for bad in ["", "spiffe://", "spiffe://sm.example/boss/a", "SPIFFE://sm.example/system/a"] {
        by(bad).expect_err(bad);
    }
}

// === limits ===

#[test]
fn the_bytes_of_an_entry() {
    let last_approval = |length: usize| {
        let approval = |length: usize| SignedApproval {
            approval: vec![7; length].into(),
            ..sample::signed_approval()
        };
        let mut approvals = vec![approval(APPROVAL_BYTES_MAX); 6];
        approvals.push(approval(length));
        let decided = Box::new(Decided { approvals, ..sample::decided() });
        entry::encode(&sample::entry(LogEvent::Decided(decided)))
    };
    let rest = last_approval(1000).len() - 1000;
    let sized = |length: usize| last_approval(length - rest);
    assert_eq!(sized(LOG_ENTRY_BYTES_LIMIT).len(), LOG_ENTRY_BYTES_LIMIT);
    entry::decode(&sized(LOG_ENTRY_BYTES_LIMIT)).unwrap();
    over(entry::decode(&sized(LOG_ENTRY_BYTES_LIMIT + 1)));
    entry::decode(&[]).unwrap_err();
}

#[test]
fn the_bytes_that_an_entry_quotes() {
    let bytes = |length: usize| vec![7; length].into();
    let certificate = |length| with(LogEvent::Certificate { der: bytes(length) });
    let peer = |length| with(LogEvent::PeerCheckpoint { checkpoint: bytes(length) });
    let restored = |length| with(LogEvent::Restored { checkpoint: bytes(length) });
    certificate(CERTIFICATE_BYTES_MAX).unwrap();
    over(certificate(CERTIFICATE_BYTES_MAX + 1));
    peer(CHECKPOINT_BYTES_MAX).unwrap();
    over(peer(CHECKPOINT_BYTES_MAX + 1));
    restored(CHECKPOINT_BYTES_MAX).unwrap();
    over(restored(CHECKPOINT_BYTES_MAX + 1));
    broken(certificate(0), "`certificate` is missing");
    broken(peer(0), "`peer_checkpoint` is missing");
    broken(restored(0), "`restored` is missing");
    let approved = |length| {
        let approval = SignedApproval { approval: bytes(length), ..sample::signed_approval() };
        with(LogEvent::Approved { subject: Digest([8; 32]), approval })
    };
    approved(APPROVAL_BYTES_MAX).unwrap();
    over(approved(APPROVAL_BYTES_MAX + 1));
}

#[test]
fn words_are_cut_when_written_and_refused_when_read() {
    let long = || "sanoja\n".repeat(1000);
    let (by, subject) = (officer(), Digest([8; 32]));
    let read = |event| {
        let (LogEvent::Booted { software: text }
        | LogEvent::Erased { basis: text, .. }
        | LogEvent::Acted { what: text, .. }
        | LogEvent::Exported { what: text, .. }
        | LogEvent::Pruned { basis: text, .. }) = with(event).unwrap().event
        else {
            panic!("words")
        };
        text
    };
    let erased = LogEvent::Erased { subject, header: true, by: by.clone(), basis: long() };
    let acted = LogEvent::Acted { by: by.clone(), what: long() };
    let until = Timestamp::from_millis(-1);
    let pruned = LogEvent::Pruned { until, headers: 1, by: by.clone(), basis: long() };
    let exported = LogEvent::Exported { by, what: long() };
    let booted = LogEvent::Booted { software: long() };
    let based = [erased, acted, pruned, exported].map(|event| (event, BASIS_BYTES_MAX));
    for (event, most) in based.into_iter().chain([(booted, SOFTWARE_BYTES_MAX)]) {
        let text = read(event);
        assert!(text.starts_with("sanoja sanoja ") && text.len() == most, "{text}");
    }
    let booted = |text: &str| by_hand(pieces::field(19, text.as_bytes()));
    booted(&"s".repeat(SOFTWARE_BYTES_MAX)).unwrap();
    over(booted(&"s".repeat(SOFTWARE_BYTES_MAX + 1)));
    broken(booted("a\nb"), "one line");
    let by = pieces::field(1, officer().to_string().as_bytes());
    let acted = |length: usize| {
        let acted = [by.clone(), pieces::field(2, "w".repeat(length).as_bytes())].concat();
        by_hand(pieces::field(22, &acted))
    };
    acted(BASIS_BYTES_MAX).unwrap();
    over(acted(BASIS_BYTES_MAX + 1));
    let erased = |length: usize| {
        let basis = pieces::field(3, "b".repeat(length).as_bytes());
        let by = pieces::field(2, officer().to_string().as_bytes());
        by_hand(pieces::field(21, &[pieces::field(1, &[8; 32]), by, basis].concat()))
    };
    erased(BASIS_BYTES_MAX).unwrap();
    over(erased(BASIS_BYTES_MAX + 1));
}
