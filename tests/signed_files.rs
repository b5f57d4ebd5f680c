//! Who signed the files in force, as the log of a real relay shows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use bytes::Bytes;
use kuriiri_merkle::digest;
use kuriiri_seal::file_signers;
use kuriiri_types::{Digest, FileInForce, FileKind, LogEvent, PolicyInForce, Timestamp};
use kuriiri_verify::LogFolder;

use crate::{
    evidence::{eventually, size},
    federation::{Federation, kuriiri, succeeded},
};

/// The federation's files, by kind and name.
const FILES: [(FileKind, &str); 6] = [
    (FileKind::Federation, "federation.toml"),
    (FileKind::Catalogue, "catalogue-eu.toml"),
    (FileKind::Catalogue, "catalogue-fi.toml"),
    (FileKind::Catalogue, "catalogue-tlp.toml"),
    (FileKind::Translation, "translate-eu-fi.toml"),
    (FileKind::Rules, "policy.toml"),
];
/// The ministry's own.
const OWN: &str = "own.toml";
/// Who signs the federation's files, and who the ministry's own.
const STEWARDS: [&str; 2] =
    ["spiffe://verkko.example/officer/sulo", "spiffe://verkko.example/officer/taru"];
const ANNA: &str = "spiffe://sm.example/officer/anna";

/// What stands in a log right before files came into force.
#[derive(Default)]
struct Shown {
    certificates: BTreeMap<Digest, Bytes>,
    contents: BTreeMap<Digest, Vec<u8>>,
    in_force: PolicyInForce,
    at: Timestamp,
}

/// Each time that files came into force; never before a log's first checkpoint.
fn changes(log: &Path) -> Vec<Shown> {
    if size(log) == 0 {
        return Vec::new();
    }
    let log = LogFolder::open(log).unwrap();
    let (mut changes, mut shown) = (Vec::new(), Shown::default());
    for index in 0..log.size() {
        let entry = kuriiri_wire::entry::decode(&log.entry(index).unwrap()).unwrap();
        if let LogEvent::Certificate { der } = entry.event {
            shown.certificates.insert(digest(&der), der);
        } else if let LogEvent::FilePart(part) = entry.event {
            shown.contents.entry(part.digest).or_default().extend_from_slice(&part.bytes);
        } else if let LogEvent::PolicyChanged(in_force) = entry.event {
            changes.push(Shown { in_force, at: entry.at, ..std::mem::take(&mut shown) });
        }
    }
    changes
}

/// Holds what the log shows of a file against what lies on the disk; gives who signed it.
fn signers(shown: &Shown, file: &FileInForce, folder: &Path) -> BTreeSet<String> {
    let path = folder.join(&file.name);
    let signatures = fs::read(format!("{}.sig", path.display())).unwrap();
    assert_eq!(shown.contents[&file.digest], fs::read(&path).unwrap(), "{path:?}");
    assert_eq!(shown.contents[&file.signatures], signatures, "{path:?}");
    let find = |name: &Digest| shown.certificates.get(name).map(|der| &der[..]);
    let text = std::str::from_utf8(&signatures).unwrap();
    let signers = file_signers(file.kind, &shown.contents[&file.digest], text, find).unwrap();
    assert!(signers.iter().all(|signer| signer.counts_at(shown.at)), "{signers:?}");
    signers.into_iter().map(|signer| signer.signer.to_string()).collect()
}

/// Holds that what came into force last is shown whole, with all that signed it.
fn assert_signed(shown: &Shown, folder: &Path) {
    assert_eq!(shown.certificates.len(), STEWARDS.len() + 1);
    let mut listed = BTreeSet::new();
    for file in &shown.in_force.files {
        let is_own = file.name == OWN;
        assert_eq!(file.is_own, is_own, "{file:?}");
        let expected = if is_own { vec![ANNA] } else { STEWARDS.to_vec() };
        let expected: BTreeSet<String> = expected.into_iter().map(Into::into).collect();
        assert_eq!(signers(shown, file, folder), expected, "{file:?}");
        listed.insert((file.kind, file.name.as_str()));
    }
    let all = FILES.into_iter().chain([(FileKind::Rules, OWN)]);
    assert_eq!(listed, all.collect());
}

/// Gives a relay rules of its own, signed by an officer of its ministry.
fn add_own_rules(federation: &Federation, relay: &str) {
    let file = federation.path(&format!("{relay}/policy/{OWN}"));
    let rules = "format = \"routing-policy/1\"\nserial = 1\n\
                 [[rule]]\nid = \"own\"\npolicy = \"FI\"\nlevel = \"SALP\"\napprovals = 1\n";
    fs::write(&file, rules).unwrap();
    let anna = federation.path(&format!("{relay}/officers/anna"));
    let args = ["policy".as_ref(), "sign".as_ref(), "--as".as_ref(), anna.as_os_str()];
    succeeded(&kuriiri(&[&args[..], &[file.as_os_str()]].concat()));
    let config = federation.path(&format!("{relay}/relay.toml"));
    let text = fs::read_to_string(&config).unwrap();
    let with_own = format!("local-rules = [\"policy/{OWN}\"]\ntranslations = ");
    fs::write(&config, text.replacen("translations = ", &with_own, 1)).unwrap();
}

#[test]
fn the_log_shows_who_signed_what_is_in_force() {
    let mut federation = Federation::written();
    add_own_rules(&federation, "sm");
    federation.start("sm");
    let (log, folder) = (federation.path("sm/log"), federation.path("sm/policy"));
    eventually("the files in force at the start", || changes(&log).len() == 1);
    assert_signed(&changes(&log)[0], &folder);

    let rules = folder.join("policy.toml");
    let changed = fs::read_to_string(&rules).unwrap().replace("serial = 42", "serial = 43");
    fs::write(&rules, changed).unwrap();
    federation.sign_anew(&rules);
    federation.hang_up("sm");
    eventually("the files in force after the reload", || changes(&log).len() == 2);
    let last = &changes(&log)[1];
    assert_signed(last, &folder);
    let rules = last.in_force.files.iter().find(|file| file.name == "policy.toml").unwrap();
    assert_eq!(rules.serial, 43);

    // The relay that starts again finds in force what its log says, and says no more.
    federation.kill("sm");
    federation.start("sm");
    eventually("another start", || crate::upkeep::kinds(&log)["BOOT"] == 2);
    assert_eq!(changes(&log).len(), 2);
}

/// Whether the relay of this folder would start.
fn check(federation: &Federation, relay: &str) -> std::process::Output {
    let file = federation.path(&format!("{relay}/relay.toml"));
    kuriiri(&["relay".as_ref(), "--check".as_ref(), "--config".as_ref(), file.as_os_str()])
}

/// Changes a relay's configuration.
fn configure(federation: &Federation, from: &str, to: &str) {
    let file = federation.path("sm/relay.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_line_of_the_configuration_neither_brings_an_old_file_back_nor_takes_one_out() {
    let mut federation = Federation::written();
    add_own_rules(&federation, "sm");
    let (log, folder) = (federation.path("sm/log"), federation.path("sm/policy"));
    let [rules, old] = ["policy.toml", "old.toml"].map(|name| folder.join(name));
    for ending in ["", ".sig"] {
        let [from, to] = [&rules, &old].map(|path| format!("{}{ending}", path.display()));
        fs::copy(from, to).unwrap();
    }
    let newer = fs::read_to_string(&rules).unwrap().replace("serial = 42", "serial = 43");
    fs::write(&rules, newer).unwrap();
    federation.sign_anew(&rules);
    federation.start("sm");
    eventually("the files in force at the start", || changes(&log).len() == 1);

    // The older rules under another name are older still, at a reload and at a start.
    configure(&federation, "policy/policy.toml", "policy/old.toml");
    federation.hang_up("sm");
    federation.says("sm", "KRI-1008");
    let refused = check(&federation, "sm");
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("KRI-1008"), "{refused:?}");
    configure(&federation, "policy/old.toml", "policy/policy.toml");

    // Without the ministry's own rules more is permitted, and nobody signed that.
    let own = format!("local-rules = [\"policy/{OWN}\"]\n");
    configure(&federation, &own, "");
    federation.hang_up("sm");
    federation.says("sm", "KRI-1017");
    let refused = check(&federation, "sm");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("KRI-1017"), "{refused:?}");
    configure(&federation, "translations = ", &format!("{own}translations = "));
    federation.kill("sm");
    federation.start("sm");
    eventually("another start", || crate::upkeep::kinds(&log)["BOOT"] == 2);
    assert_eq!(changes(&log).len(), 1);
}
