//! What an item weighs is never less than what its encoding takes.

use kuriiri_merkle::Tree;
use kuriiri_seal::gather;
use kuriiri_types::{
    Code, Precedence, Refusal,
    limits::{
        ASIDE_REASON_BYTES_MAX, BATCH_LEAVES_MAX, BODY_INLINE_BYTES_MAX, HEADER_BYTES_MAX,
        HOPS_MAX, MINISTRY_NAME_BYTES_MAX, PACK_BYTES_MAX,
    },
};
use proptest::prelude::*;

use super::*;
use crate::endorsed::HEADER_AND_APPROVALS_BYTES_MAX;

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
    let parts = (bytes(1..=HEADER_BYTES_MAX), ministry(), path, times, approvals, body());
    parts.prop_map(|(header, dest, path, [expires, accepted], approvals, body)| Parcel {
        header,
        dest,
        path,
        expires: Timestamp::from_millis(expires),
        accepted: Timestamp::from_millis(accepted),
        approvals,
        body,
        aside: None,
    })
}

fn encoded(item: Item) -> usize {
    postcard::to_stdvec(&item).unwrap().len()
}

/// The part of one message whose every number and hash takes the most room.
fn widest_part() -> SignedPart {
    SignedPart {
        signer: Digest([0xff; 32]),
        size: u32::MAX,
        signature: vec![0xff; SIGNATURE_BYTES].into(),
        positions: vec![u32::MAX],
        proof: vec![Digest([0xff; 32]); PATH_MAX],
    }
}

/// The proofs of so many equal headers.
fn signed(size: usize) -> Vec<BatchProof> {
    let tree: Tree = vec![leaf(b"the same"); size].into_iter().collect();
    let proof = |(index, path)| {
        let (size, signature) = (u32::try_from(size).unwrap(), vec![7; SIGNATURE_BYTES].into());
        BatchProof { signer: Digest([7; 32]), index, size, path, signature }
    };
    (0..).zip(tree.paths()).map(proof).collect()
}

/// A pack with messages of these leaves of a signed batch, and what it may weigh.
fn pack_of(proofs: &[BatchProof], header: &'static [u8]) -> (Pack, usize) {
    let parts = gather(proofs, |proof| *proof, |_, _| true).into_iter().map(|(part, _)| part);
    let parcel = Parcel { header: header.into(), ..widest_parcel(Body::Inline(Bytes::new())) };
    let before = [None].into_iter().chain(proofs.iter().map(Some));
    let weights = proofs
        .iter()
        .zip(before)
        .map(|(proof, before)| parcel.weight() + proof_weight_behind(before, proof));
    let weight = PACK_FIXED_BYTES + weights.sum::<usize>();
    let items = vec![Item::Parcel(parcel.clone()); proofs.len()];
    (Pack { parts: parts.collect(), items, ..Pack::default() }, weight)
}

fn widest_parcel(body: Body) -> Parcel {
    Parcel {
        header: vec![0xff; HEADER_BYTES_MAX].into(),
        dest: named(MINISTRY_NAME_BYTES_MAX),
        path: vec![named(MINISTRY_NAME_BYTES_MAX); HOPS_MAX - 1],
        expires: Timestamp::from_millis(i64::MIN),
        accepted: Timestamp::from_millis(i64::MIN),
        approvals: Vec::new(),
        body,
        aside: Some(Aside {
            since: Timestamp::from_millis(i64::MIN),
            why: Refusal {
                code: Code::MALFORMED,
                reasons: vec!["r".repeat(ASIDE_REASON_BYTES_MAX)],
            },
        }),
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

/// Every choice of neighbours, gaps and repeats of signed batches of every size.
#[test]
fn a_pack_takes_no_more_than_is_reckoned_for_it() {
    for size in 1..=9_usize {
        let proofs = signed(size);
        for mask in 1..1_usize << size {
            let mut chosen = proofs.clone();
            chosen.retain(|proof| mask >> proof.index & 1 == 1);
            chosen.extend(chosen.clone());
            let (pack, reckoned) = pack_of(&chosen, b"the same");
            let bytes = postcard::to_stdvec(&pack).unwrap().len();
            let weight = pack.weight();
            assert!(
                bytes <= weight && weight <= reckoned,
                "{size} {mask:b}: {bytes} {weight} {reckoned}"
            );
            let read: Vec<BatchProof> =
                pack.proofs().unwrap().into_iter().map(|(_, proof)| proof).collect();
            assert_eq!(read, chosen);
        }
    }
}

#[test]
fn parts_that_are_not_those_of_the_messages_are_found_out() {
    let proofs = signed(5);
    let (good, _) = pack_of(&proofs[1..4], b"the same");
    let wrong: [fn(&mut Pack); 4] = [
        |pack| drop(pack.items.pop()),
        |pack| pack.items.push(pack.items[0].clone()),
        |pack| pack.parts.clear(),
        |pack| pack.parts[0].proof.truncate(1),
    ];
    for change in wrong {
        let mut pack = good.clone();
        change(&mut pack);
        assert_eq!(pack.proofs(), None);
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
    let packed = Timestamp::from_millis(i64::MIN);
    let parts = vec![widest_part()];
    let pack = Pack { before: u64::MAX, packed, parts, items: vec![Item::Parcel(parcel)] };
    assert!(pack.weight() <= PACK_BYTES_MAX, "{}", pack.weight());
    let bytes = postcard::to_stdvec(&pack).unwrap().len() + 1;
    assert!(bytes <= PACK_BYTES_MAX, "{bytes}");
}

/// What is taken fits wherever it comes, and whether it is held or goes.
#[test]
fn a_message_with_all_that_it_may_carry_fits_a_pack_and_a_hold() {
    let place = Body::File(BodyRef { file: u64::MAX, offset: u64::MAX, len: u32::MAX });
    let proof = BatchProof {
        signer: Digest([0xff; 32]),
        index: u32::MAX,
        size: u32::MAX,
        path: vec![Digest([0xff; 32]); PATH_MAX],
        signature: vec![0xff; SIGNATURE_BYTES].into(),
    };
    let names = MINISTRY_NAME_BYTES_MAX + 2;
    for dests in [1, (HEADER_BYTES_MAX - 1024) / names] {
        let empty = SignedApproval { approval: Bytes::new(), proof: proof.clone() };
        let besides = HEADER_BYTES_MAX + dests * names + approvals_weight(&[empty]);
        let approval = vec![0xff; HEADER_AND_APPROVALS_BYTES_MAX - besides].into();
        let approvals = vec![SignedApproval { approval, proof: proof.clone() }];
        let parcel = Parcel { approvals: approvals.clone(), ..widest_parcel(place.clone()) };
        let Parcel { header, path, expires, .. } = parcel.clone();
        let parts = vec![widest_part()];
        let pack =
            Pack { before: u64::MAX, packed: expires, parts, items: vec![Item::Parcel(parcel)] };
        let bytes = postcard::to_stdvec(&pack).unwrap().len() + 1;
        assert!(bytes <= PACK_BYTES_MAX, "{bytes}");
        let hold = Hold {
            envelope: Envelope { header, proof: proof.clone() },
            dests: vec![named(MINISTRY_NAME_BYTES_MAX); dests],
            path,
            approvals,
            body: place.clone(),
            expires,
            accepted: expires,
        };
        let bytes = postcard::to_stdvec(&hold).unwrap().len() + 1;
        assert!(bytes <= PACK_BYTES_MAX, "{bytes}");
    }
}

#[test]
fn what_is_kept_comes_back() {
    let lane = Lane::Messages(Precedence::Flash);
    let key = PackKey { queue: QueueId::Outbox(named(9)), lane, first: 3 << 40 };
    let parcel = widest_parcel(Body::Inline(Bytes::from_static(b"salt and body")));
    let items = vec![Item::Parcel(parcel), Item::Receipt(u64::MAX)];
    let parts = vec![widest_part()];
    let pack = Pack { before: 7, packed: Timestamp::from_millis(8), parts, items };
    let written = postcard::to_stdvec(&(&key, &pack)).unwrap();
    assert_eq!(postcard::from_bytes::<(PackKey, Pack)>(&written).unwrap(), (key, pack));
}
