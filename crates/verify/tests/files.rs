//! Files that are none: pipes, devices, and files without an end. Each is refused at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]
#![cfg(unix)]

mod support;

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    process::Command,
};

use support::{Author, Bench, Cast, Send, exchange, story};

const KINDS: [&str; 3] = ["pipe", "device", "sparse"];

/// Puts something at a path that must not be read.
fn odd(kind: &str, path: &Path) {
    let _ = fs::remove_file(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match kind {
        "pipe" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "device" => symlink("/dev/zero", path).unwrap(),
        _ => File::create(path).unwrap().set_len(3 << 30).unwrap(),
    }
}

fn log(cast: &Cast) -> Author<'_> {
    let (mut a, mut b) = (Author::start(cast, "sm"), Author::start(cast, "plm"));
    for n in 0..3 {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", n));
    }
    a
}

#[test]
fn what_is_no_file_is_refused_wherever_it_is_named() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let dir = bench.write(&log(&cast), &[]);
    let dir = dir.to_str().unwrap();
    for kind in KINDS {
        let file = bench.folder(kind);
        odd(kind, &file);
        let name = file.to_str().unwrap();
        let export = bench.folder("export");
        fs::create_dir_all(&export).unwrap();
        odd(kind, &export.join("export.json"));
        let kept = bench.folder("kept");
        odd(kind, &kept.join("one"));
        let runs: [&[&str]; 6] = [
            &["receipt", name],
            &["bundle", name],
            &["export", export.to_str().unwrap()],
            &["log", dir, "--since", name],
            &["log", dir, "--since", kept.to_str().unwrap()],
            &["log", dir, "--federation", name],
        ];
        for args in runs {
            let report = bench.run(args);
            assert_eq!(report.exit, 2, "{kind} {args:?}: {}", report.text);
            let words = ["not a regular file", "bytes, and at most"];
            assert!(words.iter().any(|words| report.text.contains(words)), "{}", report.text);
        }
        assert_eq!(support::run(&["log", dir, "--policy", name]).0, 2);
    }
}

#[test]
fn names_and_words_of_others_do_not_steer_a_terminal() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let dir = bench.write(&log(&cast), &[]);
    fs::write(dir.join("tile/\u{1b}[2J\nGOOD: all"), "x").unwrap();
    let policy = bench.policy().to_str().unwrap();
    let (exit, text) = support::run(&["log", dir.to_str().unwrap(), "--policy", policy]);
    assert_eq!(exit, 1);
    assert!(text.contains("tile/\\u{1b}[2J\\u{a}GOOD"), "{text}");
    let odd = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(odd) && !text.lines().any(|line| line.starts_with("GOOD")), "{text}");
}

#[test]
fn what_is_no_file_is_refused_in_a_log() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let author = log(&cast);
    let width = author.raw.len();
    for kind in KINDS {
        let names = [
            "checkpoint".to_owned(),
            format!("tile/0/000.p/{width}"),
            format!("tile/entries/000.p/{width}"),
            "tile/0/000.p/2".to_owned(),
            "tile/entries/000.p/2".to_owned(),
            "tile/0/000.p/200".to_owned(),
            format!("headers/000.p/{width}"),
            "headers/000.p/2".to_owned(),
            "headers/000.p/200".to_owned(),
        ];
        for name in names {
            let dir = bench.write(&author, &[]);
            odd(kind, &dir.join(&name));
            let report = bench.log(&dir, &[]);
            let exit = if name == "checkpoint" { 2 } else { 1 };
            assert_eq!(report.exit, exit, "{kind} {name}: {}", report.text);
        }
    }
}

/// A folder of a few files whose links make it look as large as its checkpoint says.
#[test]
fn links_in_a_log_are_not_followed() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = story(&cast);
    let linked = |link: &dyn Fn(&Path)| {
        let dir = bench.write(&a, &[]);
        link(&dir);
        bench.log(&dir, &[]).finds("files", "it is a link, and a log has none");
    };
    linked(&|dir| {
        let entries = dir.join("tile/entries");
        let moved = bench.folder("moved");
        fs::rename(&entries, &moved).unwrap();
        symlink(&moved, &entries).unwrap();
    });
    linked(&|dir| {
        let tile = support::files(&dir.join("tile/0")).remove(0);
        let moved = bench.folder("tile");
        fs::rename(&tile, &moved).unwrap();
        symlink(&moved, &tile).unwrap();
    });
}
