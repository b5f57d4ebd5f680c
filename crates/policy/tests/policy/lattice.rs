//! The four properties of the lattice, and that a stricter rule never permits more: a hundred
//! thousand cases in each run, from fixed seeds.

use std::time::Duration;

use kuriiri_policy::{Catalogue, Clearance, Decision, Label, Policy, Use, admits};
use kuriiri_types::{Category, WireLabel};
use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};

use crate::{
    example::{Files, NOW, facts, rank},
    properties::{SHARED, any_message, any_rule},
};

const CASES: u64 = 25_000;

/// Marsaglia's xorshift: enough for tests, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn some<'a>(&mut self, of: &[&'a str]) -> Vec<&'a str> {
        let bits = self.roll();
        of.iter().enumerate().filter(|(i, _)| (bits >> (7 * i)) & 3 == 0).map(|(_, v)| *v).collect()
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.roll() >> 32).unwrap() % of.len()]
    }
}

const LEVELS: [&str; 6] = ["JULK", "SALP", "TL4", "TL3", "TL2", "TL1"];
const RELEASES: [&str; 6] = ["SM", "PLM", "UM", "VN", "EU", "NATO"];
const COMPARTMENTS: [&str; 4] = ["KIDE", "MERI", "RAJA", "VANHA"];

fn written(policy: &str, level: &str, tags: &[(&str, &[&str])]) -> WireLabel {
    let mut label = WireLabel::plain(policy, level);
    for (tag, values) in tags.iter().filter(|(_, values)| !values.is_empty()) {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        label.categories.push(Category { tag: (*tag).into(), values });
    }
    label
}

fn label(dice: &mut Dice, catalogue: &Catalogue) -> Option<Label> {
    let (compartments, releases) = (dice.some(&COMPARTMENTS), dice.some(&RELEASES));
    let level = dice.one(&LEVELS);
    let wire = written("FI", level, &[("COMPARTMENT", &compartments), ("REL", &releases)]);
    resolve(catalogue, &wire)
}

fn resolve(catalogue: &Catalogue, wire: &WireLabel) -> Option<Label> {
    catalogue.resolve(wire, Use::Carriage, NOW, Duration::ZERO).ok()
}

fn grants(dice: &mut Dice) -> Vec<String> {
    let compartments = dice.some(&COMPARTMENTS);
    let releases = dice.some(&RELEASES);
    let compartments = compartments.iter().map(|value| format!("COMPARTMENT:{value}"));
    compartments.chain(releases.iter().map(|value| format!("REL:{value}"))).collect()
}

/// Closed downwards: every level up to one.
fn up_to(dice: &mut Dice, catalogue: &Catalogue, grants: &[String]) -> Clearance {
    let top = usize::try_from(dice.roll() >> 32).unwrap() % LEVELS.len();
    let levels: Vec<String> = LEVELS[..=top].iter().map(|level| (*level).to_owned()).collect();
    catalogue.clearance(&levels, grants).unwrap()
}

/// How many of the cases say something, so that none of the properties is empty.
fn count(seed: u64, mut holds: impl FnMut(&mut Dice) -> Option<bool>) -> u64 {
    let mut dice = Dice(seed);
    let mut said = 0;
    for case in 0..CASES {
        if let Some(holds) = holds(&mut dice) {
            assert!(holds, "case {case} of seed {seed}");
            said += 1;
        }
    }
    said
}

#[test]
fn what_admits_the_join_admits_both_parts() {
    let fi = SHARED.catalogue("FI").unwrap();
    let said = count(1, |dice| {
        let (a, b) = (label(dice, fi)?, label(dice, fi)?);
        let grants = grants(dice);
        let clearance = up_to(dice, fi, &grants);
        let joined = fi.join_labels(&[a, b]);
        assert_eq!(joined, fi.join_labels(&[b, a]));
        let joined = joined.ok()?;
        assert_eq!(
            (fi.join_labels(&[joined, a]), fi.join_labels(&[joined, joined])),
            (Ok(joined), Ok(joined))
        );
        admits(fi, &joined, &clearance).ok()?;
        Some(admits(fi, &a, &clearance).is_ok() && admits(fi, &b, &clearance).is_ok())
    });
    assert!(said > 200, "{said}");
}

#[test]
fn fewer_grants_never_permit_more() {
    let fi = SHARED.catalogue("FI").unwrap();
    let said = count(2, |dice| {
        let label = label(dice, fi)?;
        let grants = grants(dice);
        let keep = dice.roll();
        let kept = grants.iter().enumerate().filter(|(i, _)| (keep >> i) & 1 == 1);
        let fewer: Vec<String> = kept.map(|(_, grant)| grant.clone()).collect();
        let levels: Vec<String> = LEVELS.map(str::to_owned).into();
        let [few, all] = [&fewer, &grants].map(|grants| fi.clearance(&levels, grants).unwrap());
        admits(fi, &label, &few).ok()?;
        Some(admits(fi, &label, &all).is_ok())
    });
    assert!(said > 1000, "{said}");
}

#[test]
fn a_narrower_release_never_permits_more() {
    let fi = SHARED.catalogue("FI").unwrap();
    let said = count(3, |dice| {
        let level = dice.one(&LEVELS);
        let releases = dice.some(&RELEASES);
        let keep = dice.roll();
        let kept = releases.iter().enumerate().filter(|(i, _)| (keep >> i) & 1 == 1);
        let narrow: Vec<&str> = kept.map(|(_, value)| *value).collect();
        let grants = grants(dice);
        let clearance = up_to(dice, fi, &grants);
        if narrow.is_empty() {
            // No audience at all is another label: it means everyone who is cleared.
            return None;
        }
        let read = |values: &[&str]| resolve(fi, &written("FI", level, &[("REL", values)]));
        let (wide, narrow) = (read(&releases)?, read(&narrow)?);
        admits(fi, &narrow, &clearance).ok()?;
        Some(admits(fi, &wide, &clearance).is_ok())
    });
    assert!(said > 200, "{said}");
}

#[test]
fn translation_keeps_the_order() {
    const EU_LEVELS: [&str; 5] = ["EU-U", "R-UE", "C-UE", "S-UE", "TS-UE"];
    let policy: &Policy = &SHARED;
    let fi = policy.catalogue("FI").unwrap();
    let effective =
        |wire: &WireLabel| policy.effective(NOW, &facts(policy, ["um", "plm", "plm"], wire)).ok();
    let said = count(4, |dice| {
        let (x, y) = (dice.roll() % 5, dice.roll() % 5);
        let [low, high] =
            [x.min(y), x.max(y)].map(|place| EU_LEVELS[usize::try_from(place).unwrap()]);
        let wide = dice.some(&["EUMS", "NOR", "CHE"]);
        let keep = dice.roll();
        let kept = wide.iter().enumerate().filter(|(i, _)| (keep >> i) & 1 == 1);
        let narrow: Vec<&str> = kept.map(|(_, value)| *value).collect();
        if wide.is_empty() != narrow.is_empty() {
            return None;
        }
        let a = effective(&written("EU", low, &[("REL", &wide)]))?;
        let b = effective(&written("EU", high, &[("REL", &narrow)]))?;
        // The first is below the second: so joining them changes nothing of the second.
        Some(fi.join_labels(&[a, b]) == Ok(b))
    });
    assert!(said > 1000, "{said}");
}

#[test]
fn a_stricter_rule_never_permits_more() {
    let mut runner = TestRunner::deterministic();
    let messages = vec(any_message(), 1000).new_tree(&mut runner).unwrap().current();
    let before: Vec<Decision> =
        messages.iter().map(|message| message.decide(&SHARED, |_| {})).collect();
    let (mut policies, mut tightened) = (0, 0);
    while policies < 40 {
        let rule = any_rule().new_tree(&mut runner).unwrap().current();
        // What names a level gives leave only in the federation's own file.
        let names_level = rule.contains("level") || rule.contains("at_least");
        let files = Files::shared();
        let with = if names_level { files.and_local(&rule) } else { files.and_rules(&rule) };
        let Ok(policy) = with.compile() else {
            continue;
        };
        policies += 1;
        for (message, before) in messages.iter().zip(&before) {
            let after = message.decide(&policy, |_| {});
            assert!(rank(&after) <= rank(before), "{rule}\n{before:?}\n{after:?}");
            tightened += usize::from(rank(&after) < rank(before));
        }
        assert!(!SHARED.diff(&policy).widens, "{rule}");
    }
    assert!(tightened > 1000, "{tightened}");
}
