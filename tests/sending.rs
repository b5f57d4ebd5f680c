//! `kuriiri send`: what is looked at before, what is waited for, and what is said of it.

use std::{fs, os::unix::fs::symlink};

use serde_json::Value;

use crate::{
    command::{lines, text},
    federation::{Federation, kuriiri, succeeded},
};

const HOME: &str = "kirjaamo@sm.example";

/// Sends to one's own ministry; the exit code and what was said.
fn send(federation: &Federation, more: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let system = text(&federation.system("sm", "kirjaamo"));
    let args = ["send", "--json", "--as", &system, "--to", HOME, "--label", "FI JULK"];
    let output = kuriiri(&[&args, more].concat());
    let said = lines(&String::from_utf8(output.stdout).unwrap());
    (output.status.code(), said, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn all_documents_are_looked_at_before_the_first_is_sent() {
    let federation = Federation::started(&["sm"]);
    let folder = federation.path("documents");
    fs::create_dir_all(folder.join("inner")).unwrap();
    for number in 0..7 {
        fs::write(folder.join(format!("inner/{number}")), number.to_string()).unwrap();
    }
    symlink(&folder, folder.join("inner/parent")).unwrap();
    let (code, said, _) = send(&federation, &[&text(&folder)]);
    assert_eq!((code, &said[7]["accepted"]), (Some(0), &7.into()), "each file once");
    symlink("gone", folder.join("inner/dangling")).unwrap();
    symlink("loop", folder.join("loop")).unwrap();
    let (code, said, complaint) = send(&federation, &[&text(&folder), &text(&folder.join("no"))]);
    assert_eq!((code, said.len()), (Some(64), 0), "{said:?}");
    let error: Value = serde_json::from_str(&complaint).unwrap();
    let what = error["what"].as_str().unwrap();
    for part in ["nothing was sent", "3 documents", "inner/dangling: ", "/loop: ", "/no: No such"] {
        assert!(what.contains(part), "{part}: {what}");
    }
    let system = text(&federation.system("sm", "kirjaamo"));
    let came = lines(&succeeded(&kuriiri(&["receive", "--json", "--as", &system])));
    assert_eq!(came.len(), 7, "nothing was sent the second time");
}

#[test]
fn a_message_at_home_counts_as_relayed_and_is_waited_for_until_delivered() {
    let federation = Federation::started(&["sm"]);
    let file = text(&federation.path("federation/policy.toml"));
    // Nobody receives: only what is already so can end this.
    let (code, said, _) = send(&federation, &["--wait", "relayed", &file]);
    assert_eq!((code, said.len()), (Some(0), 2), "{said:?}");
    let (code, said, _) = send(&federation, &["--wait", "delivered", "--timeout", "1 s", &file]);
    let summary = said.last().unwrap();
    assert_eq!((code, &summary["unsettled"]), (Some(1), &1.into()), "{said:?}");
}

#[test]
fn every_refusal_has_its_reason() {
    let federation = Federation::started(&["sm"]);
    let file = federation.path("two\nlines");
    fs::write(&file, "x").unwrap();
    let good = text(&federation.path("federation/policy.toml"));
    for (more, part) in [(&["--to", HOME, &good][..], "twice"), (&[&text(&file)], "one line")] {
        let (code, said, _) = send(&federation, more);
        assert_eq!((code, &said[0]["event"]), (Some(1), &"refused".into()), "{said:?}");
        assert_eq!(said[0]["code"], "KRI-2102");
        assert!(said[0]["reasons"].to_string().contains(part), "{said:?}");
    }
    // For people, a name cannot look like a line of the program's own.
    let system = text(&federation.system("sm", "kirjaamo"));
    let args = ["send", "--as", &system, "--to", HOME, "--label", "FI JULK", &text(&file)];
    let said = String::from_utf8(kuriiri(&args).stdout).unwrap();
    assert!(said.contains("two<U+000A>lines"), "{said}");
}

#[test]
fn whoever_waits_for_a_relay_that_is_away_hears_of_it_and_can_say_how_long() {
    let federation = Federation::written();
    let system = text(&federation.system("sm", "kirjaamo"));
    let file = text(&federation.path("federation/policy.toml"));
    let args =
        ["send", "--timeout", "3 s", "--as", &system, "--to", HOME, "--label", "FI JULK", &file];
    let output = kuriiri(&args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
    assert!(said.contains("it is tried for") && said.contains("KRI-3103"), "{said}");
    assert!(said.contains("nothing was sent"), "{said}");
}
