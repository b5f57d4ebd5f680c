//! Officers see what waits, verified and opened, and what they sign is of that and nothing else.

use kuriiri_certs::Purpose;
use kuriiri_client::{
    Approved, CallError, Hold, Officer, OfficerError, OfficerProfile, OfficerProfileBuilder,
    Unacceptable, VerifiedApproval, approved_by,
};
use kuriiri_merkle::leaf;
use kuriiri_seal::{Authorities, Verifier};
use kuriiri_types::{ApprovalAct, Code, MessageId, Refusal, Role, SpiffeId, Timestamp};
use kuriiri_wire::{
    admin::{ActiveFiles, AdminReply, AdminRequest, DecisionRecords, HeldMessage, Holds},
    approval, header,
};

use crate::{
    relay::Relay,
    world::{Member, World, approve, message_of, now, sealed, soon},
};

const SECRET: &str = "the border opens at six";
const TO: &str = "kirjaamo@um.example";

/// A relay with one message that waits, as it tells officers of it.
#[derive(Clone)]
struct Waiting {
    held: HeldMessage,
    hold: Hold,
}

impl Waiting {
    /// A message of `sm`, sealed to the recipient and to the officers.
    fn sealed(world: &World) -> Self {
        let (sm, um) = (&world.sm, &world.um);
        let keys = [
            (um.ministry.clone(), um.sealing_key().public_key()),
            (sm.ministry.clone(), sm.release_key().public_key()),
        ];
        let (plain, _) = message_of(sm, TO, "the border");
        Self::of(world, sealed(sm, &plain, SECRET, &keys))
    }

    fn of(world: &World, (envelope, body): (kuriiri_types::Envelope, bytes::Bytes)) -> Self {
        let header = header::decode(&envelope.header).unwrap();
        let bertta = world.sm.officer("bertta");
        let approvals = vec![approve(&bertta, &envelope.header, ApprovalAct::Release)];
        let missing = vec!["APPROVALS:1/2".to_owned()];
        let certificates =
            vec![world.sm.system.certificate().clone(), bertta.certificate().clone()];
        let hold = Hold {
            id: header.id,
            from: header.from,
            recipients: header.to,
            label: header.label.unwrap(),
            precedence: header.precedence,
            subject: header.subject,
            content_type: header.content_type,
            size: header.body_size,
            accepted: Timestamp::from_millis(1),
            expires: Timestamp::from_millis(2),
            drafter: header.drafter,
            needed: 2,
            approvals: approvals.clone(),
            missing: missing.clone(),
        };
        let held = HeldMessage { envelope, body, needed: 2, approvals, certificates, missing };
        Self { held, hold }
    }

    fn id(&self) -> MessageId {
        self.hold.id
    }

    /// Answers as a relay does with which this message waits.
    fn at(self, relay: &Relay) {
        relay.answer_people_with(move |request| match request {
            AdminRequest::HoldList { .. } => {
                AdminReply::Holds(Holds { holds: vec![self.hold.clone()], more: false })
            }
            AdminRequest::HoldShow { .. } => AdminReply::Held(self.held.clone()),
            AdminRequest::Approve(_) => {
                AdminReply::Approved(Approved::Counted { have: 2, need: 3 })
            }
            AdminRequest::PolicyActive
            | AdminRequest::PolicyActivate { .. }
            | AdminRequest::AsideList { .. }
            | AdminRequest::AsideAct { .. }
            | AdminRequest::Budgets
            | AdminRequest::Lapses
            | AdminRequest::Decisions { .. }
            | AdminRequest::Erase { .. }
            | AdminRequest::NoteExport { .. }
            | AdminRequest::Prune { .. } => AdminReply::Refused(Refusal::bare(Code::INTERNAL)),
        });
    }
}

fn person(world: &World, relay: &Relay, path: &str) -> OfficerProfileBuilder {
    let tls = world.sm.issue(path, Purpose::Tls);
    let id: SpiffeId = format!("spiffe://sm.example/{path}").parse().unwrap();
    let mut builder = OfficerProfile::builder(id, &relay.address().to_string())
        .tls(&tls.certificate_pem, &tls.key_pem)
        .unwrap();
    for other in [&world.sm, &world.um] {
        let ca = other.authority.certificate_pem();
        builder = builder.trust(&other.ministry, ca, &other.crl()).unwrap();
    }
    builder
}

fn officer(world: &World, relay: &Relay) -> OfficerProfileBuilder {
    let signing = world.sm.issue("officer/anna", Purpose::Signing);
    let builder = person(world, relay, "officer/anna").role("release").role("a role");
    builder.signing(&signing.certificate_pem, &signing.key_pem).unwrap()
}

async fn connected() -> (World, Relay, Officer) {
    let world = World::new();
    let relay = Relay::open(&world, &world.sm);
    let profile = officer(&world, &relay).release_key(world.sm.release_key()).build().unwrap();
    let anna = soon(Officer::connect(profile)).await.unwrap();
    (world, relay, anna)
}

/// The approval that was handed in last, verified.
fn handed_in(member: &Member, relay: &Relay) -> VerifiedApproval {
    let Some(AdminRequest::Approve(approve)) = relay.people_asked().pop() else {
        panic!("nothing was handed in")
    };
    let mut authorities = Authorities::new();
    authorities.add(&member.ministry, member.authority.certificate_pem()).unwrap();
    let verifier = Verifier::new(authorities);
    verifier.admit_certificate(&approve.certificate, now()).unwrap();
    verifier.approval(approve.approval, |bytes| approval::decode(bytes), now()).unwrap()
}

#[tokio::test]
async fn a_sealed_message_is_read_and_released_exactly_as_it_was_shown() {
    let (world, relay, anna) = connected().await;
    let waiting = Waiting::sealed(&world);
    let (id, signed) = (waiting.id(), waiting.held.envelope.header.clone());
    waiting.at(&relay);

    let shown = soon(anna.show(id)).await.unwrap();
    assert_eq!((shown.id(), shown.body().unwrap().as_ref()), (id, SECRET.as_bytes()));
    assert_eq!(shown.sender().to_string(), "spiffe://sm.example/system/kirjaamo");
    assert_eq!((shown.needed(), shown.missing()), (2, &["APPROVALS:1/2".to_owned()][..]));
    assert_eq!(shown.expires(), Some(Timestamp::from_millis(2)));
    assert_eq!(shown.approvals().len(), 1);
    assert_eq!(shown.approvals()[0].officer().name(), "bertta");

    let claimed = approved_by(&soon(anna.holds()).await.unwrap()[0]);
    assert_eq!(claimed, [shown.approvals()[0].officer().clone()]);

    let until = now();
    let outcome = soon(anna.release(&shown, Some(until))).await.unwrap();
    assert_eq!(outcome, Approved::Counted { have: 2, need: 3 });
    let approval = handed_in(&world.sm, &relay);
    approval.check(&header::decode(&signed).unwrap(), leaf(&signed)).unwrap();
    let said = approval.approval();
    assert_eq!(said.officer, *anna.id());
    assert_eq!((said.needed, said.until), (2, Some(until)));
    assert_eq!(
        (&said.roles[..], &said.act),
        (&["a role".into(), "release".into()][..], &ApprovalAct::Release)
    );
}

#[tokio::test]
async fn a_rejection_takes_a_note_to_whoever_wrote_it() {
    let (world, relay, anna) = connected().await;
    let waiting = Waiting::sealed(&world);
    let id = waiting.id();
    waiting.at(&relay);
    let shown = soon(anna.show(id)).await.unwrap();
    relay.people_asked();
    let error = soon(anna.reject(&shown, &"x".repeat(1000))).await.unwrap_err();
    assert_eq!(error.code(), Code::MALFORMED);
    assert!(relay.people_asked().is_empty(), "a note that cannot be read was handed in");

    soon(anna.reject(&shown, "name the place")).await.unwrap();
    let note = "name the place".into();
    assert_eq!(handed_in(&world.sm, &relay).approval().act, ApprovalAct::Reject { note });
}

#[tokio::test]
async fn what_is_not_as_it_was_signed_is_not_shown() {
    let (world, relay, anna) = connected().await;
    let good = Waiting::sealed(&world);
    let of_another = Waiting::of(&world, message_of(&world.um, TO, "of another ministry"));
    type Change<'a> = Box<dyn Fn(&mut Waiting) + 'a>;
    let cases: [(&str, Code, Change<'_>); 7] = [
        // First, for a certificate that was seen once is remembered.
        ("not genuine", Code::SIGNATURE, Box::new(|w| w.held.certificates.clear())),
        (
            "another list of recipients",
            Code::PROTOCOL,
            Box::new(|w| w.hold.recipients[0].role = Role::Info),
        ),
        ("another subject", Code::PROTOCOL, Box::new(|w| w.hold.subject = "tea".into())),
        ("another label", Code::PROTOCOL, Box::new(|w| w.hold.label = "FI JULK".parse().unwrap())),
        ("another drafter", Code::PROTOCOL, Box::new(|w| w.hold.drafter = None)),
        ("not genuine", Code::MALFORMED, Box::new(|w| w.held.body = vec![0; 64].into())),
        (
            "another message",
            Code::PROTOCOL,
            Box::new(|w| {
                let other = Waiting::sealed(&world);
                (w.held, w.hold.id) = (other.held, w.hold.id);
            }),
        ),
    ];
    for (what, code, change) in cases {
        let mut waiting = good.clone();
        change(&mut waiting);
        waiting.at(&relay);
        let error = soon(anna.show(good.id())).await.unwrap_err();
        let OfficerError::Unacceptable { source, .. } = &error else { panic!("{error}") };
        assert!(source.to_string().contains(what), "{what}: {source}");
        assert_eq!(error.code(), code, "{what}");
    }
    let id = of_another.id();
    let mut foreign = of_another;
    foreign.held.certificates.push(world.um.system.certificate().clone());
    foreign.at(&relay);
    let error = soon(anna.show(id)).await.unwrap_err();
    let is_foreign =
        matches!(error, OfficerError::Unacceptable { source: Unacceptable::NotForUs, .. });
    assert!(is_foreign, "{error}");
}

/// What is shown without a body can be sent back, and cannot be released.
async fn unread(relay: &Relay, anna: &Officer, id: MessageId) -> (Code, String) {
    let shown = soon(anna.show(id)).await.unwrap();
    relay.people_asked();
    let error = soon(anna.release(&shown, None)).await.unwrap_err();
    assert!(matches!(error, OfficerError::Unread(other) if other == id), "{error}");
    assert!(relay.people_asked().is_empty(), "a release of what nobody read was handed in");
    soon(anna.reject(&shown, "it does not open")).await.unwrap();
    let why = shown.body().unwrap_err();
    (why.code(), why.to_string())
}

#[tokio::test]
async fn without_the_release_key_what_is_sealed_can_only_be_rejected() {
    let world = World::new();
    let relay = Relay::open(&world, &world.sm);
    let anna = Officer::connect(officer(&world, &relay).build().unwrap());
    let anna = soon(anna).await.unwrap();
    let waiting = Waiting::sealed(&world);
    let id = waiting.id();
    waiting.at(&relay);
    let (code, why) = unread(&relay, &anna, id).await;
    assert_eq!((code, why.contains("release-key")), (Code::KEY_FILE, true), "{why}");

    let waiting = Waiting::of(&world, message_of(&world.sm, TO, "open"));
    let id = waiting.id();
    waiting.at(&relay);
    assert_eq!(soon(anna.show(id)).await.unwrap().body().unwrap().as_ref(), b"open");
}

#[tokio::test]
async fn what_was_sealed_past_the_officers_can_only_be_rejected() {
    let (world, relay, anna) = connected().await;
    let mut waiting = Waiting::sealed(&world);
    let um_alone = [(world.um.ministry.clone(), world.um.sealing_key().public_key())];
    let sealed = sealed(&world.sm, &waiting.held.envelope, SECRET, &um_alone);
    (waiting.held.envelope, waiting.held.body) = sealed;
    waiting.hold.size = header::decode(&waiting.held.envelope.header).unwrap().body_size;
    let id = waiting.id();
    waiting.at(&relay);
    let (code, why) = unread(&relay, &anna, id).await;
    assert_eq!((code, why.as_str()), (Code::KEY_FILE, "it does not open"));
    let ApprovalAct::Reject { note } = handed_in(&world.sm, &relay).approval().act.clone() else {
        panic!("it was not rejected")
    };
    assert_eq!(note, "it does not open");
}

#[tokio::test]
async fn what_waits_is_listed_page_by_page_and_no_relay_can_go_on_for_ever() {
    let (world, relay, anna) = connected().await;
    let all: Vec<Hold> = (0..5)
        .map(|n| Waiting::of(&world, message_of(&world.sm, TO, &n.to_string())).hold)
        .collect();
    let mut sorted = all.clone();
    sorted.sort_by_key(|hold| hold.id);
    let pages = sorted.clone();
    relay.answer_people_with(move |request| {
        let AdminRequest::HoldList { after } = request else { panic!("{request:?}") };
        let rest: Vec<_> =
            pages.iter().filter(|hold| after.is_none_or(|after| hold.id > after)).collect();
        let holds = rest.iter().take(2).map(|hold| (*hold).clone()).collect();
        AdminReply::Holds(Holds { holds, more: rest.len() > 2 })
    });
    assert_eq!(soon(anna.holds()).await.unwrap(), sorted);
    assert_eq!(relay.people_asked().len(), 3);

    for holds in [Vec::new(), sorted] {
        let page = Holds { holds, more: true };
        relay.answer_people_with(move |_| AdminReply::Holds(page.clone()));
        let error = soon(anna.holds()).await.unwrap_err();
        assert!(matches!(error, CallError::Misfit), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reasons() {
    let (world, relay, anna) = connected().await;
    let waiting = Waiting::sealed(&world);
    let id = waiting.id();
    waiting.at(&relay);
    let shown = soon(anna.show(id)).await.unwrap();
    let reasons = vec!["anna wrote it".to_owned()];
    let refusal = Refusal { code: Code::OWN_DRAFT, reasons };
    relay.answer_people_with(move |_| AdminReply::Refused(refusal.clone()));
    let error = soon(anna.release(&shown, None)).await.unwrap_err();
    assert_eq!(error.code(), Code::OWN_DRAFT);
    assert!(error.to_string().contains("anna wrote it"), "{error}");
}

#[tokio::test]
async fn nobody_is_needed_for_what_waits_for_its_hours() {
    let (world, relay, anna) = connected().await;
    let mut waiting = Waiting::sealed(&world);
    let id = waiting.id();
    (waiting.held.needed, waiting.hold.needed) = (0, 0);
    waiting.at(&relay);
    let shown = soon(anna.show(id)).await.unwrap();
    let error = soon(anna.release(&shown, None)).await.unwrap_err();
    assert!(matches!(error, OfficerError::NeedsNobody(_)), "{error}");
    soon(anna.reject(&shown, "not today")).await.unwrap();
    assert_eq!(handed_in(&world.sm, &relay).approval().needed, 1);
}

#[tokio::test]
async fn an_operator_asks_about_rules_and_signs_nothing() {
    const ERASED: &str = "01a20eb6-228d-7797-a8a5-ea282a2a0a9f";
    let world = World::new();
    let relay = Relay::open(&world, &world.sm);
    let profile = person(&world, &relay, "operator/olli").build().unwrap();
    let olli = soon(Officer::connect(profile)).await.unwrap();
    relay.answer_people_with(move |request| match request {
        AdminRequest::PolicyActive => AdminReply::Active(ActiveFiles { files: Vec::new() }),
        AdminRequest::Decisions { limit } => {
            let record = format!("{{\"limit\":{limit}}}").into();
            AdminReply::Decisions(DecisionRecords { records: vec![record] })
        }
        AdminRequest::Erase { id, basis, header } => {
            assert_eq!((id.to_string(), basis.as_str()), (ERASED.to_owned(), "Arkistolaki 14 §"));
            AdminReply::Erased { copies: 2, headers: (*header).into() }
        }
        AdminRequest::NoteExport { what } => {
            assert_eq!(what, "all, for the audit office");
            AdminReply::ExportNoted
        }
        AdminRequest::Prune { basis } => {
            assert_eq!(basis, "Arkistolaki 14 §");
            AdminReply::Pruned { headers: 500 }
        }
        AdminRequest::HoldList { .. }
        | AdminRequest::HoldShow { .. }
        | AdminRequest::Approve(_)
        | AdminRequest::AsideList { .. }
        | AdminRequest::AsideAct { .. }
        | AdminRequest::Budgets
        | AdminRequest::Lapses
        | AdminRequest::PolicyActivate { .. } => {
            AdminReply::Refused(Refusal::bare(Code::NOT_AN_OFFICER))
        }
    });
    assert!(soon(olli.active()).await.unwrap().files.is_empty());
    let records = soon(olli.decisions(7)).await.unwrap().records;
    assert_eq!(records, ["{\"limit\":7}"]);
    for (header, erased) in [(false, (2, 0)), (true, (2, 1))] {
        let erasing = olli.erase(ERASED.parse().unwrap(), "Arkistolaki 14 §", header);
        assert_eq!(soon(erasing).await.unwrap(), erased);
    }
    soon(olli.note_export("all, for the audit office")).await.unwrap();
    assert_eq!(soon(olli.prune("Arkistolaki 14 §")).await.unwrap(), 500);
    assert_eq!(soon(olli.holds()).await.unwrap_err().code(), Code::NOT_AN_OFFICER);

    let waiting = Waiting::of(&world, message_of(&world.sm, TO, "open"));
    let id = waiting.id();
    waiting.at(&relay);
    let shown = soon(olli.show(id)).await.unwrap();
    let error = soon(olli.release(&shown, None)).await.unwrap_err();
    assert!(matches!(error, OfficerError::NotAnOfficer), "{error}");
}

#[tokio::test]
async fn the_link_is_made_anew_and_closed_when_it_is_done_with() {
    let (_world, relay, anna) = connected().await;
    relay.answer_people_with(|_| AdminReply::Active(ActiveFiles { files: Vec::new() }));
    relay.cut();
    while soon(anna.active()).await.is_err() {
        tokio::task::yield_now().await;
    }
    let link = relay.link();
    soon(anna.close()).await;
    soon(link.closed()).await;
}
