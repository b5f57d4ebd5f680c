//! Who is believed, and what nobody may do in another's name.

use std::fs;

use bytes::Bytes;
use kuriiri_certs::{Authority, Issued, Purpose, Validity};
use kuriiri_client::{Draft, ReceiveError, ReceiveOptions, SendError};
use kuriiri_merkle::leaf;
use kuriiri_seal::{Signer, join};
use kuriiri_transport::{
    Conversation, Endpoint, Expect, Identity, Link, LinkClosed, Receiver, Settings, Trust,
};
use kuriiri_types::{
    Address, Code, Header, Lane, MessageId, MessageType, Ministry, Precedence, Recipient, Role,
    Sealing, Timestamp, Verdict,
};
use kuriiri_wire::{
    Frame, Part, Place, Proved, header,
    relay::{Batch, Hello, Parcel, RelayRequest, RelayedPart, Verdicts},
};

use crate::{books::draft, evidence::eventually, federation::Federation, upkeep::kinds};

const DAY_MS: i64 = 24 * 3600 * 1000;

pub(crate) fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap())
}

/// Days from and to, counted from now.
pub(crate) fn days(from: i64, to: i64) -> Validity {
    let at = |days: i64| Timestamp::from_millis(now().as_millis() + days * DAY_MS);
    Validity { not_before: at(from), not_after: at(to) }
}

impl Federation {
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn address(&self, relay: &str) -> std::net::SocketAddr {
        let config: toml::Table = self.read(&format!("{relay}/relay.toml")).parse().unwrap();
        config["listen"].as_str().unwrap().parse().unwrap()
    }

    /// Believes the members of the example.
    fn trust(&self) -> Trust {
        let mut trust = Trust::builder();
        for ministry in ["sm.example", "plm.example", "um.example", "verkko.example"] {
            let ca = self.read(&format!("federation/trust/{ministry}.ca.pem"));
            let list = self.read(&format!("federation/trust/{ministry}.crl.pem"));
            trust = trust.member(ministry.parse().unwrap(), &ca, Some(&list)).unwrap();
        }
        trust.build().unwrap()
    }

    /// Dials the relay of `sm` with some identity and says Hello. Whoever is not believed gets no
    /// answer.
    pub(crate) async fn knock(
        &self,
        identity: Identity,
        conversation: Conversation,
    ) -> Option<Link> {
        self.knock_at(("sm", "sm.example"), identity, conversation).await
    }

    /// The same for any relay, by its folder and its ministry.
    async fn knock_at(
        &self,
        (relay, ministry): (&str, &str),
        identity: Identity,
        conversation: Conversation,
    ) -> Option<Link> {
        let endpoint = Endpoint::dialler(Settings::new(identity, self.trust())).unwrap();
        let expect = Expect::Relay(ministry.parse().unwrap());
        let link = endpoint.dial(self.address(relay), expect, conversation).await.ok()?;
        let (mut sender, mut receiver) = link.open().await.ok()?;
        let hello = Hello {
            version: 2,
            software: "test".into(),
            federation_serial: 19,
            policy_digest: None,
            witnessed: None,
        };
        sender.send(hello.encode()).await.ok()?;
        sender.finish().ok()?;
        let answer = receiver.frame(Hello::BYTES_MAX).await.ok()??;
        Hello::decode(answer).unwrap();
        Some(link)
    }

    async fn link_of(&self, peer: &str) -> Link {
        let link = self.knock(self.relay_identity(peer), Conversation::Relay).await;
        link.expect("the peer is genuine")
    }

    /// What a relay, by its folder and its ministry, says to messages that the relay of `peer` hands over.
    pub(crate) async fn told_by(
        &self,
        relay: (&str, &str),
        peer: &str,
        (parts, certificate): (Vec<RelayedPart>, Bytes),
    ) -> Vec<Option<Code>> {
        let link = self.knock_at(relay, self.relay_identity(peer), Conversation::Relay).await;
        let link = link.expect("the peer is genuine");
        let mut receiver = send(&link, 0, parts, vec![certificate]).await;
        verdicts(&mut receiver).await.iter().map(code).collect()
    }

    /// A ministry's CA is not kept, so tests that issue for plm have one of their own, which the relay believes.
    pub(crate) fn with_authority_of_plm(&self, relay: &str) -> Authority {
        let authority = Authority::new(&"plm.example".parse().unwrap(), days(-9, 30)).unwrap();
        let old = self.read("federation/trust/plm.example.ca.pem");
        let file = self.path(&format!("{relay}/policy/federation.toml"));
        let members = fs::read_to_string(&file).unwrap();
        fs::write(&file, members.replace(old.trim(), authority.certificate_pem().trim())).unwrap();
        self.sign_anew(&file);
        authority
    }

    fn relay_identity(&self, relay: &str) -> Identity {
        let (certificate, key) = (format!("{relay}/tls.pem"), format!("{relay}/tls.key"));
        Identity::from_pem(&self.read(&certificate), &self.read(&key)).unwrap()
    }
}

pub(crate) fn identity(issued: &Issued) -> Identity {
    Identity::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_genuine_peer_is_answered() {
    let federation = Federation::started(&["sm"]);
    let plm: Ministry = "plm.example".parse().unwrap();
    let id = "spiffe://plm.example/relay/r1".parse().unwrap();
    let relay = Conversation::Relay;
    let genuine = federation.relay_identity("plm");
    assert!(federation.knock(genuine, relay).await.is_some(), "the genuine one must get in");

    // A CA that calls itself the ministry's and is not.
    let impostor = Authority::new(&plm, days(-1, 30)).unwrap();
    let issued = impostor.issue(&id, Purpose::Tls, days(-1, 30)).unwrap();
    assert!(federation.knock(identity(&issued), relay).await.is_none());
    let issued = impostor.issue(&id, Purpose::Tls, days(-30, -1)).unwrap();
    assert!(federation.knock(identity(&issued), relay).await.is_none());
    // A ministry that is no member at all.
    let stranger: Ministry = "vm.example".parse().unwrap();
    let authority = Authority::new(&stranger, days(-1, 30)).unwrap();
    let id = "spiffe://vm.example/relay/r1".parse().unwrap();
    let issued = authority.issue(&id, Purpose::Tls, days(-1, 30)).unwrap();
    assert!(federation.knock(identity(&issued), relay).await.is_none());
    // A system of the relay's own ministry is no peer, and one of another no client.
    let system = |ministry: &str| {
        let folder = format!("{ministry}/systems/kirjaamo");
        let read = |name: &str| federation.read(&format!("{folder}/{name}"));
        Identity::from_pem(&read("tls.pem"), &read("tls.key")).unwrap()
    };
    assert!(federation.knock(system("sm"), relay).await.is_none());
    assert!(federation.knock(system("plm"), Conversation::Client).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_acts_only_as_itself() {
    let federation = Federation::started(&["sm"]);
    let sm = federation.client("sm", "kirjaamo").await;
    let draft = draft(&["kirjaamo@um.example"], "FI JULK", "", b"x");
    let error = sm.send(draft.from("tilannekuva@sm.example".parse().unwrap())).await.unwrap_err();
    assert_eq!(error.code(), Code::NOT_YOURS, "{error}");
    let mailbox = Some("tilannekuva@sm.example".parse().unwrap());
    let mut inbox = sm.receive(ReceiveOptions { mailbox, ..ReceiveOptions::default() });
    let Some(Err(ReceiveError::Refused(refusal))) = inbox.next().await else {
        panic!("another system's mailbox was given")
    };
    assert_eq!(refusal.code, Code::NOT_YOURS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_the_peer_is_not_cleared_for_never_leaves() {
    let federation = Federation::started(&["plm", "um"]);
    let plm = federation.client("plm", "kirjaamo").await;
    for (label, reason) in [
        ("FI TL1 REL{PLM,UM}", "FORBIDDEN"),
        ("FI TL4 COMPARTMENT{RAJA}", "dest:RESTRICTIVE:COMPARTMENT"),
        ("FI TL4 REL{PLM,SM}", "dest:PERMISSIVE:REL"),
        ("FI TL9", "LEVEL_UNKNOWN"),
        ("XX SECRET", "POLICY_UNKNOWN"),
    ] {
        let draft = draft(&["kirjaamo@um.example"], label, "", b"never");
        let error = plm.send(draft).await.unwrap_err();
        let SendError::Refused { refusal, .. } = &error else { panic!("{label}: {error}") };
        assert!(refusal.reasons.iter().any(|r| r.contains(reason)), "{label}: {refusal:?}");
    }
    let unlabelled = Draft::to("kirjaamo@um.example".parse().unwrap()).body("never");
    let error = plm.send(unlabelled).await.unwrap_err();
    assert!(error.reasons().iter().any(|r| r.contains("UNLABELLED")), "{error}");
    let um = federation.client("um", "kirjaamo").await;
    let status = um.status().await.unwrap();
    assert!(status.mailboxes.iter().all(|mailbox| mailbox.messages == 0), "{status:?}");
}

/// A message of plm's registry for sm's, with its genuine signature.
fn message(federation: &Federation, label: &str, body: &[u8]) -> (RelayedPart, Bytes) {
    signed_by_plm(federation, new_id(), ("sm.example", label), (body, None))
}

/// An id that no other message has, of now.
pub(crate) fn new_id() -> MessageId {
    let mut random = [0; 10];
    random.copy_from_slice(&kuriiri_seal::salted(b"").unwrap()[..10]);
    MessageId::new(now(), random)
}

/// A message of plm's registry for that of a ministry, with its genuine signature: sealed, if it says so, or not.
pub(crate) fn signed_by_plm(
    federation: &Federation,
    id: MessageId,
    (ministry, label): (&str, &str),
    content: (&[u8], Option<Sealing>),
) -> (RelayedPart, Bytes) {
    signed_for(federation, id, (&format!("kirjaamo@{ministry}"), label), content)
}

/// The same for any mailbox.
fn signed_for(
    federation: &Federation,
    id: MessageId,
    (to, label): (&str, &str),
    (body, sealing): (&[u8], Option<Sealing>),
) -> (RelayedPart, Bytes) {
    let read = |name: &str| federation.read(&format!("plm/systems/kirjaamo/{name}"));
    let signer = Signer::from_pem(&read("signing.pem"), &read("signing.key")).unwrap();
    let salted = kuriiri_seal::salted(body).unwrap();
    let address: Address = to.parse().unwrap();
    let dest = address.ministry().clone();
    let header = header::encode(&Header {
        id,
        from: "kirjaamo@plm.example".parse().unwrap(),
        to: vec![Recipient { address, role: Role::Action }],
        label: Some(label.parse().unwrap()),
        precedence: Precedence::Routine,
        message_type: MessageType::Operation,
        created: id.time(),
        expires: None,
        content_type: "text/plain".into(),
        body_size: body.len() as u64,
        body_commitment: kuriiri_seal::commit(&salted).unwrap(),
        subject: String::new(),
        conversation: None,
        in_reply_to: None,
        obsoletes: None,
        sealing,
        drafter: None,
    });
    let proof = signer.sign(kuriiri_seal::Purpose::Messages, &[leaf(&header)]).remove(0);
    let origin = "plm.example".parse().unwrap();
    let parcel = Parcel { header, body: salted, approvals: Vec::new() };
    let part = Part { signed: join(&[&proof]).unwrap(), messages: vec![parcel] };
    (RelayedPart { dest, path: vec![origin], part }, signer.certificate().clone())
}

/// What sm's relay says to messages that the relay of `peer` hands over.
async fn hand_over(
    federation: &Federation,
    peer: &str,
    parts: Vec<RelayedPart>,
    certificate: Bytes,
) -> Vec<Verdict> {
    let link = federation.link_of(peer).await;
    let mut receiver = send(&link, 0, parts, vec![certificate]).await;
    verdicts(&mut receiver).await
}

/// Sends a batch on a stream of its own.
async fn send(
    link: &Link,
    number: u64,
    parts: Vec<RelayedPart>,
    certificates: Vec<Bytes>,
) -> Receiver {
    let (mut sender, receiver) = link.open().await.unwrap();
    let lane = Lane::Messages(Precedence::Routine);
    let batch = Batch { lane, number, epoch: 0, certificates, parts, receipts: Vec::new() };
    sender.send(RelayRequest::Batch(batch).encode()).await.unwrap();
    sender.finish().unwrap();
    receiver
}

async fn verdicts(receiver: &mut Receiver) -> Vec<Verdict> {
    let answer = receiver.frame(Verdicts::BYTES_MAX).await.unwrap().unwrap();
    Verdicts::decode(answer).unwrap().verdicts
}

fn code(verdict: &Verdict) -> Option<Code> {
    match verdict {
        Verdict::Refused(refusal) => {
            assert!(refusal.reasons.is_empty(), "a peer must not learn {refusal:?}");
            Some(refusal.code)
        }
        Verdict::Accepted { .. } => None,
        Verdict::Busy | Verdict::Later(_) => panic!("busy"),
    }
}

/// A peer with genuine keys can still not hand over what was tampered with, what its ministry's
/// systems did not sign, what the label forbids, or what came another way; and it learns no reasons.
#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_peer_gets_nothing_in_and_learns_nothing() {
    let federation = Federation::started(&["sm"]);
    let (genuine, certificate) = message(&federation, "FI JULK", b"genuine");
    let change = |change: fn(&mut RelayedPart)| {
        let mut part = message(&federation, "FI JULK", b"genuine").0;
        change(&mut part);
        part
    };
    let parts = vec![
        genuine.clone(),
        genuine,
        change(|p| {
            let body = &mut p.part.messages[0].body;
            *body = [&body[..body.len() - 1], b"X"].concat().into();
        }),
        change(|p| {
            let mut header = p.part.messages[0].header.to_vec();
            let at = header.len() / 2;
            header[at] ^= 1;
            p.part.messages[0].header = header.into();
        }),
        change(|p| {
            let mut signature = p.part.signed.signature.to_vec();
            signature[0] ^= 1;
            p.part.signed.signature = signature.into();
        }),
        change(|p| p.path = vec!["um.example".parse().unwrap()]),
        change(|p| p.dest = "um.example".parse().unwrap()),
        message(&federation, "FI TL1 REL{PLM,SM}", b"too high").0,
    ];
    let verdicts = hand_over(&federation, "plm", parts, certificate.clone()).await;
    let codes: Vec<_> = verdicts.iter().map(code).collect();
    let expected = [
        None,
        None,
        Some(Code::MALFORMED),
        Some(Code::SIGNATURE),
        Some(Code::SIGNATURE),
        Some(Code::MALFORMED),
        Some(Code::MALFORMED),
        Some(Code::POLICY),
    ];
    assert_eq!(codes, expected);
    assert!(matches!(verdicts[0], Verdict::Accepted { repeat: false, .. }));
    assert!(matches!(verdicts[1], Verdict::Accepted { repeat: true, .. }), "a repeat is a success");
    // Another peer cannot hand over a message as if it came straight from its origin.
    let (parcel, certificate) = message(&federation, "FI JULK", b"stolen");
    let verdicts = hand_over(&federation, "hub", vec![parcel], certificate).await;
    assert_eq!(code(&verdicts[0]), Some(Code::MALFORMED));
}

/// The rules are asked first: who may send nothing there does not learn which mailboxes there are. Who may send has to
/// hear it, for a message that cannot be delivered ends with a receipt that says so.
#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_send_there_learns_which_mailboxes_there_are() {
    let federation = Federation::started(&["sm"]);
    let (too_high, open) = ("FI TL1 REL{PLM,SM}", "FI JULK");
    let (real, invented) = ("kirjaamo@sm.example", "keksitty@sm.example");
    let mut parts = Vec::new();
    let mut certificate = Bytes::new();
    for (to, label) in [(real, too_high), (invented, too_high), (real, open), (invented, open)] {
        let (part, signer) = signed_for(&federation, new_id(), (to, label), (b"text", None));
        parts.push(part);
        certificate = signer;
    }
    let verdicts = hand_over(&federation, "plm", parts, certificate).await;
    let codes: Vec<_> = verdicts.iter().map(code).collect();
    let (denied, unknown) = (Some(Code::POLICY), Some(Code::UNKNOWN_RECIPIENT));
    assert_eq!(codes, [denied, denied, None, unknown]);
}

/// More questions than a link may have answered at once, about logs that are out of reach and a place that the
/// log does not have: each gets its answer, and none says what the relay knows of its neighbours.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_asks_for_proofs_learns_no_reasons() {
    let federation = Federation::started(&["sm"]);
    let link = federation.link_of("plm").await;
    let mut answers = Vec::new();
    for issuer in ["um.example", "nowhere.example", "sm.example"].into_iter().cycle().take(24) {
        let (mut sender, receiver) = link.open().await.unwrap();
        let places = vec![Place { index: u64::MAX, leaf: leaf(b"not there") }];
        let question = RelayRequest::Prove { issuer: issuer.parse().unwrap(), places };
        sender.send(question.encode()).await.unwrap();
        sender.finish().unwrap();
        answers.push((issuer, receiver));
    }
    for (issuer, mut receiver) in answers {
        let answer = receiver.frame(Proved::BYTES_MAX).await.unwrap().unwrap();
        match Proved::decode(answer).unwrap() {
            Proved::Refused(refusal) => {
                assert!(refusal.reasons.is_empty(), "a peer must not learn {refusal:?}");
            }
            Proved::Proofs(proofs) => {
                assert_eq!((issuer, proofs.paths), ("sm.example", vec![None]));
            }
        }
    }
}

/// Whoever breaks the protocol learns the number and what it means to all, and nothing of how the relay found out.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_closed_with_a_number_and_no_inner_words() {
    let federation = Federation::started(&["sm"]);
    // What is no batch may not be as large as one.
    let too_large = vec![0x12; 64 * 1024 + 1];
    for (frame, code) in
        [(Bytes::from_static(b"\x0a\xff"), Code::PROTOCOL), (Bytes::from(too_large), Code::TOO_BIG)]
    {
        let link = federation.link_of("plm").await;
        let (mut sender, _receiver) = link.open().await.unwrap();
        sender.send(frame).await.unwrap();
        let LinkClosed::ByPeer { reason, .. } = link.closed().await else { panic!("not closed") };
        assert_eq!(reason, format!("{code} {}", code.title()));
    }
}

/// The certificate comes with a batch that never takes its turn, and the message without it. It must
/// be in the log all the same, or nobody could check later who signed the message.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_can_always_be_checked_by_an_auditor() {
    let federation = Federation::started(&["sm"]);
    let (parcel, certificate) = message(&federation, "FI JULK", b"genuine");
    let waiting = federation.link_of("plm").await;
    let _never = send(&waiting, 7, vec![parcel.clone()], vec![certificate]).await;
    let link = federation.link_of("plm").await;
    for number in 0.. {
        let mut receiver = send(&link, number, vec![parcel.clone()], Vec::new()).await;
        match code(&verdicts(&mut receiver).await[0]) {
            None => break,
            // The other batch has not been looked at yet.
            Some(refused) => assert_eq!(refused, Code::SIGNATURE),
        }
    }
    let log = federation.path("sm/log");
    eventually("the message in the log", || kinds(&log)["RECEIVED"] == 1);
    // Those who signed the files in force are there too.
    assert_eq!(kinds(&log)["CERTIFICATE"], 1 + 2);
}

/// A member with a genuine certificate and no link in the federation file is none to speak with.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_a_link_is_not_answered() {
    let federation = Federation::started(&["sm"]);
    let knock = |peer| federation.knock(federation.relay_identity(peer), Conversation::Relay);
    assert!(knock("um").await.is_none());
    assert!(knock("plm").await.is_some());
    // Nor is a relay of the ministry itself.
    assert!(knock("sm").await.is_none());
}

/// A certificate that is revoked while its link is open closes it, without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_peer_is_shown_the_door_at_reload() {
    let mut federation = Federation::written();
    let authority = federation.with_authority_of_plm("sm");
    let id = "spiffe://plm.example/relay/r1".parse().unwrap();
    let issued = authority.issue(&id, Purpose::Tls, days(-1, 30)).unwrap();
    let list = |revoked: &[kuriiri_certs::Serial]| authority.crl(revoked, days(-1, 30)).unwrap();
    let lists = federation.path("federation/revocation/plm.example.pem");
    fs::write(&lists, list(&[])).unwrap();
    federation.start("sm");
    let link = federation.knock(identity(&issued), Conversation::Relay).await.expect("not revoked");
    fs::write(&lists, list(&[issued.serial])).unwrap();
    federation.hang_up("sm");
    link.closed().await;
    assert!(federation.knock(identity(&issued), Conversation::Relay).await.is_none());
}
