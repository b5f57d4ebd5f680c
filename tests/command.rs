//! The commands, as people and scripts use them.

use std::{fs, path::Path, process::Command};

use kuriiri_types::Code;
use serde_json::Value;

use crate::{
    books::draft,
    documents::embedded,
    federation::{Federation, KURIIRI, RELAYS, kuriiri, succeeded},
};

/// Each line of output as an object.
pub(crate) fn lines(said: &str) -> Vec<Value> {
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn documents_sent_from_a_folder_arrive_as_files_with_the_same_bytes() {
    let federation = Federation::started(&RELAYS);
    let documents = federation.path("documents");
    fs::create_dir(&documents).unwrap();
    for (name, body) in embedded() {
        fs::write(documents.join(name), body).unwrap();
    }
    let count = embedded().len();
    let sm = text(&federation.system("sm", "kirjaamo"));
    let sent = kuriiri(&[
        "send",
        "--json",
        "--as",
        &sm,
        "--to",
        "kirjaamo@um.example",
        "--label",
        "FI TL4",
        "--precedence",
        "immediate",
        "--expires",
        "2 h",
        "--wait",
        "relayed",
        &text(&documents),
    ]);
    let told = lines(&succeeded(&sent));
    let summary = told.last().unwrap();
    assert_eq!(
        (summary["accepted"].as_u64(), summary["refused"].as_u64()),
        (Some(count as u64), Some(0))
    );
    let out = federation.path("came");
    let um = text(&federation.system("um", "kirjaamo"));
    let number = count.to_string();
    let args = ["receive", "--json", "--as", &um, "--out", &text(&out), "--count", &number];
    let received = lines(&succeeded(&kuriiri(&args)));
    assert_eq!(received.len(), count);
    for line in &received {
        assert_eq!(line["sealed"], true, "class IV goes sealed");
        assert_eq!(line["precedence"], "IMMEDIATE");
        let came = fs::read(line["file"].as_str().unwrap()).unwrap();
        let name = line["subject"].as_str().unwrap();
        assert_eq!(came, fs::read(documents.join(name)).unwrap(), "{name}");
    }
    // Everything was confirmed: the mailbox is empty, and receiving ends by itself.
    let args = ["receive", "--json", "--as", &um];
    assert_eq!(succeeded(&kuriiri(&args)), "");
    let status = lines(&succeeded(&kuriiri(&["status", "--json", "--as", &um])));
    assert!(status.iter().filter(|l| l["event"] == "mailbox").all(|l| l["messages"] == 0));
    assert!(status.iter().any(|l| l["event"] == "peer" && l["ministry"] == "verkko.example"));
}

#[test]
fn a_refusal_exits_with_one_and_gives_every_reason() {
    let federation = Federation::started(&["sm"]);
    let sm = text(&federation.system("sm", "kirjaamo"));
    let file = federation.path("federation/policy.toml");
    let refused = kuriiri(&[
        "send",
        "--json",
        "--as",
        &sm,
        "--to",
        "kirjaamo@um.example",
        "--label",
        "FI TL3 REL{SM,UM}",
        &text(&file),
    ]);
    assert_eq!(refused.status.code(), Some(1));
    let told = lines(&String::from_utf8(refused.stdout).unwrap());
    assert_eq!(told[0]["event"], "refused");
    assert_eq!(told[0]["code"], "KRI-2101");
    let reasons = told[0]["reasons"].to_string();
    assert!(reasons.contains("TRANSIT_FORBIDDEN") && reasons.contains("next:LEVEL"), "{reasons}");
}

#[test]
fn wrong_usage_exits_with_64_and_says_what_to_do() {
    for args in [
        &["send"][..],
        &["frobnicate"],
        &["send", "--as", "x", "--to", "nobody", "--label", "FI TL4", "f"],
        &["send", "--as", "x", "--to", "a@b", "--label", "TL4", "f"],
        &["error", "KRI-1"],
        &["up", "/nonexistent"],
        &["relay", "--check", "--config", "/nonexistent/relay.toml"],
        &["status", "--as", "/nonexistent"],
    ] {
        let output = kuriiri(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?} said something on standard output");
        assert!(!output.stderr.is_empty(), "{args:?} said nothing");
    }
    let said = succeeded(&kuriiri(&["error", "KRI-2101"]));
    assert!(said.contains("The label does not allow"), "{said}");
    assert!(succeeded(&kuriiri(&["error"])).lines().count() > 40);
}

#[test]
fn a_configuration_is_checked_whole_and_the_nearest_key_is_named() {
    let federation = Federation::written();
    let config = federation.path("sm/relay.toml");
    let good = fs::read_to_string(&config).unwrap();
    let check = |text: &str| {
        fs::write(&config, text).unwrap();
        let output = Command::new(KURIIRI)
            .args(["relay", "--check", "--config"])
            .arg(&config)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(check(&good).0, Some(0));
    assert!(!federation.path("sm/state").exists(), "a check writes nothing");
    for (from, to, complaint) in [
        ("listen =", "lisen =", "did you mean `listen`?"),
        ("name = \"kirjaamo\"", "nane = \"kirjaamo\"", "did you mean `name`?"),
        ("kirjaamo@sm.example", "kirjaamo@um.example", "is not an address of sm.example"),
        ("ministry = \"sm.example\"", "ministry = \"vm.example\"", "vm.example"),
        ("tls.key", "log.key", "tls.pem"),
        ("catalogue-fi.toml", "catalogue-xx.toml", "catalogue-xx.toml"),
        ("federation/revocation", "federation/trust", "revocation list"),
        ("relay = \"r1\"", "relay = \"r2\"", "not spiffe://sm.example/relay/r2"),
    ] {
        assert!(good.contains(from), "{from}");
        let (code, said) = check(&good.replace(from, to));
        assert_eq!(code, Some(64), "{to}: {said}");
        assert!(said.contains(complaint), "{to}: {said}");
    }
    let first = "\"kirjaamo@sm.example\"";
    let with = |count: usize| {
        let more = (1..count).map(|number| format!(", \"box{number}@sm.example\""));
        good.replacen(first, &format!("{first}{}", more.collect::<String>()), 1)
    };
    assert_eq!(check(&with(4096)).0, Some(0));
    let (code, said) = check(&with(4097));
    assert_eq!((code, said.contains("may have 4096")), (Some(64), true), "{said}");
    check(&good);
    let key = federation.path("sm/tls.key");
    let mut open = fs::metadata(&key).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut open, 0o644);
    fs::set_permissions(&key, open).unwrap();
    let (code, said) = check(&good);
    assert_eq!(code, Some(64));
    assert!(said.contains("0600") && said.contains("KRI-1002"), "{said}");
}

#[test]
fn an_example_is_never_written_over_something() {
    let federation = Federation::written();
    let before = fs::read(federation.path("sm/relay.toml")).unwrap();
    let again = kuriiri(&["example", &text(&federation.root())]);
    assert!(!again.status.success());
    assert_eq!(fs::read(federation.path("sm/relay.toml")).unwrap(), before);
}

#[test]
fn two_relays_never_share_a_state() {
    let federation = Federation::started(&["sm"]);
    let other = federation.path("sm/other.toml");
    let config = fs::read_to_string(federation.path("sm/relay.toml")).unwrap();
    let elsewhere = config.replace("listen = \"127.0.0.1:", "listen = \"127.0.0.2:");
    fs::write(&other, elsewhere).unwrap();
    let output = kuriiri(&["relay", "--config", &text(&other)]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("KRI-4103"), "{said}");
}

#[test]
fn the_demo_ends_with_nothing_lost() {
    let folder = tempfile::tempdir().unwrap();
    let keep = folder.path().join("kept");
    let said = succeeded(&kuriiri(&["demo", "--json", "--keep", &text(&keep)]));
    let result = lines(&said).pop().unwrap();
    assert_eq!(result["event"], "result");
    assert_eq!((&result["duplicates"], &result["lost"]), (&0.into(), &0.into()));
    assert_eq!(result["sent"], result["delivered"]);
    assert_eq!(result["refused"], 3);
    assert_eq!(result["bodies_equal"], true);
    assert!(keep.join("hub/relay.toml").is_file());
}

#[test]
fn the_bench_measures_the_real_path() {
    let documents = tempfile::tempdir().unwrap();
    for (name, size) in [("short.txt", 3), ("long.pdf", 100_000)] {
        fs::write(documents.path().join(name), vec![b'x'; size]).unwrap();
    }
    let mut args = vec!["bench", "--json", "--messages", "2000", "--window", "300"];
    args.extend(["--rate", "200", "--rate-messages", "100", "--large-messages", "40"]);
    let documents = text(documents.path());
    args.extend(["--documents", &documents, "--document-messages", "20", "--backlog", "300"]);
    let report = lines(&succeeded(&kuriiri(&args))).pop().unwrap();
    let (large, documents) = (&report["large"], &report["documents"]);
    for figures in [&report, large, documents] {
        assert!(figures["delivered_per_second"].as_f64().unwrap() > 0.0);
        for part in ["sender", "sender_relay", "receiver_relay", "receiver"] {
            assert!(figures["cpu"][part].is_number(), "{part}: {report}");
        }
        for kind in ["accepted", "relayed", "delivered"] {
            assert!(figures["steady"][kind]["p50"].as_f64().unwrap() > 0.0, "{kind}: {report}");
        }
        // Every message leaves at least its header's digest in both logs.
        for log in [&figures["log_bytes"], &figures["steady"]["log_bytes"]] {
            assert!(log["origin"].as_f64().unwrap() >= 32.0, "{report}");
            assert!(log["recipient"].as_f64().unwrap() >= 32.0, "{report}");
        }
    }
    assert!(report["cpu"]["sender_relay"].as_f64().unwrap() > 0.0, "{report}");
    assert_eq!((&report["size"], &report["window"]), (&1024.into(), &300.into()));
    assert_eq!((&large["messages"], &large["size"]), (&40.into(), &16_384.into()));
    assert_eq!((&documents["files"], &documents["size"]), (&2.into(), &50_001.into()));
    let backlog = &report["backlog"];
    assert_eq!(backlog["messages"], 300);
    for figure in ["taken_per_second", "memory", "start_seconds", "drained_per_second"] {
        assert!(backlog[figure].as_f64().unwrap() > 0.0, "{figure}: {backlog}");
    }
    let audited = &report["audited"];
    let (messages, entries) = (&audited["messages_per_second"], &audited["per_second"]);
    assert!(messages.as_f64().unwrap() > 0.0 && entries.as_f64().unwrap() > 0.0, "{audited}");
}

/// Replaces words of a relay's configuration and tells it to read that again.
fn reconfigure(federation: &Federation, relay: &str, from: &str, to: &str) {
    let file = federation.path(&format!("{relay}/relay.toml"));
    let before = fs::read_to_string(&file).unwrap();
    let after = before.replacen(from, to, 1);
    assert_ne!(before, after, "{from}");
    fs::write(&file, after).unwrap();
    federation.hang_up(relay);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_serves_others_and_says_what_takes_a_restart() {
    let federation = Federation::started(&["sm"]);
    let client = federation.client("sm", "kirjaamo").await;
    let to_new = || draft(&["uusi@sm.example"], "FI JULK", "new", b"new");
    let refused = client.send(to_new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::UNKNOWN_RECIPIENT);
    reconfigure(
        &federation,
        "sm",
        "\"kirjaamo@sm.example\"",
        "\"kirjaamo@sm.example\", \"uusi@sm.example\"",
    );
    federation.says("sm", "configuration reloaded");
    let sent = client.send(to_new()).await.unwrap();
    let system = text(&federation.system("sm", "kirjaamo"));
    let args = ["receive", "--json", "--as", &system, "--mailbox", "uusi@sm.example"];
    let came = lines(&succeeded(&kuriiri(&args)));
    assert_eq!(came[0]["id"], sent.id.to_string());
    // What it would not do is not said to be done.
    reconfigure(&federation, "sm", "listen = \"127.0.0.1:", "listen = \"127.0.0.2:");
    federation.says("sm", "only a restart puts in force");
    assert_eq!(client.send(to_new()).await.unwrap().recipients.len(), 1);
}
