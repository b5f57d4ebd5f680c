//! Ministries whose relays write real logs: real entries, signatures, certificates, trees and files.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations,
    reason = "each test uses a part of it"
)]

mod author;
mod cast;
mod classes;
mod compared;
mod heads;
mod judge;
mod send;
mod written;

#[allow(unused_imports, reason = "each test uses a part of it")]
pub use author::Author;
#[allow(unused_imports, reason = "each test uses a part of it")]
pub use cast::{Cast, DAY, Member, NOW, reissued};
#[allow(unused_imports, reason = "each test uses a part of it")]
pub use classes::{class, classes, keep_until, much_later, sends};
#[allow(unused_imports, reason = "each test uses a part of it")]
pub use compared::{Compared, a_little_later, compare, compare_with, much_later_on, quiet};
#[allow(unused_imports, reason = "each test uses a part of it")]
pub use heads::exchange_with_heads;
#[allow(unused_imports, reason = "each test uses a part of it")]
pub use judge::Question;
#[allow(unused_imports, reason = "each test uses a part of it")]
pub use send::{Send, sign_all};
#[allow(unused_imports, reason = "each test uses a part of it")]
pub use written::{exchange, finish, put, write_log};

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use kuriiri_types::LogEvent;
use kuriiri_verify::{Anchors, AuditOptions, Contents, Known, LogFolder, audit};
use serde_json::Value;
use tempfile::TempDir;

/// Runs the program.
pub fn run(args: &[&str]) -> (i32, String) {
    let program = option_env!("CARGO_BIN_EXE_kuriiri-verify").unwrap_or("kuriiri-verify");
    let Output { status, stdout, stderr } =
        std::process::Command::new(program).args(args).output().unwrap();
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().unwrap(), text)
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A copy of a folder.
pub fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let place = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(&file, place).unwrap();
    }
}

/// Where logs are written and checked.
pub struct Bench {
    dir: TempDir,
    policy: PathBuf,
    number: std::cell::Cell<u32>,
    anchors: Anchors,
    contents: Contents,
}

/// What the program said.
pub struct Report {
    pub exit: i32,
    pub text: String,
    pub json: Value,
}

impl Bench {
    /// An auditor who believes all logs and needs so many of these witnesses.
    pub fn new(cast: &Cast, witnesses: &[&str], needed: usize) -> Self {
        let dir = TempDir::new().unwrap();
        let policy = dir.path().join("policy");
        cast.write_policy(&policy, witnesses, needed);
        let federation = dir.path().join("federation.toml");
        fs::write(&federation, &cast.federation).unwrap();
        let anchors = Anchors::read(&policy).unwrap().with_federation(&federation).unwrap();
        let mut contents = Contents::new();
        let files = cast.contents.iter().chain(&cast.signatures);
        files.for_each(|content| contents.add(content.clone()));
        Self { dir, policy, number: 0.into(), anchors, contents }
    }

    pub fn policy(&self) -> &Path {
        &self.policy
    }

    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// A path that nothing is at yet.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.number.set(self.number.get() + 1);
        self.dir.path().join(format!("{}-{name}", self.number.get()))
    }

    pub fn write(&self, author: &Author<'_>, witnesses: &[&str]) -> PathBuf {
        let folder = self.folder("log");
        author.write(&folder, witnesses);
        folder
    }

    pub fn log(&self, dir: &Path, more: &[&str]) -> Report {
        self.run(&[&["log", dir.to_str().unwrap()], more].concat())
    }

    pub fn run(&self, args: &[&str]) -> Report {
        let policy = ["--policy", self.policy.to_str().unwrap(), "--json"];
        let (exit, text) = run(&[args, &policy].concat());
        let json = serde_json::from_str(text.lines().next().unwrap_or_default());
        Report { exit, json: json.unwrap_or(Value::Null), text }
    }

    /// The exit of the same check without a process of its own, with files brought along.
    pub fn quick(&self, dir: &Path) -> u8 {
        let Ok(folder) = LogFolder::open(dir) else { return 2 };
        let options = AuditOptions { known: Known::new(), replay: self.contents.clone() };
        audit(&folder, &self.anchors, options, |_| {}).findings.exit()
    }
}

impl Report {
    pub fn is_good(&self) {
        assert_eq!(self.exit, 0, "{}", self.text);
    }

    fn tally(&self, check: &str, what: &str) -> u64 {
        let checks = self.json["found"]["checks"].as_array();
        let found = checks.into_iter().flatten().find(|tally| tally["check"] == check);
        found.and_then(|tally| tally[what].as_u64()).unwrap_or(0)
    }

    pub fn done(&self, check: &str) -> u64 {
        self.tally(check, "done")
    }

    pub fn faults(&self, check: &str) -> u64 {
        self.tally(check, "faults")
    }

    pub fn finds(&self, check: &str, words: &str) {
        self.tells("fault", check, words);
        assert_eq!(self.exit, 1, "{}", self.text);
    }

    pub fn notes(&self, check: &str, words: &str) {
        self.tells("note", check, words);
    }

    pub fn tells(&self, weight: &str, check: &str, words: &str) -> &Value {
        let mut found = self.json["found"]["findings"].as_array().into_iter().flatten();
        let found = found.find(|finding| {
            finding["weight"] == weight
                && finding["check"] == check
                && finding["what"].as_str().unwrap().contains(words)
        });
        found.unwrap_or_else(|| panic!("no {weight} of {check} with `{words}` in {}", self.text))
    }
}

/// Two ministries that wrote to each other through a day: messages that were delivered, one that
/// waits for officers, one that they released, one that was turned down, one under way, one whose
/// body was erased; a second start and a step of the clock.
pub fn story(cast: &Cast) -> (Author<'_>, Author<'_>) {
    let (mut a, mut b) = (Author::start(cast, "sm"), Author::start(cast, "plm"));
    for n in 0..10 {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", n));
    }
    let next = b.home.clone();
    a.submit(&Send::held("sm", "plm", 10), Some(&next));
    let released = Send::held("sm", "plm", 11);
    a.submit(&released, Some(&next));
    let signed = a.release(&released, &released.envelope(cast, &cast.member("sm").system), &next);
    b.show(cast.member("sm").officer.certificate());
    finish(&mut a, &mut b, &released, &[signed]);
    a.submit(&Send { label: "FI TL1", ..Send::new("sm", "plm", 12) }, Some(&next));
    a.boot += 1;
    a.append(vec![], LogEvent::Booted { software: "test".into() });
    let from = a.at;
    a.at = a.at.before(std::time::Duration::from_secs(1));
    a.append(vec![], LogEvent::ClockStepped { from });
    for n in 13..24 {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", n));
    }
    a.submit(&Send::new("sm", "plm", 24), Some(&next));
    a.say_erased(Send::new("sm", "plm", 3).leaf(cast), false);
    b.witness_checkpoint(&a);
    (a, b)
}
