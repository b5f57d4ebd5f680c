//! What an item weighs is never less than what its encoding takes.

use kuriiri_types::{
    Precedence,
    limits::{
        BATCH_LEAVES_MAX, BODY_INLINE_BYTES_MAX, HEADER_BYTES_MAX, HOPS_MAX,
        MINISTRY_NAME_BYTES_MAX, PACK_BYTES_MAX,
    },
};
use proptest::prelude::*;

use super::*;

/// Hashes in the path of the largest batch.
const PATH_MAX: usize = BATCH_LEAVES_MAX.ilog2() as usize;
const SIGNATURE_BYTES: usize = 64;

fn bytes(length: impl Strategy<Value = usize>) -> impl Strategy<Value = Bytes> {
    length.prop_map(|length| vec![7; length].into())
}

fn ministry() -> impl Strategy<Value = Ministry> {
    (1..=MINISTRY_NAME_BYTES_MAX).prop_map(named)
}

fn named(length: usize) -> Ministry {
    "m".repeat(length).parse().unwrap()
}

fn proof() -> impl Strategy<Value = BatchProof> {
    let path = prop::collection::vec(any::<[u8; 32]>().prop_map(Digest), 0..=PATH_MAX);
    (any::<[u8; 32]>(), any::<u32>(), any::<u32>(), path).prop_map(|(signer, index, size, path)| {
        let signature = vec![7; SIGNATURE_BYTES].into();
        BatchProof { signer: Digest(signer), index, size, path, signature }
    })
}

fn body() -> impl Strategy<Value = Body> {
    let place = (any::<u64>(), any::<u64>(), any::<u32>());
    prop_oneof![
        bytes(0..=BODY_INLINE_BYTES_MAX).prop_map(Body::Inline),
        place.prop_map(|(file, offset, len)| Body::File(BodyRef { file, offset, len })),
    ]
}

fn parcel() -> impl Strategy<Value = Parcel> {
    let path = prop::collection::vec(ministry(), 0..HOPS_MAX);
    let times = any::<[i64; 2]>();
    let approval = (bytes(1..1025_usize), proof());
    let approval = approval.prop_map(|(approval, proof)| SignedApproval { approval, proof });
    let approvals = prop::collection::vec(approval, 0..4);
    let parts = (bytes(1..=HEADER_BYTES_MAX), proof(), ministry(), path, times, approvals, body());
    parts.prop_map(|(header, proof, dest, path, [expires, accepted], approvals, body)| Parcel {
        envelope: Envelope { header, proof },
        dest,
        path,
        expires: Timestamp::from_millis(expires),
        accepted: Timestamp::from_millis(accepted),
        approvals,
        body,
    })
}

fn encoded(item: Item) -> usize {
    postcard::to_stdvec(&item).unwrap().len()
}

/// The proof whose every number and hash takes the most room.
fn widest_proof() -> BatchProof {
    BatchProof {
        signer: Digest([0xff; 32]),
        index: u32::MAX,
        size: u32::MAX,
        path: vec![Digest([0xff; 32]); PATH_MAX],
        signature: vec![0xff; SIGNATURE_BYTES].into(),
    }
}

fn widest_parcel(body: Body) -> Parcel {
    Parcel {
        envelope: Envelope { header: vec![0xff; HEADER_BYTES_MAX].into(), proof: widest_proof() },
        dest: named(MINISTRY_NAME_BYTES_MAX),
        path: vec![named(MINISTRY_NAME_BYTES_MAX); HOPS_MAX - 1],
        expires: Timestamp::from_millis(i64::MIN),
        accepted: Timestamp::from_millis(i64::MIN),
        approvals: Vec::new(),
        body,
    }
}

proptest! {
    #[test]
    fn a_message_takes_no_more_than_its_weight(parcel in parcel()) {
        let weight = parcel.weight();
        let bytes = encoded(Item::Parcel(parcel));
        prop_assert!(bytes <= weight && weight <= bytes + 640, "{bytes} bytes weigh {weight}");
    }

    #[test]
    fn a_receipt_takes_no_more_than_its_weight(place in any::<u64>()) {
        prop_assert!(encoded(Item::Receipt(place)) <= Item::RECEIPT_WEIGHT);
    }
}

#[test]
fn the_widest_items_weigh_enough() {
    let place = BodyRef { file: u64::MAX, offset: u64::MAX, len: u32::MAX };
    let bodies = [Body::File(place), Body::Inline(vec![0; BODY_INLINE_BYTES_MAX].into())];
    for parcel in bodies.map(widest_parcel) {
        assert!(encoded(Item::Parcel(parcel.clone())) <= parcel.weight());
    }
    assert!(encoded(Item::Receipt(u64::MAX)) <= Item::RECEIPT_WEIGHT);
}

#[test]
fn the_largest_message_fits_a_pack_and_a_store_adds_one_byte() {
    let parcel = widest_parcel(Body::Inline(vec![0; BODY_INLINE_BYTES_MAX].into()));
    assert!(parcel.weight() <= PACK_BYTES_MAX, "{}", parcel.weight());
    let packed = Timestamp::from_millis(i64::MIN);
    let pack = Pack { before: u64::MAX, packed, items: vec![Item::Parcel(parcel)] };
    let bytes = postcard::to_stdvec(&pack).unwrap().len() + 1;
    assert!(bytes <= PACK_BYTES_MAX, "{bytes}");
}

#[test]
fn what_is_kept_comes_back() {
    let lane = Lane::Messages(Precedence::Flash);
    let key = PackKey { queue: QueueId::Outbox(named(9)), lane, first: 3 << 40 };
    let parcel = widest_parcel(Body::Inline(Bytes::from_static(b"salt and body")));
    let items = vec![Item::Parcel(parcel), Item::Receipt(u64::MAX)];
    let pack = Pack { before: 7, packed: Timestamp::from_millis(8), items };
    let written = postcard::to_stdvec(&(&key, &pack)).unwrap();
    assert_eq!(postcard::from_bytes::<(PackKey, Pack)>(&written).unwrap(), (key, pack));
}
