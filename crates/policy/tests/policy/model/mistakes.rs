//! The classic mistakes, each planted by itself: every one must be noticed.

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use super::{Model, list, text};
use crate::{
    example::NOW,
    properties::{Message, SHARED, any_message},
    vectors::VECTORS,
};

macro_rules! mistakes {
    ($($name:ident),* $(,)?) => {
        /// What one could get wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Mistake {
            $($name),*
        }

        impl Mistake {
            const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

mistakes! {
    // Dominance.
    MaximumForSet, AnyForAll, AllForAny, VacuousPermissive, SiblingsGranted,
    // Validity.
    WireTypeTrusted, UnknownIgnored, ExclusionIgnored, RequiredIgnored, ObsoleteIgnored,
    DoubleTagMerged, CaseFolded,
    // Which label counts.
    AlternativePreferred, AnyTranslator, FirstLabelTaken, MarkingParsed, AudienceVanishes,
    RefusalMapped, SuccessionIgnored, SuccessorEarly, SkewIgnored,
    // Joining.
    LowestJoined, AudienceDropped, AudienceUnited,
    // Rules.
    FirstRuleWins, LoosestRuleWins, ForbidIgnored, NoRuleIsFree, FlashOverrides,
    // The way.
    HubMustRead, SealedIsOpenToAll, SealIgnored, HubTrustsOrigin, DestinationLater,
    UnknownNodeSkipped, DecidedOnce,
    // Limits.
    SizeIgnored, LateDelivered, HopsIgnored, LoopsAllowed, PrecedenceUncapped, OnwardFree,
    // People.
    DrafterApproves, StaleApproval, SameOfficerTwice, AnyMinistryApproves, EditKeepsApprovals,
    HoldIsPermit, HoldIsDeny,
    // What is told.
    FirstReasonOnly,
    // New files.
    RollbackAccepted, UnsignedBundle, TestsIgnored, OneSignerWidens,
}

/// The ids of the vectors that a model gets wrong.
fn wrong(model: &Model) -> Vec<String> {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let mut wrong = Vec::new();
    for case in list(&vectors["cases"]) {
        let Some((word, reasons, level)) = model.answer(text(&case["kind"]), &case["in"]) else {
            continue;
        };
        let expect = &case["expect"];
        let told: Vec<&str> = list(&expect["reasons"]).iter().map(text).collect();
        let expected_level = match case["kind"] == "join" {
            true => expect.get("label").map(|label| super::Written::read(label).to_string()),
            false => expect["level"].as_str().map(Into::into),
        };
        let right = word == text(&expect["decision"])
            && reasons == told
            && expected_level.is_none_or(|expected| level == Some(expected));
        if !right {
            wrong.push(format!("{}: {word} {reasons:?}", text(&case["id"])));
        }
    }
    wrong
}

/// A message of the properties as a case.
fn input(message: &Message) -> Value {
    let categories = message.label.categories.iter();
    let categories: Vec<Value> =
        categories.map(|c| json!({"tag": c.tag, "values": c.values})).collect();
    let [origin, next, dest] = message.way;
    let now = NOW.as_millis() / 1000;
    let approvals: Vec<Value> =
        message.officers.iter().map(|o| json!({"officer": o, "digest": "d0"})).collect();
    let precedence = kuriiri_types::Precedence::from_number(message.precedence).unwrap();
    json!({
        "at": origin, "origin": origin, "next": next, "dest": dest,
        "sealed": message.sealed, "originating": message.originating, "onward": message.onward,
        "size": message.size, "now": now, "created": now - i64::try_from(message.age).unwrap(),
        "precedence": precedence.as_str(), "approvals": approvals,
        "label": {"policy": "FI", "level": message.label.level, "categories": categories},
    })
}

fn agrees(model: &Model, message: &Message) -> bool {
    let decision = message.decide(&SHARED, |_| {});
    let (word, reasons, _) = model.answer("decide", &input(message)).unwrap();
    (word.as_str(), reasons) == (decision.word().as_str(), decision.codes())
}

#[test]
fn the_model_is_right_about_every_vector() {
    assert_eq!(wrong(&Model::new(None)), [""; 0]);
}

/// Cases beside the vectors, each with what is right.
fn further_cases() -> Vec<(Value, &'static str)> {
    let base = json!({"at": "plm", "origin": "plm", "next": "um", "dest": "um", "sealed": true,
        "label": {"policy": "FI", "level": "TL4", "categories": []}});
    let with = |changes: Value| {
        let mut case = base.clone();
        for (key, value) in changes.as_object().unwrap() {
            case[key] = value.clone();
        }
        case
    };
    let tl3 = json!({"policy": "FI", "level": "TL3", "categories": []});
    vec![
        (
            with(
                json!({"label": tl3, "digest": "d0", "approvals": [{"officer": "a", "digest": "d1"}]}),
            ),
            "HOLD",
        ),
        (
            with(
                json!({"at": "hub", "origin": "sm", "path": ["sm", "hub"], "prev": "sm", "next": "sm", "dest": "plm"}),
            ),
            "DENY",
        ),
        (
            with(
                json!({"label": {"policy": "TLP", "level": "RED"}, "at": "sm", "origin": "sm", "next": "sm", "dest": "sm", "path": [], "onward": true}),
            ),
            "DENY",
        ),
    ]
}

#[test]
fn every_mistake_is_noticed() {
    let right = Model::new(None);
    for (case, word) in further_cases() {
        assert_eq!(right.answer("decide", &case).unwrap().0, word, "{case}");
    }
    let mut noticed_by_vectors = 0;
    for mistake in Mistake::ALL {
        let model = Model::new(Some(*mistake));
        let by_vectors = !wrong(&model).is_empty();
        noticed_by_vectors += usize::from(by_vectors);
        let by_cases = further_cases()
            .into_iter()
            .any(|(case, _)| model.answer("decide", &case) != right.answer("decide", &case));
        assert!(by_vectors || by_cases, "{mistake:?} goes unnoticed");
    }
    assert!(noticed_by_vectors + 4 >= Mistake::ALL.len(), "{noticed_by_vectors}");
}

#[test]
fn random_messages_notice_mistakes_too() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let messages = vec(any_message(), 600).new_tree(&mut runner).unwrap().current();
    for mistake in [
        Mistake::MaximumForSet,
        Mistake::AnyForAll,
        Mistake::AllForAny,
        Mistake::FirstRuleWins,
        Mistake::HoldIsPermit,
        Mistake::SealIgnored,
        Mistake::FlashOverrides,
        Mistake::LateDelivered,
    ] {
        let model = Model::new(Some(mistake));
        assert!(messages.iter().any(|message| !agrees(&model, message)), "{mistake:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn the_decision_is_that_of_the_model(message in any_message()) {
        let model = Model::new(None);
        let decision = message.decide(&SHARED, |_| {});
        let (word, reasons, _) = model.answer("decide", &input(&message)).unwrap();
        prop_assert_eq!(
            (word.as_str(), reasons),
            (decision.word().as_str(), decision.codes()),
            "{}", input(&message)
        );
    }
}
