//! What is written, and what is confirmed of it: output that fails, files that cannot be kept, and text
//! from others on a terminal.

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::{Command, Output, Stdio},
};

use kuriiri_client::{Accepted, Client};
use serde_json::Value;

use crate::{
    books::draft,
    command::{lines, text},
    federation::{Federation, KURIIRI, kuriiri, succeeded},
};

const MAILBOX: &str = "kirjaamo@sm.example";

/// Runs the program with its output going there.
fn into(stdout: impl Into<Stdio>, args: &[&str]) -> Output {
    let mut command = Command::new(KURIIRI);
    command.args(args).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    command.spawn().unwrap().wait_with_output().unwrap()
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// The end of a pipe of which nobody has the other.
fn unread() -> io::PipeWriter {
    io::pipe().unwrap().1
}

/// Sends to a mailbox of the same ministry, in order.
async fn send(client: &Client, messages: &[(&str, &[u8])]) -> Vec<Accepted> {
    let mut sent = Vec::new();
    for (subject, body) in messages {
        let draft = draft(&[MAILBOX], "FI JULK", subject, body);
        sent.push(client.send(draft).await.unwrap());
    }
    sent
}

/// What one receives now, and that it is all there was.
fn received(system: &str) -> Vec<Value> {
    lines(&succeeded(&kuriiri(&["receive", "--json", "--as", system])))
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_confirmed_that_was_not_written() {
    let federation = Federation::started(&["sm"]);
    let system = text(&federation.system("sm", "kirjaamo"));
    let client = federation.client("sm", "kirjaamo").await;
    let subjects: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let messages: Vec<_> = subjects.iter().map(|s| (s.as_str(), s.as_bytes())).collect();
    send(&client, &messages).await;
    for json in [&["--json"][..], &[]] {
        let args = [&["receive", "--as", &system], json].concat();
        let lost = into(full(), &args);
        assert_eq!(lost.status.code(), Some(2), "{}", complaint(&lost));
        assert!(complaint(&lost).contains("KRI-4106"), "{}", complaint(&lost));
        let unread = into(unread(), &args);
        assert_eq!(unread.status.code(), Some(141), "{}", complaint(&unread));
        assert_eq!(complaint(&unread), "", "whoever left wants no explanation");
    }
    let came = received(&system);
    let came: Vec<_> = came.iter().map(|line| line["subject"].as_str().unwrap()).collect();
    assert_eq!(came, subjects, "all were still there");
    assert!(received(&system).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_messages_has_all_that_were_confirmed() {
    let federation = Federation::started(&["sm"]);
    let system = text(&federation.system("sm", "kirjaamo"));
    let client = federation.client("sm", "kirjaamo").await;
    send(&client, &[("one", b"1"), ("two", b"2")]).await;
    let path = federation.path("messages.jsonl");
    let output = into(File::create(&path).unwrap(), &["receive", "--json", "--as", &system]);
    assert!(output.status.success(), "{}", complaint(&output));
    let kept = lines(&fs::read_to_string(path).unwrap());
    assert_eq!(kept.iter().map(|line| &line["subject"]).collect::<Vec<_>>(), ["one", "two"]);
    assert!(received(&system).is_empty());
}

#[test]
fn every_command_says_when_its_output_fails() {
    let federation = Federation::started(&["sm"]);
    let system = text(&federation.system("sm", "kirjaamo"));
    let officer = text(&federation.path("sm/officers/anna"));
    let relay = text(&federation.path("sm"));
    let policy = text(&federation.path("federation"));
    let file = text(&federation.path("federation/policy.toml"));
    let commands: &[&[&str]] = &[
        &["--help"],
        &["error"],
        &["status", "--as", &system],
        &["hold", "list", "--as", &officer],
        &["policy", "active", "--as", &officer],
        &["policy", "diff", &policy, &policy],
        &["log", "status", &relay],
        &["send", "--as", &system, "--to", MAILBOX, "--label", "FI JULK", &file],
    ];
    for args in commands {
        assert!(kuriiri(args).status.success(), "{args:?}: {}", complaint(&kuriiri(args)));
        let lost = into(full(), args);
        assert_eq!(lost.status.code(), Some(2), "{args:?}: {}", complaint(&lost));
        assert!(complaint(&lost).contains("KRI-4106"), "{args:?}: {}", complaint(&lost));
        assert_eq!(into(unread(), args).status.code(), Some(141), "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_kept_stays_and_those_behind_it_are_taken() {
    let federation = Federation::started(&["sm"]);
    let system = text(&federation.system("sm", "kirjaamo"));
    let client = federation.client("sm", "kirjaamo").await;
    let (cjk, emoji) = ("情".repeat(80), "😀".repeat(60));
    let large = vec![b'x'; 100_000];
    let sent = send(
        &client,
        &[("large", &large), (&cjk, b"cjk"), ("..", b"dots"), (&emoji, b"emoji"), ("", b"none")],
    )
    .await;
    let out = text(&federation.path("came"));
    let args = ["receive", "--json", "--as", &system, "--out", &out];
    // No file may be longer than some KiB; being told so must not end the program.
    let limited = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh", KURIIRI])
        .args(args)
        .output()
        .unwrap();
    assert_eq!(limited.status.code(), Some(1), "{}", complaint(&limited));
    let told = lines(&String::from_utf8(limited.stdout).unwrap());
    let events: Vec<_> = told.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["unwritten", "received", "received", "received", "received"]);
    assert_eq!(
        (&told[0]["id"], &told[0]["code"]),
        (&sent[0].id.to_string().into(), &"KRI-4106".into())
    );
    let what = told[0]["what"].as_str().unwrap();
    assert!(what.contains(&out) && what.contains("large"), "{what}");
    for (line, body) in told[1..].iter().zip(["cjk", "dots", "emoji", "none"]) {
        let path = Path::new(line["file"].as_str().unwrap());
        assert_eq!(fs::read_to_string(path).unwrap(), body);
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "{path:?}");
        assert!(path.file_name().unwrap().len() <= 200, "{path:?}");
    }
    let names = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!names.into_iter().any(|name| name.to_string_lossy().ends_with(".part")));
    let rest = lines(&succeeded(&kuriiri(&args)));
    assert_eq!(rest.iter().map(|line| &line["subject"]).collect::<Vec<_>>(), ["large"]);
}

#[test]
fn a_place_that_cannot_be_written_is_named_with_its_cause() {
    let federation = Federation::written();
    let system = text(&federation.system("sm", "kirjaamo"));
    let inside = text(&federation.path("federation/policy.toml/x"));
    let output = kuriiri(&["receive", "--as", &system, "--out", &inside]);
    assert_eq!(output.status.code(), Some(64));
    let said = complaint(&output);
    assert!(said.contains(&inside) && said.contains("Not a directory"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_from_others_is_obeyed_by_a_terminal() {
    let federation = Federation::started(&["sm"]);
    let system = text(&federation.system("sm", "kirjaamo"));
    let client = federation.client("sm", "kirjaamo").await;
    let subject = "a\u{202e}b\u{2066}c\u{2028}received   d";
    let body = "\u{1b}[2Jbody\u{9b}31m\r\nreceived   forged\u{202e}\u{85}";
    let message = [(subject, body.as_bytes())];
    let id = send(&client, &message).await[0].id.to_string();
    let obeyed = |said: &str| {
        said.chars()
            .any(|c| c != '\n' && (c.is_control() || ('\u{2028}'..='\u{2069}').contains(&c)))
    };
    let args = ["receive", "--as", &system];
    let said = succeeded(&kuriiri(&args));
    assert!(!obeyed(&said), "{said:?}");
    assert_eq!(said.lines().filter(|line| line.starts_with("received")).count(), 1, "{said}");
    assert!(said.contains("<U+202E>") && said.contains("\n  | <U+001B>[2Jbody"), "{said}");
    send(&client, &message).await;
    let said = succeeded(&kuriiri(&["receive", "--json", "--as", &system]));
    assert!(!obeyed(&said), "{said:?}");
    let told = &lines(&said)[0];
    assert_eq!((&told["subject"], &told["body"]), (&subject.into(), &body.into()));
    // The log tells of it too.
    for json in [&["--json"][..], &[]] {
        let log = text(&federation.path("sm"));
        let said = kuriiri(&[&["trace", &id, &log], json].concat());
        assert!(!obeyed(&String::from_utf8(said.stdout).unwrap()));
    }
}

#[test]
fn a_relay_goes_on_when_nobody_takes_its_diagnostics() {
    let federation = Federation::written();
    let config = text(&federation.path("sm/relay.toml"));
    let mut relay = Command::new(KURIIRI)
        .args(["relay", "--log", "trace", "--until-stdin-closes", "--config", &config])
        .stdin(Stdio::piped())
        .stdout(full())
        .stderr(full())
        .spawn()
        .unwrap();
    let system = text(&federation.system("sm", "kirjaamo"));
    let status = kuriiri(&["status", "--as", &system]);
    drop(relay.stdin.take());
    assert!(relay.wait().unwrap().success());
    succeeded(&status);
}
