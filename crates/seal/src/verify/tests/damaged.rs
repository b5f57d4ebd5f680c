//! Damaged certificates, authorities and revocation lists: each is read or refused, and none lets in more.

use std::cell::Cell;

use kuriiri_damage::any_damage;
use kuriiri_types::limits::CERTIFICATE_BYTES_MAX;
use proptest::prelude::*;
use rustls_pki_types::CertificateDer;

use super::*;
use crate::{CertificateError, certificate::Claims};

const SYSTEM: &str = "spiffe://sm.example/system/kirjaamo";

/// Certificates are made once: it is their damage that differs.
fn with_each_damage(texts: &[&str], check: impl Fn(&[String]) -> Result<(), TestCaseError>) {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(512));
    let result = runner.run(&(any_damage(), any::<prop::sample::Index>()), |(damage, which)| {
        let which = which.index(texts.len());
        let text = |(at, text): (usize, &&str)| match at == which {
            true => damage.applied_to_text(text),
            false => (*text).to_owned(),
        };
        check(&texts.iter().enumerate().map(text).collect::<Vec<_>>())
    });
    result.unwrap();
}

#[test]
fn no_damaged_certificate_is_admitted() {
    let world = world();
    let whole = world.system().certificate().clone();
    let verifier = world.verifier;
    proptest!(ProptestConfig::with_cases(2048), |(damage in any_damage())| {
        let damaged = Bytes::from(damage.applied_to(&whole));
        if verifier.admit_certificate(&damaged, NOW).is_ok() {
            prop_assert_eq!(&damaged, &whole);
        }
        match Claims::read(&CertificateDer::from(&damaged[..])) {
            Ok(claims) => {
                prop_assert!(damaged.len() <= CERTIFICATE_BYTES_MAX);
                let written = claims.id.to_string();
                prop_assert!(damaged.windows(written.len()).any(|part| part == written.as_bytes()));
            }
            Err(CertificateError::TooLong(length)) => prop_assert_eq!(length, damaged.len()),
            Err(_) => {}
        }
    });
}

#[test]
fn a_damaged_authority_admits_what_the_whole_one_does_or_less() {
    let sm = world().sm;
    let ministry = "sm.example".parse().unwrap();
    let genuine = signer(&sm, SYSTEM, For::Signing, days(30));
    let stranger = Authority::new(&ministry, days(100)).unwrap();
    let stranger = signer(&stranger, SYSTEM, For::Signing, days(30));
    with_each_damage(&[sm.certificate_pem()], |texts| {
        let mut authorities = Authorities::new();
        if authorities.add(&ministry, &texts[0]).is_err() {
            return Ok(());
        }
        let verifier = Verifier::new(authorities);
        prop_assert!(verifier.admit_certificate(stranger.certificate(), NOW).is_err());
        if let Ok(admitted) = verifier.admit_certificate(genuine.certificate(), NOW) {
            prop_assert_eq!(admitted, genuine.fingerprint());
        }
        Ok(())
    });
}

#[test]
fn no_damaged_list_brings_a_revoked_certificate_back() {
    let sm = world().sm;
    let ministry = "sm.example".parse().unwrap();
    let issued = sm.issue(&SYSTEM.parse().unwrap(), For::Signing, days(30)).unwrap();
    let revoked = Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap();
    let list = sm.crl(&[issued.serial], days(7)).unwrap();
    let taken = Cell::new(0);
    with_each_damage(&[&list], |texts| {
        let mut authorities = Authorities::new();
        authorities.add(&ministry, sm.certificate_pem()).unwrap();
        // What is refused here keeps the relay from starting, or the old list in force.
        if authorities.add_revocations(&ministry, &texts[0]).is_ok() {
            taken.set(taken.get() + 1);
            let verifier = Verifier::new(authorities);
            prop_assert!(verifier.admit_certificate(revoked.certificate(), NOW).is_err());
        }
        Ok(())
    });
    assert!(taken.get() > 0, "no damaged list was ever read");
}

#[test]
fn a_damaged_pair_signs_under_its_own_certificate_or_not_at_all() {
    let sm = world().sm;
    let issued = sm.issue(&SYSTEM.parse().unwrap(), For::Signing, days(30)).unwrap();
    let whole = Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap();
    with_each_damage(&[&issued.certificate_pem, &issued.key_pem], |texts| {
        if let Ok(signer) = Signer::from_pem(&texts[0], &texts[1]) {
            // Whatever else was damaged, the key is the one that the certificate names.
            let same = signer.sign(Purpose::Messages, &[leaf(b"x")]).remove(0).signature;
            prop_assert_eq!(same, whole.sign(Purpose::Messages, &[leaf(b"x")]).remove(0).signature);
        }
        Ok(())
    });
}
