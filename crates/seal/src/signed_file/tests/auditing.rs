//! An auditor learns of every signature what it is worth, whatever the time.

use proptest::prelude::*;

use super::*;
use crate::CertificateValidity;

/// What an auditor who knows the certificates of these persons finds.
fn found(known: &[&Person], kind: FileKind, bytes: &[u8], text: &str) -> Vec<FileSigner> {
    let find = |name: &Fingerprint| {
        let known = known.iter().find(|person| person.signer.fingerprint() == *name);
        known.map(|person| &person.signer.certificate()[..])
    };
    file_signers(kind, bytes, text, find).unwrap()
}

fn only(found: Vec<FileSigner>) -> FileSigner {
    let [one] = <[FileSigner; 1]>::try_from(found).unwrap();
    one
}

#[test]
fn genuine_signatures_are_told_with_the_time_of_their_certificates() {
    let (anna, bertta) = (anna(), bertta());
    let signers = found(&[&bertta, &anna], KIND, FILE, &signed(&[&anna, &bertta]));
    for (person, signer) in [&anna, &bertta].into_iter().zip(&signers) {
        assert_eq!(
            (&signer.signer, signer.certificate),
            (person.signer.id(), person.signer.fingerprint(),)
        );
        assert!(signer.is_known() && signer.is_genuine());
        let CertificateValidity { not_before, not_after } = signer.validity.unwrap();
        assert_eq!((not_before, not_after), (NOW, NOW.after(30 * DAY)));
        // It is what `verify` takes for valid, to the millisecond.
        let pinned = pinned(&[person]);
        for edge in [not_before, not_after, not_after.after(DAY / 86_400)] {
            for off in -1..=1 {
                let at = Timestamp::from_millis(edge.as_millis() + off);
                let verified = pinned.verify(KIND, FILE, &signed(&[person]), at).unwrap();
                assert_eq!(signer.counts_at(at), verified.signers().len() == 1, "{at:?}");
            }
        }
    }
    assert!(found(&[&anna], KIND, FILE, &write(KIND, &[])).is_empty());
}

#[test]
fn a_signature_over_other_bytes_or_another_kind_is_not_genuine() {
    let anna = anna();
    let is_genuine = |kind, bytes: &[u8], text: &str| {
        let signer = only(found(&[&anna], kind, bytes, text));
        assert!(signer.is_known() && signer.validity.is_some());
        assert!(signer.is_genuine() || matches!(signer.flaw, Some(SignedFileError::Signature(_))));
        assert_eq!(signer.counts_at(NOW), signer.is_genuine());
        signer.is_genuine()
    };
    let text = signed(&[&anna]);
    assert!(is_genuine(KIND, FILE, &text));
    assert!(!is_genuine(KIND, &[FILE, b"# one more\n"].concat(), &text));
    for other in FileKind::ALL {
        let relabelled = text.replace(payload_type(KIND), payload_type(other));
        assert_eq!(is_genuine(other, FILE, &relabelled), other == KIND);
        let refused = file_signers(other, FILE, &text, |_| None);
        assert_eq!(refused.is_err(), other != KIND, "the text says what it is over");
    }
}

#[test]
fn one_bad_signature_spoils_no_other() {
    let (anna, bertta, stranger) = (anna(), bertta(), person("spiffe://um.example/officer/ulla"));
    let half = sign_file(KIND, b"# other bytes\n", None, &anna.signer).unwrap();
    let mixed = sign_file(KIND, FILE, Some(&half), &bertta.signer).unwrap();
    let mixed = sign_file(KIND, FILE, Some(&mixed), &stranger.signer).unwrap();
    let signers = found(&[&anna, &bertta], KIND, FILE, &mixed);
    let told: Vec<_> = signers.iter().map(|s| (s.is_known(), s.is_genuine())).collect();
    assert_eq!(told, [(true, false), (true, true), (false, false)]);
    assert!(matches!(&signers[2].flaw, Some(SignedFileError::UnknownCertificate(_))));
    assert_eq!((&signers[2].signer, signers[2].validity), (stranger.signer.id(), None));
}

#[test]
fn a_certificate_is_that_of_its_digest_and_of_the_name_beside_it() {
    let (anna, bertta) = (anna(), bertta());
    let text = signed(&[&anna]);
    let other = bertta.signer.certificate();
    let swapped = only(file_signers(KIND, FILE, &text, |_| Some(&other[..])).unwrap());
    assert!(!swapped.is_known() && !swapped.is_genuine());
    let renamed = text.replace("officer/anna", "officer/aino");
    let renamed = only(found(&[&anna], KIND, FILE, &renamed));
    assert!(renamed.is_known() && renamed.validity.is_some());
    let Some(SignedFileError::Name { written, holder }) = &renamed.flaw else {
        panic!("{renamed:?}")
    };
    assert_eq!((written.name(), holder.name()), ("aino", "anna"));
}

#[test]
fn only_certificates_of_officers_for_signing_sign_files() {
    for (id, purpose) in [
        ("spiffe://sm.example/system/kirjaamo", For::Signing),
        ("spiffe://sm.example/officer/anna", For::Tls),
    ] {
        let (certificate_pem, key_pem) = issue(id, purpose);
        let signer = Signer::from_pem(&certificate_pem, &key_pem).unwrap();
        let person = Person { signer, certificate_pem };
        let signer = only(found(&[&person], KIND, FILE, &signed(&[&person])));
        assert!(matches!(signer.flaw, Some(SignedFileError::Unfit(_))), "{signer:?}");
        assert_eq!(
            (signer.is_known(), signer.validity, signer.counts_at(NOW)),
            (true, None, false)
        );
    }
    let unreadable = b"no certificate";
    let text = signed(&[&anna()]);
    let line = text.lines().find(|line| line.starts_with("certificate")).unwrap();
    let text = text.replace(line, &format!("certificate = \"{}\"", digest(unreadable)));
    let signer = only(file_signers(KIND, FILE, &text, |_| Some(unreadable)).unwrap());
    assert!(matches!(signer.flaw, Some(SignedFileError::Unfit(_))), "{signer:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// An auditor who knows the pinned certificates finds genuine signers where `verify` does, and
    /// a flaw where it refuses.
    #[test]
    fn auditors_find_what_relays_found(
        file in proptest::collection::vec(any::<u8>(), 0..80),
        changed in proptest::option::of((any::<prop::sample::Index>(), 1..=255_u8)),
        signing in proptest::sample::subsequence(vec![0, 1, 2], 0..=3),
        days in -1..=31_i32,
    ) {
        let persons = [anna(), bertta(), person("spiffe://um.example/officer/ulla")];
        let known = [&persons[0], &persons[1]];
        let sign = |text: Option<String>, at: &usize| {
            Some(sign_file(KIND, &file, text.as_deref(), &persons[*at].signer).unwrap())
        };
        let text = signing.iter().fold(None, sign).unwrap_or_else(|| write(KIND, &[]));
        let mut read = file.clone();
        if let (Some((at, flip)), false) = (changed, read.is_empty()) {
            let at = at.index(read.len());
            read[at] ^= flip;
        }
        let at = Timestamp::from_millis(NOW.as_millis() + i64::from(days) * 86_400_000);
        let signers = found(&known, KIND, &read, &text);
        let is_false = |signer: &FileSigner| signer.is_known() && !signer.is_genuine();
        match pinned(&known).verify(KIND, &read, &text, at) {
            Ok(verified) => {
                prop_assert!(!signers.iter().any(is_false));
                let counting = signers.iter().filter(|signer| signer.counts_at(at));
                let names: BTreeSet<_> = counting.map(|signer| signer.signer.clone()).collect();
                prop_assert_eq!(&names, verified.signers());
            }
            Err(_) => prop_assert!(signers.iter().any(is_false)),
        }
    }
}
