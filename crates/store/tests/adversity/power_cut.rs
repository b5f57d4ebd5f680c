//! The power fails at any moment from the first on: a file system of its own is shut down without writing
//! what it has in memory, as a machine does that goes dark.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write as _, stdout},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use kuriiri_engine::View;
use kuriiri_seal::NoteKey;
use kuriiri_store::Store;

use crate::kill::{self, Witness, few_twice};

/// How many more cuts to make, at moments that nobody chose: a number that is set for long runs.
const MORE: &str = "KURIIRI_STORE_CUTS";
/// Bytes of the file system.
const BYTES: u64 = 256 << 20;
/// Waits for a line, for some milliseconds more, and shuts down the file system that a folder is on
/// (`EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`).
const CUT: &str = "
import fcntl, os, struct, sys, time
folder = os.open(sys.argv[1], os.O_RDONLY)
sys.stdin.readline()
time.sleep(float(sys.argv[2]) / 1000)
fcntl.ioctl(folder, 0x8004587d, struct.pack('I', 2))
";

/// A file system in a file.
pub(crate) struct Loop {
    folder: tempfile::TempDir,
    mount: PathBuf,
}

impl Loop {
    /// Makes one; says why not where this machine does not let it.
    pub(crate) fn new(bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (image, mount) = (folder.path().join("image"), folder.path().join("mount"));
        fs::create_dir(&mount).unwrap();
        fs::File::create(&image).unwrap().set_len(bytes).unwrap();
        let made = succeeds(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(image));
        let made = made.and_then(|()| Self { folder, mount }.mounted());
        made.map_err(|why| skipped(&format!("it needs a loop device: {why}"))).ok()
    }

    fn mounted(self) -> Result<Self, String> {
        let image = self.folder.path().join("image");
        succeeds(Command::new("mount").args(["-o", "loop"]).arg(image).arg(&self.mount))?;
        Ok(self)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.mount
    }

    /// Mounts it again: what was not on the disk is gone.
    fn restart(self) -> Self {
        succeeds(Command::new("umount").arg(&self.mount)).unwrap();
        self.mounted().unwrap()
    }

    /// A process that cuts the power some milliseconds after it gets a line.
    fn cutter(&self, after: u64) -> Child {
        let mut cutter = Command::new("python3");
        cutter.args(["-c", CUT]).arg(&self.mount).arg(after.to_string());
        cutter.stdin(Stdio::piped()).spawn().unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.mount).stderr(Stdio::null()).status();
    }
}

/// Says that a test was skipped and why, where everybody sees it.
pub(crate) fn skipped(why: &str) {
    let mut out = stdout().lock();
    writeln!(out, "\na test is skipped, as {why}").unwrap();
}

fn succeeds(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// Has commits made in a new folder until the power is cut, so many milliseconds after so many of them.
/// Returns the last that was acknowledged.
fn cut_after(disk: &Loop, dir: &Path, pem: &str, (commits, milliseconds): (usize, u64)) -> u64 {
    let mut cutter = disk.cutter(milliseconds);
    let mut child = kill::on(dir, pem).stderr(Stdio::null()).spawn().unwrap();
    let (mut said, mut last) = (0, 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(number) = line.strip_prefix("acknowledged ") {
            last = number.parse().unwrap();
        } else if line != "begins" {
            continue;
        }
        if said == commits {
            writeln!(cutter.stdin.as_mut().unwrap()).unwrap();
        }
        said += 1;
    }
    assert!(!child.wait().unwrap().success(), "it can only end by the cut");
    assert!(cutter.wait().unwrap().success());
    last
}

/// Moments that differ from run to run, half of them in the first milliseconds.
fn moments() -> Vec<(usize, u64)> {
    let more: u64 = env::var(MORE).map_or(0, |more| more.parse().unwrap());
    let seed = u64::from(std::process::id());
    let random = (0..more).map(|round| {
        let noise = crate::made::noise(4, seed + 1000 * round);
        let number = u64::from(u32::from_be_bytes(noise.try_into().unwrap()));
        (0, number % if round % 2 == 0 { 100 } else { 3000 })
    });
    [(0, 0), (1, 0), (2, 0), (4, 0), (20, 0)].into_iter().chain(random).collect()
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_power_cut_from_the_first_moment_on() {
    let Some(mut disk) = Loop::new(BYTES) else { return };
    for moment in moments() {
        let dir = disk.path().join("above/state");
        let pem = NoteKey::generate().unwrap().1;
        let last = cut_after(&disk, &dir, &pem, moment);
        disk = disk.restart();
        let store = Store::open(&dir, few_twice()).unwrap();
        kill::check(&dir, &store, last);
        if store.starts().unwrap() > 0 {
            Witness::new(&pem).look_after_start(&dir, &store).await;
        }
        drop(store);
        fs::remove_dir_all(disk.path().join("above")).unwrap();
    }
}
