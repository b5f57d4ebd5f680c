//! What is shown of messages to somebody who may not see others: entries name these by digests, and no
//! header of theirs is there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use std::{fs, path::Path};

use kuriiri_verify::{LogFolder, Proved, Selection, bundle_of, export};
use support::{Author, Bench, Cast, Send, classes, exchange, much_later, sends, sign_all};

/// Whether bytes are somewhere in a file or folder, plain or in base64.
fn holds(path: &Path, wanted: &[u8]) -> bool {
    let files = if path.is_dir() { support::files(path) } else { vec![path.to_owned()] };
    files.iter().any(|file| {
        let text = fs::read_to_string(file).unwrap();
        let words = text.split('"').filter_map(base64_of);
        words.into_iter().any(|bytes| bytes.windows(wanted.len()).any(|part| part == wanted))
    })
}

fn base64_of(word: &str) -> Option<Vec<u8>> {
    let value: Result<Proved, _> = serde_json::from_value(serde_json::json!({
        "index": 0, "entry": word, "path": []
    }));
    value.ok().map(|proved| proved.entry.to_vec())
}

#[test]
fn the_bundle_of_a_message_has_its_header_and_no_other() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = classes(&cast, &[0, 10]);
    let folders = [&a, &b].map(|author| LogFolder::open(&bench.write(author, &[])).unwrap());
    let wanted = sends(10).remove(3);
    let all = [&folders[0], &folders[1]];
    let bundle = bundle_of(wanted.id(), &all, None).unwrap();
    let file = bench.folder("bundle.json");
    bundle.write(&file).unwrap();
    let report = bench.run(&["bundle", file.to_str().unwrap()]);
    report.is_good();
    assert_eq!((report.done("headers"), report.done("decisions")), (2, 2), "{}", report.text);
    for send in sends(0).iter().chain(&sends(10)) {
        let header = &a.headers[&send.leaf(&cast)];
        assert_eq!(holds(&file, header), send.id() == wanted.id(), "{}", send.number);
    }
    // One that is put in beside is found.
    let mut more = bundle.clone();
    let with_header = more.logs[0].entries.iter_mut().find(|e| !e.headers.is_empty()).unwrap();
    with_header.headers.push(a.headers[&sends(0)[0].leaf(&cast)].clone());
    more.write(&file).unwrap();
    let report = bench.run(&["bundle", file.to_str().unwrap()]);
    report.finds("headers", "of no message that it names first");
    // Without the header it proves nothing of the message.
    let mut less = bundle.clone();
    less.logs.iter_mut().flat_map(|log| &mut log.entries).for_each(|e| e.headers.clear());
    less.write(&file).unwrap();
    bench.run(&["bundle", file.to_str().unwrap()]).finds("proofs", "is not here");
}

#[test]
fn a_bundle_whose_header_is_gone_with_leave_is_not_checked_in_full() {
    for is_erased in [false, true] {
        let cast = Cast::new();
        let bench = Bench::new(&cast, &[], 0);
        let (mut a, _) = classes(&cast, &[0]);
        let gone = sends(0).remove(2);
        let until = much_later(&mut a);
        let said =
            if is_erased { a.say_erased(gone.leaf(&cast), true) } else { a.say_pruned(until) };
        a.gone.insert(gone.leaf(&cast));
        let folder = LogFolder::open(&bench.write(&a, &[])).unwrap();
        let bundle = bundle_of(gone.id(), &[&folder], None).unwrap();
        let file = bench.folder("bundle.json");
        bundle.write(&file).unwrap();
        let report = bench.run(&["bundle", file.to_str().unwrap()]);
        assert_eq!(report.exit, 2, "{}", report.text);
        report.tells("unchecked", "proofs", "was pruned or erased, as the logs say");
        // Not without the word of the log.
        let mut without = bundle.clone();
        without.logs[0].entries.retain(|entry| entry.index != said);
        without.write(&file).unwrap();
        bench.run(&["bundle", file.to_str().unwrap()]).finds("proofs", "is not here");
    }
}

#[test]
fn the_export_for_a_peer_has_the_headers_of_its_messages_and_no_other() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (_, mut b) = classes(&cast, &[0, 10]);
    let mut um = Author::start(&cast, "um");
    let onward: Vec<Send> = (30..33).map(|n| Send::new("plm", "um", n)).collect();
    for send in &onward {
        exchange(&mut b, &mut um, send);
    }
    let folder = LogFolder::open(&bench.write(&b, &[])).unwrap();
    for (peer, count) in [("sm.example", 10), ("um.example", 3)] {
        let to = bench.folder("export");
        let selection = Selection { peer: Some(peer.parse().unwrap()), ..Selection::default() };
        export(&folder, &selection, &to).unwrap();
        let report = bench.run(&["export", to.to_str().unwrap()]);
        report.is_good();
        assert_eq!(report.done("headers"), count, "{}", report.text);
        for send in sends(0).iter().chain(&sends(10)).chain(&onward) {
            let header = &b.headers[&send.leaf(&cast)];
            let is_of_peer = (send.from == "sm") == (peer == "sm.example");
            assert_eq!(holds(&to, header), is_of_peer, "{} {peer}", send.number);
        }
    }
    // One message of a class goes to a peer after it was released, and the others do not.
    let mut a = Author::start(&cast, "sm");
    let held: Vec<Send> = (40..43).map(|n| Send::held("sm", "plm", n)).collect();
    let signer = &cast.member("sm").system;
    let signed = sign_all(&cast, signer, &held);
    a.submit_class(&signed, Some(&b.home.clone()));
    a.release(&held[1], &signed[1].1, &b.home.clone());
    let folder = LogFolder::open(&bench.write(&a, &[])).unwrap();
    let to = bench.folder("released");
    let peer = Some(b.home.clone());
    let selection = Selection { peer, ..Selection::default() };
    export(&folder, &selection, &to).unwrap();
    bench.run(&["export", to.to_str().unwrap()]).is_good();
    for (number, send) in held.iter().enumerate() {
        assert_eq!(holds(&to, &a.headers[&send.leaf(&cast)]), number == 1, "{number}");
    }
}
