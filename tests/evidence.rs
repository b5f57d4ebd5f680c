//! The transparency log of real relays: whole whenever they are killed, witnessed by their peers, and
//! never with two histories.

use std::{
    ffi::OsStr,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use kuriiri_verify::{
    Anchors, AuditOptions, Findings, Known, LogFolder, MessageBundle, ReconcileOptions, Row, audit,
    check_bundle, check_receipt, reconcile,
};

use crate::{
    books::{Books, Sent},
    documents::{documents, embedded},
    federation::{Federation, RELAYS, kuriiri, succeeded},
    interop,
};

/// Whose relays have a link with each, and so witness its log.
const WITNESSES: [(&str, &[&str]); 4] = [
    ("sm", &["plm.example", "verkko.example"]),
    ("plm", &["sm.example", "um.example", "verkko.example"]),
    ("um", &["plm.example", "verkko.example"]),
    ("hub", &["plm.example", "sm.example", "um.example"]),
];

/// Nothing that these tests wait for takes longer on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again, for what another process writes when it is ready.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    settled(what, || if is_so() { Ok(()) } else { Err(String::new()) });
}

/// The same, and tells what is there instead if it does not come.
fn settled(what: &str, mut look: impl FnMut() -> Result<(), String>) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(instead) = look() {
        assert!(Instant::now() < deadline, "{what} does not come; {instead}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Copies a folder without what leaves it meanwhile.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, name) = entry.map(|e| (e.path(), e.file_name())).unwrap();
        if entry.is_dir() {
            copy(&entry, &to.join(name));
        } else {
            match fs::copy(&entry, to.join(name)) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                copied => drop(copied.unwrap()),
            }
        }
    }
}

/// The size in a checkpoint; 0 before the first.
pub(crate) fn size(log: &Path) -> u64 {
    let note = fs::read_to_string(log.join("checkpoint")).unwrap_or_default();
    note.lines().nth(1).map_or(0, |line| line.parse().unwrap())
}

/// The witnesses whose cosignatures a checkpoint has.
pub(crate) fn witnesses(log: &Path) -> Vec<String> {
    let note = fs::read_to_string(log.join("checkpoint")).unwrap_or_default();
    let lines = note.lines().filter_map(|line| line.strip_prefix("— "));
    let names = lines.filter_map(|line| line.split('/').next().map(str::to_owned));
    let mut names: Vec<String> = names.skip(1).collect();
    names.sort();
    names
}

/// Relays carry all documents and are killed at any moment. Each time their log, as it lies there, is
/// whole and grew out of everything that it showed before.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_killed_relay_is_whole_and_has_one_history() {
    let mut federation = Federation::started(&RELAYS);
    let sm = federation.client("sm", "kirjaamo").await;
    let (plm, um) =
        (federation.client("plm", "kirjaamo").await, federation.client("um", "kirjaamo").await);
    let mut books = Books::new();
    books.receive(&plm);
    books.receive(&um);
    let all = documents();
    let sending = async {
        let mut sent = Sent::default();
        let to = ["kirjaamo@plm.example", "kirjaamo@um.example"];
        for part in all.chunks(all.len().div_ceil(4)) {
            sent.send(&sm, &to, "FI TL4", part).await;
        }
        sent
    };
    let mut shown: Vec<(String, PathBuf)> = Vec::new();
    let snapshots = tempfile::TempDir::new().unwrap();
    let killing = async {
        let share = all.len() / 4;
        for (at, victim) in ["sm", "plm", "hub", "sm", "um", "plm"].iter().enumerate() {
            books.until(share * at).await;
            federation.kill(victim);
            let log = snapshots.path().join(format!("{victim}-{at}"));
            copy(&federation.path(&format!("{victim}/log")), &log);
            let earlier = shown.iter().filter(|(name, _)| name == victim);
            let earlier: Vec<PathBuf> = earlier.map(|(_, log)| log.join("checkpoint")).collect();
            if size(&log) > 0 {
                interop::read(&federation.path(victim), &log, &earlier);
                shown.push(((*victim).into(), log));
            }
            federation.start(victim);
        }
    };
    let (sent, ()) = tokio::join!(sending, killing);
    books.until(sent.copies()).await;
    books.check(&sent);
    for (relay, peers) in WITNESSES {
        let earlier = shown.iter().filter(|(name, _)| name == relay);
        let earlier: Vec<PathBuf> = earlier.map(|(_, log)| log.join("checkpoint")).collect();
        let last = snapshots.path().join(relay);
        settled(&format!("the log of {relay}, good and with its witnesses"), || {
            copy_afresh(&federation, relay, &last);
            let (found, by) =
                (verified(&federation.path(relay), &last, &earlier), witnesses(&last));
            if by == peers && found.exit() == 0 { Ok(()) } else { Err(told(&found, &by)) }
        });
        interop::read(&federation.path(relay), &last, &earlier);
    }
    let anchors = Anchors::read(&federation.path("federation/logs.policy")).unwrap();
    // The last receipts are under way still.
    eventually("two logs that tell the same of every message, to its end", || {
        let side = |relay| copy_afresh(&federation, relay, &snapshots.path().join(relay));
        let (sm, plm) = (LogFolder::open(&side("sm")), LogFolder::open(&side("plm")));
        let sides = [&sm.unwrap(), &plm.unwrap()];
        let report = reconcile(sides, &anchors, &ReconcileOptions::default(), |_| {});
        let matched = report.rows.get(&Row::Matched).copied().unwrap_or_default();
        matched == all.len() as u64 && report.rows.len() == 1 && report.findings.exit() == 0
    });
}

/// What an audit finds in a log that is held against all that it showed before.
pub(crate) fn verified(relay: &Path, log: &Path, earlier: &[PathBuf]) -> Findings {
    let anchors = Anchors::read(&relay.join("log.policy")).unwrap();
    let log = LogFolder::open(log).unwrap();
    let mut known = Known::default();
    for file in earlier {
        known.add_file(file, &log.checkpoint().origin, &anchors.trust).unwrap();
    }
    audit(&log, &anchors, AuditOptions { known, ..AuditOptions::default() }, |_| {}).findings
}

fn told(findings: &Findings, witnesses: &[String]) -> String {
    let wrong: Vec<_> = findings.listed().into_iter().map(|found| &found.what).collect();
    format!("witnessed by {witnesses:?}: {wrong:?}")
}

fn assert_good(findings: &Findings) {
    let wrong: Vec<_> = findings.listed().into_iter().map(|found| &found.what).collect();
    assert_eq!(findings.exit(), 0, "{wrong:?}");
}

/// A copy of a log that is being written: its checkpoint first, then all that it speaks of. Parts of it
/// may be replaced in between, so whoever finds it wrong takes another one.
pub(crate) fn copy_afresh(federation: &Federation, relay: &str, to: &Path) -> PathBuf {
    let log = federation.path(&format!("{relay}/log"));
    let note = fs::read(log.join("checkpoint")).unwrap();
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    copy(&log, to);
    fs::write(to.join("checkpoint"), note).unwrap();
    to.to_owned()
}

/// Whatever the relay writes meanwhile, a copy has all that its checkpoint speaks of; an older one is brought up to
/// date.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_copied_whole_while_it_grows() {
    let federation = Federation::started(&["sm", "plm"]);
    let sm = federation.client("sm", "kirjaamo").await;
    let (relay, kept) = (federation.path("sm"), federation.path("kept"));
    eventually("a first checkpoint", || size(&relay.join("log")) > 0);
    let mut copied = Vec::new();
    for round in 0..6_u8 {
        let fresh = federation.path(&format!("copy-{round}"));
        let copying = async {
            for to in [&fresh, &kept] {
                let (relay, to) = (relay.clone(), to.clone());
                let copy = move || run(&["log", "copy"], &[&relay, &to]);
                tokio::task::spawn_blocking(copy).await.unwrap();
            }
        };
        let sending = async {
            let mut sent = Sent::default();
            sent.send(&sm, &["kirjaamo@plm.example"], "FI JULK", &embedded()).await;
        };
        tokio::join!(copying, sending);
        for copy in [&fresh, &kept] {
            let log = LogFolder::open(copy).unwrap();
            (0..log.size()).for_each(|index| drop(log.entry(index).unwrap()));
            let found = verified(&relay, copy, &[]);
            assert_ne!(found.exit(), 1, "{}", told(&found, &[]));
            copied.push(log.size());
        }
        eventually("a later checkpoint", || copied.last() < Some(&size(&relay.join("log"))));
    }
    assert!(copied.first() < copied.last(), "it grew: {copied:?}");
    let other = kuriiri(&[
        OsStr::new("log"),
        "copy".as_ref(),
        federation.path("plm").as_ref(),
        kept.as_ref(),
    ]);
    let why = String::from_utf8_lossy(&other.stderr);
    assert!(!other.status.success() && why.contains("plm.example"), "{why}");
}

/// Every relay with a link to another is its witness, and says so on the checkpoint.
#[tokio::test(flavor = "multi_thread")]
async fn peers_witness_each_others_logs() {
    let federation = Federation::started(&RELAYS);
    let sm = federation.client("sm", "kirjaamo").await;
    let mut sent = Sent::default();
    sent.send(&sm, &["kirjaamo@plm.example"], "FI JULK", &embedded()).await;
    for (relay, peers) in WITNESSES {
        let log = federation.path(&format!("{relay}/log"));
        eventually(&format!("the witnesses of {relay}"), || witnesses(&log) == peers);
    }
}

/// Runs the program with words and paths.
fn run(words: &[&str], paths: &[&Path]) -> String {
    let words = words.iter().map(|word| OsStr::new(*word));
    let all: Vec<&OsStr> = words.chain(paths.iter().map(|path| path.as_os_str())).collect();
    succeeded(&kuriiri(&all))
}

/// Refreshes the receipts that a system kept until all of them are good to whoever trusts the federation.
fn refreshed(federation: &Federation, system: &Path, kept: &Path) {
    let policy = federation.path("federation/logs.policy");
    let anchors = Anchors::read(&policy).unwrap();
    let refresh = ["receipts", "refresh", "--as"].map(OsStr::new);
    let paths = [system.as_os_str(), kept.as_os_str(), OsStr::new("--policy"), policy.as_os_str()];
    let refresh = [refresh.as_slice(), &paths].concat();
    let is_good = |file: &Path| {
        let report = check_receipt(&fs::read(file).unwrap(), &anchors).unwrap();
        report.findings.exit() == 0
    };
    eventually("what was kept is witnessed", || {
        let files = fs::read_dir(kept).unwrap().map(|file| file.unwrap().path());
        let mut proofs = files.filter(|file| file.extension().is_some_and(|e| e == "tlog-proof"));
        kuriiri(&refresh).status.success() && proofs.all(|file| is_good(&file))
    });
}

/// The recipient's ministry has no link with the sender's: the hub between them asks it for its proofs.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_ministry_two_hops_away_said_is_refreshed_through_the_hub() {
    let federation = Federation::started(&RELAYS);
    let mut books = Books::new();
    let um = federation.client("um", "kirjaamo").await;
    books.receive(&um);
    let (sender, kept) = (federation.system("sm", "kirjaamo"), federation.path("kept"));
    let words = ["send", "--json", "--to", "kirjaamo@um.example", "--label", "FI TL4"];
    let words = [words.as_slice(), &["--wait", "delivered", "--as"]].concat();
    let document = federation.path("sm/relay.toml");
    run(&words, &[&sender, Path::new("--receipts"), &kept, &document]);
    let said_by = |file: &fs::DirEntry| fs::read(file.path()).unwrap();
    let files: Vec<_> = fs::read_dir(&kept).unwrap().map(Result::unwrap).collect();
    let is_of_um =
        |file: &fs::DirEntry| String::from_utf8_lossy(&said_by(file)).contains("um.example/log");
    assert!(files.iter().any(is_of_um), "the recipient's relay says that it delivered it");
    refreshed(&federation, &sender, &kept);
}

/// What a system keeps, and what an operator takes out of the logs of both sides, proves one message
/// without any relay.
#[tokio::test(flavor = "multi_thread")]
async fn one_message_is_proved_from_what_was_kept_and_from_the_logs() {
    let federation = Federation::started(&RELAYS);
    let mut books = Books::new();
    let plm = federation.client("plm", "kirjaamo").await;
    books.receive(&plm);
    let (sender, kept) = (federation.system("sm", "kirjaamo"), federation.path("kept"));
    let document = federation.path("sm/relay.toml");
    let words = ["send", "--json", "--to", "kirjaamo@plm.example", "--label", "FI TL4"];
    let words = [words.as_slice(), &["--wait", "delivered", "--as"]].concat();
    let said = run(&words, &[&sender, Path::new("--receipts"), &kept, &document]);
    let first: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    let id = first["id"].as_str().unwrap().to_owned();

    let anchors = Anchors::read(&federation.path("federation/logs.policy")).unwrap();
    let mut told: Vec<String> = fs::read_dir(&kept)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "tlog-proof"))
        .map(|file| {
            let file = fs::read(file).unwrap();
            let report = check_receipt(&file, &anchors).unwrap();
            // The receipts came at once, so their checkpoints have no cosignatures yet.
            report.words
        })
        .collect();
    told.sort();
    assert_eq!(told.len(), 3, "{told:?}");
    for word in ["accepted", "relayed", "delivered"] {
        assert!(told.iter().any(|words| words.contains(word) && words.contains(&id)), "{word}");
    }

    // Some seconds later witnesses have cosigned the logs of both ministries, and the files say so.
    refreshed(&federation, &sender, &kept);

    let (sm, plm) = (federation.path("sm"), federation.path("plm"));
    for (relay, peers) in &WITNESSES[..2] {
        let log = federation.path(&format!("{relay}/log"));
        eventually("the delivery in both logs", || {
            let way = kuriiri(&[OsStr::new("trace"), id.as_ref(), log.as_ref()]);
            String::from_utf8_lossy(&way.stdout).contains("says delivered")
        });
        eventually("its witnesses", || witnesses(&log) == *peers);
    }
    let bundle = federation.path("one.bundle");
    run(&["log", "bundle", &id], &[&sm, &plm, Path::new("--out"), &bundle]);
    let report = check_bundle(&MessageBundle::read(&bundle).unwrap(), &anchors);
    assert_good(&report.findings);
    let way = run(&["trace", &id], &[&sm, &plm]);
    for step in ["DECIDED", "ACCEPTED", "RECEIVED", "DELIVERED", "RECEIPT_IN"] {
        assert!(way.contains(step), "{step}: {way}");
    }
}

/// A body goes by order; the sender hears so, and the log still proves everything.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_by_order_is_never_delivered_and_stays_proved() {
    let federation = Federation::started(&RELAYS);
    let sm = federation.client("sm", "kirjaamo").await;
    let mut receipts = sm.receipts();
    let draft = crate::books::draft(&["kirjaamo@plm.example"], "FI JULK", "", b"to be erased");
    let id = sm.send(draft).await.unwrap().id.to_string();
    let relayed = receipts.next().await.unwrap().unwrap();
    assert_eq!(relayed.receipt().kind, kuriiri_types::ReceiptKind::Relayed);

    let operator = federation.path("plm/operators/anna");
    let basis = "Data Protection Act 1050/2018";
    let said = run(&["erase", &id, "--basis", basis, "--as"], &[&operator]);
    assert!(said.contains("erased 1 copy"), "{said}");
    let refused = receipts.next().await.unwrap().unwrap();
    assert_eq!(refused.receipt().code, Some(kuriiri_types::Code::ERASED));
    let said = run(&["erase", &id, "--basis", basis, "--as"], &[&operator]);
    assert!(said.contains("no body"), "{said}");
    let said = run(&["erase", &id, "--header", "--basis", basis, "--as"], &[&operator]);
    assert!(said.contains("its header beside the log is erased"), "{said}");

    let log = federation.path("plm/log");
    eventually("the orders in the log", || {
        let way = kuriiri(&[OsStr::new("trace"), id.as_ref(), log.as_ref()]);
        String::from_utf8_lossy(&way.stdout).matches(basis).count() == 2
    });
    let anchors = Anchors::read(&federation.path("plm/log.policy")).unwrap();
    eventually("a log without the header", || {
        let log = LogFolder::open(&log).unwrap();
        let report = audit(&log, &anchors, AuditOptions::default(), |_| {});
        report.findings.exit() == 0 && report.gone.erased == 1
    });
}
