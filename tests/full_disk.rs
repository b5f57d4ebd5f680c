//! A relay whose disk is full: who sends to it keeps the message, what it has goes out, and with room again all
//! goes on.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use rustix::fs::{FallocateFlags, fallocate, statvfs, syncfs};
use serde_json::Value;

use crate::{
    command::{lines, text},
    evidence::eventually,
    federation::{Federation, KURIIRI, kuriiri, succeeded},
};

/// Bytes of the disk: plenty is twice the reserve, and the reserve beside it.
const BYTES: u64 = 768 << 20;
const RECIPIENT: &str = "kirjaamo@plm.example";

/// A file system in a file, mounted at a folder.
struct Disk {
    _folder: tempfile::TempDir,
    mount: PathBuf,
}

impl Disk {
    /// Makes one; says why not where this machine does not let it.
    fn at(mount: PathBuf) -> Option<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let image = folder.path().join("image");
        File::create(&image).unwrap().set_len(BYTES).unwrap();
        fs::create_dir_all(&mount).unwrap();
        let made = run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image))
            .and_then(|()| run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount)));
        match made {
            Ok(()) => Some(Self { _folder: folder, mount }),
            Err(why) => {
                let mut out = io::stdout().lock();
                writeln!(out, "\na test is skipped, as it needs a loop device: {why}").unwrap();
                None
            }
        }
    }

    /// Takes all room that is left. What was removed is free once the disk knows it, so all is full when nothing
    /// more gets there.
    fn fill(&self) {
        let mut file = File::options().append(true).create(true).open(self.filling()).unwrap();
        loop {
            syncfs(&file).unwrap();
            let before = file.metadata().unwrap().len();
            let found = statvfs(&self.mount).unwrap();
            let most = (found.f_bavail * found.f_frsize).saturating_sub(1 << 20);
            // Promised room is as good as taken, and takes no time.
            if most > 0 && fallocate(&file, FallocateFlags::empty(), before, most).is_ok() {
                continue;
            }
            for len in [1 << 20, 4096, 1] {
                let bytes = vec![7; len];
                while file.write_all(&bytes).is_ok() {}
            }
            // It is about what there was no room for.
            let _ = file.sync_all();
            if file.metadata().unwrap().len() == before {
                return;
            }
        }
    }

    fn empty(&self) {
        fs::remove_file(self.filling()).unwrap();
    }

    fn filling(&self) -> PathBuf {
        self.mount.join("filling")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.mount).status();
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// Puts the state and the log of a relay on a disk.
fn move_to(relay: &Path, disk: &Disk) {
    let config = relay.join("relay.toml");
    let written = fs::read_to_string(&config).unwrap();
    let path = |name: &str| text(&disk.mount.join(name));
    let moved = written
        .replace("state = \"state\"", &format!("state = {:?}", path("state")))
        .replace("dir = \"log\"", &format!("dir = {:?}", path("log")));
    assert_ne!(written, moved);
    fs::write(config, moved).unwrap();
}

/// `kuriiri send` of a document with this text to plm.
fn sending(federation: &Federation, from: &str, what: &str, more: &[&str]) -> Command {
    let document = federation.path(what);
    fs::write(&document, what).unwrap();
    let system = text(&federation.system(from, "kirjaamo"));
    let mut send = Command::new(KURIIRI);
    send.args(["send", "--json", "--as", &system, "--to", RECIPIENT, "--label", "FI JULK"]);
    send.args(more).arg(document).stdin(Stdio::null());
    send
}

fn sent(federation: &Federation, from: &str, what: &str, more: &[&str]) -> Output {
    sending(federation, from, what, more).output().unwrap()
}

/// The text of the next message in the mailbox of plm.
fn received(federation: &Federation) -> String {
    let (system, out) =
        (text(&federation.system("plm", "kirjaamo")), text(&federation.path("came")));
    let args = ["receive", "--json", "--as", &system, "--count", "1", "--out", &out];
    let said = lines(&succeeded(&kuriiri(&args)));
    fs::read_to_string(said[0]["file"].as_str().unwrap()).unwrap()
}

/// What waits in sm for plm.
fn waiting(federation: &Federation) -> Value {
    let system = text(&federation.system("sm", "kirjaamo"));
    let said = lines(&succeeded(&kuriiri(&["status", "--json", "--as", &system])));
    let plm = said.iter().find(|line| line["ministry"] == "plm.example").unwrap();
    plm["waiting"].clone()
}

fn ends_well(mut child: Child) {
    assert!(child.wait().unwrap().success());
}

#[test]
fn on_a_full_disk_senders_keep_what_they_have_and_deliveries_go_on() {
    let mut federation = Federation::written();
    let plm = federation.path("plm");
    let Some(disk) = Disk::at(plm.join("disk")) else { return };
    move_to(&plm, &disk);
    let reserve = disk.mount.join("state/reserve");
    federation.start("sm");
    federation.start("plm");
    succeeded(&sent(&federation, "sm", "first", &["--wait", "relayed"]));
    succeeded(&sent(&federation, "sm", "second", &["--wait", "relayed"]));
    eventually("a reserve", || reserve.exists());
    disk.fill();
    federation.says("plm", "nothing is taken in");

    // Neither its own systems nor its peers get rid of a message.
    let output = sent(&federation, "plm", "own", &["--timeout", "3 s"]);
    let said = lines(&String::from_utf8(output.stdout).unwrap());
    assert!(!output.status.success() && said.iter().all(|line| line["event"] != "accepted"));
    let mut third = sending(&federation, "sm", "third", &["--wait", "delivered"]);
    let third = third.stdout(Stdio::null()).spawn().unwrap();
    eventually("a message that waits", || waiting(&federation) == 1);
    assert_eq!(received(&federation), "first");

    // It has the reserve to start again.
    federation.kill("plm");
    disk.fill();
    federation.start("plm");
    assert!(!reserve.exists());
    assert_eq!(received(&federation), "second");
    assert_eq!(waiting(&federation), 1);

    disk.empty();
    assert_eq!(received(&federation), "third");
    ends_well(third);
    federation.says("plm", "messages are taken in");
    eventually("the reserve again", || reserve.exists());
    succeeded(&sent(&federation, "plm", "own", &[]));
    assert_eq!(received(&federation), "own");
}
