//! The relay is asked before the first message of a kind, and not more often.

use kuriiri_client::SendError;
use kuriiri_types::{Code, Outcome, Precedence, Refusal, Verdict};

use crate::{
    relay::permit,
    world::{World, address, both, draft, soon},
};

#[tokio::test]
async fn an_answer_serves_all_messages_of_its_kind() {
    let (world, mut relay, client) = World::connected().await;
    let other_label = draft(2).label("FI TL3".parse().unwrap());
    let other_precedence = draft(3).precedence(Precedence::Flash);
    let other_ministry = draft(4).info(address("kirjaamo@sm.example"));
    let other_mailbox = draft(5).info(address("other@um.example"));
    let drafts = [draft(0), draft(1), other_label, other_precedence, other_ministry, other_mailbox];
    for draft in drafts {
        let answering = async { relay.submission().await.accept(&world.sm.log).await };
        both(client.send(draft), answering).await.0.unwrap();
    }
    let questions = relay.questions();
    assert_eq!(questions.len(), 4, "{questions:?}");
    assert_eq!(questions[0].to, [address("kirjaamo@um.example")]);
    assert_eq!(questions[1].label, Some("FI TL3".parse().unwrap()));
    assert_eq!(questions[2].precedence, Precedence::Flash);
    assert_eq!(questions[3].to.len(), 2);
}

#[tokio::test]
async fn what_is_refused_is_not_uploaded_and_is_asked_again() {
    let (world, mut relay, client) = World::connected().await;
    let reasons = vec!["no clearance".to_owned()];
    relay.answer_questions_with(Outcome::Refuse(Refusal { code: Code::POLICY, reasons }));
    let refused = soon(client.send(draft(0))).await.unwrap_err();
    assert_eq!((refused.code(), refused.reasons()), (Code::POLICY, vec!["no clearance".into()]));
    assert!(refused.receipts().is_empty());
    assert!(relay.is_idle(), "it was uploaded");

    relay.answer_questions_with(permit(false));
    let answering = async { relay.submission().await.accept(&world.sm.log).await };
    both(client.send(draft(1)), answering).await.0.unwrap();
    assert_eq!(relay.questions().len(), 2);
}

#[tokio::test]
async fn a_change_of_policy_is_noticed() {
    let (world, mut relay, client) = World::connected().await;
    let refusing = async {
        let verdict = Verdict::Refused(Refusal::bare(Code::POLICY));
        relay.submission().await.judge(&world.sm.log, vec![verdict]).await;
    };
    let (refused, ()) = both(client.send(draft(0)), refusing).await;
    assert_eq!(refused.unwrap_err().code(), Code::POLICY);

    relay.answer_questions_with(permit(true));
    let answering = async {
        let submitting = relay.submission().await;
        let header = &submitting.messages().next().unwrap().header;
        assert!(kuriiri_wire::header::decode(header).unwrap().sealing.is_some());
        submitting.accept(&world.sm.log).await;
    };
    both(client.send(draft(1)), answering).await.0.unwrap();
    assert_eq!(relay.questions().len(), 2);
}

#[tokio::test]
async fn a_new_link_is_asked_anew() {
    let (world, mut relay, client) = World::connected().await;
    for n in 0..2 {
        let answering = async { relay.submission().await.accept(&world.sm.log).await };
        both(client.send(draft(n)), answering).await.0.unwrap();
        relay.cut();
        // Only a new link can answer.
        while soon(client.status()).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(relay.questions().len(), 2);
}

#[tokio::test]
async fn the_largest_size_that_may_go_is_kept() {
    let (_world, mut relay, client) = World::connected().await;
    relay.answer_questions_with(Outcome::Permit { seal: false, size_max: 5, approvals: 0 });
    let error = soon(client.send(draft(0).body("123456"))).await.unwrap_err();
    assert!(matches!(error, SendError::TooBig { bytes: 6, carried: 6, max: 5 }), "{error}");
    assert_eq!(error.reasons(), ["the body has 6 bytes, and 5 are the most that may go"]);
    assert!(relay.is_idle());
    let outcome = soon(client.ask(&draft(0))).await.unwrap();
    assert_eq!(outcome, Outcome::Permit { seal: false, size_max: 5, approvals: 0 });
}

#[tokio::test]
async fn the_largest_size_that_can_be_sealed_is_told() {
    let (_world, mut relay, client) = World::connected().await;
    let max = 5000;
    relay.answer_questions_with(Outcome::Permit { seal: true, size_max: max, approvals: 0 });
    let error = soon(client.send(draft(0).body(vec![0; 5000]))).await.unwrap_err();
    let SendError::TooBig { bytes: 5000, carried, max: 5000 } = error else { panic!("{error}") };
    let most = max - (carried - 5000);
    let told = format!("{carried} when it is sealed, and 5000 are the most that may go: {most} ");
    assert!(error.to_string().contains(&told), "{error}");
    let too_many = usize::try_from(most).unwrap() + 1;
    let error = soon(client.send(draft(0).body(vec![0; too_many]))).await.unwrap_err();
    assert!(matches!(error, SendError::TooBig { carried: 5001, .. }), "{error}");
    assert!(relay.is_idle());
}
