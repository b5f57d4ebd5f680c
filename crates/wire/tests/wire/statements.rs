//! What a relay states about messages of one sender.

use kuriiri_types::{limits::*, *};
use kuriiri_wire::{Flaw, WireError, entry, limits::*, receipt};

use crate::{
    entries::{broken, by_hand, fields_of, with},
    limits::over,
    pieces,
    sample::{self, addresses},
    signed::assert_not_canonical,
};

/// A statement about messages for these recipients.
fn about(recipients: &[Address]) -> LogEvent {
    LogEvent::Receipt(Receipt { subjects: sample::told(recipients), ..sample::receipt() })
}

/// The same with other recipients written out.
fn written(subjects: usize, recipients: &[Address]) -> Result<Entry, WireError> {
    let fields = fields_of(about(&addresses(subjects, 30)));
    let recipients = recipients.iter().map(|to| pieces::field(9, to.to_string().as_bytes()));
    let recipients = recipients.collect::<Vec<_>>().concat();
    by_hand(pieces::field(10, &pieces::replaced(&fields, 9, recipients)))
}

fn of_one_recipient(count: usize) -> Vec<Address> {
    vec![addresses(1, 30).remove(0); count]
}

// === messages and recipients ===

#[test]
fn one_statement_speaks_of_many_messages() {
    for recipients in [of_one_recipient(1), of_one_recipient(3), addresses(3, 30)] {
        let event = about(&recipients);
        assert_eq!(with(event.clone()), Ok(sample::entry(event)));
    }
    let several = [addresses(2, 30), addresses(1, 30)].concat();
    let event = about(&several);
    assert_eq!(with(event.clone()), Ok(sample::entry(event)), "the first recipient again");
}

#[test]
fn a_recipient_that_all_have_is_written_once() {
    let recipients = |event| {
        let fields = fields_of(event);
        fields.iter().filter(|field| pieces::number_of(field) == 9).count()
    };
    assert_eq!(recipients(about(&of_one_recipient(5))), 1);
    assert_eq!(recipients(about(&addresses(5, 30))), 5);
    assert_eq!(written(3, &of_one_recipient(1)), with(about(&of_one_recipient(3))));
    assert_not_canonical("written out", written(3, &of_one_recipient(3)));
    assert_eq!(written(3, &addresses(3, 30)), with(about(&addresses(3, 30))));
}

#[test]
fn there_are_as_many_recipients_as_messages_or_one() {
    for (subjects, recipients) in [(1, 2), (3, 2), (3, 4), (3, 0), (1, 0)] {
        let result = written(subjects, &addresses(recipients, 30));
        broken(result, "`recipients` must be one, or as many as messages");
    }
}

#[test]
fn messages_are_whole_ids_and_digests() {
    let fields = fields_of(about(&of_one_recipient(2)));
    let subjects = |bytes: &[u8]| {
        let subjects = pieces::field(8, bytes);
        by_hand(pieces::field(10, &pieces::replaced(&fields, 8, subjects)))
    };
    let whole = pieces::content(fields.iter().find(|f| pieces::number_of(f) == 8).unwrap());
    assert_eq!(whole.len(), 96);
    subjects(&whole).unwrap();
    for length in [1, 47, 49, 95] {
        broken(subjects(&whole[..length]), "`subjects` must be whole ids and digests of 48 bytes");
    }
    let other_version = [&[0x44; 16], &whole[16..]].concat();
    broken(subjects(&other_version), "`subjects` is not a UUID of version 7");
    let none = by_hand(pieces::field(10, &pieces::replaced(&fields, 8, Vec::new())));
    broken(none, "`subjects` is missing");
}

#[test]
fn the_messages_of_a_statement() {
    const MOST: usize = STATEMENT_SUBJECTS_MAX;
    with(about(&of_one_recipient(MOST))).unwrap();
    over(with(about(&of_one_recipient(MOST + 1))));
    with(about(&addresses(MOST, 30))).unwrap();
    over(with(about(&addresses(MOST + 1, 30))));
}

#[test]
fn it_speaks_of_a_message_for_a_recipient() {
    let LogEvent::Receipt(receipt) = about(&addresses(2, 30)) else { unreachable!() };
    let [first, second] = receipt.subjects.as_slice() else { panic!("two") };
    let header = first.subject.header;
    assert!(receipt.is_about(header, &first.recipient));
    assert!(receipt.is_about(header, &second.recipient));
    assert!(!receipt.is_about(Digest([9; 32]), &first.recipient));
    assert!(!receipt.is_about(header, &"other@um.example".parse().unwrap()));
}

// === the rest ===

#[test]
fn a_receipt_is_read_only_from_an_entry_that_is_one() {
    let booted = LogEvent::Booted { software: "kuriiri 0.1.0".into() };
    let error = receipt::decode(&entry::encode(&sample::entry(booted))).unwrap_err();
    assert_eq!((error.flaw(), error.code()), (&Flaw::Missing("receipt"), Code::MALFORMED));
    assert_eq!(receipt::decode(&sample::signed_receipt().entry).unwrap(), sample::receipt());
}

#[test]
fn a_receipt_of_no_known_kind_or_code_is_refused() {
    let fields = fields_of(LogEvent::Receipt(sample::receipt()));
    let with = |number, piece: pieces::Piece| {
        by_hand(pieces::field(10, &pieces::replaced(&fields, number, piece)))
    };
    assert!(with(2, pieces::number(2, 5)).is_ok());
    assert!(with(2, pieces::number(2, 7)).is_err());
    assert!(with(2, Vec::new()).is_err());
    assert!(with(6, pieces::number(6, 2102)).is_ok());
    assert!(with(6, pieces::number(6, 65_535 + 2103)).is_err());
}

#[test]
fn who_handed_over_or_confirmed_may_be_left_out() {
    let by = |text: &str| {
        let fields = fields_of(LogEvent::Receipt(sample::receipt()));
        let by = pieces::field(5, text.as_bytes());
        by_hand(pieces::field(10, &pieces::replaced(&fields, 5, by)))
    };
    let told = |by| Ok(sample::entry(LogEvent::Receipt(Receipt { by, ..sample::receipt() })));
    let system = "spiffe://um.example/system/kirjaamo";
    assert_eq!(by(system), told(Some(Giver::System(system.parse().unwrap()))));
    assert_eq!(by("sm.example"), told(Some(Giver::Peer("sm.example".parse().unwrap()))));
    assert_eq!(with(LogEvent::Receipt(sample::receipt())), told(None));
    by("spiffe://um.example/boss/a").unwrap_err();
}

#[test]
fn the_reasons_of_a_receipt() {
    let inner = fields_of(LogEvent::Receipt(sample::receipt()));
    let reasons = |count: usize, length: usize| {
        let reasons = pieces::field(7, "r".repeat(length).as_bytes()).repeat(count);
        by_hand(pieces::field(10, &pieces::replaced(&inner, 7, reasons)))
    };
    reasons(REASONS_MAX, REASON_BYTES_MAX).unwrap();
    over(reasons(REASONS_MAX + 1, 1));
    over(reasons(1, REASON_BYTES_MAX + 1));

    let long = vec!["words\n".repeat(1000); REASONS_MAX + 1];
    let cut = with(LogEvent::Receipt(Receipt { reasons: long, ..sample::receipt() })).unwrap();
    let LogEvent::Receipt(cut) = cut.event else { panic!("a receipt") };
    assert_eq!((cut.reasons.len(), cut.reasons[0].len()), (REASONS_MAX, REASON_BYTES_MAX));
    assert!(cut.reasons[0].starts_with("words words "));
}

#[test]
fn the_fullest_statement_can_be_handed_out_and_logged_by_who_gets_it() {
    let longest = sample::longest_acceptance();
    assert!(longest.entry.len() >= STATEMENT_BYTES);
    let stated = receipt::decode(&longest.entry).unwrap();
    assert!(stated.subjects.len() > 200, "{}", stated.subjects.len());
    let size = longest.entry.len() + 32 * longest.path.len() + longest.checkpoint.len();
    assert!(size <= SIGNED_RECEIPT_BYTES_MAX, "{size}");

    // The largest that may be handed out at all.
    let entry = vec![7; SIGNED_RECEIPT_BYTES_MAX - size + longest.entry.len()].into();
    let receipt = Box::new(SignedReceipt { entry, ..longest });
    let ends = [Direction::In, Direction::Out];
    let channel =
        |direction| Channel { seq: u64::MAX, ..sample::channel(stated.issuer.as_str(), direction) };
    let value = Entry {
        at: Timestamp::from_millis(-1),
        boot: u64::MAX,
        channels: ends.map(channel).to_vec(),
        ..sample::entry(LogEvent::ReceiptIn { from: stated.issuer.clone(), receipt })
    };
    let bytes = entry::encode(&value);
    assert!(bytes.len() <= ENTRY_BYTES_MAX, "{}", bytes.len());
    assert_eq!(entry::decode(&bytes), Ok(value));
}

#[test]
fn the_receipt_of_another_relay() {
    let sized = |length: usize| {
        let entry = vec![7; length].into();
        let receipt = SignedReceipt { entry, ..sample::signed_receipt() };
        let from = "um.example".parse().unwrap();
        with(LogEvent::ReceiptIn { from, receipt: Box::new(receipt) })
    };
    let rest = sample::signed_receipt();
    let most = SIGNED_RECEIPT_BYTES_MAX - 32 * rest.path.len() - rest.checkpoint.len();
    sized(most).unwrap();
    over(sized(most + 1));
    broken(sized(0), "`entry` is missing");
}
