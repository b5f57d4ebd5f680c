//! A federation of real processes in a temporary folder.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File},
    io::{BufRead, BufReader},
    net::{Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
};

use kuriiri_client::{Client, Profile};
use tempfile::TempDir;

use crate::evidence::eventually;

/// The program under test.
pub(crate) const KURIIRI: &str = env!("CARGO_BIN_EXE_kuriiri");
/// All relays of the example.
pub(crate) const RELAYS: [&str; 4] = ["sm", "plm", "um", "hub"];

/// The example federation, and those of its relays that run.
pub(crate) struct Federation {
    dir: TempDir,
    running: BTreeMap<String, Running>,
}

/// A relay that runs. It ends when its standard input is closed.
struct Running {
    child: Child,
    _leash: ChildStdin,
}

impl Federation {
    /// Writes the example and starts nothing.
    pub(crate) fn written() -> Self {
        Self::written_for("365")
    }

    /// Writes the example with certificates and revocation lists for so many days.
    pub(crate) fn written_for(days: &str) -> Self {
        let dir = TempDir::with_prefix("kuriiri-test-").unwrap();
        let federation = Self { dir, running: BTreeMap::new() };
        let root = federation.root();
        let base = free_ports().to_string();
        let args = ["example".as_ref(), root.as_os_str(), "--base-port".as_ref(), base.as_ref()];
        let days = ["--days".as_ref(), days.as_ref()];
        succeeded(&kuriiri(&[&args[..], &days[..]].concat()));
        federation
    }

    /// Writes the example and starts these relays.
    pub(crate) fn started(relays: &[&str]) -> Self {
        let mut federation = Self::written();
        relays.iter().for_each(|relay| federation.start(relay));
        federation
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("federation")
    }

    /// A file or folder of it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// The folder of a system.
    pub(crate) fn system(&self, ministry: &str, system: &str) -> PathBuf {
        self.path(&format!("{ministry}/systems/{system}"))
    }

    /// Starts a relay on whatever state it has, and waits until it listens.
    pub(crate) fn start(&mut self, relay: &str) {
        let said = File::options().create(true).append(true).open(self.said_by(relay)).unwrap();
        let mut child = Command::new(KURIIRI)
            .args(["relay", "--until-stdin-closes", "--config"])
            .arg(self.path(&format!("{relay}/relay.toml")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn()
            .unwrap();
        let leash = child.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listens on"), "{relay} did not start: {line}");
        self.running.insert(relay.into(), Running { child, _leash: leash });
    }

    /// Where a relay's messages for its operator go.
    fn said_by(&self, relay: &str) -> PathBuf {
        self.dir.path().join(format!("{relay}.said"))
    }

    /// Waits until a relay has told its operator something.
    pub(crate) fn says(&self, relay: &str, words: &str) {
        let said = self.said_by(relay);
        eventually(words, || fs::read_to_string(&said).unwrap().contains(words));
    }

    /// Kills a relay with no warning (SIGKILL).
    pub(crate) fn kill(&mut self, relay: &str) {
        let mut running = self.running.remove(relay).unwrap();
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }

    /// Tells a running relay to read its configuration again.
    pub(crate) fn hang_up(&self, relay: &str) {
        let id = self.running[relay].child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    }

    /// Signs a file that was changed, as both stewards.
    pub(crate) fn sign_anew(&self, file: &Path) {
        for (steward, afresh) in [("sulo", true), ("taru", false)] {
            let folder = self.path(&format!("stewards/{steward}"));
            let mut args: Vec<&OsStr> = vec!["policy".as_ref(), "sign".as_ref(), "--as".as_ref()];
            args.extend([folder.as_os_str(), file.as_os_str()]);
            args.extend(afresh.then_some(OsStr::new("--afresh")));
            succeeded(&kuriiri(&args));
        }
    }

    /// A client of one of the example's systems.
    pub(crate) async fn client(&self, ministry: &str, system: &str) -> Client {
        connect(&self.system(ministry, system)).await.unwrap()
    }
}

impl Drop for Federation {
    fn drop(&mut self) {
        for (relay, running) in &mut self.running {
            if std::thread::panicking() {
                let said = fs::read_to_string(self.dir.path().join(format!("{relay}.said")));
                eprintln!("--- {relay}\n{}", said.unwrap_or_default());
            }
            // It may have ended by itself.
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

/// A client for the system of a folder.
pub(crate) async fn connect(folder: &Path) -> Result<Client, kuriiri_client::ConnectError> {
    Client::connect(Profile::load(folder).unwrap()).await
}

/// Runs the program to its end.
pub(crate) fn kuriiri<A: AsRef<OsStr>>(args: &[A]) -> Output {
    Command::new(KURIIRI).args(args).stdin(Stdio::null()).output().unwrap()
}

/// What it said, having succeeded.
pub(crate) fn succeeded(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{complaint}", output.status);
    said
}

/// Four free ports after this one. Tests of one run never share; other programs may. They begin above those that
/// `kuriiri demo` and `bench` take: a relay that is started once more would find its port taken.
fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let free = |port: u16| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let start = 26_200 + u16::try_from(std::process::id() % 60).unwrap() * 100;
    loop {
        let base = start + NEXT.fetch_add(5, Ordering::Relaxed);
        if (base + 1..=base + 4).all(free) {
            return base;
        }
    }
}
