//! A reader of logs made of other people's code: Go's `sumdb/tlog` and `sumdb/note`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::federation::succeeded;

/// Where the reader's source is.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/interop");
/// Where Debian's golang-golang-x-mod-dev puts its packages.
const PACKAGES: &str = "/usr/share/gocode";

/// The reader, built once; nothing where Go or its packages are not installed.
pub(crate) fn reader() -> Option<&'static Path> {
    static READER: OnceLock<Option<PathBuf>> = OnceLock::new();
    READER.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let packages = Path::new(PACKAGES).join("src/golang.org/x/mod/sumdb");
    let has_go = Command::new("go").arg("version").output().is_ok_and(|out| out.status.success());
    if !has_go || !packages.is_dir() {
        eprintln!(
            "SKIPPED: no check by other people's code. It needs Go and x/mod: \
             apt install golang-go golang-golang-x-mod-dev"
        );
        return None;
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = dir.join("read-log");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(SOURCE)
        .env("GO111MODULE", "off")
        .env("GOPATH", PACKAGES)
        .env("GOCACHE", dir.join("go-cache"))
        .output();
    succeeded(&built.unwrap());
    Some(program)
}

/// Holds a log, of the relay with this folder, against all that it showed before. Gives what the
/// reader says, or nothing without one.
pub(crate) fn read(relay: &Path, log: &Path, earlier: &[PathBuf]) -> Option<String> {
    let key = fs::read_to_string(relay.join("log.vkey")).unwrap();
    let policy = fs::read_to_string(relay.join("log.policy")).unwrap();
    let witnesses = policy.lines().filter_map(|line| line.strip_prefix("witness "));
    let witnesses = witnesses.filter_map(|line| line.split(' ').nth(1));
    let mut command = Command::new(reader()?);
    command.arg(log).arg(key.trim()).args(witnesses);
    if !earlier.is_empty() {
        command.arg("-since").args(earlier);
    }
    Some(succeeded(&command.output().unwrap()))
}
