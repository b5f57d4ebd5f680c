//! What was signed together is checked together, and a part of it as a part.

use kuriiri_certs::{Authority, Purpose as For, Validity};
use kuriiri_merkle::leaf;
use kuriiri_types::Ministry;

use super::*;
use crate::{Authorities, Signer};

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn world() -> (Signer, Verifier) {
    let ministry: Ministry = "sm.example".parse().unwrap();
    let authority = Authority::new(&ministry, Validity::days(NOW, 9)).unwrap();
    let id = "spiffe://sm.example/system/kirjaamo".parse().unwrap();
    let issued = authority.issue(&id, For::Signing, Validity::days(NOW, 9)).unwrap();
    let mut authorities = Authorities::new();
    authorities.add(&ministry, authority.certificate_pem()).unwrap();
    let verifier = Verifier::new(authorities);
    let signer = Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap();
    verifier.admit_certificate(signer.certificate(), NOW).unwrap();
    (signer, verifier)
}

fn leaves(count: u8) -> Vec<Digest> {
    (0..count).map(|number| leaf(&[number])).collect()
}

/// The part of these positions, and its leaves.
fn part(proofs: &[BatchProof], all: &[Digest], positions: &[usize]) -> (SignedPart, Vec<Digest>) {
    let chosen: Vec<_> = positions.iter().map(|at| &proofs[*at]).collect();
    (join(&chosen).unwrap(), positions.iter().map(|at| all[*at]).collect())
}

#[test]
fn every_part_of_a_batch_is_good_and_needs_one_signature() {
    let (signer, verifier) = world();
    for size in [1_u8, 2, 3, 7, 8] {
        let all = leaves(size);
        let proofs = signer.sign(Purpose::Messages, &all);
        for mask in 1..1_usize << size {
            let positions: Vec<_> =
                (0..usize::from(size)).filter(|at| mask >> at & 1 == 1).collect();
            let (part, leaves) = part(&proofs, &all, &positions);
            assert_eq!(verifier.part(&part, &leaves, NOW).unwrap().name(), "kirjaamo");
            let is_whole = positions.len() == all.len();
            assert_eq!(part.proof.is_empty(), is_whole, "{size} {positions:?}");
        }
    }
    assert_eq!(verifier.signatures_checked(), 5);
}

#[test]
fn a_part_of_other_leaves_positions_or_hashes_is_refused() {
    let (signer, verifier) = world();
    let all = leaves(6);
    let proofs = signer.sign(Purpose::Messages, &all);
    let (good, leaves) = part(&proofs, &all, &[1, 2, 4]);
    let refused =
        |part: &SignedPart, leaves: &[Digest]| verifier.part(part, leaves, NOW).unwrap_err();
    let changed = |change: fn(&mut SignedPart)| {
        let mut part = good.clone();
        change(&mut part);
        refused(&part, &leaves)
    };
    let is_path = |error| matches!(error, VerifyError::Path);
    assert!(matches!(refused(&good, &[all[1], all[2], all[5]]), VerifyError::Signature(_)));
    assert!(is_path(refused(&good, &leaves[..2])));
    assert!(is_path(changed(|part| part.positions = vec![2, 1, 4])));
    assert!(is_path(changed(|part| part.positions = vec![1, 2, 6])));
    assert!(is_path(changed(|part| part.proof.truncate(1))));
    assert!(matches!(changed(|part| part.positions = vec![0, 2, 4]), VerifyError::Signature(_)));
    assert!(matches!(changed(|part| part.proof[0] = leaf(b"other")), VerifyError::Signature(_)));
}

#[test]
fn leaves_of_two_batches_are_no_part() {
    let (signer, _) = world();
    let (all, one) = (leaves(2), leaves(3));
    let (two, three) = (signer.sign(Purpose::Messages, &all), signer.sign(Purpose::Messages, &one));
    assert_eq!(join(&[]), None);
    assert_eq!(join(&[&two[0], &three[1]]), None);
    assert_eq!(join(&[&two[1], &two[0]]), None);
}

fn refuse(_: &Bytes) -> Result<Header, std::io::Error> {
    Err(std::io::Error::other("no header"))
}

/// What stands together is divided and gathered again without loss, whatever is left out, repeated or
/// turned round.
#[test]
fn parts_and_proofs_say_the_same() {
    let (signer, verifier) = world();
    let all = leaves(9);
    let (nine, others) = (signer.sign(Purpose::Messages, &all), leaves(3));
    let three = signer.sign(Purpose::Messages, &others);
    let item = |at: usize| (all[at], &nine[at]);
    let other = |at: usize| (others[at], &three[at]);
    let items = [item(1), item(2), item(7), other(0), other(2), item(0), item(0), item(8), item(3)];
    let parts = gather(items, |(_, proof)| proof, |_, _| true);
    let positions: Vec<_> = parts.iter().map(|(part, _)| part.positions.clone()).collect();
    assert_eq!(positions, [vec![1, 2, 7], vec![0, 2], vec![0], vec![0, 8], vec![3]]);
    let mut apart = Vec::new();
    for (part, items) in parts {
        let leaves: Vec<Digest> = items.iter().map(|(leaf, _)| *leaf).collect();
        verifier.part(&part, &leaves, NOW).unwrap();
        apart.extend(leaves.iter().copied().zip(divide(&part, &leaves).unwrap()));
        assert_eq!(divide(&part, &leaves[1..]), None);
    }
    assert!(apart.iter().map(|(leaf, proof)| (*leaf, proof)).eq(items));
    let unlike =
        gather([item(0), item(1), item(2)], |(_, proof)| proof, |_, (leaf, _)| *leaf != all[2]);
    assert_eq!(unlike.iter().map(|(_, items)| items.len()).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn a_proof_of_no_tree_stands_alone_and_is_of_no_use() {
    let (signer, _) = world();
    let all = leaves(3);
    let mut proofs = signer.sign(Purpose::Messages, &all);
    proofs[1].path.pop();
    let parts = gather(all.iter().zip(&proofs), |(_, proof)| proof, |_, _| true);
    let opened: Vec<_> =
        parts.iter().map(|(part, items)| divide(part, &[*items[0].0]).is_some()).collect();
    assert_eq!(opened, [true, false, true]);
}

/// A header that cannot be read is told of alone; one that nobody signed spoils the part.
#[test]
fn what_is_wrong_with_one_header_is_about_that_one() {
    let (signer, verifier) = world();
    let frame = Bytes::from_static(b"onetwothree");
    let headers = [frame.slice(..3), frame.slice(3..6), frame.slice(6..)];
    let leaves: Vec<Digest> = headers.iter().map(|header| leaf(header)).collect();
    let proofs = signer.sign(Purpose::Messages, &leaves);
    let part = join(&proofs.iter().collect::<Vec<_>>()).unwrap();
    let verified = verifier.headers(&part, &headers, refuse, NOW);
    assert!(verified.iter().all(|one| matches!(one, Err(VerifyError::Decode(_)))));
    let swapped = [headers[0].clone(), headers[2].clone(), headers[1].clone()];
    let refused = verifier.headers(&part, &swapped, refuse, NOW);
    let is_unsigned = |one: &Result<_, _>| matches!(one, Err(VerifyError::Signature(_)));
    assert!(refused.len() == 3 && refused.iter().all(is_unsigned), "nothing of it is read");
}
