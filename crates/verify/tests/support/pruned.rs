//! Logs whose relays have pruned them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use kuriiri_tlog::Bundle;
use kuriiri_types::{Code, Envelope, Giver, LogEvent, SpiffeId};

use super::{Author, Bench, Cast, NOW, Send, exchange, exchange_with_heads, finish};

/// So many entries are pruned: two bundles.
pub const PRUNED: u64 = 512;

/// Both sides of a long correspondence: with starts, a step of the clock and new rules in the part
/// that is to be pruned, and a message that waits there and is released after it.
pub fn long(cast: &Cast) -> (Author<'_>, Author<'_>) {
    let (mut a, mut b) = (Author::start(cast, "sm"), Author::start(cast, "plm"));
    exchange_with_heads(&mut a, &mut b, 0..60);
    a.boot += 1;
    a.append(vec![], LogEvent::Booted { software: "test".into() });
    // What is between the two does not stay.
    a.at = a.at.after(Duration::from_secs(2));
    let by = Giver::Peer(b.home.clone());
    a.append(vec![], LogEvent::TurnedAway { by, code: Code::MALFORMED, count: 1 });
    let by: SpiffeId = "spiffe://sm.example/operator/otto".parse().unwrap();
    let subject = kuriiri_merkle::leaf(&envelope(cast, &Send::new("sm", "plm", 3)).header);
    let erased = LogEvent::Erased { subject, by: by.clone(), basis: "JulkL 24 §".into() };
    a.append(vec![], erased);
    a.append(vec![], LogEvent::Exported { by, what: "all, to the auditor".into() });
    let by = Giver::Peer(b.home.clone());
    a.append(vec![], LogEvent::TurnedAway { by, code: Code::MALFORMED, count: 2 });
    let from = a.at;
    a.at = a.at.before(Duration::from_secs(1));
    a.append(vec![], LogEvent::ClockStepped { from });
    a.put_in_force();
    exchange_with_heads(&mut a, &mut b, 100..200);
    let next = b.home.clone();
    let held = Send::held("sm", "plm", 230);
    a.submit(&held, Some(&next));
    let mut n = 240;
    while a.raw.len() < 600 || b.raw.len() < 600 {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", n));
        n += 1;
    }
    a.say_pruned(PRUNED);
    b.say_pruned(PRUNED);
    let released = Send::held("sm", "plm", n + 1);
    a.submit(&released, Some(&next));
    let envelope = envelope(cast, &released);
    let signed = a.release(&released, &envelope, &next);
    b.show(cast.member("sm").officer.certificate());
    finish(&mut a, &mut b, &released, &[signed]);
    for more in n + 3..n + 13 {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", more));
    }
    (a, b)
}

pub fn envelope(cast: &Cast, send: &Send) -> Envelope {
    send.envelope(cast, &cast.member("sm").system)
}

/// Writes a log and prunes its files.
pub fn pruned(bench: &Bench, author: &Author<'_>, before: u64) -> PathBuf {
    let dir = bench.write(author, &[]);
    prune_files(&dir, author, before);
    dir
}

pub fn later(author: &Author<'_>, more: u64) -> Send {
    let number = author.at.since(NOW).as_secs() / 10 + 20 + more;
    Send::new("sm", "plm", number)
}

/// Whether an entry stays when others are pruned.
fn stays(event: &LogEvent) -> bool {
    let ground = ["POLICY_CHANGE", "FILE", "CERTIFICATE", "BOOT", "RESTORE", "CLOCK_STEP"];
    let acts = ["ERASED", "ADMIN", "EXPORTED", "PRUNED"];
    ground.contains(&event.kind()) || acts.contains(&event.kind())
}

/// The file that a relay leaves of a bundle.
pub fn kept_of(author: &Author<'_>, bundle: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    for (place, index) in (bundle * 256..(bundle + 1) * 256).enumerate() {
        if stays(&author.entries[index].event) {
            let entry = &author.raw[index];
            kept.push(place as u8);
            kept.extend((entry.len() as u16).to_be_bytes());
            kept.extend_from_slice(entry);
        }
    }
    kept
}

/// Prunes the files of a log as its relay does, up to an entry.
pub fn prune_files(folder: &Path, author: &Author<'_>, before: u64) {
    for index in 0..before / 256 {
        let bundle = Bundle { index, width: 256 }.path();
        let kept = kept_of(author, index as usize);
        if !kept.is_empty() {
            let file = folder.join(bundle.replace("tile/entries", "kept"));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, kept).unwrap();
        }
        fs::remove_file(folder.join(bundle)).unwrap();
    }
}
