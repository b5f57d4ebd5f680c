//! Messages that wait for officers, from the sender's command to the recipient's.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use kuriiri_seal::PinnedSigners;
use kuriiri_types::{FileKind, Timestamp};
use serde_json::Value;

use crate::{
    command::{lines, text},
    federation::{Federation, KURIIRI, RELAYS, kuriiri, succeeded},
};

const SAYS: &str = "Raja avataan kello 6.\n";

/// Sends a document that needs releasing, from `sm` to `plm`, and gives what was told of it.
fn send(federation: &Federation, label: &str, more: &[&str]) -> Value {
    let file = federation.path("raja.txt");
    fs::write(&file, SAYS).unwrap();
    let (sm, file) = (text(&federation.system("sm", "kirjaamo")), text(&file));
    let to = "kirjaamo@plm.example";
    let mut args = vec!["send", "--json", "--as", &sm, "--to", to, "--label", label];
    args.extend(more);
    args.push(&file);
    lines(&succeeded(&kuriiri(&args))).remove(0)
}

/// Runs a command of an officer of `sm`: exit code, what it told, and what it complained of.
fn hold(
    federation: &Federation,
    officer: &str,
    args: &[&str],
) -> (Option<i32>, Vec<Value>, String) {
    let folder = text(&federation.path(&format!("sm/officers/{officer}")));
    let mut all = vec!["hold", args[0], "--json", "--as", &folder];
    all.extend(&args[1..]);
    let output = kuriiri(&all);
    let said = lines(&String::from_utf8(output.stdout).unwrap());
    (output.status.code(), said, String::from_utf8(output.stderr).unwrap())
}

fn receive(federation: &Federation) -> Vec<Value> {
    let plm = text(&federation.system("plm", "kirjaamo"));
    lines(&succeeded(&kuriiri(&["receive", "--json", "--as", &plm, "--count", "1"])))
}

#[test]
fn a_message_goes_when_its_officers_have_read_and_released_it() {
    let federation = Federation::started(&["sm", "plm"]);
    // TL II needs two officers, but the Interior is not cleared for it; what goes abroad does too.
    let label = "FI TL3 REL{SM,PLM,EU,NATO}";
    let told = send(&federation, label, &["--drafter", "cecilia"]);
    assert_eq!((&told["event"], told["waits_for"].as_u64()), (&"accepted".into(), Some(2)));
    let id = told["id"].as_str().unwrap();

    let (code, listed, _) = hold(&federation, "anna", &["list"]);
    assert_eq!((code, listed.len(), listed[0]["id"].as_str()), (Some(0), 1, Some(id)));
    let (code, shown, _) = hold(&federation, "anna", &["show", id]);
    let shown = &shown[0];
    assert_eq!(
        (code, shown["body"].as_str(), shown["sealed"].as_bool()),
        (Some(0), Some(SAYS), Some(true))
    );
    assert_eq!((shown["needed"].as_u64(), shown["drafter"].as_str()), (Some(2), Some("cecilia")));
    let print = shown["fingerprint"].as_str().unwrap().to_owned();

    // Whoever wrote it does not count, and nobody releases what was not read.
    let (code, said, why) = hold(&federation, "cecilia", &["release", id]);
    assert_eq!((code, said.len()), (Some(1), 0));
    assert!(why.contains("KRI-2114"), "{why}");
    let other = "00".repeat(32);
    let (code, _, why) = hold(&federation, "anna", &["release", id, "--fingerprint", &other]);
    assert_eq!(code, Some(1));
    assert!(why.contains("KRI-2111"), "{why}");

    let args = ["release", id, "--fingerprint", &print, "--until", "2 h"];
    let (code, said, why) = hold(&federation, "anna", &args);
    assert_eq!(code, Some(0), "{why}");
    assert_eq!((said[0]["outcome"].as_str(), said[0]["have"].as_u64()), (Some("counted"), Some(1)));
    let (_, shown, _) = hold(&federation, "bertta", &["show", id]);
    assert_eq!(shown[0]["approved_by"], serde_json::json!(["spiffe://sm.example/officer/anna"]));
    let (code, said, _) = hold(&federation, "bertta", &["release", id]);
    assert_eq!((code, said[0]["outcome"].as_str()), (Some(0), Some("released")));

    let received = receive(&federation).remove(0);
    assert_eq!((received["id"].as_str(), received["body"].as_str()), (Some(id), Some(SAYS)));
    let by = ["spiffe://sm.example/officer/anna", "spiffe://sm.example/officer/bertta"];
    assert_eq!(received["approved_by"], serde_json::json!(by));
    assert_eq!(received["retain_max"].as_u64(), Some(14 * 24 * 3600));
    assert!(hold(&federation, "anna", &["list"]).1.is_empty());
    let (code, _, why) = hold(&federation, "anna", &["show", id]);
    assert_eq!(code, Some(1));
    assert!(why.contains("KRI-2116"), "{why}");
}

/// Takes the release key from an officer's profile.
fn without_release_key(federation: &Federation, officer: &str) {
    let profile = federation.path(&format!("sm/officers/{officer}/officer.toml"));
    let text = fs::read_to_string(&profile).unwrap();
    let rest: Vec<_> = text.lines().filter(|line| !line.starts_with("release-key")).collect();
    assert!(rest.len() < text.lines().count(), "{text}");
    fs::write(&profile, rest.join("\n")).unwrap();
}

#[test]
fn a_rejected_message_goes_back_with_the_note() {
    let federation = Federation::started(&["sm", "plm"]);
    let sm = federation.system("sm", "kirjaamo");
    let told = send(&federation, "FI TL3", &[]);
    let id = told["id"].as_str().unwrap();
    without_release_key(&federation, "anna");
    let (code, shown, _) = hold(&federation, "anna", &["show", id]);
    assert_eq!(
        (code, shown[0]["id"].as_str(), &shown[0]["body"]),
        (Some(1), Some(id), &Value::Null)
    );
    assert!(shown[0]["unread"].as_str().unwrap().contains("release-key"), "{shown:?}");
    let (code, _, why) = hold(&federation, "anna", &["release", id]);
    assert_eq!((code, why.contains("it may be rejected")), (Some(64), true), "{why}");
    let (code, _, _) = hold(&federation, "anna", &["reject", id]);
    assert_eq!(code, Some(64), "a rejection says why");
    let (code, said, _) = hold(&federation, "anna", &["reject", id, "--note", "Name the place."]);
    assert_eq!((code, said[0]["outcome"].as_str()), (Some(0), Some("rejected")));

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let placed = runtime.block_on(async {
        let client = crate::federation::connect(&sm).await.unwrap();
        let mut receipts = client.receipts();
        loop {
            let placed = receipts.next().await.unwrap().unwrap();
            if placed.receipt().kind.is_final() {
                return placed;
            }
        }
    });
    let receipt = placed.receipt();
    assert!(placed.about().map(|(message, _)| message.to_string()).eq([id]));
    assert!(receipt.reasons.iter().any(|reason| reason.contains("Name the place.")), "{receipt:?}");
}

#[test]
fn an_officer_reads_it_without_knowing_the_code() {
    let federation = Federation::started(&["sm", "plm"]);
    let told = send(&federation, "FI TL3", &["--drafter", "anna", "--expires", "2 h"]);
    let id = told["id"].as_str().unwrap();
    let folder = text(&federation.path("sm/officers/anna"));
    let page = succeeded(&kuriiri(&["hold", "show", "--as", &folder, id]));
    for part in [
        "kirjaamo@sm.example, signed by spiffe://sm.example/system/kirjaamo",
        "kirjaamo@plm.example",
        "FI TL3",
        "anna: that is you, and another officer must release it",
        "raja.txt",
        "22 bytes of text/plain",
        "goes back at",
        "0 of 1: nobody yet",
        SAYS,
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    let table = succeeded(&kuriiri(&["hold", "list", "--as", &folder]));
    assert!(table.contains(id) && table.contains("0 of 1"), "{table}");

    let out = federation.path("body");
    let args = ["hold", "show", "--as", &folder, id, "--out", &text(&out)];
    let page = succeeded(&kuriiri(&args));
    assert!(!page.contains(SAYS), "{page}");
    assert_eq!(fs::read_to_string(&out).unwrap(), SAYS);
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o077, 0);
    assert_eq!(kuriiri(&args).status.code(), Some(64), "it must not be written over");
}

#[test]
fn markers_stand_first_and_last() {
    let federation = Federation::started(&["sm", "plm"]);
    let plm = text(&federation.system("plm", "kirjaamo"));
    let exercise = send(&federation, "FI JULK", &["--type", "exercise"]);
    assert_eq!(exercise["waits_for"].as_u64(), Some(0));
    let output = kuriiri(&["receive", "--as", &plm, "--count", "1"]);
    succeeded(&output);
    let said = String::from_utf8(output.stderr).unwrap();
    for marker in ["HARJOITUS HARJOITUS", "ÖVNING ÖVNING", "EXERCISE EXERCISE"] {
        let count = said.lines().filter(|line| line.starts_with(marker)).count();
        assert_eq!(count, 2, "{marker} in\n{said}");
    }
    send(&federation, "FI JULK", &["--type", "exercise"]);
    let received = receive(&federation).remove(0);
    assert_eq!(received["markers"][0]["sv"], "ÖVNING ÖVNING ÖVNING");
    assert_eq!((&received["onward"], &received["type"]), (&"free".into(), &"exercise".into()));
}

#[test]
fn every_relay_has_its_own_files_and_both_stewards_signed_them() {
    let federation = Federation::written();
    let mut pinned = PinnedSigners::new();
    for steward in ["sulo", "taru"] {
        let certificate = federation.path(&format!("federation/signers/{steward}.pem"));
        pinned.add(&fs::read_to_string(certificate).unwrap()).unwrap();
    }
    let files = [
        (FileKind::Federation, "federation.toml"),
        (FileKind::Catalogue, "catalogue-fi.toml"),
        (FileKind::Catalogue, "catalogue-eu.toml"),
        (FileKind::Catalogue, "catalogue-tlp.toml"),
        (FileKind::Rules, "policy.toml"),
        (FileKind::Translation, "translate-eu-fi.toml"),
    ];
    let signers = |kind, file: &Path| {
        let (text, beside) = (fs::read(file).unwrap(), format!("{}.sig", file.display()));
        let signatures = fs::read_to_string(beside).unwrap();
        let verified = pinned.verify(kind, &text, &signatures, now());
        verified.map(|file| file.signers().iter().map(|id| id.to_string()).collect::<Vec<_>>())
    };
    let both = ["spiffe://verkko.example/officer/sulo", "spiffe://verkko.example/officer/taru"];
    for relay in RELAYS {
        for (kind, name) in files {
            let file = federation.path(&format!("{relay}/policy/{name}"));
            assert_eq!(signers(kind, &file).unwrap(), both, "{relay} {name}");
        }
    }

    // A file that is changed has to be signed again, by both.
    let file = federation.path("sm/policy/policy.toml");
    let changed = fs::read_to_string(&file).unwrap().replace("serial = 42", "serial = 43");
    fs::write(&file, changed).unwrap();
    assert!(signers(FileKind::Rules, &file).is_err());
    federation.sign_anew(&file);
    assert_eq!(signers(FileKind::Rules, &file).unwrap(), both);

    let sulo = text(&federation.path("stewards/sulo"));
    for wrong in ["sm/relay.toml", "sm/nothing.toml"] {
        let wrong = text(&federation.path(wrong));
        let output = kuriiri(&["policy", "sign", "--as", &sulo, &wrong]);
        assert_eq!(output.status.code(), Some(64), "{wrong}");
    }
    for key in ["signing.key", "release.key", "tls.key"] {
        let key = federation.path("plm/officers/bertta").join(key);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600, "{key:?}");
    }
}

#[test]
fn an_operator_deals_with_no_message() {
    let federation = Federation::started(&["sm"]);
    let folder = text(&federation.path("sm/operators/anna"));
    let output = std::process::Command::new(KURIIRI)
        .args(["hold", "list", "--as", &folder])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("KRI-3106"));
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}
