//! Every frame comes back, and nothing a peer sends does harm.

use std::fmt::Debug;

use bytes::Bytes;
use kuriiri_types::{Code, Refusal, Verdict};
use kuriiri_wire::{
    Flaw, Frame, Proved, admin::*, client::*, limits::SMALL_FRAME_BYTES_MAX, relay::*,
};
use proptest::prelude::*;

use crate::{arbitrary, damage::any_damage, pieces, sample};

/// Damaged bytes are refused, or say something that itself comes back.
fn survives<F: Frame + PartialEq + Debug>(bytes: Bytes) {
    match F::decode(bytes) {
        Ok(read) => assert_eq!(F::decode(read.encode()).as_ref(), Ok(&read)),
        Err(error) => assert_eq!(error.code(), Code::PROTOCOL),
    }
}

macro_rules! every_frame {
    ($($name:ident: $frame:ty),* $(,)?) => {
        proptest! {
            $(
                #[test]
                fn $name(value in arbitrary::$name(), damage in any_damage()) {
                    let bytes = value.encode();
                    prop_assert_eq!(<$frame>::decode(bytes.clone()), Ok(value));
                    survives::<$frame>(damage.applied_to(&bytes));
                }
            )*

            #[test]
            fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
                $(survives::<$frame>(bytes.clone().into());)*
            }
        }
    };
}

every_frame! {
    hello: Hello,
    relay_request: RelayRequest,
    witnessed: Witnessed,
    proved: Proved,
    batch: Batch,
    verdicts: Verdicts,
    request: Request,
    reply: Reply,
    to_receiver: ToReceiver,
    from_receiver: FromReceiver,
    to_receipt_reader: ToReceiptReader,
    confirm_receipts: ConfirmReceipts,
    admin_request: AdminRequest,
    admin_reply: AdminReply,
}

#[test]
fn a_frame_without_its_choice_is_refused() {
    for bytes in [Vec::new(), pieces::field(99, b"from a later version")] {
        let bytes = Bytes::from(bytes);
        assert!(RelayRequest::decode(bytes.clone()).is_err());
        assert!(Witnessed::decode(bytes.clone()).is_err());
        assert!(Proved::decode(bytes.clone()).is_err());
        assert!(Request::decode(bytes.clone()).is_err());
        assert!(Reply::decode(bytes.clone()).is_err());
        assert!(AdminRequest::decode(bytes.clone()).is_err());
        assert!(AdminReply::decode(bytes.clone()).is_err());
        assert!(ToReceiver::decode(bytes.clone()).is_err());
        assert!(FromReceiver::decode(bytes.clone()).is_err());
        assert!(ToReceiptReader::decode(bytes).is_err());
    }
}

#[test]
fn a_field_of_a_later_version_is_skipped() {
    let batch = sample::batch(vec![sample::parcel(5)]);
    let bytes = [batch.encode().to_vec(), pieces::field(99, b"new")].concat();
    assert_eq!(Batch::decode(bytes.into()), Ok(batch));
}

#[test]
fn a_body_is_not_copied_out_of_its_frame() {
    let bytes = sample::batch(vec![sample::parcel(5)]).encode();
    let frame = bytes.as_ptr_range();
    let batch = Batch::decode(bytes.clone()).unwrap();
    let parcel = &batch.parts[0].part.messages[0];
    for bytes in [&parcel.body, &parcel.header] {
        assert!(frame.contains(&bytes.as_ptr()));
    }
}

#[test]
fn crowds_are_counted_before_they_are_unpacked() {
    // Decoding would report all of them; counting stops at the first that is too many.
    let stops_at = |error: kuriiri_wire::WireError, most: u64| {
        assert!(
            matches!(error.flaw(), Flaw::OverLimit { max, found, .. } if *max == most && *found == most + 1),
            "{error}"
        );
    };
    let crowd = |piece: pieces::Piece| Bytes::from(piece.repeat(100_000));
    stops_at(Batch::decode(crowd(pieces::field(5, b""))).unwrap_err(), 256);
    stops_at(Batch::decode(crowd(pieces::field(6, b""))).unwrap_err(), 256);
    stops_at(Batch::decode(crowd(pieces::field(4, b""))).unwrap_err(), 1280);
    let inside = |number, content: Bytes| Bytes::from(pieces::field(number, &content));
    let path = inside(5, crowd(pieces::field(2, b"")));
    stops_at(Batch::decode(path).unwrap_err(), 8);
    let approvals = inside(5, inside(4, crowd(pieces::field(3, b""))));
    stops_at(Batch::decode(approvals).unwrap_err(), 16);
    let parcels = inside(5, crowd(pieces::field(4, b"")));
    stops_at(Batch::decode(parcels).unwrap_err(), 256);
    let positions = |bytes: usize| inside(5, inside(3, inside(4, vec![1; bytes].into())));
    stops_at(Batch::decode(positions(769)).unwrap_err(), 768);
    let apart = inside(5, inside(3, crowd(pieces::number(4, 1))));
    stops_at(Batch::decode(apart).unwrap_err(), 1);
    let markers = inside(1, inside(2, inside(2, inside(5, crowd(pieces::field(1, b""))))));
    stops_at(ToReceiver::decode(markers).unwrap_err(), 16);
    let submission = inside(1, crowd(pieces::field(5, b"")));
    stops_at(Request::decode(submission).unwrap_err(), 256);
    // Kinds that are small end at the bytes of their frame before.
    let some = |piece: pieces::Piece| Bytes::from(piece.repeat(10_000));
    let values = inside(4, inside(3, inside(3, some(pieces::field(2, b"")))));
    stops_at(Request::decode(values).unwrap_err(), 256);
    let in_answer = |number| inside(1, crowd(pieces::field(number, b"")));
    stops_at(Reply::decode(in_answer(1)).unwrap_err(), 256);
    stops_at(Reply::decode(in_answer(2)).unwrap_err(), 512);
    let in_verdicts = |number| crowd(pieces::field(number, b""));
    stops_at(Verdicts::decode(in_verdicts(1)).unwrap_err(), 256);
    stops_at(Verdicts::decode(in_verdicts(2)).unwrap_err(), 512);
    let peers = inside(3, crowd(pieces::field(5, b"")));
    stops_at(Reply::decode(peers).unwrap_err(), 4096);
    let in_reply = |answer, number| inside(answer, crowd(pieces::field(number, b"")));
    for (answer, number, most) in
        [(1, 1, 64), (2, 5, 17), (4, 1, 64), (5, 1, 64), (5, 2, 4096), (5, 4, 4096), (6, 1, 4096)]
    {
        stops_at(AdminReply::decode(in_reply(answer, number)).unwrap_err(), most);
    }
    let in_hold = |number| inside(1, inside(1, crowd(pieces::field(number, b""))));
    stops_at(AdminReply::decode(in_hold(3)).unwrap_err(), 64);
    stops_at(AdminReply::decode(in_hold(13)).unwrap_err(), 16);
    let offered = inside(5, crowd(pieces::field(1, b"")));
    stops_at(AdminRequest::decode(offered).unwrap_err(), 64);
}

#[test]
fn a_single_part_cannot_grow_by_repeats() {
    // Protobuf would merge the two refusals into one with the reasons of both.
    let refusal = pieces::field(2, &pieces::field(2, b"reason"));
    let verdict = [refusal.clone(), refusal].concat();
    let error = Verdicts::decode(pieces::field(1, &verdict).into()).unwrap_err();
    assert!(matches!(error.flaw(), Flaw::OverLimit { field: "refused", .. }), "{error}");
}

#[test]
fn a_path_is_whole_hashes() {
    let with_path = |length: usize| {
        let receipt = [
            pieces::field(3, b"entry"),
            pieces::field(5, &vec![6; length]),
            pieces::field(6, b"checkpoint"),
        ];
        let batch = [pieces::number(1, 6), pieces::field(6, &receipt.concat())];
        Batch::decode(batch.concat().into())
    };
    let batch = with_path(64).unwrap();
    assert_eq!(batch.receipts[0].path, [kuriiri_types::Digest([6; 32]); 2]);
    for length in [1, 31, 33, 65] {
        with_path(length).unwrap_err();
    }
}

#[test]
fn only_a_watch_goes_on_from_a_place() {
    let address: kuriiri_types::Address = "kirjaamo@sm.example".parse().unwrap();
    let read = |mode: u64, from: Option<u64>| {
        let place = from.map(|from| pieces::number(3, from)).unwrap_or_default();
        let fields = [pieces::field(1, b"kirjaamo@sm.example"), pieces::number(2, mode), place];
        Request::decode(pieces::field(3, &fields.concat()).into())
    };
    let request = |mode| Request::Receipts { address: address.clone(), mode };
    assert_eq!(read(1, None), Ok(request(ReceiptMode::Consume)));
    for from in [None, Some(0), Some(7), Some(u64::MAX)] {
        let watch = request(ReceiptMode::Watch { from });
        assert_eq!(read(2, from).as_ref(), Ok(&watch));
        assert_eq!(Request::decode(watch.encode()), Ok(watch));
    }
    let refused =
        [(1, Some(0)), (1, Some(7)), (0, None), (0, Some(7)), (3, None), (u64::MAX, None)];
    for (mode, from) in refused {
        let error = read(mode, from).expect_err("a mode to refuse");
        assert_eq!(error.code(), Code::PROTOCOL, "{mode} {from:?}");
    }
}

#[test]
fn a_nest_of_labels_is_refused() {
    let mut label = Vec::new();
    for _ in 0..10_000 {
        label = pieces::field(4, &pieces::field(2, &label));
    }
    let question = pieces::field(4, &pieces::field(3, &label));
    assert!(Request::decode(question.into()).is_err());
}

#[test]
fn errors_name_the_frame_and_never_quote_it() {
    let receive = [pieces::field(1, b"\x1b[2Jevil@um.example"), pieces::number(2, 1)].concat();
    let error = Request::decode(pieces::field(2, &receive).into()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("Request") && text.contains("`mailbox`"), "{text}");
    assert!(!text.contains("evil"), "{text}");
}

#[test]
fn only_batches_submissions_and_files_may_be_large() {
    let padded = |bytes: Bytes, to: usize| {
        let filler = vec![0; to.saturating_sub(bytes.len() + 16)];
        Bytes::from([&bytes[..], &pieces::field(99, &filler)].concat())
    };
    let small = Request::Status.encode();
    assert_eq!(Request::decode(padded(small.clone(), SMALL_FRAME_BYTES_MAX)), Ok(Request::Status));
    let refused = Request::decode(padded(small, 2 * SMALL_FRAME_BYTES_MAX)).unwrap_err();
    assert!(matches!(refused.flaw(), Flaw::OverLimit { field: "frame", .. }), "{refused}");
    let kinds = |max: fn(u8) -> usize| [0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x32, 0x3a].map(max);
    let large =
        |kinds: [usize; 7]| kinds.iter().filter(|max| **max > SMALL_FRAME_BYTES_MAX).count();
    for max in [RelayRequest::bytes_max, Request::bytes_max, AdminRequest::bytes_max] {
        assert_eq!(large(kinds(max)), 1);
    }
}

#[test]
fn a_code_of_a_newer_version_is_passed_on() {
    let refused = Verdict::Refused(Refusal::bare(Code::from_any_version(2999).unwrap()));
    let verdicts = Verdicts { verdicts: vec![refused], receipts: Vec::new() };
    assert_eq!(Verdicts::decode(verdicts.encode()), Ok(verdicts));
}
