//! Header, log entry and approval: one value, one encoding.

use kuriiri_types::{
    Approval, ApprovalAct, Code, Header, LogEvent, Precedence, Timestamp, WireLabel,
};
use kuriiri_wire::{Flaw, WireError, approval, entry, header, receipt};
use proptest::prelude::*;

use crate::{
    arbitrary,
    damage::{any_damage, any_mix},
    limits::header_with,
    pieces,
    sample::{self, recipients},
};

proptest! {
    #[test]
    fn a_header_comes_back(value in arbitrary::header()) {
        let bytes = header::encode_checked(&value).unwrap();
        prop_assert_eq!(&bytes, &header::encode(&value));
        prop_assert_eq!(header::decode(&bytes), Ok(value));
    }

    #[test]
    fn an_entry_comes_back(value in arbitrary::entry()) {
        prop_assert_eq!(entry::decode(&entry::encode(&value)), Ok(value));
    }

    #[test]
    fn a_receipt_comes_back_out_of_its_entry(value in arbitrary::receipt_entry()) {
        let read = receipt::decode(&entry::encode(&value));
        prop_assert_eq!(read.map(LogEvent::Receipt), Ok(value.event));
    }

    #[test]
    fn an_approval_comes_back(value in arbitrary::approval()) {
        prop_assert_eq!(approval::decode(&approval::encode(&value)), Ok(value));
    }

    #[test]
    fn a_damaged_approval_is_refused_or_canonical(
        value in arbitrary::approval(),
        damage in any_damage(),
    ) {
        let bytes = damage.applied_to(&approval::encode(&value));
        if let Ok(read) = approval::decode(&bytes) {
            prop_assert_eq!(approval::encode(&read), bytes);
        }
    }

    #[test]
    fn a_damaged_header_is_refused_or_canonical(
        value in arbitrary::header(),
        damage in any_damage(),
    ) {
        let bytes = damage.applied_to(&header::encode(&value));
        if let Ok(read) = header::decode(&bytes) {
            prop_assert_eq!(header::encode(&read), bytes);
        }
    }

    #[test]
    fn a_damaged_entry_is_refused_or_canonical(
        value in arbitrary::entry(),
        damage in any_damage(),
    ) {
        let bytes = damage.applied_to(&entry::encode(&value));
        if let Ok(read) = entry::decode(&bytes) {
            prop_assert_eq!(entry::encode(&read), bytes);
        }
    }

    /// A change that leaves all lengths right comes further than one of single bytes.
    #[test]
    fn an_entry_with_other_fields_is_refused_or_canonical(
        value in prop_oneof![arbitrary::receipt_entry(), arbitrary::decision_entry()],
        mixes in proptest::collection::vec(any_mix(), 1..3),
    ) {
        let mut outer = pieces::split(&entry::encode(&value));
        let event = outer.pop().unwrap();
        let number = pieces::number_of(&event);
        let inner = mixes.iter().fold(pieces::content(&event), |inner, mix| {
            mix.applied_to(pieces::split(&inner))
        });
        let bytes = [outer.concat(), pieces::field(number, &inner)].concat();
        if let Ok(read) = entry::decode(&bytes) {
            prop_assert_eq!(entry::encode(&read), bytes);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(read) = header::decode(&bytes) {
            prop_assert_eq!(header::encode(&read), bytes.clone());
        }
        if let Ok(read) = entry::decode(&bytes) {
            prop_assert_eq!(entry::encode(&read), bytes.clone());
        }
        if let Ok(read) = approval::decode(&bytes) {
            prop_assert_eq!(approval::encode(&read), bytes);
        }
    }
}

pub(crate) fn assert_not_canonical<T: std::fmt::Debug>(what: &str, result: Result<T, WireError>) {
    let error = result.expect_err(what);
    assert_eq!(error.flaw(), &Flaw::NotCanonical, "{what}");
    assert_eq!(error.code(), Code::MALFORMED, "{what}");
}

#[test]
fn a_second_encoding_of_a_header_is_refused() {
    let good = header::encode(&sample::header());
    let fields = pieces::split(&good);
    let with = |piece: pieces::Piece| [good.to_vec(), piece].concat();
    let replaced = |at: usize, piece: pieces::Piece| {
        let mut fields = fields.clone();
        fields[at] = piece;
        fields.concat()
    };
    let mut reordered = fields.clone();
    reordered.swap(0, 1);
    let mut doubled = fields.clone();
    doubled.insert(1, fields[1].clone());
    let recipient = fields[2][2..].to_vec();
    let hidden = [recipient.clone(), pieces::number(99, 1)].concat();
    let id = &fields[0];
    let second_encodings = [
        ("fields out of order", reordered.concat()),
        ("a single field twice", doubled.concat()),
        ("a single field again at the end", with(fields[1].clone())),
        ("an unknown field", with(pieces::number(99, 1))),
        ("an unknown field inside a recipient", replaced(2, pieces::field(3, &hidden))),
        ("an overlong length", replaced(0, [&[id[0], 0x90, 0x00], &id[2..]].concat())),
        ("an overlong key", replaced(0, [&[0x8a, 0x00], &id[1..]].concat())),
        ("an empty subject written out", with(pieces::field(12, b""))),
    ];
    for (what, bytes) in second_encodings {
        assert_not_canonical(what, header::decode(&bytes));
    }
    assert_eq!(header::decode(&good), Ok(sample::header()));
}

#[test]
fn a_written_out_zero_is_refused() {
    let mut value = sample::header();
    value.precedence = Precedence::Deferred;
    let fields = pieces::split(&header::encode(&value));
    let zero = pieces::number(5, 0);
    let bytes = [fields[..3].concat(), zero, fields[3..].concat()].concat();
    assert_not_canonical("precedence 0", header::decode(&bytes));
}

#[test]
fn a_second_encoding_of_an_approval_is_refused() {
    let good = approval::encode(&sample::approval());
    let mut reordered = pieces::split(&good);
    reordered.swap(0, 1);
    assert_not_canonical("order", approval::decode(&reordered.concat()));
    let unknown = [good.to_vec(), pieces::field(99, b"hidden")].concat();
    assert_not_canonical("unknown", approval::decode(&unknown));
}

#[test]
fn an_approval_that_breaks_a_rule_is_refused() {
    type Spoil = Box<dyn Fn(&mut Approval)>;
    let roles = |roles: &[&str]| -> Vec<String> { roles.iter().map(|r| (*r).into()).collect() };
    let (unsorted, twice, empty) = (roles(&["b", "a"]), roles(&["a", "a"]), roles(&[""]));
    let note = |text: &str| ApprovalAct::Reject { note: text.into() };
    let (two_lines, key) = (note("a\nb"), sample::seal_key(1));
    let cases: [(&str, &str, Spoil); 7] = [
        ("no recipient", "`recipients` is missing", Box::new(|a| a.recipients.clear())),
        ("none needed", "`needed` is missing", Box::new(|a| a.needed = 0)),
        ("unsorted roles", "sorted", Box::new(move |a| a.roles.clone_from(&unsorted))),
        ("a role twice", "twice", Box::new(move |a| a.roles.clone_from(&twice))),
        ("a nameless role", "`roles` is missing", Box::new(move |a| a.roles.clone_from(&empty))),
        ("a note of two lines", "one line", Box::new(move |a| a.act.clone_from(&two_lines))),
        ("a key twice", "`keys` must be", Box::new(move |a| a.keys = vec![key.clone(); 2])),
    ];
    for (what, expected, spoil) in cases {
        let mut value = sample::approval();
        spoil(&mut value);
        let error = approval::decode(&approval::encode(&value)).expect_err(what);
        assert!(error.to_string().contains(expected), "{what}: {error}");
        assert_eq!(error.code(), Code::MALFORMED);
    }
}

#[test]
fn an_act_is_known_and_only_a_rejection_has_a_note() {
    let fields = pieces::split(&approval::encode(&sample::approval()));
    let place = fields.iter().position(|piece| piece[0] == 12 << 3).unwrap();
    let with = |piece: pieces::Piece| {
        let mut fields = fields.clone();
        fields[place] = piece;
        approval::decode(&fields.concat())
    };
    let noted = |act| with([pieces::number(12, act), pieces::field(13, b"note")].concat());
    assert!(with(pieces::number(12, 1)).is_ok() && with(pieces::number(12, 2)).is_ok());
    assert!(noted(2).is_ok() && noted(1).is_err());
    assert!(with(Vec::new()).is_err() && with(pieces::number(12, 3)).is_err());
}

type Spoil = Box<dyn Fn(&mut Header)>;

#[test]
fn a_header_that_breaks_a_rule_is_refused() {
    let mut twice = recipients(2, 30);
    twice[1].address = twice[0].address.clone();
    let mut label: WireLabel = "FI TL3 REL{PLM,SM}".parse().unwrap();
    label.categories[0].values.reverse();
    let cases: [(&str, &str, Spoil); 9] = [
        ("no recipient", "`to` is missing", Box::new(|h| h.to.clear())),
        ("a recipient twice", "`to` has an address twice", Box::new(move |h| h.to = twice.clone())),
        ("an unsorted label", "sorted", Box::new(move |h| h.label = Some(label.clone()))),
        ("no content type", "`content_type` is missing", Box::new(|h| h.content_type.clear())),
        ("two lines of subject", "one line", Box::new(|h| h.subject = "a\nb".into())),
        ("a line break in the type", "ASCII", Box::new(|h| h.content_type = "a/b\r\n".into())),
        ("an empty name", "`drafter` is missing", Box::new(|h| h.drafter = Some(String::new()))),
        ("a path", "as in an identity", Box::new(|h| h.drafter = Some("..".into()))),
        ("two names", "as in an identity", Box::new(|h| h.drafter = Some("Anna Aalto".into()))),
    ];
    for (what, expected, spoil) in cases {
        let error = header_with(spoil).expect_err(what);
        assert!(error.to_string().contains(expected), "{what}: {error}");
        assert_eq!(error.code(), Code::MALFORMED);
    }
}

#[test]
fn sealing_keys_are_sorted_and_stand_once() {
    let key = |n: u8| kuriiri_types::SealKeyId {
        ministry: "um.example".parse().unwrap(),
        key: kuriiri_types::Digest([n; 32]),
    };
    let decode = |suite, keys| {
        let content = kuriiri_types::Digest([4; 32]);
        header_with(|h| h.sealing = Some(kuriiri_types::Sealing { suite, keys, content }))
    };
    assert!(decode(1, vec![key(1), key(2)]).is_ok());
    assert!(decode(1, vec![key(2), key(1)]).is_err());
    assert!(decode(1, vec![key(1), key(1)]).is_err());
    assert!(decode(1, vec![]).is_err());
    assert!(decode(0, vec![key(1)]).is_err());
}

#[test]
fn numbers_without_a_meaning_are_refused() {
    let fields = pieces::split(&header::encode(&sample::header()));
    let with = |at: usize, piece: pieces::Piece| {
        let mut fields = fields.clone();
        fields[at] = piece;
        header::decode(&fields.concat()).expect_err("a number").flaw().clone()
    };
    let unknown = |field, number| Flaw::Unknown { field, number };
    assert_eq!(with(3, pieces::number(5, 6)), unknown("precedence", 6));
    assert_eq!(with(3, pieces::number(5, u64::MAX)), unknown("precedence", -1));
    assert_eq!(with(4, pieces::number(6, 4)), unknown("message_type", 4));
    assert_eq!(with(4, Vec::new()), Flaw::Missing("message_type"));
    let recipient = [pieces::field(1, b"a@b"), pieces::number(2, 3)].concat();
    assert_eq!(with(2, pieces::field(3, &recipient)), unknown("to.role", 3));
    assert_eq!(with(2, pieces::field(3, &pieces::field(1, b"a@b"))), Flaw::Missing("to.role"));
}

#[test]
fn bytes_of_the_wrong_size_are_refused() {
    let fields = pieces::split(&header::encode(&sample::header()));
    for (at, number, right) in [(0, 1, 16), (8, 11, 32)] {
        for length in [0, right - 1, right + 1] {
            let mut fields = fields.clone();
            fields[at] = pieces::field(number, &vec![0x77; length]);
            assert!(header::decode(&fields.concat()).is_err(), "{number}: {length}");
        }
    }
    let mut id = fields.clone();
    id[0] = pieces::field(1, &[0x44; 16]);
    assert!(header::decode(&id.concat()).is_err(), "not a version 7 UUID");
}

#[test]
fn times_before_the_epoch_are_times() {
    let mut value = sample::header();
    value.created = Timestamp::from_millis(-1);
    value.expires = Some(Timestamp::from_millis(0));
    assert_eq!(header::decode(&header::encode(&value)), Ok(value));
}
