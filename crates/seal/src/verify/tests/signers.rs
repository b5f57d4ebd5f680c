//! Whose certificate is accepted, under whose authority, and for how long.

use super::*;
use crate::{CertificateError, CertificateValidity};

#[test]
fn a_certificate_not_shown_is_asked_for() {
    let world = world();
    let signer = signer(&world.sm, "spiffe://sm.example/system/new", For::Signing, days(30));
    let envelope = lone(&signer, "sm.example");
    let refused = world.verify(&envelope);
    assert!(matches!(refused, Err(VerifyError::UnknownSigner(f)) if f == signer.fingerprint()));
    world.admit(&signer).unwrap();
    assert!(world.verify(&envelope).is_ok());
}

#[test]
fn an_authority_speaks_for_its_own_ministry_only() {
    let world = world();
    let id = "spiffe://sm.example/system/kirjaamo";
    let foreign = signer(&world.um, id, For::Signing, days(30));
    let refused = world.admit(&foreign);
    assert!(matches!(refused, Err(VerifyError::Certificate(CertificateError::Refused { .. }))));
    assert!(matches!(
        world.verify(&lone(&foreign, "sm.example")),
        Err(VerifyError::UnknownSigner(_))
    ));

    let unknown = signer(&world.um, "spiffe://vm.example/system/x", For::Signing, days(30));
    let refused = world.admit(&unknown).unwrap_err();
    assert!(matches!(refused, VerifyError::Certificate(CertificateError::UnknownMinistry(_))));
    assert_eq!(refused.code(), Code::TRUST_LAPSED, "it may be this side that lacks an authority");
}

#[test]
fn an_authority_with_the_name_of_another_is_still_another() {
    let world = world();
    let impostor = Authority::new(&"sm.example".parse().unwrap(), days(100)).unwrap();
    let signer = signer(&impostor, "spiffe://sm.example/system/x", For::Signing, days(30));
    assert!(world.admit(&signer).is_err());
}

#[test]
fn only_a_certificate_for_signing_signs() {
    let world = world();
    let tls = signer(&world.sm, "spiffe://sm.example/system/k", For::Tls, days(30));
    let refused = world.admit(&tls).unwrap_err();
    assert!(matches!(refused, VerifyError::Certificate(CertificateError::Refused { .. })));
    assert_eq!(refused.code(), Code::SIGNATURE);
}

#[test]
fn a_certificate_counts_from_its_first_to_its_last_second() {
    let world = world();
    let signer = signer(&world.sm, "spiffe://sm.example/system/k", For::Signing, days(30));
    let admit = |at| world.verifier.admit_certificate(signer.certificate(), at);
    let envelope = lone(&signer, "sm.example");
    let verify = |at| world.verifier.message(envelope.clone(), decode, at);
    let (end, over) = (NOW.after(30 * DAY), NOW.after(30 * DAY + DAY / 86_400));

    assert_eq!(admit(NOW.before(DAY)).unwrap_err().code(), Code::TRUST_LAPSED, "or a clock");
    assert_eq!(admit(over).unwrap_err().code(), Code::SIGNATURE);
    assert!(matches!(verify(NOW), Err(VerifyError::UnknownSigner(_))));
    admit(NOW).unwrap();
    assert!(verify(NOW).is_ok() && verify(end).is_ok());
    // Neither the remembered certificate nor the remembered root outlives it.
    assert!(matches!(verify(over), Err(VerifyError::Expired { .. })));
    assert!(matches!(admit(over), Err(VerifyError::Certificate(_))));
}

#[test]
fn a_revoked_certificate_signs_no_more_and_an_overdue_list_says_nothing() {
    let sm = "sm.example".parse().unwrap();
    let authority = Authority::new(&sm, days(100)).unwrap();
    let id = "spiffe://sm.example/system/k".parse().unwrap();
    let issue = || authority.issue(&id, For::Signing, days(30)).unwrap();
    let (good, bad) = (issue(), issue());
    let list = authority.crl(&[bad.serial], days(7)).unwrap();
    let mut authorities = Authorities::new();
    authorities.add(&sm, authority.certificate_pem()).unwrap();
    authorities.add_revocations(&sm, &list).unwrap();
    let verifier = Verifier::new(authorities);
    let admit = |issued: &kuriiri_certs::Issued, at| {
        let signer = Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap();
        verifier.admit_certificate(signer.certificate(), at)
    };
    assert_eq!(admit(&bad, NOW).unwrap_err().code(), Code::SIGNATURE);
    // An overdue list is a fault of whoever has it, and says nothing against the signer.
    assert_eq!(admit(&good, NOW.after(8 * DAY)).unwrap_err().code(), Code::TRUST_LAPSED);
    assert!(admit(&good, NOW).is_ok());
}

#[test]
fn no_admission_outlives_the_list_that_it_rests_on() {
    let (world, second) = (world(), DAY / 86_400);
    let verifier = |list: &str| {
        let sm = "sm.example".parse().unwrap();
        let mut authorities = Authorities::new();
        authorities.add(&sm, world.sm.certificate_pem()).unwrap();
        authorities.add_revocations(&sm, list).unwrap();
        Verifier::new(authorities)
    };
    for id in ["system/kirjaamo", "officer/anna"] {
        let id = format!("spiffe://sm.example/{id}");
        let signer = signer(&world.sm, &id, For::Signing, days(30));
        let verifier = verifier(&world.sm.crl(&[], days(7)).unwrap());
        verifier.admit_certificate(signer.certificate(), NOW).unwrap();
        let envelope = lone(&signer, "sm.example");
        let statement =
            Statement::required(Purpose::Messages, leaf(&envelope.header), &envelope.proof);
        let (statement, signature) = (statement.unwrap(), &envelope.proof.signature);
        let signed = |at| verifier.signed(signer.fingerprint(), statement, signature, at);
        assert!(signed(NOW).is_ok() && signed(NOW.after(7 * DAY).before(second)).is_ok());
        let refused = signed(NOW.after(7 * DAY)).unwrap_err();
        assert!(matches!(refused, VerifyError::Unvouched { .. }), "{refused}");
        assert_eq!(refused.code(), Code::TRUST_LAPSED, "it is the list that lacks, not the signer");
    }
}

#[test]
fn every_certificate_has_dates_whatever_it_is_for() {
    let world = world();
    let issue = |purpose, id: &str, validity| {
        world.sm.issue(&id.parse().unwrap(), purpose, validity).unwrap().certificate_pem
    };
    let (later, long) = (NOW.after(DAY), Validity::days(NOW.before(40 * 365 * DAY), 1));
    let pem = [
        world.sm.certificate_pem(),
        &issue(For::Tls, "spiffe://sm.example/relay/r1", Validity::days(later, 3)),
        &issue(For::Signing, "spiffe://sm.example/officer/anna", days(30)),
        &issue(For::Tls, "spiffe://sm.example/relay/r1", long),
    ];
    let found = CertificateValidity::all_in(&pem.concat()).unwrap();
    let found: Vec<_> = found.iter().map(|dates| (dates.not_before, dates.not_after)).collect();
    let expected = [days(100), Validity::days(later, 3), days(30), long];
    assert_eq!(found, expected.map(|dates| (dates.not_before, dates.not_after)));
    assert!(CertificateValidity::all_in("nothing").is_err());
    assert!(CertificateValidity::of_der(b"nothing").is_err());
}

#[test]
fn what_is_no_certificate_is_refused_whatever_it_is() {
    let world = world();
    let long = vec![0x30; 5000];
    for bytes in [&b""[..], b"\x30\x03\x02\x01\x00", world.sm.certificate_der(), &long] {
        let refused = world.verifier.admit_certificate(&Bytes::copy_from_slice(bytes), NOW);
        assert!(matches!(refused, Err(VerifyError::Certificate(_))));
    }
    let mut authorities = Authorities::new();
    let sm = "sm.example".parse().unwrap();
    assert!(authorities.add(&sm, "").is_err());
    assert!(authorities.add_revocations(&sm, world.sm.certificate_pem()).is_err());
}
