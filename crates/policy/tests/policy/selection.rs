//! Which label counts: own, default, successor, translated, alternative.

use std::time::Duration;

use kuriiri_policy::{Facts, LabelFault, Policy, TagKind, Use};
use kuriiri_types::{Timestamp, WireLabel};

use crate::example::{Files, NOW, alternative, codes, facts, label, unlabelled};

/// The written form of the effective label, or the codes against it.
fn effective<'a>(policy: &Policy, wire: &WireLabel, change: impl FnOnce(&mut Facts<'a>)) -> String {
    let mut facts = unlabelled(policy, ["um", "plm", "plm"]);
    change(&mut facts);
    let label = Some(wire);
    told(policy, &Facts { label, ..facts })
}

fn told(policy: &Policy, facts: &Facts<'_>) -> String {
    match policy.effective(NOW, facts) {
        Ok(label) => policy.catalogue_of(&label).unwrap().write(&label).unwrap().to_string(),
        Err(reasons) => reasons.iter().map(|r| r.code()).collect::<Vec<_>>().join(" "),
    }
}

fn read(policy: &Policy, text: &str) -> String {
    effective(policy, &label(text), |_| {})
}

#[test]
fn unlabelled_content_gets_the_default_or_nothing() {
    let policy = Files::shared().policy();
    let none = |policy: &Policy| told(policy, &unlabelled(policy, ["um", "plm", "plm"]));
    assert_eq!(none(&policy), "UNLABELLED");
    let lenient = Files::shared().replace("unlabelled = \"deny\"", "unlabelled = \"EU-U\"");
    assert!(lenient.compile().unwrap_err().contains("`EU-U` is not defined"));
    let fi = "unlabelled = \"deny\"            #";
    let policy = Files::shared().replace(fi, "unlabelled = \"SALP\" #").policy();
    assert_eq!(none(&policy), "FI SALP");
    assert_eq!(effective(&policy, &WireLabel::plain("FI", ""), |_| {}), "FI SALP");
}

#[test]
fn a_policy_is_called_by_name_or_oid() {
    let policy = Files::shared().policy();
    let oid = policy.catalogue("FI").unwrap().id().to_owned();
    assert_eq!(effective(&policy, &WireLabel::plain(&oid, "TL4"), |_| {}), "FI TL4");
    assert_eq!(read(&policy, "fi TL4"), "POLICY_UNKNOWN");
}

#[test]
fn case_and_aliases_are_read_and_not_written() {
    let policy = Files::shared().policy();
    assert_eq!(read(&policy, "TLP white"), "TLP CLEAR");
    let new = effective(&policy, &label("TLP WHITE"), |f| f.originating = true);
    assert_eq!(new, "OBSOLETE", "an alias is for reading only");
    assert_eq!(read(&policy, "FI TL4 rel{PLM}"), "CATEGORY_UNKNOWN");
    let mut twice = label("EU R-UE REL{NOR}");
    twice.categories[0].values.push("nor".into());
    assert_eq!(effective(&policy, &twice, |_| {}), "MALFORMED", "one value, two spellings");
    twice.categories[0].values.clear();
    assert_eq!(effective(&policy, &twice, |_| {}), "MALFORMED", "neither nobody nor everybody");
}

#[test]
fn everything_wrong_with_a_label_is_told_once() {
    let policy = Files::shared().policy();
    assert_eq!(read(&policy, "FI TL9 COMPARTMENT{A,B} X{Y}"), "LEVEL_UNKNOWN CATEGORY_UNKNOWN");
    let found = effective(&policy, &label("FI JULK COMPARTMENT{KIDE,MERI,VANHA} REL{EU}"), |f| {
        f.originating = true;
    });
    assert_eq!(found, "EXCLUDED_LEVEL EXCLUDED_CATEGORY OBSOLETE");
    let fi = policy.catalogue("FI").unwrap();
    let foreign = fi.resolve(&label("EU R-UE"), Use::Carriage, NOW, Duration::ZERO);
    assert!(matches!(foreign.unwrap_err().faults(), [LabelFault::PolicyUnknown(_)]));
    assert!(fi.check_kind("REL", TagKind::Permissive).is_ok());
    assert!(fi.check_kind("REL", TagKind::Informative).is_err());
    assert!(fi.check_kind("RELX", TagKind::Permissive).is_err());
}

#[test]
fn a_successor_takes_over_when_surely_due_and_binds_when_possibly_due() {
    let policy = Files::shared().policy();
    let at = |seconds: i64| Timestamp::from_millis(NOW.as_millis() + seconds * 1000);
    let changing = |old: &str, new: &str, seconds| {
        let mut wire = label(old);
        wire.succession = Some(Box::new((at(seconds), label(new))));
        effective(&policy, &wire, |f| f.skew = Duration::from_secs(300))
    };
    for (seconds, down, up) in [
        (301, "FI TL3", "FI SALP"),
        (300, "FI TL3", "FI TL4"),
        (-299, "FI TL3", "FI TL4"),
        (-300, "FI JULK", "FI TL4"),
    ] {
        assert_eq!(changing("FI TL3", "FI JULK", seconds), down, "{seconds}");
        assert_eq!(changing("FI SALP", "FI TL4", seconds), up, "{seconds}");
    }
    assert_eq!(changing("FI TL4 REL{SM}", "FI TL4 REL{UM}", 0), "SUCCESSION_UNCERTAIN");
    assert_eq!(changing("FI TL4", "EU R-UE", 900), "MALFORMED", "a successor stays in its policy");
    assert_eq!(changing("FI TL4", "FI TL9", 900), "LEVEL_UNKNOWN", "also one that is not yet due");
}

#[test]
fn a_review_date_changes_nothing() {
    let policy = Files::shared().policy();
    let mut wire = label("FI TL4");
    wire.review_at = Some(Timestamp::from_millis(0));
    assert_eq!(effective(&policy, &wire, |_| {}), "FI TL4");
}

#[test]
fn tables_keep_every_restriction() {
    let policy = Files::shared().policy();
    for (from, to) in [
        ("EU EU-U", "FI SALP HANDLING{ORCON}"),
        ("EU C-UE REL{EUMS,NOR}", "FI TL3 HANDLING{ORCON} REL{EU}"),
        ("EU S-UE REL{EUMS}", "FI TL2 HANDLING{ORCON} REL{EU}"),
        ("EU R-UE REL{NOR}", "TRANSLATION_REFUSED"),
        ("EU R-UE CRYPTO{CCI}", "TRANSLATION_REFUSED"),
        ("EU S-UE", "REQUIRED_CATEGORY"),
        ("EU S-XX", "LEVEL_UNKNOWN"),
    ] {
        assert_eq!(read(&policy, from), to, "{from}");
    }
    let unmapped = Files::shared().replace("\"CRYPTO:CCI\" = \"refuse\"\n", "").policy();
    assert_eq!(read(&unmapped, "EU R-UE CRYPTO{CCI}"), "TRANSLATION_REFUSED", "not in the table");
}

#[test]
fn tables_that_could_lose_a_restriction_do_not_compile() {
    let shared = Files::shared;
    let value = |id: &str, kind: &str| {
        format!("[[tag]]\nid='{id}'\ntype='{kind}'\n[[tag.value]]\nid='V'\n")
    };
    let two_tags = |tags: &str| {
        let mut files = shared();
        files.catalogues[1].push_str(tags);
        files
    };
    let back = "format='label-translation/1'\nfrom='FI'\nto='EU'\nserial=1\nsigned_by='x'\napplied='origination'\n\
        level={JULK='EU-U',SALP='EU-U',TL4='EU-U',TL3='C-UE',TL2='S-UE',TL1='refuse'}\n";
    let mut round = shared();
    round.translations.push(back.into());
    let mut double = shared();
    double.translations.push(double.translations[0].clone());
    for (files, words) in [
        (shared().replace("\"R-UE\" = \"TL4\", ", ""), "`R-UE` is neither mapped nor refused"),
        (shared().replace("\"R-UE\" = \"TL4\"", "\"R-UE\" = \"TL2\""), "less sensitive"),
        (shared().replace("\"R-UE\" = \"TL4\"", "\"R-UE\" = \"TL9\""), "`TL9` is not defined"),
        (
            shared().replace("\"CRYPTO:CCI\" = \"refuse\"", "\"CRYPTO:CCI\" = \"discard\""),
            "informative",
        ),
        (shared().replace("\"CRYPTO:CCI\" = \"refuse\"", "\"CRYPTO:CCI\" = []"), "same type"),
        (
            shared().replace("\"CRYPTO:CCI\" = \"refuse\"", "\"CRYPTO:CCI\" = [\"REL:EU\"]"),
            "same type",
        ),
        (
            shared().replace("\"REL:EUMS\" = [\"REL:EU\"]", "\"REL:EUMS\" = \"discard\""),
            "informative",
        ),
        (shared().replace("adds  = [\"HANDLING:ORCON\"]", "adds = [\"REL:EU\"]"), "widen"),
        (shared().replace("from = \"EU\"", "from = \"FI\""), "itself"),
        (
            two_tags(&value("OTHER", "permissive"))
                .replace("[category]", "[category]\n\"OTHER:V\" = [\"REL:NATO\"]"),
            "tag of its own",
        ),
        (round, "less sensitive"),
        (double, "two tables"),
    ] {
        let error = files.compile().unwrap_err();
        assert!(error.contains(words), "{words}\n{error}");
    }
}

#[test]
fn a_table_speaks_of_labels_of_its_time() {
    let mut files = Files::shared();
    let head = "applied = \"reception\"";
    let split = "2026-09-01T00:00:00Z";
    let old = files.translations[0]
        .replace(head, &format!("created_until = {split}\napplied = \"both\""));
    let new = files.translations[0]
        .replace(head, &format!("created_from = {split}\n{head}"))
        .replace("\"R-UE\" = \"TL4\"", "\"R-UE\" = \"TL3\"");
    files.translations = vec![old, new];
    let policy = files.policy();
    let at = Timestamp::from_millis(1_788_220_800_000); // 2026-09-01T00:00:00Z
    let made = |created| effective(&policy, &label("EU R-UE"), |f| f.created = created);
    assert_eq!(made(at.before(Duration::from_millis(1))), "FI TL4 HANDLING{ORCON}");
    assert_eq!(made(at), "FI TL3 HANDLING{ORCON}");
}

#[test]
fn alternatives_count_only_for_what_we_cannot_read_and_from_whom_we_trust() {
    let policy = Files::shared().policy();
    let (foreign, low, own) = (label("XX SECRET"), label("FI JULK"), label("FI TL4"));
    let eu = label("EU R-UE");
    let trusted = [alternative(&own, "nsa-authority")];
    let other = [alternative(&own, "sm")];
    let both = [alternative(&own, "sm"), alternative(&eu, "sm")];
    let with = |wire: &WireLabel, alternatives: &[_]| {
        effective(&policy, wire, |f| f.alternatives = alternatives)
    };
    assert_eq!(with(&foreign, &trusted), "FI TL4");
    assert_eq!(with(&foreign, &other), "POLICY_UNKNOWN");
    assert_eq!(with(&foreign, &both), "POLICY_UNKNOWN");
    assert_eq!(with(&low, &trusted), "FI JULK", "the originator's own label is understood");
    assert_eq!(with(&eu, &trusted), "ALTERNATIVE_DISAGREES", "the table adds ORCON");
    assert_eq!(with(&eu, &other), "FI TL4 HANDLING{ORCON}", "an untrusted claim is no claim");
    let same = label("FI TL4 HANDLING{ORCON}");
    assert_eq!(with(&eu, &[alternative(&same, "nsa-authority")]), "FI TL4 HANDLING{ORCON}");
    let oid = WireLabel::plain(policy.catalogue("FI").unwrap().id(), "JULK");
    let two = [alternative(&own, "nsa-authority"), alternative(&oid, "x")];
    assert_eq!(with(&foreign, &two), "MALFORMED", "one policy, two names");
    let many: Vec<WireLabel> = (0..17).map(|n| WireLabel::plain(&format!("P{n}"), "X")).collect();
    let many: Vec<_> = many.iter().map(|wire| alternative(wire, "x")).collect();
    assert_eq!(with(&foreign, &many), "MALFORMED");
}

#[test]
fn a_known_policy_without_rules_or_table_has_no_equivalence() {
    let mut files = Files::shared();
    files.translations.clear();
    let policy = files.policy();
    assert_eq!(read(&policy, "EU R-UE"), "NO_EQUIVALENCE");
    assert_eq!(read(&policy, "TLP GREEN"), "TLP GREEN", "rules speak of it");
}

#[test]
fn the_effective_label_is_what_rules_and_gates_see() {
    let policy = Files::shared().policy();
    let wire = label("EU C-UE REL{EUMS}");
    let facts = facts(&policy, ["um", "plm", "plm"], &wire);
    let (word, reasons) = codes(&policy.decide(NOW, &facts));
    assert_eq!((word, reasons), ("DENY", vec!["dest:PERMISSIVE:REL".to_owned()]));
}
