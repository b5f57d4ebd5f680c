//! Every decision in the log can be taken again from the log alone, by the rules that stand in it.

use std::{collections::BTreeMap, time::Duration};

use kuriiri_policy::{
    Case, CaseApproval, CaseClearance, Catalogue, Decision, Federation, Policy, Rules, Sources,
    Translation,
};
use kuriiri_types::{
    Digest, FileKind, Giver, Header, LoggedRuling, Ministry, PolicyInForce, SignedApproval,
    Timestamp, limits::CLOCK_SKEW_MAX,
};
use kuriiri_wire::{approval, header};

use LoggedRuling::{Deny, Hold, Permit};

use super::*;
use crate::{
    SystemClearance,
    testing::{Memory, NOW, address, approval_of, change_of, config},
};

/// Reads a log from its beginning, as an auditor would.
struct Auditor {
    home: Ministry,
    headers: BTreeMap<Digest, Header>,
    files: BTreeMap<Digest, Vec<u8>>,
    policies: BTreeMap<Digest, Policy>,
}

impl Auditor {
    fn new(home: &str) -> Self {
        let (headers, files, policies) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { home: ministry(home), headers, files, policies }
    }

    /// Takes every decision again; gives their words.
    fn replay(mut self, disk: &Memory) -> Vec<LoggedRuling> {
        let mut rulings = Vec::new();
        for (index, entry) in (0..).zip(disk.entries_from(0)) {
            if let LogEvent::FilePart(part) = entry.event {
                let file = self.files.entry(part.digest).or_default();
                if part.part == 0 {
                    file.clear();
                }
                file.extend_from_slice(&part.bytes);
            } else if let LogEvent::PolicyChanged(in_force) = entry.event {
                self.put_in_force(&in_force);
            } else if let LogEvent::Decided(decided) = entry.event {
                self.read(disk.headers(index));
                for subject in &decided.subjects {
                    self.take_again(entry.at, &decided, subject.header);
                    rulings.push(decided.ruling);
                }
            }
        }
        rulings
    }

    fn put_in_force(&mut self, in_force: &PolicyInForce) {
        let of = |kind| {
            let files = in_force.files.iter().filter(move |file| file.kind == kind);
            files.map(|file| str::from_utf8(&self.files[&file.digest]).unwrap())
        };
        let one = |kind| of(kind).next().unwrap();
        let sources = Sources {
            catalogues: of(FileKind::Catalogue).map(|t| Catalogue::parse(t).unwrap()).collect(),
            federation: Federation::parse(one(FileKind::Federation)).unwrap(),
            rules: Rules::parse(one(FileKind::Rules)).unwrap(),
            local: Vec::new(),
            translations: of(FileKind::Translation)
                .map(|t| Translation::parse(t).unwrap())
                .collect(),
        };
        let all: Vec<u8> = in_force.files.iter().flat_map(|file| *file.digest.as_bytes()).collect();
        let policy = Policy::compile(sources).unwrap();
        self.policies.insert(kuriiri_merkle::digest(&all), policy);
    }

    fn read(&mut self, headers: &[bytes::Bytes]) {
        for bytes in headers {
            let header = header::decode(bytes).unwrap();
            self.headers.insert(kuriiri_merkle::leaf(bytes), header);
        }
    }

    fn take_again(&self, at: Timestamp, decided: &Decided, subject: Digest) {
        let policy = &self.policies[&decided.policy];
        let case = self.case(at, decided, subject, policy);
        let decision = case.decide(policy);
        let word = match decision {
            Decision::Permit(_) => Permit,
            Decision::Hold(..) => Hold,
            Decision::Deny(_) => Deny,
        };
        assert_eq!((word, decision.codes()), (decided.ruling, decided.reasons.clone()), "{case:?}");
    }

    /// What was asked, put together from nothing but the log.
    fn case(&self, at: Timestamp, decided: &Decided, subject: Digest, policy: &Policy) -> Case {
        let header = &self.headers[&subject];
        let (origin, dest) = (header.from.ministry().to_string(), decided.dest.to_string());
        let path = decided.path.iter().chain([&self.home]).map(ToString::to_string).collect();
        let originating = matches!(decided.giver, Some(Giver::System(_)));
        let person = decided.clearances.as_ref().map(|held| {
            let held = held.iter().cloned();
            held.map(|c| CaseClearance { policy: c.policy, levels: c.levels, grants: c.grants })
                .collect()
        });
        Case {
            at: self.home.to_string(),
            prev: decided.path.last().map(ToString::to_string),
            next: decided.next.clone(),
            path,
            originating,
            person,
            sealed: policy.federation().check_seal(header, &decided.dest).is_ok(),
            size: header.body_size,
            created: header.created,
            expires: header.expires,
            precedence: header.precedence,
            message_type: header.message_type,
            skew_ms: u64::try_from(CLOCK_SKEW_MAX.as_millis()).unwrap(),
            digest: Some(subject),
            approvals: decided.approvals.iter().map(|signed| released(&origin, signed)).collect(),
            drafter: header.drafter.clone(),
            ..Case::new(at, &origin, &dest, header.label.clone())
        }
    }
}

fn released(origin: &str, signed: &SignedApproval) -> CaseApproval {
    let given = approval::decode(&signed.approval).unwrap();
    CaseApproval {
        officer: given.officer.name().to_owned(),
        node: origin.to_owned(),
        digest: given.subject,
        until: given.until,
        roles: given.roles,
    }
}

fn strict(host: &mut Host) {
    host.step(vec![change_of(|rules| rules.replacen("transit = \"clear\"", "forbid = true", 1))]);
    host.pass(Duration::ZERO);
}

#[test]
fn what_goes_what_must_be_sealed_and_what_may_not_go() {
    let mut host = Host::new("sm.example");
    let to = [RECIPIENT, "kirjaamo@um.example", "tilanne@sm.example"];
    let all = Letter::new(1, SENDER, &to);
    let secret = Letter { label: Some("FI TL4 COMPARTMENT{RAJA}"), is_sealed: true, ..all.clone() };
    let stranger = Letter::new(3, SENDER, &["who@stranger.example"]);
    let unlabelled = Letter { label: None, ..letter(4) };
    let unknown = Letter { label: Some("FI UNHEARD-OF"), ..letter(5) };
    let open = Letter { label: Some("FI SALP"), ..letter(6) };
    host.submit(&[all, Letter { number: 2, ..secret }, stranger, unlabelled, unknown, open]);
    let rulings = Auditor::new("sm.example").replay(&host.disk);
    let count = |word| rulings.iter().filter(|ruling| **ruling == word).count();
    assert_eq!((count(Permit), count(Deny)), (6, 4), "{rulings:?}");
}

#[test]
fn what_passes_through_and_what_arrives() {
    let mut hub = Host::new("verkko.example");
    let letter = Letter::new(1, SENDER, &["kirjaamo@um.example"]);
    let sealed = Letter { label: Some("FI SALP"), is_sealed: true, number: 2, ..letter.clone() };
    let open = Letter { is_sealed: false, number: 3, ..sealed.clone() };
    for letter in [&letter, &sealed, &open] {
        hub.step(vec![arrived(&["sm.example"], letter, "um.example")]);
    }
    let at_hub = Auditor::new("verkko.example").replay(&hub.disk);
    assert_eq!(at_hub, [Permit, Permit, Deny]);
    let mut end = Host::new("um.example");
    end.arrive(&["sm.example", "verkko.example"], &[letter, sealed]);
    assert_eq!(Auditor::new("um.example").replay(&end.disk), [Permit, Permit]);
}

/// A letter that two officers must release.
fn secret(number: u8) -> Letter {
    let letter = Letter::new(number, RECIPIENT, &["kirjaamo@um.example"]);
    let drafter = Some("cecilia");
    Letter { label: Some("FI TL2 REL{UM, PLM}"), is_sealed: true, drafter, ..letter }
}

#[test]
fn what_waits_and_is_released_or_is_over() {
    let mut host = Host::new("plm.example");
    host.submit(&[secret(1), secret(2)]);
    for name in ["anna", "bertta"] {
        let reply = host.approve(approval_of(&secret(1), name, 2, |given| {
            given.until = Some(NOW.after(Duration::from_secs(60)));
        }));
        assert!(matches!(reply, crate::Reply::Resolved(_)), "{reply:?}");
    }
    let word = |name| approval_of(&secret(1), name, 2, |_| {});
    let mut end = Host::new("um.example");
    end.endorsements = vec![word("anna"), word("cecilia")];
    end.arrive(&["plm.example"], &[secret(1)]);
    end.endorsements = vec![word("anna"), word("bertta")];
    end.arrive(&["plm.example"], &[secret(1)]);
    assert_eq!(Auditor::new("um.example").replay(&end.disk), [Deny, Permit]);
    // The hold is decided on again, and so is what is released, as its officers' words are over.
    host.now = NOW.after(Duration::from_secs(61));
    host.link_up("um.example", 1);
    let forbidden = "level = \"TL2\"\nforbid = true";
    host.step(vec![change_of(|rules| rules.replacen("level = \"TL2\"", forbidden, 1))]);
    host.pass(Duration::ZERO);
    let rulings = Auditor::new("plm.example").replay(&host.disk);
    assert_eq!(rulings[..4], [Hold, Hold, Permit, Hold]);
    assert_eq!(rulings[4..], [Deny, Deny]);
}

#[test]
fn what_the_rules_withdraw() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1), Letter::new(2, SENDER, &["tilanne@sm.example"])]);
    strict(&mut host);
    host.submit(&[letter(3)]);
    let rulings = Auditor::new("sm.example").replay(&host.disk);
    assert_eq!(rulings, [Permit, Permit, Deny, Deny, Deny]);
}

#[test]
fn what_a_system_may_not_originate() {
    let clearance = |levels: &[&str]| SystemClearance {
        policy: "FI".into(),
        levels: levels.iter().map(|level| (*level).to_owned()).collect(),
        grants: Vec::new(),
    };
    let secret = Letter { label: Some("FI SALP"), is_sealed: true, ..letter(1) };
    // A clearance with a name that nobody knows grants nothing, not even what it names rightly.
    for (held, ruling) in [
        (vec![], Deny),
        (vec![clearance(&["JULK"])], Deny),
        (vec![clearance(&["JULK", "SALP"])], Permit),
        (vec![clearance(&["SALP", "UNHEARD-OF"])], Deny),
    ] {
        let mut config = config(&ministry("sm.example"));
        config.clearances = BTreeMap::from([(system(&address(SENDER)), held.clone())]);
        let mut host = Host::start_as(config, Memory::default(), NOW);
        host.submit(std::slice::from_ref(&secret));
        assert_eq!(Auditor::new("sm.example").replay(&host.disk), [ruling], "{held:?}");
    }
}
