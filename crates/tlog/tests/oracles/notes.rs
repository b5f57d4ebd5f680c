//! Against `signed_note`, a port of Go's `sumdb/note`, and the checkpoints of `tlog_tiles`.

use base64::{Engine, engine::general_purpose::STANDARD};
use kuriiri_seal::NoteKey;
use kuriiri_tlog::{
    Checkpoint, Cosigner, KeyName, Note, NoteSigner, Signed, VerifierKey, add_signature,
};
use proptest::prelude::*;
use signed_note::{Signer, StandardSigner, StandardVerifier, Verifier, VerifierList};

use crate::nodes::tree;

const NAME: &str = "sm.example/log";
const SEED: [u8; 32] = [9; 32];

fn key(seed: [u8; 32]) -> NoteKey {
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend(seed);
    let body = STANDARD.encode(der);
    NoteKey::from_pem(&format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"))
        .unwrap()
}

fn ours() -> NoteSigner {
    NoteSigner::new(NAME.parse().unwrap(), key(SEED))
}

/// The same key in the other implementation.
fn theirs() -> StandardSigner {
    let mut material = vec![1];
    material.extend(SEED);
    let id = ours().verifier_key().id();
    StandardSigner::new(&format!("PRIVATE+KEY+{NAME}+{id:08x}+{}", STANDARD.encode(material)))
        .unwrap()
}

fn verifiers(vkey: &VerifierKey) -> VerifierList {
    VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey.to_string()).unwrap())])
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: NAME.to_owned(), size: 1234, root: tree(1234).root() }
}

#[test]
fn keys_have_the_same_text_and_id() {
    let vkey = ours().verifier_key().clone();
    let other = StandardVerifier::new(&vkey.to_string()).unwrap();
    assert_eq!((other.name(), other.key_id()), (NAME, vkey.id()));
    assert_eq!(theirs().key_id(), vkey.id());
}

#[test]
fn what_one_signs_the_other_signs_the_same_and_verifies() {
    let note = checkpoint().sign(&ours()).unwrap();
    let read = signed_note::Note::from_bytes(&note).unwrap();
    let (verified, unverified) = read.verify(&verifiers(ours().verifier_key())).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));

    let mut other = signed_note::Note::new(checkpoint().to_string().as_bytes(), &[]).unwrap();
    other.add_sigs(&[&theirs()]).unwrap();
    assert_eq!(other.to_bytes(), note);
    let verified = Checkpoint::verify(&other.to_bytes(), ours().verifier_key());
    assert_eq!(verified, Ok(checkpoint()));
}

#[test]
fn checkpoints_have_the_same_text() {
    let other =
        tlog_tiles::Checkpoint::new(NAME, 1234, tlog_tiles::Hash(checkpoint().root.0), "").unwrap();
    let text = other.to_bytes();
    assert_eq!(text, checkpoint().to_string().as_bytes());
    assert_eq!(Checkpoint::parse(str::from_utf8(&text).unwrap()), Ok(checkpoint()));
}

/// A cosignature by the words of its specification: the other implementation knows none, and does
/// the notes and the Ed25519.
struct CosignatureVerifier(VerifierKey, StandardVerifier);

impl Verifier for CosignatureVerifier {
    fn name(&self) -> &str {
        self.0.name().as_str()
    }

    fn key_id(&self) -> u32 {
        self.0.id()
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let (time, signature) = signature.split_at(8);
        let time = u64::from_be_bytes(time.try_into().unwrap());
        let mut message = format!("cosignature/v1\ntime {time}\n").into_bytes();
        message.extend_from_slice(text);
        self.1.verify(&message, signature)
    }
}

#[test]
fn a_cosigned_note_is_read_by_others() {
    let name: KeyName = "plm.example/witness".parse().unwrap();
    let witness = Cosigner::new(name.clone(), key([3; 32]));
    let plain = NoteSigner::new(name, key([3; 32])).verifier_key().to_string();
    let text = checkpoint().to_string();
    let note = checkpoint().sign(&ours()).unwrap();
    let note = add_signature(&note, witness.cosign(&text, 1_795_000_000).unwrap()).unwrap();

    let read = signed_note::Note::from_bytes(&note).unwrap();
    let verifier =
        CosignatureVerifier(witness.verifier_key().clone(), StandardVerifier::new(&plain).unwrap());
    let known = VerifierList::new(vec![
        Box::new(StandardVerifier::new(&ours().verifier_key().to_string()).unwrap()),
        Box::new(verifier),
    ]);
    assert_eq!(read.verify(&known).unwrap().0.len(), 2);
    let signed = Note::parse(&note).unwrap().verify(witness.verifier_key());
    assert_eq!(signed, Ok(Some(Signed { time: Some(1_795_000_000) })));
}

proptest! {
    #[test]
    fn both_take_and_refuse_the_same_notes(
        text in "[a\n— ]{0,6}",
        lines in prop::collection::vec("(— )?[a+ \u{a0}]{1,3} [AQgw+/=]{4,12}", 0..4),
        end in "\n?",
    ) {
        let note = format!("{text}\n\n{}{end}", lines.join("\n"));
        let theirs = signed_note::Note::from_bytes(note.as_bytes());
        let ours = Note::parse(note.as_bytes());
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours.text().as_bytes(), theirs.text());
            prop_assert_eq!(ours.to_bytes(), theirs.to_bytes());
        }
    }

    #[test]
    fn both_sign_any_text_alike(text in "[ -~\né—]{0,60}\n", seed in any::<[u8; 32]>()) {
        let signer = NoteSigner::new("any".parse().unwrap(), key(seed));
        let mut note = Note::new(text.clone()).unwrap();
        note.add(signer.sign(&text).unwrap()).unwrap();
        let read = signed_note::Note::from_bytes(&note.to_bytes()).unwrap();
        prop_assert!(read.verify(&verifiers(signer.verifier_key())).is_ok());
    }

    #[test]
    fn a_changed_key_that_we_read_others_read_too(at in 0..70_usize, letter in "[ -~]") {
        let mut text = ours().verifier_key().to_string();
        if at < text.len() {
            text.replace_range(at..=at, &letter);
        }
        let (ours, theirs) = (text.parse::<VerifierKey>(), StandardVerifier::new(&text));
        prop_assert!(ours.is_err() || theirs.is_ok_and(|key| key.key_id() == ours.unwrap().id()));
    }
}
