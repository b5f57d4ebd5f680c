//! Comparing two policies: held against every label, way and form there is.

use std::collections::BTreeSet;

use kuriiri_policy::{Case, CaseApproval, Change, ChangeKind, Decision, Lang, Obligations, Policy};
use kuriiri_types::{Digest, MessageType, Precedence, WireLabel};
use proptest::prelude::*;

use crate::{
    example::{Files, NOW},
    offers::every_label,
};

fn diff(old: &Files, new: &Files) -> kuriiri_policy::PolicyDiff {
    old.policy().diff(&new.policy())
}

#[test]
fn the_same_policy_differs_in_nothing() {
    let files = Files::shared();
    let found = diff(&files, &files);
    assert!(found.is_empty() && !found.widens, "{found:?}");
    let moved =
        files.clone().replace("serial = 42", "serial = 43").replace("serial  = 7", "serial  = 8");
    assert!(diff(&files, &moved).is_empty(), "serials are not rules");
    let renamed = files.clone().replace("id = \"fi-tl4\"", "id = \"fi-four\"");
    assert!(diff(&files, &renamed).is_empty(), "nor are the names of rules");
}

#[test]
fn what_is_new_is_told_exactly() {
    let files = Files::shared();
    let hub = files.clone().replace(
        "levels = [\"JULK\", \"SALP\", \"TL4\"]\n  grants = [\"COMPARTMENT:RAJA\"",
        "levels = [\"JULK\", \"SALP\", \"TL4\"]\n  grants = [\"COMPARTMENT:KIDE\", \"COMPARTMENT:RAJA\"",
    );
    let found = diff(&files, &hub);
    assert!(found.widens && found.complete && found.notes.is_empty());
    let text = found.render(Lang::En).join("\n");
    // Both ends hold KIDE, and the label may be one that the hub could not carry.
    let expected = "+ newly permitted: FI TL4 + COMPARTMENT:KIDE";
    assert!(text.contains(expected) && text.contains("plm → um via hub, sealed"), "{text}");
    assert!(found.changes.iter().all(|change| change.via.as_deref() == Some("hub")));
    let back = diff(&hub, &files);
    assert!(!back.widens && back.newly_denied().count() == found.newly_permitted().count());
}

#[test]
fn terms_are_compared_one_by_one() {
    let files = Files::shared();
    let rule = |from: &str, to: &str| files.clone().replace(from, to);
    for (new, field, widens) in [
        (rule("approvals = 1\n", "approvals = 2\n"), "approvals", false),
        (rule("max_size = \"32 MiB\"", "max_size = \"33 MiB\""), "max_size", true),
        (rule("ttl = \"72 h\"", "ttl = \"71 h\""), "ttl", false),
        (rule("max_hops = 2", "max_hops = 3"), "max_hops", true),
        (
            rule("precedence_max = \"FLASH\"", "precedence_max = \"OVERRIDE\""),
            "precedence_max",
            true,
        ),
        (rule("retain_max = \"7 d\"", "retain_max = \"8 d\""), "retain_max", true),
        (rule("onward = \"originator-consent\"", "onward = \"free\""), "onward", true),
        (rule("onward = \"originator-consent\"", "onward = \"never\""), "onward", false),
        (rule("HARJOITUS HARJOITUS HARJOITUS", "HARJOITUS"), "marker", true),
    ] {
        let found = diff(&files, &new);
        let fields: BTreeSet<&str> =
            found.changes.iter().flat_map(|c| &c.fields).map(|f| f.field).collect();
        assert_eq!(fields, BTreeSet::from([field]), "{:#?}", found.changes);
        assert_eq!(found.widens, widens, "{field}");
        assert!(found.changes.iter().all(|c| c.kind == ChangeKind::Obligations));
    }
    let window = |span: &str| {
        files
            .clone()
            .and_rules(&format!("[[rule]]\nid='w'\npolicy='FI'\nlevel='TL4'\nwindow='{span}'\n"))
    };
    assert!(!diff(&files, &window("Mon-Fri 08:00-16:00")).widens);
    assert!(diff(&window("Mon-Fri 08:00-16:00"), &window("Mon-Fri 08:00-16:01")).widens);
    assert!(!diff(&window("Mon-Fri 08:00-16:00"), &window("Tue 09:00-10:00")).widens);
    let unsealed = diff(&files, &rule("seal = true                          #", "seal = false #"));
    assert!(unsealed.newly_permitted().all(|change| change.forms == ["clear"]), "{unsealed:?}");
    assert!(unsealed.widens);
}

#[test]
fn other_sealing_and_release_keys_need_two_signatures_even_where_one_is_taken_away() {
    let files = Files::shared();
    let key = |byte: &str| format!("\"kuriiri-sealing-public-key-1:{}\"", byte.repeat(1216));
    let with = |line: String| {
        let host = "host = \"relay.um.example\"";
        files.clone().replace(host, &format!("{host}\n{line}"))
    };
    for name in ["sealing", "release"] {
        let of = |keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|byte| key(byte)).collect();
            with(format!("{name}_keys = [{}]", keys.join(", ")))
        };
        let (none, one, both, turned) =
            (of(&[]), of(&["01"]), of(&["01", "02"]), of(&["02", "01"]));
        for (old, new) in [(&none, &one), (&one, &both), (&both, &one), (&one, &of(&["02"]))] {
            let found = diff(old, new);
            let text = found.render(Lang::En).join("\n");
            assert!(found.widens, "{text}");
            assert!(text.contains(&format!("node um has other {name} keys")), "{text}");
        }
        assert!(!diff(&both, &turned).widens, "the order says nothing");
    }
}

#[test]
fn how_labels_are_read_counts_too() {
    let files = Files::shared();
    for (old, new, widens, words) in [
        ("\"TS-UE\" = \"refuse\"", "\"TS-UE\" = \"TL2\"", true, "TS-UE becomes TL2"),
        ("\"S-UE\" = \"TL2\"", "\"S-UE\" = \"refuse\"", false, "S-UE becomes refused"),
        ("\"R-UE\" = \"TL4\"", "\"R-UE\" = \"TL3\"", false, "R-UE becomes TL3"),
        ("adds  = [\"HANDLING:ORCON\"]", "adds  = []", true, "adds"),
        (
            "\"DISTRIBUTION:LIMITE\" = \"discard\"",
            "\"DISTRIBUTION:LIMITE\" = \"refuse\"",
            false,
            "LIMITE",
        ),
        ("signed_by = \"nsa-authority\"", "signed_by = \"other\"", true, "trusted"),
        ("unlabelled = \"deny\"            #", "unlabelled = \"JULK\" #", true, "unlabelled"),
        (
            "host = \"relay.um.example\"",
            "host = \"relay.um.example\"\nlinks = [\"plm\"]",
            false,
            "no longer linked",
        ),
        (
            "host = \"relay.um.example\"",
            "host = \"relay.um.example\"\nca = \"x\"",
            true,
            "authority",
        ),
        (
            "host = \"relay.um.example\"",
            "host = \"relay.um.example\"\nlog = \"x\"",
            true,
            "node um has another log key",
        ),
        (
            "host = \"relay.um.example\"",
            "host = \"relay.um.example\"\nwitness = \"x\"",
            true,
            "node um has another witness key",
        ),
        ("case_insensitive = false", "case_insensitive = true", true, "either case"),
        ("id = \"arkisto\" ", "id = \"kirjasto\" ", true, "node kirjasto is new"),
    ] {
        let changed = files.clone().replace(old, new);
        let found = diff(&files, &changed);
        let text = found.render(Lang::En).join("\n");
        assert_eq!(found.widens, widens, "{new}\n{text}");
        assert!(text.contains(words), "{words}\n{text}");
    }
    let alias = files.clone().replace("aliases = [\"WHITE\"]", "aliases = [\"WHITE\", \"PALE\"]");
    assert!(diff(&files, &alias).newly_permitted().all(|change| change.level == "PALE"));
    assert!(diff(&files, &alias).widens && !diff(&alias, &files).widens);
    let fresh = files.clone().replace("obsolete = true ", "obsolete = false ");
    let found = diff(&files, &fresh);
    assert!(found.widens && found.changes.iter().all(|c| c.fields[0].field == "origination"));
}

#[test]
fn a_federation_of_many_is_compared_or_counts_as_widening() {
    let mut files = Files::shared();
    for place in 0..60 {
        files.federation.push_str(&format!(
            "\n[[node]]\nid='n{place}'\nname={{fi='a',sv='b',en='c'}}\nhost='h'\ngoverning='FI'\n\
             [[node.clearance]]\npolicy='FI'\nlevels=['JULK','SALP','TL4']\ngrants=['REL:SM']\n"
        ));
    }
    let mut wider = files.clone();
    wider.federation = wider.federation.replacen(
        "levels=['JULK','SALP','TL4']\ngrants=['REL:SM']",
        "levels=['JULK','SALP','TL4']\ngrants=['REL:PLM']",
        1,
    );
    let found = diff(&files, &wider);
    assert!(found.complete && found.widens);
    let only = |change: &Change| change.from == ["n0"] || change.to == ["n0"];
    assert!(found.changes.iter().all(only), "{:#?}", found.changes);
    assert!(diff(&files, &files).is_empty());
}

// === against every message there is ===

/// One way to ask: everything that is not the label.
#[derive(Debug, Clone)]
struct Asked {
    from: &'static str,
    to: &'static str,
    via: Option<&'static str>,
    sealed: bool,
    message_type: MessageType,
    originating: bool,
    full: bool,
}

const NODES: [&str; 5] = ["sm", "plm", "um", "hub", "arkisto"];

fn every_way() -> Vec<Asked> {
    let mut all = Vec::new();
    for from in NODES {
        for to in NODES {
            for via in [None, Some("hub")]
                .into_iter()
                .filter(|v| v.is_none() || (from != "hub" && to != "hub"))
            {
                for bits in 0..16 {
                    let [sealed, exercise, originating, full] =
                        [1, 2, 4, 8].map(|bit| bits & bit != 0);
                    let message_type =
                        if exercise { MessageType::Exercise } else { MessageType::Operation };
                    all.push(Asked { from, to, via, sealed, message_type, originating, full });
                }
            }
        }
    }
    all
}

impl Asked {
    /// A large, urgent message without approvals that is passed on, or one that asks for nothing
    /// and has all releases.
    fn case(&self, label: &WireLabel) -> Case {
        let mut case = Case::new(NOW, self.from, self.to, Some(label.clone()));
        if self.via.is_some() {
            case.next = self.via.map(Into::into);
        }
        (case.sealed, case.message_type) = (self.sealed, self.message_type);
        case.originating = self.originating;
        let digest = Digest([7; 32]);
        case.digest = Some(digest);
        if self.full {
            (case.size, case.precedence, case.onward) = (20 << 20, Precedence::Override, true);
            case.created = NOW.before(std::time::Duration::from_secs(400));
        } else {
            case.approvals = ["a", "b", "c"]
                .map(|officer| CaseApproval {
                    officer: officer.into(),
                    node: self.from.into(),
                    digest,
                    until: None,
                    roles: Vec::new(),
                })
                .into();
        }
        case
    }
}

fn looser(old: (&Policy, &Obligations), new: (&Policy, &Obligations)) -> bool {
    let (a, b) = (old.0.duties(old.1), new.0.duties(new.1));
    let most = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let least = |limit: Option<u64>| limit.unwrap_or(0);
    let texts = |duties: &kuriiri_policy::Duties| -> Vec<String> {
        duties.markers.iter().map(|marker| marker.text.pick(Lang::En).to_owned()).collect()
    };
    (a.seal && !b.seal)
        || (a.direct_only && !b.direct_only)
        || b.approvals < a.approvals
        || most(b.max_size) > most(a.max_size)
        || most(b.ttl_s) > most(a.ttl_s)
        || b.max_hops > a.max_hops
        || new.1.precedence_max > old.1.precedence_max
        || b.onward > a.onward
        || b.receipt < a.receipt
        || most(b.retain_max_s) > most(a.retain_max_s)
        || least(b.retain_min_s) < least(a.retain_min_s)
        || most(b.rate_per_hour) > most(a.rate_per_hour)
        || texts(&a).iter().any(|text| !texts(&b).contains(text))
}

/// True when the new decision is wider than the old one.
fn wider(old: (&Policy, &Decision), new: (&Policy, &Decision)) -> bool {
    let (a, b) = (old.1, new.1);
    if b.word() > a.word() {
        return true;
    }
    let pair = a.obligations().zip(b.obligations());
    pair.is_some_and(|(x, y)| looser((old.0, x), (new.0, y)))
}

/// Two policies and the comparison, against each other on a share of all messages.
fn against_all(old: &Files, new: &Files, labels: &[WireLabel], share: usize) -> Result<(), String> {
    let (a, b) = (old.compile()?, new.compile()?);
    let found = a.diff(&b);
    let (mut widened, mut tried) = (None, 0_usize);
    for (place, asked) in every_way().iter().enumerate() {
        for label in labels.iter().skip(place * 7919 % share).step_by(share) {
            let case = asked.case(label);
            let (x, y) = (case.decide(&a), case.decide(&b));
            tried += 1;
            if wider((&a, &x), (&b, &y)) {
                widened.get_or_insert_with(|| format!("{label} {asked:?} {x:?} {y:?}"));
            }
        }
    }
    assert!(tried > 0);
    match widened {
        Some(example) if !found.widens => Err(format!("not told: {example}")),
        _ => check_listed(&a, &b, &found.changes),
    }
}

/// Every listed change must really be one: some message must show it.
fn check_listed(a: &Policy, b: &Policy, changes: &[Change]) -> Result<(), String> {
    for change in changes {
        let (from, to) = (&change.from[0], &change.to[0]);
        if change.via.as_ref().is_some_and(|hub| hub == from || hub == to) {
            continue;
        }
        let mut label = WireLabel::plain(&change.policy, &change.level);
        for value in &change.labels[0] {
            let (tag, values) = value.split_once(':').unwrap();
            let value = values.split('|').next().unwrap().to_owned();
            match label.categories.iter_mut().find(|category| category.tag == tag) {
                Some(category) => category.values.push(value),
                None => label
                    .categories
                    .push(kuriiri_types::Category { tag: tag.into(), values: vec![value] }),
            }
        }
        let message_type = match change.types[0] {
            "operation" => MessageType::Operation,
            "exercise" => MessageType::Exercise,
            _ => MessageType::Drill,
        };
        let mut case = Case::new(NOW, from, to, Some(label));
        case.next = change.via.clone().or(case.next);
        (case.sealed, case.message_type) = (change.forms[0] == "sealed", message_type);
        let (x, y) = (case.decide(a), case.decide(b));
        let goes = |decision: &Decision| !matches!(decision, Decision::Deny(_));
        let right = match change.kind {
            ChangeKind::NewlyPermitted => !goes(&x) && goes(&y),
            ChangeKind::NewlyDenied => goes(&x) && !goes(&y),
            ChangeKind::Obligations => goes(&x) && goes(&y),
        };
        // An empty message with no hops may still break a limit of zero; nothing else may.
        let limit = |decision: &Decision| {
            let codes = decision.codes();
            !codes.is_empty()
                && codes
                    .iter()
                    .all(|code| ["EXPIRED", "HOPS", "PRECEDENCE"].contains(&code.as_str()))
        };
        if !right && !limit(&x) && !limit(&y) {
            return Err(format!("not so: {change:?}\n{x:?}\n{y:?}"));
        }
    }
    Ok(())
}

/// One change of a file, by number; those that do not compile are passed over.
const EDITS: [(&str, &str); 22] = [
    ("", ""),
    (
        "levels = [\"TL3\"]\n  grants = [\"REL:PLM\"]",
        "levels = [\"TL3\", \"TL4\"]\n  grants = [\"REL:PLM\"]",
    ),
    ("\"COMPARTMENT:RAJA\", \"REL:SM\", \"REL:EU\"", "\"COMPARTMENT:KIDE\", \"REL:SM\""),
    ("\"REL:UM\", \"REL:EU\", \"REL:NATO\"", "\"REL:UM\""),
    ("approvals = 1\n", "approvals = 0\n"),
    ("approvals = 2\n", "approvals = 3\n"),
    (
        "transit = \"no\"\nseal = true\napprovals = 1",
        "transit = \"sealed\"\nseal = true\napprovals = 1",
    ),
    ("has = \"HANDLING:ORCON\"\nonward", "has = \"HANDLING:HENKILOTIETO\"\nonward"),
    ("any = [\"REL:EU\", \"REL:NATO\"]", "any = [\"REL:EU\"]"),
    ("any = [\"REL:EU\", \"REL:NATO\"]", "has = [\"REL:EU\", \"REL:NATO\"]"),
    ("max_size = \"64 MiB\"", "max_size = \"16 MiB\""),
    (
        "id = \"fi-tl1-never\"\npolicy = \"FI\"\nlevel = \"TL1\"\nforbid = true",
        "id = \"fi-tl1-never\"\npolicy = \"FI\"\nlevel = \"TL1\"",
    ),
    ("levels = [\"TL2\", \"TL1\"]\ntag", "levels = [\"TL1\"]\ntag"),
    ("not_levels = [\"JULK\", \"SALP\", \"TL4\"]", "not_levels = [\"JULK\"]"),
    ("excludes = [\"REL:EU\", \"REL:NATO\"]", "excludes = [\"REL:EU\"]"),
    ("excludes = [\"REL:EU\", \"REL:NATO\"]", "excludes = [\"COMPARTMENT:KIDE\"]"),
    ("obsolete = true", "obsolete = false"),
    ("members = [\"SM\", \"PLM\", \"UM\"]", "members = [\"SM\", \"PLM\"]"),
    ("message_type = \"exercise\"", "message_type = \"exercise\"\nforbid = true"),
    (
        "id = \"fi-salp\"\npolicy = \"FI\"\nlevel = \"SALP\"",
        "id = \"fi-salp\"\npolicy = \"FI\"\nlevel = \"SALP\"\nhas = \"HANDLING:ORCON\"",
    ),
    ("transit = \"clear\"", "transit = \"sealed\""),
    ("governing = \"FI\"\ntransit = true", "governing = \"FI\"\ntransit = false"),
];

fn edited(edits: &[usize]) -> Files {
    edits.iter().fold(Files::shared(), |files, edit| {
        let (old, new) = EDITS[*edit];
        if old.is_empty() { files } else { files.replace(old, new) }
    })
}

#[test]
fn every_single_edit_is_told_and_nothing_else() {
    let labels = every_label();
    for (edit, words) in EDITS.iter().enumerate() {
        let (plain, changed) = (Files::shared(), edited(&[edit]));
        if changed.compile().is_err() {
            continue;
        }
        for (old, new) in [(&plain, &changed), (&changed, &plain)] {
            if let Err(why) = against_all(old, new, &labels, 2503) {
                panic!("{words:?}\n{why}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn no_widening_of_many_edits_escapes(
        before in proptest::collection::vec(0..EDITS.len(), 0..4),
        after in proptest::collection::vec(0..EDITS.len(), 0..4),
    ) {
        let (old, new) = (edited(&before), edited(&after));
        if old.compile().is_ok() && new.compile().is_ok() {
            let labels = every_label();
            prop_assert_eq!(against_all(&old, &new, &labels, 2003), Ok(()));
        }
    }
}
