//! Recorded decisions, taken once more.

use kuriiri_policy::{Record, SEMANTICS, Word};
use proptest::{collection::vec, prelude::*};

use crate::{
    example::{Files, NOW, facts, label},
    properties::{SHARED, any_message},
};

fn record(from: &str, to: &str, text: &str) -> Record {
    let policy = Files::shared().policy();
    let wire = label(text);
    let facts = facts(&policy, [from, to, to], &wire);
    Record::of(&policy, text, NOW, &facts, &policy.decide(NOW, &facts))
}

#[test]
fn a_tightened_policy_shows_what_it_would_have_stopped() {
    let records = ["FI TL4", "FI TL3", "FI JULK"].map(|text| record("plm", "um", text));
    let tighter = Files::shared()
        .replace("levels = [\"JULK\", \"SALP\", \"TL4\", \"TL3\", \"TL2\"]\n  grants = [\"COMPARTMENT:KIDE\", \"REL:UM\"", "levels = [\"JULK\"]\n  grants = [\"COMPARTMENT:KIDE\", \"REL:UM\"");
    let found = tighter.policy().rehearse(records.clone());
    assert_eq!((found.decided, found.changed, found.wider), (3, 2, 0));
    let first = &found.listed[0];
    assert_eq!((first.id.as_str(), first.then, first.now), ("FI TL4", Word::Permit, Word::Deny));
    assert_eq!(first.now_reasons[0].code, "dest:LEVEL");
    assert_eq!(found.listed[1].then_reasons, ["APPROVALS:0/1"]);
    let looser = Files::shared().replace("approvals = 1\n", "approvals = 0\n").policy();
    assert_eq!(looser.rehearse(records.clone()).wider, 1);
    let mut foreign = records;
    foreign[0].semantics = SEMANTICS + 1;
    assert_eq!(looser.rehearse(foreign).foreign, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_same_policy_decides_the_same(messages in vec(any_message(), 20)) {
        let policy = &*SHARED;
        let record = |message: &crate::properties::Message| message.with(policy, |facts| {
            let record = Record::of(policy, "", NOW, facts, &policy.decide(NOW, facts));
            let written = serde_json::to_string(&record).unwrap();
            serde_json::from_str::<Record>(&written).unwrap()
        });
        let found = policy.rehearse(messages.iter().map(record));
        prop_assert_eq!((found.decided, found.changed), (20, 0));
    }
}
