//! Only the pinned persons' signatures over the very bytes count, and a false one spoils all.

use kuriiri_certs::{Authority, Purpose as For, Validity};
use kuriiri_types::Code;

use super::*;

mod auditing;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
const FILE: &[u8] = b"format = \"label-catalogue/1\"\nserial = 43\n";
const KIND: FileKind = FileKind::Catalogue;

struct Person {
    signer: Signer,
    certificate_pem: String,
}

fn issue(id: &str, purpose: For) -> (String, String) {
    let authority =
        Authority::new(&"sm.example".parse().unwrap(), Validity::days(NOW, 99)).unwrap();
    let issued = authority.issue(&id.parse().unwrap(), purpose, Validity::days(NOW, 30)).unwrap();
    (issued.certificate_pem, issued.key_pem)
}

fn person(id: &str) -> Person {
    let (certificate_pem, key_pem) = issue(id, For::Signing);
    let signer = Signer::from_pem(&certificate_pem, &key_pem).unwrap();
    Person { signer, certificate_pem }
}

fn anna() -> Person {
    person("spiffe://sm.example/officer/anna")
}

fn bertta() -> Person {
    person("spiffe://sm.example/officer/bertta")
}

fn pinned(persons: &[&Person]) -> PinnedSigners {
    let mut pinned = PinnedSigners::new();
    persons.iter().for_each(|person| pinned.add(&person.certificate_pem).unwrap());
    pinned
}

fn signed(persons: &[&Person]) -> String {
    let sign = |text: Option<String>, person: &&Person| {
        Some(sign_file(KIND, FILE, text.as_deref(), &person.signer).unwrap())
    };
    persons.iter().fold(None, sign).unwrap()
}

#[test]
fn every_pinned_person_counts_once_and_strangers_not() {
    let (anna, bertta, stranger) = (anna(), bertta(), person("spiffe://um.example/officer/ulla"));
    let renewed = self::anna();
    let pinned = pinned(&[&anna, &bertta, &renewed]);
    let verify = |persons: &[&Person]| {
        let file = pinned.verify(KIND, FILE, &signed(persons), NOW).unwrap();
        assert_eq!((file.kind(), file.digest()), (KIND, digest(FILE)));
        for (name, der) in file.certificates() {
            let whose = pinned.0[name].claims.id.clone();
            assert!(digest(der) == *name && file.signers().contains(&whose));
        }
        file.signers().iter().map(|id| id.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(verify(&[&anna]), ["anna"]);
    assert_eq!(verify(&[&bertta, &stranger, &anna]), ["anna", "bertta"]);
    assert_eq!(verify(&[&anna, &renewed, &anna]), ["anna"]);
    assert_eq!(verify(&[&stranger]), [""; 0]);
    let none = pinned.verify(KIND, FILE, &write(KIND, &[]), NOW).unwrap();
    assert!(none.signers().is_empty() && none.certificates().is_empty());
    let both = pinned.verify(KIND, FILE, &signed(&[&anna, &renewed, &anna]), NOW).unwrap();
    let names: BTreeSet<_> = both.certificates().keys().copied().collect();
    assert_eq!(names, BTreeSet::from([&anna, &renewed].map(|one| one.signer.fingerprint())));
    assert_eq!(pinned.persons().len(), 2);
}

#[test]
fn a_pinned_persons_false_signature_spoils_the_whole() {
    let (anna, bertta) = (anna(), bertta());
    let pinned = pinned(&[&anna, &bertta]);
    let text = signed(&[&anna, &bertta]);
    let verify = |bytes: &[u8], text: &str| pinned.verify(KIND, bytes, text, NOW);
    let changed = [FILE, b"# one more\n"].concat();
    assert!(matches!(verify(&changed, &text), Err(SignedFileError::Signature(_))));

    let half = sign_file(KIND, &changed, None, &anna.signer).unwrap();
    let mixed = sign_file(KIND, FILE, Some(&half), &bertta.signer).unwrap();
    let refused = verify(FILE, &mixed).unwrap_err();
    assert!(matches!(&refused, SignedFileError::Signature(id) if id.name() == "anna"));
    assert_eq!(refused.code(), Code::POLICY_SIGNATURE);
    // Signing again makes it good.
    let mended = sign_file(KIND, FILE, Some(&mixed), &anna.signer).unwrap();
    assert_eq!(verify(FILE, &mended).unwrap().signers().len(), 2);

    let renamed = text.replace("officer/anna", "officer/aino");
    assert!(matches!(verify(FILE, &renamed), Err(SignedFileError::Name { .. })));
}

#[test]
fn a_signature_over_one_kind_is_none_over_another() {
    let anna = anna();
    let pinned = pinned(&[&anna]);
    for kind in FileKind::ALL {
        let text = sign_file(kind, FILE, None, &anna.signer).unwrap();
        for other in FileKind::ALL {
            let verified = pinned.verify(other, FILE, &text, NOW);
            assert_eq!(verified.is_ok(), other == kind);
            let relabelled = text.replace(payload_type(kind), payload_type(other));
            assert_eq!(pinned.verify(other, FILE, &relabelled, NOW).is_ok(), other == kind);
        }
        let added = sign_file(FileKind::Catalogue, FILE, Some(&text), &anna.signer);
        assert_eq!(added.is_ok(), kind == FileKind::Catalogue);
    }
}

#[test]
fn a_certificate_counts_from_its_first_to_its_last_second() {
    let anna = anna();
    let (pinned, text) = (pinned(&[&anna]), signed(&[&anna]));
    let verify = |at| {
        let file = pinned.verify(KIND, FILE, &text, at).unwrap();
        assert_eq!(file.certificates().len(), file.signers().len());
        (file.signers().len(), file.lapsed().count())
    };
    assert_eq!(verify(NOW.before(DAY / 86_400)), (0, 1));
    assert_eq!(verify(NOW), (1, 0));
    assert_eq!(verify(NOW.after(30 * DAY)), (1, 0));
    assert_eq!(verify(NOW.after(30 * DAY + DAY / 86_400)), (0, 1));
}

#[test]
fn whoever_renewed_and_signed_again_has_not_lapsed() {
    let (old, new) = (anna(), anna());
    let late = NOW.after(31 * DAY);
    let authority =
        Authority::new(&"sm.example".parse().unwrap(), Validity::days(NOW, 99)).unwrap();
    let validity = Validity::days(late, 30);
    let issued = authority.issue(new.signer.id(), For::Signing, validity).unwrap();
    let signer = Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap();
    let new = Person { signer, certificate_pem: issued.certificate_pem };
    let file = pinned(&[&old, &new]).verify(KIND, FILE, &signed(&[&old, &new]), late).unwrap();
    assert_eq!((file.signers().len(), file.lapsed().count()), (1, 0));
}

#[test]
fn what_was_signed_in_time_is_signed_for_whoever_knows_that_it_was() {
    let (anna, bertta) = (anna(), bertta());
    let late = NOW.after(31 * DAY);
    let file = pinned(&[&anna]).verify(KIND, FILE, &signed(&[&anna, &bertta]), late).unwrap();
    assert_eq!(file.signers().len(), 0);
    let file = file.as_it_was_signed();
    assert!(file.signers().iter().eq([anna.signer.id()]), "nobody who is not pinned");
    assert!(file.certificates().keys().eq([&anna.signer.fingerprint()]));
    assert_eq!(file.lapsed().count(), 0);
}

#[test]
fn only_officers_for_signing_are_pinned() {
    let add = |pem: &str| PinnedSigners::new().add(pem);
    let system = person("spiffe://sm.example/system/kirjaamo");
    assert!(matches!(add(&system.certificate_pem), Err(KeyError::NotAnOfficer(_))));
    assert!(matches!(add(""), Err(KeyError::Pem { .. })));
    assert!(add(&[anna().certificate_pem, bertta().certificate_pem].concat()).is_ok());

    // A certificate for connections is readable, and never valid for this.
    let (certificate_pem, key_pem) = issue("spiffe://sm.example/officer/anna", For::Tls);
    let signer = Signer::from_pem(&certificate_pem, &key_pem).unwrap();
    let tls = Person { signer, certificate_pem };
    let file = pinned(&[&tls]).verify(KIND, FILE, &signed(&[&tls]), NOW).unwrap();
    assert_eq!((file.signers().len(), file.lapsed().count()), (0, 1));
}

#[test]
fn what_is_not_a_file_of_signatures_is_refused_whatever_it_is() {
    let anna = anna();
    let (pinned, good) = (pinned(&[&anna]), signed(&[&anna]));
    let refused = |text: &str| pinned.verify(KIND, FILE, text, NOW).expect_err("a refusal");
    assert!(matches!(refused(""), SignedFileError::Syntax(_)));
    let other = good.replace("signatures/1", "signatures/2");
    assert!(matches!(refused(&other), SignedFileError::Format));
    let unknown = format!("{good}comment = \"hidden\"\n");
    assert!(matches!(refused(&unknown), SignedFileError::Syntax(_)));
    let upper = good.to_uppercase().replace("SIGNATURE = \"", "signature = \"");
    assert!(matches!(refused(&upper), SignedFileError::Syntax(_) | SignedFileError::Format));
    let short = good.replace("certificate = \"", "certificate = \"0");
    assert!(matches!(refused(&short), SignedFileError::Digits(_)));
    let long = format!("{good}#{}", "x".repeat(FILE_SIGNATURES_BYTES_MAX));
    assert!(matches!(refused(&long), SignedFileError::TooLong));
}

#[test]
fn signatures_are_bounded() {
    let anna = anna();
    let entry = signed(&[&anna]).split_once("\n\n").unwrap().1.to_owned();
    let head = write(KIND, &[]);
    let times = |count: usize| format!("{head}\n{}", vec![entry.as_str(); count].join("\n"));
    let pinned = pinned(&[&anna]);
    assert!(pinned.verify(KIND, FILE, &times(FILE_SIGNATURES_MAX), NOW).is_ok());
    let more = times(FILE_SIGNATURES_MAX + 1);
    let refused = pinned.verify(KIND, FILE, &more, NOW);
    assert!(matches!(refused, Err(SignedFileError::TooMany)));
    let full = times(FILE_SIGNATURES_MAX);
    let added = sign_file(KIND, FILE, Some(&full), &bertta().signer);
    assert!(matches!(added, Err(SignedFileError::TooMany)));
}

#[test]
fn the_committed_file_is_signed_by_the_two_officers_of_the_vector() {
    const NAMES: [&str; 2] = ["anna", "bertta"];
    let mut pinned = PinnedSigners::new();
    pinned.add(include_str!("../../../../tests/vectors/seal/signed-officers.pem")).unwrap();
    let file = include_bytes!("../../../../tests/vectors/seal/signed-catalogue.toml");
    let text = include_str!("../../../../tests/vectors/seal/signed-catalogue.toml.sig");
    let verified = pinned.verify(KIND, file, text, NOW).unwrap();
    let names: Vec<_> = verified.signers().iter().map(SpiffeId::name).collect();
    assert_eq!(names, NAMES);
    // The text is also what this crate would have written.
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let plain: String = lines.map(|line| format!("{line}\n")).collect();
    assert_eq!(write(KIND, &read(KIND, text).unwrap()), plain);
}
