//! What operators do to a log: entries are given away, leave it, or are lost with the state.

use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::{Command, Output},
};

use kuriiri_engine::{Commit, LogAppend, Pruning, View};
use kuriiri_merkle::{Frontier, leaf};
use kuriiri_seal::NoteKey;
use kuriiri_store::{Options, Store};
use kuriiri_tlog::{Checkpoint, NoteSigner};
use kuriiri_types::{Entry, LogEvent};
use kuriiri_verify::{Anchors, AuditOptions, LogFolder, LogReport, audit};

use crate::{
    books::{Books, Sent},
    documents::{embedded, many},
    evidence::{copy, eventually, size, witnesses},
    federation::{Federation, KURIIRI, RELAYS, kuriiri, succeeded},
};

/// Who witnesses the log of plm.
const PEERS: [&str; 3] = ["sm.example", "um.example", "verkko.example"];

/// A command of an operator of sm.
fn as_anna(federation: &Federation, words: &[&str]) -> Output {
    let anna = federation.path("sm/operators/anna");
    let words = words.iter().map(|word| OsStr::new(*word));
    kuriiri(&words.chain([OsStr::new("--as"), anna.as_os_str()]).collect::<Vec<_>>())
}

/// How many entries of each kind a log has; of none before its first checkpoint.
pub(crate) fn kinds(log: &Path) -> serde_json::Value {
    if size(log) == 0 {
        return serde_json::Value::Null;
    }
    let said = succeeded(&kuriiri(&[
        "log".as_ref(),
        "status".as_ref(),
        "--json".as_ref(),
        log.as_os_str(),
    ]));
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    said["kinds"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_who_took_entries_out_and_keeps_those_whose_time_is_not_over() {
    let federation = Federation::started(&["sm"]);
    let (log, out) = (federation.path("sm/log"), federation.path("out"));
    eventually("the first checkpoint", || size(&log) > 0);
    let (from, to) = (log.to_str().unwrap(), out.to_str().unwrap());
    let words = ["log", "export", from, "--out", to, "--for", "the audit office"];
    succeeded(&as_anna(&federation, &words));
    eventually("the export in the log", || kinds(&log)["EXPORTED"] == 1);

    let refused = as_anna(&federation, &["log", "prune", "--basis", "Archives Act 831/1994"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("KRI-1016"), "{said}");
}

/// An audit of a relay's log by keys that somebody else keeps.
fn audited(log: &Path, policy: &Path) -> LogReport {
    let anchors = Anchors::read(policy, None).unwrap();
    audit(&LogFolder::open(log).unwrap(), &anchors, AuditOptions::default(), |_| {})
}

fn assert_good(report: &LogReport) {
    let wrong: Vec<_> = report.findings.listed().into_iter().map(|found| &found.what).collect();
    assert_eq!(report.findings.exit(), 0, "{wrong:?}");
}

/// Lets entries leave a relay's log as the relay itself does, years later: no certificate of the
/// example lives so long that a relay could be started then.
async fn prune(relay: &Path, before: u64) {
    let log = relay.join("log");
    let options = Options::default().log_dir(&log);
    let store = Store::open(&relay.join("state"), options).unwrap();
    assert!(store.settle_log().await.unwrap() >= before);
    let stays = |index: &u64| {
        let bytes = store.log_entry(*index).unwrap().unwrap();
        let kind = kuriiri_wire::entry::decode(&bytes).unwrap().event.kind();
        ["BOOT", "CERTIFICATE", "FILE", "POLICY_CHANGE"].contains(&kind)
    };
    let kept = (0..before).filter(stays).collect();
    let mut head = store.log_head().unwrap();
    let by = "spiffe://sm.example/operator/anna".parse().unwrap();
    let event = LogEvent::Pruned { before, by, basis: "Archives Act 831/1994".into() };
    let entry = Entry { salt: [7; 32], at: head.at, boot: 1, channels: Vec::new(), event };
    let entry = kuriiri_wire::entry::encode(&entry);
    let mut tree = Frontier::from_parts(head.size, head.frontier).unwrap();
    tree.push(leaf(&entry));
    let first = head.size;
    (head.size, head.frontier) = (tree.size(), tree.nodes().to_vec());
    let key = NoteKey::from_pem(&fs::read_to_string(relay.join("log.key")).unwrap()).unwrap();
    let signer = NoteSigner::new("sm.example/log".parse().unwrap(), key);
    let origin = signer.name().to_string();
    let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root() };
    let checkpoint = checkpoint.sign(&signer).unwrap();
    let leaves = vec![leaf(&entry)];
    let (entries, channels) = (vec![entry], Vec::new());
    let append = LogAppend { first, entries, leaves, channels, head, checkpoint, news: true };
    let pruned = Some(Pruning { before, kept, late: Vec::new() });
    store.commit(Commit { log: Some(append), pruned, ..Commit::default() }).await.unwrap();
    store.publish().await.unwrap().unwrap();
    store.close().await.unwrap();
}

/// The relay goes on with what is left, and an auditor can still check all of that.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_beginning_left_goes_on_and_is_good() {
    let mut federation = Federation::started(&RELAYS);
    let sm = federation.client("sm", "kirjaamo").await;
    let plm = federation.client("plm", "kirjaamo").await;
    let mut books = Books::new();
    books.receive(&plm);
    let (mut sent, all) = (Sent::default(), many(400));
    let to = ["kirjaamo@plm.example"];
    sent.send(&sm, &to, "FI JULK", &all[..200]).await;
    books.until(200).await;
    let log = federation.path("sm/log");
    eventually("enough entries", || size(&log) > 600);
    federation.kill("sm");
    prune(&federation.path("sm"), 512).await;
    assert!(!log.join("tile/entries/001").exists() && log.join("tile/0/001").exists());

    federation.start("sm");
    let before = size(&log);
    sent.send(&sm, &to, "FI JULK", &all[200..]).await;
    books.until(400).await;
    books.check(&sent);
    eventually("the new messages, witnessed", || {
        size(&log) > before + 400 && witnesses(&log) == ["plm.example", "verkko.example"]
    });
    federation.kill("sm");
    let report = audited(&log, &federation.path("sm/log.policy"));
    assert_good(&report);
    assert!(report.read + 512 >= report.size, "{} of {}", report.read, report.size);
}

/// Starts a relay that is to end by itself, and gives what it said.
fn started_in_vain(federation: &Federation, relay: &str) -> String {
    let mut command = Command::new(KURIIRI);
    command.args(["relay", "--config"]).arg(federation.path(&format!("{relay}/relay.toml")));
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The way back from a lost state: a new log that names the last checkpoint of the old one, which is
/// witnessed and good, and whose receipts everybody believes without being told of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_begins_anew_where_the_old_one_is_lost() {
    let mut federation = Federation::started(&RELAYS);
    let log = federation.path("plm/log");
    eventually("the first checkpoint", || size(&log) > 0);
    // Something waits in the state that will be copied: for a system here, and for a peer.
    let sm = federation.client("sm", "kirjaamo").await;
    let mut waiting = Sent::default();
    waiting.send(&sm, &["kirjaamo@plm.example"], "FI JULK", &many(5)).await;
    federation.kill("um");
    let plm = federation.client("plm", "kirjaamo").await;
    let mut onward = Sent::default();
    onward.send(&plm, &["kirjaamo@um.example"], "FI JULK", &many(5)).await;
    plm.close().await;
    eventually("what waits", || kinds(&log)["RECEIVED"] == 5 && kinds(&log)["ACCEPTED"] == 5);
    federation.kill("plm");
    let kept = federation.path("kept");
    copy(&federation.path("plm/state"), &kept.join("state"));
    copy(&log, &kept.join("log"));
    federation.start("plm");
    federation.start("um");
    let (mut sent, before) = (Sent::default(), size(&log));
    sent.send(&sm, &["kirjaamo@plm.example"], "FI JULK", &embedded()).await;
    eventually("a checkpoint with the new messages", || {
        size(&log) > before && witnesses(&log) == PEERS
    });
    federation.kill("plm");
    for folder in ["state", "log"] {
        fs::remove_dir_all(federation.path("plm").join(folder)).unwrap();
        copy(&kept.join(folder), &federation.path("plm").join(folder));
    }
    let config = federation.path("plm/relay.toml");
    let renew = ["log".as_ref(), "renew".as_ref(), "--config".as_ref(), config.as_os_str()];
    let early = kuriiri(&renew);
    assert!(String::from_utf8_lossy(&early.stderr).contains("start the relay"), "{early:?}");

    let said = started_in_vain(&federation, "plm");
    assert!(said.contains("KRI-4104") && said.contains("old copy"), "{said}");
    let said = succeeded(&kuriiri(&renew));
    let key = said.lines().find_map(|line| line.strip_prefix("log ")).unwrap();
    assert!(key.starts_with("plm.example/log/2+"), "{said}");
    assert!(federation.path("plm/log.1/checkpoint").exists());
    assert!(!kuriiri(&renew).status.success());

    federation.start("plm");
    let plm = federation.client("plm", "kirjaamo").await;
    let mut books = Books::new();
    books.receive(&plm);
    let mut again = Sent::default();
    again.send(&sm, &["kirjaamo@plm.example"], "FI JULK", &many(20)).await;
    books.until(waiting.copies() + again.copies()).await;
    eventually("the receipts of the new log", || kinds(&log)["DELIVERED"] == 25);
    eventually("the new log, witnessed", || witnesses(&log) == PEERS);
    federation.kill("plm");
    let policy = federation.path("plm/log.policy");
    let text = fs::read_to_string(&policy).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    fs::write(&policy, format!("log {key}\n{rest}")).unwrap();
    let report = audited(&log, &policy);
    assert_good(&report);
    assert_eq!((report.origin.as_str(), report.kinds["RESTORE"]), ("plm.example/log/2", 1));

    // A copy from before the renewal is an old one too, and the next log is another again.
    for folder in ["state", "log"] {
        fs::remove_dir_all(federation.path("plm").join(folder)).unwrap();
        copy(&kept.join(folder), &federation.path("plm").join(folder));
    }
    let said = started_in_vain(&federation, "plm");
    assert!(said.contains("KRI-4104"), "{said}");
    let said = succeeded(&kuriiri(&renew));
    assert!(said.contains("plm.example/log/3+"), "{said}");
    federation.start("plm");
    eventually("the third log, witnessed", || witnesses(&log) == PEERS);
}
