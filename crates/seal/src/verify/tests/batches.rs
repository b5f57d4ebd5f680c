//! One signature for a batch, and nothing else passes for one.

use kuriiri_types::limits::BATCH_LEAVES_MAX;
use proptest::prelude::*;

use super::*;

#[test]
fn every_message_of_every_batch_verifies_with_one_signature_a_batch() {
    let world = world();
    let signer = world.system();
    for size in 1..=130 {
        let before = world.verifier.signatures_checked();
        for envelope in envelopes(&signer, Purpose::Messages, size) {
            let verified = world.verify(&envelope).unwrap();
            assert_eq!(verified.leaf(), leaf(&envelope.header));
            assert_eq!(verified.signer(), signer.id());
            assert_eq!(verified.envelope(), &envelope);
        }
        assert_eq!(world.verifier.signatures_checked(), before + 1, "{size}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// With the root remembered and without, so that the memory cannot be what lets it pass.
    #[test]
    fn no_flipped_bit_verifies(
        size in 1..=130_usize,
        which in any::<prop::sample::Index>(),
        part in 0..6,
        place in any::<prop::sample::Index>(),
        bit in 0..8_u32,
        bit_of_number in 0..32_u32,
        is_remembered: bool,
    ) {
        let world = world();
        let signer = world.system();
        let mut envelope = envelopes(&signer, Purpose::Messages, size).remove(which.index(size));
        if is_remembered {
            world.verify(&envelope).unwrap();
        }
        let proof = &mut envelope.proof;
        let flipped = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = place.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            Bytes::from(bytes)
        };
        match part {
            0 => envelope.header = flipped(&envelope.header),
            1 => proof.signature = flipped(&proof.signature),
            2 => proof.index ^= 1 << bit_of_number,
            3 => proof.size ^= 1 << bit_of_number,
            4 => proof.signer.0[place.index(32)] ^= 1 << bit,
            _ if proof.path.is_empty() => proof.path.push(leaf(b"")),
            _ => {
                let at = place.index(proof.path.len());
                proof.path[at].0[which.index(32)] ^= 1 << bit;
            }
        }
        prop_assert!(world.verify(&envelope).is_err());
    }
}

#[test]
fn a_proof_that_contradicts_itself_is_told_apart_from_a_bad_signature() {
    let world = world();
    let signer = world.system();
    let good = envelopes(&signer, Purpose::Messages, 5).remove(2);
    let broken: [fn(&mut BatchProof); 5] = [
        |proof| proof.index = 5,
        |proof| proof.size = 0,
        |proof| {
            // The right path for the last of so many: it rises alone and meets one sibling.
            (proof.index, proof.size) = (BATCH_LEAVES_MAX, BATCH_LEAVES_MAX + 1);
            proof.path.truncate(1);
        },
        |proof| proof.path.push(Digest([0; 32])),
        |proof| proof.path.clear(),
    ];
    for breaks in broken {
        let mut envelope = good.clone();
        breaks(&mut envelope.proof);
        assert!(matches!(world.verify(&envelope), Err(VerifyError::Path)));
    }
    let mut envelope = good;
    envelope.proof.signature = Bytes::from_static(&[0; 64]);
    let refused = world.verify(&envelope).unwrap_err();
    assert!(matches!(refused, VerifyError::Signature(_)));
    assert_eq!(refused.code(), Code::SIGNATURE);
}

#[test]
fn a_forgotten_root_is_only_checked_again() {
    let world = world();
    let signer = world.system();
    let first = lone(&signer, "sm.example");
    world.verify(&first).unwrap();
    for i in 0..ROOTS_REMEMBERED {
        let statement =
            Statement::required(Purpose::Messages, leaf(&i.to_be_bytes()), &first.proof);
        let signed = (signer.fingerprint(), statement.unwrap(), Bytes::new());
        locked(&world.verifier.roots).remember(signed, ());
    }
    world.verify(&first).unwrap();
    world.verify(&first).unwrap();
    assert_eq!(world.verifier.signatures_checked(), 2);
}

#[test]
fn a_failed_signature_is_never_remembered() {
    let world = world();
    let mut envelope = lone(&world.system(), "sm.example");
    envelope.proof.signature = Bytes::from_static(&[1; 64]);
    for checked in 1..=3 {
        assert!(world.verify(&envelope).is_err());
        assert_eq!(world.verifier.signatures_checked(), checked);
    }
}
