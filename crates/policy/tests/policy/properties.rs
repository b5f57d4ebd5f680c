//! What must hold for every label, clearance, rule and message, not only for those we thought of.

use std::{sync::LazyLock, time::Duration};

use kuriiri_policy::{Catalogue, Clearance, Decision, Facts, Label, Policy, Use, admits};
use kuriiri_types::{Category, Onward, Precedence, Timestamp, WireLabel};
use proptest::{collection::vec, prelude::*, sample::subsequence};

use crate::example::{Files, NOW, approval, facts, node, rank};

const LEVELS: [&str; 6] = ["JULK", "SALP", "TL4", "TL3", "TL2", "TL1"];
const COMPARTMENTS: [&str; 4] = ["KIDE", "MERI", "RAJA", "VANHA"];
const RELEASES: [&str; 6] = ["EU", "NATO", "PLM", "SM", "UM", "VN"];
const HANDLING: [&str; 2] = ["HENKILOTIETO", "ORCON"];

fn written(policy: &str, level: &str, tags: &[(&str, &[&str])]) -> WireLabel {
    let mut label = WireLabel::plain(policy, level);
    for (tag, values) in tags.iter().filter(|(_, values)| !values.is_empty()) {
        let values = values.iter().map(|v| (*v).to_owned()).collect();
        label.categories.push(Category { tag: (*tag).into(), values });
    }
    label
}

prop_compose! {
    /// Labels of the national policy; some break the catalogue.
    fn any_label()(
        level in 0..LEVELS.len(),
        compartments in subsequence(&COMPARTMENTS[..], 0..=2),
        handling in subsequence(&HANDLING[..], 0..=2),
        releases in subsequence(&RELEASES[..], 0..=4),
    ) -> WireLabel {
        let tags = [("COMPARTMENT", &compartments[..]), ("HANDLING", &handling), ("REL", &releases)];
        written("FI", LEVELS[level], &tags)
    }
}

prop_compose! {
    fn any_grants()(
        compartments in subsequence(&COMPARTMENTS[..], 0..=4),
        releases in subsequence(&RELEASES[..], 0..=4),
    ) -> Vec<String> {
        let compartments = compartments.iter().map(|v| format!("COMPARTMENT:{v}"));
        compartments.chain(releases.iter().map(|v| format!("REL:{v}"))).collect()
    }
}

/// Half of them of the kind that usually may go.
fn any_or_common_label() -> impl Strategy<Value = WireLabel> {
    let common = (0_usize..4, subsequence(&HANDLING[..], 0..=2));
    let common = common
        .prop_map(|(level, handling)| written("FI", LEVELS[level], &[("HANDLING", &handling)]));
    prop_oneof![common, any_label()]
}

const WAYS: [[&str; 3]; 4] =
    [["sm", "hub", "plm"], ["um", "plm", "plm"], ["plm", "um", "um"], ["sm", "um", "um"]];

/// Three in four along ways that exist.
fn any_way() -> impl Strategy<Value = [&'static str; 3]> {
    let node = || proptest::sample::select(&["sm", "plm", "um", "hub", "arkisto", "vm"][..]);
    let any = (node(), node(), node()).prop_map(|(origin, next, dest)| [origin, next, dest]);
    prop_oneof![3 => proptest::sample::select(&WAYS[..]), 1 => any]
}

prop_compose! {
    /// A message between two members, in order or not.
    pub(crate) fn any_message()(
        way in any_way(),
        label in any_or_common_label(),
        sealed in prop::bool::weighted(0.9),
        (originating, onward) in any::<(bool, bool)>(),
        size in prop_oneof![4 => Just(1000_u64), 1 => any::<u64>()],
        age in prop_oneof![4 => Just(0_u64), 1 => 0_u64..2_000_000],
        precedence in 0_u32..6,
        officers in vec("[a-c]", 0..4),
    ) -> Message {
        Message { way, label, sealed, originating, onward, size, age, precedence, officers }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) way: [&'static str; 3],
    pub(crate) label: WireLabel,
    pub(crate) sealed: bool,
    pub(crate) originating: bool,
    pub(crate) onward: bool,
    pub(crate) size: u64,
    pub(crate) age: u64,
    pub(crate) precedence: u32,
    pub(crate) officers: Vec<String>,
}

impl Message {
    pub(crate) fn decide(&self, policy: &Policy, change: impl FnOnce(&mut Facts<'_>)) -> Decision {
        self.with(policy, |facts| {
            let mut facts = *facts;
            change(&mut facts);
            policy.decide(NOW, &facts)
        })
    }

    pub(crate) fn with<R>(&self, policy: &Policy, ask: impl FnOnce(&Facts<'_>) -> R) -> R {
        let mut facts = facts(policy, self.way, &self.label);
        let origin = node(policy, self.way[0]);
        let approvals: Vec<_> = self.officers.iter().map(|o| approval(o, origin)).collect();
        facts.approvals = &approvals;
        facts.sealed = self.sealed;
        facts.originating = self.originating;
        facts.onward = self.onward;
        facts.size = self.size;
        facts.created = NOW.before(Duration::from_secs(self.age));
        facts.precedence = Precedence::from_number(self.precedence).unwrap();
        ask(&facts)
    }
}

pub(crate) static SHARED: LazyLock<Policy> = LazyLock::new(|| Files::shared().policy());

fn fi() -> &'static Catalogue {
    SHARED.catalogue("FI").unwrap()
}

fn resolve(catalogue: &Catalogue, wire: &WireLabel) -> Option<Label> {
    catalogue.resolve(wire, Use::Carriage, NOW, Duration::ZERO).ok()
}

fn up_to(catalogue: &Catalogue, level: usize, grants: &[String]) -> Clearance {
    let levels: Vec<String> = LEVELS[..=level].iter().map(|l| (*l).to_owned()).collect();
    catalogue.clearance(&levels, grants).unwrap()
}

/// The access decision once more, in the words of the standard and with nothing clever.
fn model_admits(label: &WireLabel, levels: &[&str], grants: &[String]) -> bool {
    let mut held: Vec<String> = grants.to_vec();
    if ["REL:SM", "REL:PLM", "REL:UM"].iter().any(|m| held.iter().any(|g| g == m)) {
        held.push("REL:VN".into());
    }
    let holds = |tag: &str, value: &String| held.contains(&format!("{tag}:{value}"));
    levels.contains(&label.level.as_str())
        && label.categories.iter().all(|c| match c.tag.as_str() {
            "COMPARTMENT" => c.values.iter().all(|v| holds(&c.tag, v)),
            "REL" => c.values.iter().any(|v| holds(&c.tag, v)),
            _ => true,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_access_decision_is_that_of_the_model(
        wire in any_label(), levels in subsequence(&LEVELS[..], 0..=6), grants in any_grants(),
    ) {
        let catalogue = fi();
        let names: Vec<String> = levels.iter().map(|l| (*l).to_owned()).collect();
        let clearance = catalogue.clearance(&names, &grants).unwrap();
        if let Some(label) = resolve(catalogue, &wire) {
            let found = admits(catalogue, &label, &clearance).is_ok();
            prop_assert_eq!(found, model_admits(&wire, &levels, &grants));
        }
    }

    #[test]
    fn what_admits_the_join_admits_the_parts(
        a in any_label(), b in any_label(), level in 0..LEVELS.len(), grants in any_grants(),
    ) {
        let catalogue = fi();
        let clearance = up_to(catalogue, level, &grants);
        if let (Some(a), Some(b)) = (resolve(catalogue, &a), resolve(catalogue, &b)) {
            let joined = catalogue.join_labels(&[a, b]);
            prop_assert_eq!(&joined, &catalogue.join_labels(&[b, a]));
            prop_assert_eq!(catalogue.join_labels(&[a, a]), Ok(a));
            if let Ok(joined) = joined
                && admits(catalogue, &joined, &clearance).is_ok()
            {
                prop_assert!(admits(catalogue, &a, &clearance).is_ok());
                prop_assert!(admits(catalogue, &b, &clearance).is_ok());
            }
        }
    }

    #[test]
    fn joining_knows_no_grouping(a in any_label(), b in any_label(), c in any_label()) {
        let catalogue = fi();
        let labels = [&a, &b, &c].map(|wire| resolve(catalogue, wire));
        if let [Some(a), Some(b), Some(c)] = labels {
            let left = catalogue.join_labels(&[a, b]);
            let left = left.and_then(|ab| catalogue.join_labels(&[ab, c]));
            let right = catalogue.join_labels(&[b, c]);
            let right = right.and_then(|bc| catalogue.join_labels(&[a, bc]));
            if let (Ok(left), Ok(right)) = (left, right) {
                prop_assert_eq!(left, right);
            }
        }
    }

    #[test]
    fn fewer_grants_never_admit_more(
        wire in any_label(), level in 0..LEVELS.len(), grants in any_grants(), keep in any::<u16>(),
    ) {
        let catalogue = fi();
        let fewer: Vec<String> = grants.iter().enumerate()
            .filter(|(i, _)| (keep >> i) & 1 == 1).map(|(_, g)| g.clone()).collect();
        if let Some(label) = resolve(catalogue, &wire)
            && admits(catalogue, &label, &up_to(catalogue, level, &fewer)).is_ok()
        {
            prop_assert!(admits(catalogue, &label, &up_to(catalogue, level, &grants)).is_ok());
        }
    }

    #[test]
    fn a_narrower_release_never_admits_more(
        wire in any_label(), level in 0..LEVELS.len(), grants in any_grants(), keep in any::<u8>(),
    ) {
        let catalogue = fi();
        let mut narrow = wire.clone();
        for category in narrow.categories.iter_mut().filter(|c| c.tag == "REL") {
            let mut place = 0;
            category.values.retain(|_| { place += 1; (keep >> place) & 1 == 1 });
        }
        let clearance = up_to(catalogue, level, &grants);
        if let (Some(wide), Some(narrow)) = (resolve(catalogue, &wire), resolve(catalogue, &narrow))
            && admits(catalogue, &narrow, &clearance).is_ok()
        {
            prop_assert!(admits(catalogue, &wide, &clearance).is_ok());
        }
    }

    #[test]
    fn reading_what_was_written_gives_the_same_label(wire in any_label()) {
        let catalogue = fi();
        if let Some(label) = resolve(catalogue, &wire) {
            let back = catalogue.write(&label).unwrap();
            prop_assert!(back.check().is_ok());
            prop_assert_eq!(&back, &wire);
            prop_assert_eq!(resolve(catalogue, &back), Some(label));
        }
    }

    #[test]
    fn any_text_as_label_is_judged_without_panic(
        policy in "FI|EU|.{0,8}", level in "TL[1-4]|.{0,70}", tag in "REL|.{0,8}",
        values in vec("SM|PLM|.{0,8}", 0..5), at in any::<i64>(), now in any::<i64>(), skew in any::<u64>(),
    ) {
        let mut wire = WireLabel::plain(&policy, &level);
        wire.categories.push(Category { tag, values });
        wire.succession = Some(Box::new((Timestamp::from_millis(at), WireLabel::plain(&policy, "TL4"))));
        let skew = Duration::from_millis(skew);
        let _ = fi().resolve(&wire, Use::Origination, Timestamp::from_millis(now), skew);
    }

    #[test]
    fn precedence_changes_nothing_but_its_cap(message in any_message()) {
        let policy = &*SHARED;
        let routine = message.decide(policy, |f| f.precedence = Precedence::Routine);
        let given = message.decide(policy, |_| {});
        match (&routine, given) {
            (Decision::Deny(calm), Decision::Deny(urgent)) => {
                let cap = |r: &kuriiri_policy::Reason| r.code() == "PRECEDENCE";
                let rest: Vec<_> = urgent.into_iter().filter(|r| !cap(r)).collect();
                prop_assert_eq!(calm, &rest);
            }
            (_, Decision::Deny(urgent)) => {
                prop_assert_eq!(urgent.len(), 1);
                prop_assert_eq!(urgent[0].code(), "PRECEDENCE");
            }
            (calm, other) => prop_assert_eq!(calm, &other),
        }
    }

    #[test]
    fn a_rule_more_never_permits_more(message in any_message(), rule in any_rule()) {
        let before = message.decide(&SHARED, |_| {});
        // What names a level gives leave only in the federation's own file.
        let names_level = rule.contains("level") || rule.contains("at_least");
        let with = if names_level { Files::shared().and_local(&rule) } else { Files::shared().and_rules(&rule) };
        if let Ok(policy) = with.compile() {
            let after = message.decide(&policy, |_| {});
            prop_assert!(rank(&after) <= rank(&before), "{rule}\n{before:?}\n{after:?}");
            if let (Some(a), Some(b)) = (after.obligations(), before.obligations()) {
                prop_assert!(a.seal >= b.seal && a.direct_only >= b.direct_only);
                prop_assert!(a.max_size.unwrap_or(u64::MAX) <= b.max_size.unwrap_or(u64::MAX));
                prop_assert!(a.onward <= b.onward && a.max_hops <= b.max_hops);
            }
        }
    }

    #[test]
    fn the_order_of_rules_means_nothing(message in any_message(), order in Just(()).prop_perturb(|(), mut rng| rng.next_u64())) {
        let files = Files::shared();
        let mut rules: toml::Table = files.rules.parse().unwrap();
        let list = rules["rule"].as_array_mut().unwrap();
        let mut keyed = std::mem::take(list);
        keyed.sort_by_key(|rule| {
            let id = rule["id"].as_str().unwrap().bytes();
            id.fold(order, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        });
        list.extend(keyed);
        let mut shuffled = files.clone();
        shuffled.rules = rules.to_string();
        let (a, b) = (&*SHARED, shuffled.policy());
        let (one, other) = (message.decide(a, |_| {}), message.decide(&b, |_| {}));
        prop_assert_eq!(&one, &other);
        if let (Some(x), Some(y)) = (one.obligations(), other.obligations()) {
            let names = |policy: &Policy, o| policy.markers(o).map(|m| m.rule().to_owned()).collect::<Vec<_>>();
            prop_assert_eq!(names(a, x), names(&b, y));
        }
    }

    #[test]
    fn translation_keeps_the_order(
        low in 0_usize..5, high in 0_usize..5,
        wide in subsequence(&["CHE", "EUMS", "NOR"][..], 0..=3), keep in any::<u8>(), limite in any::<bool>(),
    ) {
        let levels = ["EU-U", "R-UE", "C-UE", "S-UE", "TS-UE"];
        let (low, high) = (low.min(high), low.max(high));
        let narrow: Vec<&str> = wide.iter().enumerate()
            .filter(|(i, _)| (keep >> i) & 1 == 1).map(|(_, v)| *v).collect();
        let distribution: &[&str] = if limite { &["LIMITE"] } else { &[] };
        let a = written("EU", levels[low], &[("REL", &wide)]);
        let b = written("EU", levels[high], &[("DISTRIBUTION", distribution), ("REL", &narrow)]);
        let policy = &*SHARED;
        let effective = |wire: &WireLabel| {
            let facts = facts(policy, ["um", "plm", "plm"], wire);
            policy.effective(NOW, &facts).ok()
        };
        if wide.is_empty() != narrow.is_empty() { return Ok(()); }
        if let (Some(a), Some(b)) = (effective(&a), effective(&b)) {
            // `a` is below `b`: so joining them changes nothing of `b`.
            let fi = policy.catalogue("FI").unwrap();
            prop_assert_eq!(fi.join_labels(&[a, b]), Ok(b));
        }
    }
}

prop_compose! {
    pub(crate) fn any_rule()(
        scope in prop_oneof![
            Just(""), Just("level='TL4'\n"), Just("at_least='SALP'\n"), Just("has='HANDLING:ORCON'\n"),
            Just("any=['REL:SM','REL:UM']\n"), Just("to='plm'\n"), Just("from=['sm','um']\n"),
            Just("message_type='operation'\n"),
        ],
        transit in prop_oneof![Just(""), Just("transit='no'\n"), Just("transit='sealed'\n"), Just("transit='clear'\n")],
        seal in prop_oneof![Just(""), Just("seal=true\n"), Just("seal=false\n")],
        (forbid, approvals, hops) in (prop::bool::weighted(0.1), 0_u8..4, 0_u16..9),
        size in 0_u64..100,
        onward in prop_oneof![Just(Onward::Never), Just(Onward::OriginatorConsent), Just(Onward::Free)],
        precedence in 0_u32..6,
    ) -> String {
        let precedence = Precedence::from_number(precedence).unwrap();
        let onward = onward.as_str();
        format!(
            "\n[[rule]]\nid='x-any'\npolicy='FI'\n{scope}{transit}{seal}forbid={forbid}\napprovals={approvals}\n\
             max_hops={hops}\nmax_size='{size} MiB'\nonward='{onward}'\nprecedence_max='{precedence}'\n"
        )
    }
}
