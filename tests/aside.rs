//! Messages that nobody can accept or hand on: set aside, listed, tried again, refused.

use std::{fs, path::Path, process::Output};

use kuriiri_client::Watch;
use kuriiri_types::ReceiptKind;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    books::draft,
    command::{lines, text},
    evidence::{PATIENCE, copy_afresh, eventually, verified},
    federation::{Federation, kuriiri, succeeded},
};

const MAILBOX: &str = "kirjaamo@plm.example";

/// A system that has lost the key by which it opens what is sealed to it.
struct Keyless {
    folder: String,
    profile: std::path::PathBuf,
    whole: String,
}

impl Keyless {
    fn of(federation: &Federation, ministry: &str) -> Self {
        let folder = federation.system(ministry, "kirjaamo");
        let profile = folder.join("system.toml");
        let whole = fs::read_to_string(&profile).unwrap();
        let without = whole.lines().filter(|line| !line.starts_with("sealing-key"));
        fs::write(&profile, without.collect::<Vec<_>>().join("\n")).unwrap();
        Self { folder: text(&folder), profile, whole }
    }

    fn receive(&self, more: &[&str]) -> Output {
        kuriiri(&[&["receive", "--as", &self.folder], more].concat())
    }

    fn finds_its_key(&self) {
        fs::write(&self.profile, &self.whole).unwrap();
    }
}

/// A command of an operator on what is set aside: exit code and what it told.
fn aside(federation: &Federation, ministry: &str, args: &[&str]) -> (Option<i32>, Vec<Value>) {
    let folder = text(&federation.path(&format!("{ministry}/operators/anna")));
    let output = kuriiri(&[&["aside", args[0], "--json", "--as", &folder], &args[1..]].concat());
    (output.status.code(), lines(&String::from_utf8(output.stdout).unwrap()))
}

/// Reads receipts until the relay of a ministry says this of a message.
async fn hears(watch: &mut Watch, id: &str, what: (ReceiptKind, &str)) {
    let hears = async {
        loop {
            let placed = watch.next().await.unwrap().unwrap();
            let receipt = placed.receipt();
            let is_about =
                placed.subjects().iter().any(|told| told.subject.message.to_string() == id);
            if is_about && (receipt.kind, receipt.issuer.as_str()) == what {
                return;
            }
        }
    };
    timeout(PATIENCE, hears).await.expect("the receipt comes");
}

/// Nothing in the logs of these relays is wrong.
fn logs_are_good(federation: &Federation, relays: &[&str]) {
    for relay in relays {
        let copy = tempfile::tempdir().unwrap();
        eventually("a log in which nothing is wrong", || {
            let log = copy_afresh(federation, relay, &copy.path().join("log"));
            verified(&federation.path(relay), &log, &[]).exit() != 1
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_is_set_aside_and_nothing_behind_it_waits() {
    let federation = Federation::started(&["sm", "plm"]);
    let client = federation.client("sm", "kirjaamo").await;
    let mut watch = client.watch().await.unwrap();
    let mut sealed = Vec::new();
    for subject in ["first", "second"] {
        let draft = draft(&[MAILBOX], "FI TL4 REL{SM,PLM}", subject, b"secret");
        sealed.push(client.send(draft).await.unwrap().id.to_string());
    }
    client.send(draft(&[MAILBOX], "FI JULK", "open", b"open")).await.unwrap();
    let keyless = Keyless::of(&federation, "plm");

    // One after the other: they come over the same link.
    let mut told = Vec::new();
    eventually("all three came", || {
        let output = keyless.receive(&["--json"]);
        told.extend(lines(&String::from_utf8(output.stdout).unwrap()));
        told.len() == 3
    });
    let events: Vec<_> = told.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["unacceptable", "unacceptable", "received"]);
    let left = &told[0];
    assert_eq!((&left["id"], &left["code"]), (&sealed[0].clone().into(), &"KRI-1002".into()));
    assert_eq!(left["fault"], "operator");
    assert!(left["what"].as_str().unwrap().contains("sealing-key"), "{left}");
    assert_eq!(told[2]["subject"], "open");
    let again = keyless.receive(&[]);
    assert_eq!(again.status.code(), Some(0), "nothing is in the mailbox any more");

    // The operator sees why, and the sender hears that it waits.
    let (code, listed) = aside(&federation, "plm", &["list"]);
    assert_eq!((code, listed.len()), (Some(0), 2));
    for (line, id) in listed.iter().zip(&sealed) {
        assert_eq!((&line["id"], &line["queue"]), (&id.clone().into(), &MAILBOX.into()));
        assert_eq!(line["code"], "KRI-1002");
        assert!(line["reasons"][0].as_str().unwrap().contains("sealing-key"), "{line}");
    }
    hears(&mut watch, &sealed[0], (ReceiptKind::SetAside, "plm.example")).await;
    let anna = text(&federation.path("plm/operators/anna"));
    let budgets = lines(&succeeded(&kuriiri(&["status", "--json", "--as", &anna])));
    let used = |words: &str| {
        let found = budgets.iter().find(|line| line["name"].as_str().unwrap().contains(words));
        found.map(|line| line["used"].as_u64().unwrap())
    };
    assert_eq!(used(&format!("set aside of the mailbox {MAILBOX}")), Some(2), "{budgets:?}");
    assert!(used("links of peers").is_some_and(|links| links > 0), "{budgets:?}");
    assert!(used("bytes of sm.example").is_some_and(|bytes| bytes > 0), "{budgets:?}");

    // For people, beside the data; the message goes where it was before.
    assert_eq!(aside(&federation, "plm", &["retry", &sealed[0]]).0, Some(0));
    let output = keyless.receive(&[]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let said = String::from_utf8(output.stderr).unwrap();
    for part in [&*sealed[0], "set aside", "KRI-1002", "sealing-key", "whose fault", "hint"] {
        assert!(said.contains(part), "{part}: {said}");
    }

    // With its key one is delivered; the other the operator refuses.
    keyless.finds_its_key();
    assert_eq!(aside(&federation, "plm", &["retry", &sealed[0]]).0, Some(0));
    let came = lines(&succeeded(&keyless.receive(&["--json"])));
    assert_eq!((&came[0]["id"], &came[0]["subject"]), (&sealed[0].clone().into(), &"first".into()));
    let (code, refused) = aside(&federation, "plm", &["refuse", "--all"]);
    assert_eq!((code, &refused[0]["copies"]), (Some(0), &1.into()));
    assert_eq!(aside(&federation, "plm", &["list"]), (Some(0), Vec::new()));
    assert_eq!(aside(&federation, "plm", &["refuse", &sealed[1]]).0, Some(1), "it is gone");
    hears(&mut watch, &sealed[0], (ReceiptKind::Delivered, "plm.example")).await;
    hears(&mut watch, &sealed[1], (ReceiptKind::Refused, "plm.example")).await;
    logs_are_good(&federation, &["sm", "plm"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_the_disk_lost_holds_up_nothing_behind_it() {
    let mut federation = Federation::started(&["sm"]);
    let client = federation.client("sm", "kirjaamo").await;
    let mut watch = client.watch().await.unwrap();
    let large = vec![b'x'; 200_000];
    let mut ids = Vec::new();
    for (to, subject) in
        [(MAILBOX, "lost"), (MAILBOX, "whole"), ("kirjaamo@sm.example", "lost at home")]
    {
        let sent = client.send(draft(&[to], "FI JULK", subject, &large)).await.unwrap();
        ids.push(sent.id.to_string());
    }
    // Each was submitted by itself, so it has a body file of its own, in their order.
    let bodies = federation.path("sm/state/bodies");
    let mut files: Vec<u64> = names(&bodies).iter().map(|name| name.parse().unwrap()).collect();
    files.sort_unstable();
    for lost in [files[0], files[2]] {
        fs::remove_file(bodies.join(lost.to_string())).unwrap();
    }
    federation.start("plm");
    let plm = text(&federation.system("plm", "kirjaamo"));
    let came = lines(&succeeded(&kuriiri(&["receive", "--json", "--as", &plm, "--count", "1"])));
    assert_eq!(came[0]["subject"], "whole");
    let sm = text(&federation.system("sm", "kirjaamo"));
    let nothing = kuriiri(&["receive", "--json", "--as", &sm]);
    assert_eq!((nothing.status.code(), nothing.stdout.len()), (Some(0), 0));
    let mut listed = Vec::new();
    eventually("both are set aside", || {
        listed = aside(&federation, "sm", &["list"]).1;
        listed.len() == 2
    });
    let found: Vec<_> = listed.iter().map(|line| (&line["queue"], &line["id"])).collect();
    let expected = [("kirjaamo@sm.example", &ids[2]), ("plm.example", &ids[0])];
    let expected = expected.map(|(queue, id)| (Value::from(queue), Value::from(id.clone())));
    assert_eq!(found, expected.iter().map(|(queue, id)| (queue, id)).collect::<Vec<_>>());
    assert!(listed.iter().all(|line| line["code"] == "KRI-4101"), "{listed:?}");
    assert_eq!(aside(&federation, "sm", &["refuse", "--all"]).1[0]["copies"], 2);
    // Mailboxes come first.
    for id in [&ids[2], &ids[0]] {
        hears(&mut watch, id, (ReceiptKind::Refused, "sm.example")).await;
    }
    logs_are_good(&federation, &["sm", "plm"]);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    entries.map(|name| name.into_string().unwrap()).collect()
}
