//! What operators do to a log: entries are given away, leave it, or are lost with the state.

use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::{Command, Output},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use kuriiri_engine::{Commit, LogAppend, View};
use kuriiri_merkle::{Frontier, leaf};
use kuriiri_seal::NoteKey;
use kuriiri_store::{Named, Options, Store};
use kuriiri_tlog::{Checkpoint, NoteSigner};
use kuriiri_types::{Entry, LogEvent, Timestamp};
use kuriiri_verify::{Anchors, AuditOptions, LogFolder, LogReport, audit};

use crate::{
    books::{Books, Sent},
    documents::{embedded, many},
    evidence::{copy, eventually, size, witnesses},
    federation::{Federation, KURIIRI, RELAYS, kuriiri, succeeded},
};

/// Who witnesses the log of plm.
const PEERS: [&str; 3] = ["sm.example", "um.example", "verkko.example"];

const DAY: Duration = Duration::from_secs(24 * 3600);

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

/// How many messages the receipts of one kind in a log speak of; none before its first checkpoint.
fn told(log: &Path, kind: &str) -> usize {
    if size(log) == 0 {
        return 0;
    }
    let log = LogFolder::open(log).unwrap();
    let entries = (0..log.size()).map(|index| log.entry(index).unwrap());
    let events = entries.map(|entry| kuriiri_wire::entry::decode(&entry).unwrap().event);
    let messages =
        events.filter(|event| event.kind() == kind).map(|event| event.subjects().count());
    messages.sum()
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
    let anchors = Anchors::read(policy).unwrap();
    audit(&LogFolder::open(log).unwrap(), &anchors, AuditOptions::default(), |_| {})
}

fn assert_good(report: &LogReport) {
    let wrong: Vec<_> = report.findings.listed().into_iter().map(|found| &found.what).collect();
    assert_eq!(report.findings.exit(), 0, "{wrong:?}");
}

/// What the store is to know of an entry: until when the headers beside it are kept, and which they are.
fn named(entry: &Bytes) -> Option<Named> {
    let LogEvent::Decided(decided) = kuriiri_wire::entry::decode(entry).ok()?.event else {
        return None;
    };
    let headers = decided.subjects.iter().map(|subject| subject.header).collect();
    Some(Named { keep_until: decided.keep_until?, headers })
}

/// Lets headers leave a relay's log as the relay itself does, years later, and says how many did: no
/// certificate of the example lives so long that a relay could be started then.
async fn prune(relay: &Path, until: Timestamp) -> u64 {
    let options = Options::default().log_dir(relay.join("log")).entries(named);
    let store = Store::open(&relay.join("state"), options).unwrap();
    let headers = store.prunable(until).unwrap();
    assert_eq!(store.prunable(until.before(2 * DAY)).unwrap(), 0);
    let by = "spiffe://sm.example/operator/anna".parse().unwrap();
    let event = LogEvent::Pruned { until, headers, by, basis: "Archives Act 831/1994".into() };
    let mut head = store.log_head().unwrap();
    head.at = until;
    let entry = Entry { salt: [7; 32], at: until, boot: 1, channels: Vec::new(), event };
    let entry = kuriiri_wire::entry::encode(&entry);
    let mut tree = Frontier::from_parts(head.size, head.frontier).unwrap();
    tree.push(leaf(&entry));
    let first = head.size;
    (head.size, head.frontier) = (tree.size(), tree.nodes().to_vec());
    let key = NoteKey::from_pem(&fs::read_to_string(relay.join("log.key")).unwrap()).unwrap();
    let signer = NoteSigner::new("sm.example/log".parse().unwrap(), key);
    let origin = signer.name().to_string();
    let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root() };
    let append = LogAppend {
        first,
        leaves: vec![leaf(&entry)],
        entries: vec![entry],
        headers: Vec::new(),
        channels: Vec::new(),
        head,
        checkpoint: checkpoint.sign(&signer).unwrap(),
        news: true,
    };
    let commit = Commit { log: Some(append), pruned: Some(until), ..Commit::default() };
    store.commit(commit).await.unwrap();
    store.emptied().await.unwrap();
    assert_eq!(store.prunable(until).unwrap(), 0);
    store.publish().await.unwrap().unwrap();
    store.close().await.unwrap();
    headers
}

/// Every entry and every proof stays, the relay goes on, and an auditor checks what is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_headers_left_goes_on_and_is_good() {
    let mut federation = Federation::started(&RELAYS);
    let sm = federation.client("sm", "kirjaamo").await;
    let plm = federation.client("plm", "kirjaamo").await;
    let mut books = Books::new();
    books.receive(&plm);
    let (mut sent, all) = (Sent::default(), many(400));
    let to = ["kirjaamo@plm.example"];
    sent.send(&sm, &to, "FI JULK", &all[..200]).await;
    books.until(200).await;
    let (relay, log) = (federation.path("sm"), federation.path("sm/log"));
    federation.kill("sm");
    // The example keeps the headers of what anybody may read for 400 days, and ten years else.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let now = Timestamp::from_millis(now.try_into().unwrap());
    assert_eq!(prune(&relay, now.after(401 * DAY)).await, 200);

    federation.start("sm");
    let before = size(&log);
    sent.send(&sm, &to, "FI JULK", &all[200..]).await;
    books.until(400).await;
    books.check(&sent);
    eventually("the new messages, witnessed", || {
        size(&log) > before && witnesses(&log) == ["plm.example", "verkko.example"]
    });
    federation.kill("sm");
    let report = audited(&log, &federation.path("sm/log.policy"));
    assert_good(&report);
    assert_eq!((report.read, report.gone.pruned), (report.size, 200));
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
    eventually("what waits", || told(&log, "RECEIVED") == 5 && told(&log, "ACCEPTED") == 5);
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
    eventually("the receipts of the new log", || told(&log, "DELIVERED") == 25);
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
