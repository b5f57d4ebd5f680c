//! How long a decision takes: with the label resolved, from what stands on the wire, and for a
//! whole outbox after a new policy.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kuriiri_policy::{
    Catalogue, Decision, Facts, Federation, Label, NodeId, Policy, Rules, Sources, Translation,
};
use kuriiri_types::{MessageType, Precedence, Timestamp, WireLabel};

macro_rules! shared {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/labels/", $name))
    };
}

/// Messages in an outbox that is decided again.
const QUEUED: usize = 1_000_000;
const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn sources() -> Sources {
    let catalogues = [shared!("catalogue-fi.toml"), shared!("catalogue-eu.toml")];
    let tlp = Catalogue::parse(shared!("catalogue-tlp.toml")).unwrap();
    let catalogues = catalogues.map(|text| Catalogue::parse(text).unwrap());
    Sources {
        catalogues: catalogues.into_iter().chain([tlp]).collect(),
        federation: Federation::parse(shared!("federation.toml")).unwrap(),
        rules: Rules::parse(shared!("policy.toml")).unwrap(),
        local: Vec::new(),
        translations: vec![Translation::parse(shared!("translate-eu-fi.toml")).unwrap()],
    }
}

fn facts<'a>(policy: &Policy, way: [&str; 3], label: &'a WireLabel) -> Facts<'a> {
    let node = |id: &str| policy.federation().by_id(id).unwrap_or(NodeId::UNKNOWN);
    let [origin, next, dest] = way.map(node);
    Facts {
        at: origin,
        origin,
        prev: None,
        next: Some(next),
        dest,
        path: &[],
        verified: true,
        label: Some(label),
        alternatives: &[],
        originating: false,
        person: None,
        sealed: true,
        size: 1024,
        created: NOW,
        expires: None,
        precedence: Precedence::Routine,
        message_type: MessageType::Operation,
        skew: Duration::ZERO,
        digest: None,
        approvals: &[],
        drafter: None,
        onward: false,
        consent: false,
    }
}

fn one(criterion: &mut Criterion) {
    let policy = Policy::compile(sources()).unwrap();
    let mut group = criterion.benchmark_group("decide");
    for (name, text, way) in [
        ("permit", "FI TL4 REL{PLM,SM}", ["sm", "hub", "plm"]),
        ("permit, two rules match", "FI TL4 HANDLING{ORCON}", ["plm", "um", "um"]),
        ("hold", "FI TL3 REL{PLM,SM}", ["sm", "plm", "plm"]),
        ("deny, all reasons", "FI TL3", ["sm", "hub", "plm"]),
    ] {
        let wire: WireLabel = text.parse().unwrap();
        let facts = facts(&policy, way, &wire);
        let label = policy.effective(NOW, &facts).unwrap();
        group.bench_function(format!("resolved label: {name}"), |bencher| {
            bencher.iter(|| policy.decide_resolved(NOW, black_box(&facts), black_box(&label)));
        });
        group.bench_function(format!("wire label: {name}"), |bencher| {
            bencher.iter(|| policy.decide(NOW, black_box(&facts)));
        });
    }
    group.finish();
}

/// An outbox as a relay keeps it: the labels resolved, the facts read from the queue.
fn outbox(criterion: &mut Criterion) {
    let policy = Policy::compile(sources()).unwrap();
    let wires: Vec<WireLabel> =
        ["FI TL4 REL{PLM,SM}", "FI SALP", "FI JULK", "FI TL4 COMPARTMENT{RAJA}"]
            .map(|text| text.parse().unwrap())
            .into();
    let way = ["sm", "hub", "plm"];
    let messages: Vec<(Facts<'_>, Label)> = wires
        .iter()
        .cycle()
        .take(QUEUED)
        .map(|wire| {
            let facts = facts(&policy, way, wire);
            (facts, policy.effective(NOW, &facts).unwrap())
        })
        .collect();
    let mut group = criterion.benchmark_group("outbox");
    group.sample_size(10).throughput(Throughput::Elements(QUEUED as u64));
    group.bench_function("1,000,000 queued messages", |bencher| {
        bencher.iter(|| {
            let permitted = messages.iter().filter(|(facts, label)| {
                matches!(policy.decide_resolved(NOW, facts, label), Decision::Permit(_))
            });
            assert_eq!(permitted.count(), QUEUED);
        });
    });
    group.finish();
}

/// What a reload costs besides the outbox.
fn reload(criterion: &mut Criterion) {
    let (old, new) = (sources(), sources());
    let running = Policy::compile(old).unwrap();
    criterion.bench_function("compile", |bencher| {
        bencher.iter(|| Policy::compile(black_box(new.clone())).unwrap());
    });
    let mut wider = sources();
    wider.rules =
        Rules::parse(&shared!("policy.toml").replace("approvals = 1", "approvals = 0")).unwrap();
    let wider = Policy::compile(wider).unwrap();
    criterion.bench_function("diff", |bencher| bencher.iter(|| running.diff(black_box(&wider))));
}

criterion_group!(benches, one, outbox, reload);
criterion_main!(benches);
