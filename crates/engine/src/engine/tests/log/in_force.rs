//! What comes into force is written whole, with who signed it.

use bytes::Bytes;
use kuriiri_merkle::digest;
use kuriiri_types::{FileInForce, FileKind, FilePart, PolicyInForce, limits::FILE_PART_BYTES_MAX};

use super::*;
use crate::{
    SignedSet,
    testing::{officer, policy},
};

/// Puts these files in force.
fn change(files: &SignedSet) -> Event {
    Event::PolicyChanged { policy: policy(), files: Box::new(files.clone()) }
}

/// Files of these contents with these signatures.
fn set_of(files: &[(&Bytes, &Bytes)], certificates: &[Bytes]) -> SignedSet {
    let in_force = |(number, (content, signatures)): (u64, &(&Bytes, &Bytes))| FileInForce {
        kind: FileKind::Rules,
        name: format!("{number}.toml"),
        serial: number,
        digest: digest(content),
        signatures: digest(signatures),
        is_own: number > 0,
    };
    let by = Some(officer(&ministry("sm.example"), "anna"));
    SignedSet {
        policy: PolicyInForce { files: (0..).zip(files).map(in_force).collect(), by },
        contents: files.iter().map(|(content, _)| (*content).clone()).collect(),
        signatures: files.iter().map(|(_, signatures)| (*signatures).clone()).collect(),
        certificates: certificates.to_vec(),
    }
}

#[test]
fn what_comes_into_force_is_written_with_its_bytes_in_parts() {
    let mut host = Host::new("sm.example");
    let content = Bytes::from(vec![b'#'; 2 * FILE_PART_BYTES_MAX + 1]);
    let signatures = Bytes::from_static(b"who signed it");
    let files = set_of(&[(&content, &signatures)], &[]);
    host.step(vec![change(&files)]);
    assert_eq!(host.kinds(), ["FILE", "FILE", "FILE", "FILE", "POLICY_CHANGE"]);
    let mut whole = Vec::new();
    for (number, entry) in (0..3).zip(host.written()) {
        let LogEvent::FilePart(part) = entry.event else { panic!("{entry:?}") };
        assert_eq!((part.digest, part.part, part.parts), (digest(&content), number, 3));
        whole.extend_from_slice(&part.bytes);
    }
    assert_eq!(whole, content);
    assert_eq!(host.written()[4].event, LogEvent::PolicyChanged(files.policy.clone()));
    let head = host.commit.log.clone().unwrap().head;
    assert_eq!(head.policy, Some(files.digest()));
    host.step(vec![change(&files)]);
    assert_eq!(host.kinds(), [""; 0], "the same again is nothing new");
    let others = set_of(&[(&content, &Bytes::from_static(b"who else"))], &[]);
    host.step(vec![change(&others)]);
    assert_eq!(host.kinds(), [""; 0], "the same files stay in force, whoever else signs them");
}

#[test]
fn certificates_come_before_files_and_signatures_after_theirs_each_once() {
    let mut host = Host::new("sm.example");
    let [one, other, by_both, by_one] =
        [&b"rules"[..], b"other rules", b"of both", b"of one"].map(Bytes::from_static);
    let certificates = [&b"the first"[..], b"the second"].map(Bytes::from_static);
    let all = [(&one, &by_both), (&other, &by_both), (&one, &by_one)];
    let files = set_of(&all, &certificates);
    host.step(vec![change(&files)]);
    let shown = |content: &Bytes| {
        let (digest, bytes) = (digest(content), content.clone());
        LogEvent::FilePart(FilePart { digest, part: 0, parts: 1, bytes })
    };
    let mut expected = certificates.map(|der| LogEvent::Certificate { der }).to_vec();
    expected.extend([&one, &by_both, &other, &by_one].map(shown));
    expected.push(LogEvent::PolicyChanged(files.policy.clone()));
    let written: Vec<_> = host.written().into_iter().map(|entry| entry.event).collect();
    assert_eq!(written, expected);
}
