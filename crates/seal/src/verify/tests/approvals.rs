//! Only what the very officer signed of the very message is an approval of it.

use kuriiri_types::{Approval, ApprovalAct, Role, SealKeyId, Sealing, SignedApproval, WireLabel};

use super::*;
use crate::VerifiedApproval;

const ANNA: &str = "spiffe://sm.example/officer/anna";

fn header() -> Header {
    let to = |address: &str| Recipient { address: address.parse().unwrap(), role: Role::Action };
    Header {
        to: vec![to("kirjaamo@um.example")],
        label: Some("FI TL3 REL{SM,UM}".parse().unwrap()),
        expires: Some(NOW.after(DAY)),
        sealing: Some(Sealing { suite: 1, keys: vec![key(1), key(2)], content: Digest([4; 32]) }),
        ..decode(&encode("approvals", "sm.example")).unwrap()
    }
}

fn key(n: u8) -> SealKeyId {
    SealKeyId { ministry: "um.example".parse().unwrap(), key: Digest([n; 32]) }
}

fn approval(officer: &str) -> Approval {
    let header = header();
    Approval {
        message: header.id,
        subject: leaf(b"header"),
        content: header.content(),
        label: header.label.unwrap(),
        recipients: header.to,
        keys: header.sealing.unwrap().keys,
        needed: 2,
        until: Some(NOW.after(DAY)),
        expires: header.expires,
        officer: officer.parse().unwrap(),
        roles: vec!["releaser".into()],
        act: ApprovalAct::Release,
        at: NOW,
    }
}

fn sign(signer: &Signer, purpose: Purpose) -> SignedApproval {
    let approval = Bytes::from_static(b"approval");
    let proof = signer.sign(purpose, &[leaf(&approval)]).remove(0);
    SignedApproval { approval, proof }
}

impl World {
    fn officer(&self, id: &str) -> Signer {
        let authority = if id.contains("um.example") { &self.um } else { &self.sm };
        let officer = signer(authority, id, For::Signing, days(30));
        self.admit(&officer).unwrap();
        officer
    }

    fn approved(&self, approval: &Approval) -> VerifiedApproval {
        let signed = sign(&self.officer(&approval.officer.to_string()), Purpose::Approvals);
        let decode = |_: &Bytes| Ok::<_, Infallible>(approval.clone());
        self.verifier.approval(signed, decode, NOW).unwrap()
    }
}

#[test]
fn an_officer_signs_in_the_officers_own_name_and_for_this_purpose() {
    let world = world();
    let verify = |signed, officer: &str| {
        let approval = approval(officer);
        world.verifier.approval(signed, |_| Ok::<_, Infallible>(approval), NOW)
    };
    let anna = world.officer(ANNA);
    let verified = verify(sign(&anna, Purpose::Approvals), ANNA).unwrap();
    assert_eq!((verified.officer(), &verified.approval().act), (anna.id(), &ApprovalAct::Release));

    let as_bertta = verify(sign(&anna, Purpose::Approvals), "spiffe://sm.example/officer/bertta");
    assert!(matches!(as_bertta, Err(VerifyError::Person { .. })));
    let as_operator = verify(sign(&anna, Purpose::Approvals), "spiffe://sm.example/operator/anna");
    assert!(matches!(as_operator, Err(VerifyError::Person { .. })));
    let other = verify(sign(&anna, Purpose::Messages), ANNA);
    assert!(matches!(other, Err(VerifyError::Signature(_))));
    let by_system = verify(sign(&world.system(), Purpose::Approvals), ANNA);
    assert!(matches!(by_system, Err(VerifyError::Role { needed: SpiffeRole::Officer, .. })));
}

#[test]
fn no_approval_is_decoded_before_its_signature_is_checked() {
    let world = world();
    let mut signed = sign(&world.officer(ANNA), Purpose::Approvals);
    signed.approval = Bytes::from_static(b"another");
    let decode = |_: &Bytes| -> Result<Approval, Infallible> { panic!("decoded") };
    assert!(world.verifier.approval(signed, decode, NOW).is_err());
}

#[test]
fn an_approval_is_of_one_message_as_it_was_read() {
    let world = world();
    let good = world.approved(&approval(ANNA));
    good.check(&header(), leaf(b"header")).unwrap();
    assert!(good.holds_at(NOW.after(DAY)));
    assert!(!good.holds_at(NOW.after(DAY + DAY / 1000)));

    type Edit = fn(&mut Header);
    let edits: [(&str, Edit); 8] = [
        ("message", |h| h.id = MessageId::new(NOW, [2; 10])),
        ("content", |h| h.sealing.as_mut().unwrap().content = Digest([5; 32])),
        ("content", |h| h.sealing = None),
        ("label", |h| h.label = Some(WireLabel::plain("FI", "TL4"))),
        ("label", |h| h.label = None),
        ("list of recipients", |h| h.to[0].role = Role::Info),
        ("list of sealing keys", |h| drop(h.sealing.as_mut().unwrap().keys.pop())),
        ("expiry", |h| h.expires = None),
    ];
    for (what, edit) in edits {
        let mut edited = header();
        edit(&mut edited);
        let refused = good.check(&edited, leaf(b"header")).unwrap_err();
        assert!(matches!(refused, VerifyError::Void(named) if named == what), "{what}: {refused}");
        assert_eq!(refused.code(), Code::APPROVAL_VOID);
    }
    // What the approval does not repeat, such as the subject, changes the leaf.
    let refused = good.check(&header(), leaf(b"another header"));
    assert!(matches!(refused, Err(VerifyError::Void("header"))));
}

#[test]
fn officers_approve_what_their_own_ministry_sends() {
    let world = world();
    let foreign = world.approved(&approval("spiffe://um.example/officer/ulla"));
    let refused = foreign.check(&header(), leaf(b"header"));
    assert!(matches!(refused, Err(VerifyError::Ministry { .. })));
}

#[test]
fn it_is_checked_against_a_verified_header() {
    let world = world();
    let verified = world.verify(&lone(&world.system(), "sm.example")).unwrap();
    let refused = world.approved(&approval(ANNA)).check_verified(&verified);
    assert!(matches!(refused, Err(VerifyError::Void(_))));
}
