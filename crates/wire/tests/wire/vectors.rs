//! Headers, log entries and approvals as people write them, with their bytes.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use kuriiri_types::*;
use kuriiri_wire::{approval, entry, header};

/// The lines `name value` of a file, by name, and the bytes after the line `bytes`.
struct Vector {
    fields: BTreeMap<String, Vec<String>>,
    bytes: Vec<u8>,
}

#[test]
fn headers() {
    let vectors = files("header-");
    assert!(!vectors.is_empty());
    for path in vectors {
        let vector = Vector::read(&path);
        let value = vector.header();
        assert_eq!(hex(&header::encode(&value)), hex(&vector.bytes), "{path:?}");
        assert_eq!(header::decode(&vector.bytes), Ok(value), "{path:?}");
    }
}

#[test]
fn entries() {
    let vectors = files("entry-");
    assert!(!vectors.is_empty());
    for path in vectors {
        let vector = Vector::read(&path);
        let value = vector.entry();
        assert_eq!(hex(&entry::encode(&value)), hex(&vector.bytes), "{path:?}");
        assert_eq!(entry::decode(&vector.bytes), Ok(value), "{path:?}");
    }
}

#[test]
fn approvals() {
    let vectors = files("approval-");
    assert!(!vectors.is_empty());
    for path in vectors {
        let vector = Vector::read(&path);
        let value = vector.approval();
        assert_eq!(hex(&approval::encode(&value)), hex(&vector.bytes), "{path:?}");
        assert_eq!(approval::decode(&vector.bytes), Ok(value), "{path:?}");
    }
}

#[test]
fn refused() {
    let vectors = files("refused-");
    assert!(!vectors.is_empty());
    for path in vectors {
        let vector = Vector::read(&path);
        let name = path.file_name().unwrap().to_str().unwrap();
        let error = match name.strip_prefix("refused-entry-") {
            Some(_) => entry::decode(&vector.bytes).expect_err("an entry to refuse"),
            None => header::decode(&vector.bytes).expect_err("a header to refuse"),
        };
        assert_eq!(error.to_string(), vector.one("error"), "{path:?}");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/wire")
}

fn files(prefix: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix)).collect()
}

impl Vector {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let text = text.lines().filter(|line| !line.starts_with('#'));
        let (mut fields, mut digits) = (BTreeMap::<_, Vec<_>>::new(), None::<String>);
        for line in text.filter(|line| !line.is_empty()) {
            match (&mut digits, line.split_once(' ')) {
                (Some(digits), _) => digits.extend(line.chars().filter(|c| !c.is_whitespace())),
                (None, None) if line == "bytes" => digits = Some(String::new()),
                (None, None) => panic!("{path:?}: {line}"),
                (None, Some((name, value))) => {
                    let values = fields.entry(name.to_owned()).or_default();
                    values.push(value.trim().to_owned());
                }
            }
        }
        let bytes = unhex(&digits.expect("bytes"));
        Self { fields, bytes }
    }

    fn all(&self, name: &str) -> &[String] {
        self.fields.get(name).map_or(&[], Vec::as_slice)
    }

    fn maybe(&self, name: &str) -> Option<&str> {
        assert!(self.all(name).len() <= 1, "{name}");
        self.all(name).first().map(String::as_str)
    }

    fn one(&self, name: &str) -> &str {
        self.maybe(name).expect(name)
    }

    fn header(&self) -> Header {
        let id = |name| self.maybe(name).map(|id| id.parse().unwrap());
        Header {
            id: id("id").unwrap(),
            from: self.one("from").parse().unwrap(),
            to: self.all("to").iter().map(|to| recipient(to)).collect(),
            label: self.maybe("label").map(|_| self.label()),
            precedence: self.one("precedence").parse().unwrap(),
            message_type: match self.one("message_type") {
                "operation" => MessageType::Operation,
                "exercise" => MessageType::Exercise,
                "drill" => MessageType::Drill,
                other => panic!("{other}"),
            },
            created: time(self.one("created")),
            expires: self.maybe("expires").map(time),
            content_type: self.one("content_type").into(),
            body_size: self.one("body_size").parse().unwrap(),
            body_commitment: digest(self.one("body_commitment")),
            subject: self.maybe("subject").unwrap_or_default().into(),
            conversation: id("conversation"),
            in_reply_to: id("in_reply_to"),
            obsoletes: id("obsoletes"),
            sealing: self.maybe("sealing.suite").map(|suite| Sealing {
                suite: suite.parse().unwrap(),
                keys: self.all("sealing.key").iter().map(|key| seal_key(key)).collect(),
                content: digest(self.one("sealing.content")),
            }),
            drafter: self.maybe("drafter").map(Into::into),
        }
    }

    fn label(&self) -> WireLabel {
        let succession = self.maybe("label.succession").map(|succession| {
            let (at, label) = succession.split_once(' ').unwrap();
            Box::new((time(at), label.parse().unwrap()))
        });
        WireLabel {
            succession,
            review_at: self.maybe("label.review_at").map(time),
            privacy_mark: self.maybe("label.privacy_mark").unwrap_or_default().into(),
            ..self.one("label").parse().unwrap()
        }
    }

    fn approval(&self) -> Approval {
        Approval {
            message: self.one("message").parse().unwrap(),
            subject: digest(self.one("subject")),
            content: digest(self.one("content")),
            label: self.label(),
            recipients: self.all("recipient").iter().map(|to| recipient(to)).collect(),
            keys: self.all("key").iter().map(|key| seal_key(key)).collect(),
            needed: self.one("needed").parse().unwrap(),
            until: self.maybe("until").map(time),
            expires: self.maybe("expires").map(time),
            officer: self.one("officer").parse().unwrap(),
            roles: self.all("role").to_vec(),
            act: match self.one("act") {
                "release" => ApprovalAct::Release,
                "reject" => ApprovalAct::Reject { note: self.one("note").into() },
                other => panic!("{other}"),
            },
            at: time(self.one("at")),
        }
    }

    fn entry(&self) -> Entry {
        Entry {
            salt: digest(self.one("salt")).0,
            at: time(self.one("at")),
            boot: self.one("boot").parse().unwrap(),
            channels: self.all("channel").iter().map(|text| channel(text)).collect(),
            event: match self.one("event") {
                "receipt" => LogEvent::Receipt(self.receipt()),
                "decided" => LogEvent::Decided(Box::new(self.decided())),
                "policy_changed" => LogEvent::PolicyChanged(PolicyInForce {
                    files: self.all("file").iter().map(|text| file(text)).collect(),
                    by: self.identity("by"),
                }),
                "restored" => LogEvent::Restored { checkpoint: self.checkpoint().into() },
                "clock_stepped" => LogEvent::ClockStepped { from: time(self.one("from")) },
                "pruned" => LogEvent::Pruned {
                    until: time(self.one("until")),
                    headers: self.one("headers").parse().unwrap(),
                    by: self.one("by").parse().unwrap(),
                    basis: self.one("basis").into(),
                },
                "erased" => LogEvent::Erased {
                    subject: digest(self.one("header_digest")),
                    header: self.one("header") == "yes",
                    by: self.one("by").parse().unwrap(),
                    basis: self.one("basis").into(),
                },
                other => panic!("{other}"),
            },
        }
    }

    fn receipt(&self) -> Receipt {
        let code = |code: &str| Code::from_number(code.parse().unwrap()).unwrap();
        let told = |text: &String| {
            let (message, recipient) = text.rsplit_once(' ').unwrap();
            Addressed { subject: subject(message), recipient: recipient.parse().unwrap() }
        };
        Receipt {
            issuer: self.one("issuer").parse().unwrap(),
            kind: self.one("kind").parse().unwrap(),
            at: time(self.one("said_at")),
            sender: self.one("sender").parse().unwrap(),
            by: self.maybe("by").map(giver),
            code: self.maybe("code").map(code),
            reasons: self.all("reason").to_vec(),
            subjects: self.all("subject").iter().map(told).collect(),
        }
    }

    fn decided(&self) -> Decided {
        let clearances = self.all("clearance");
        Decided {
            giver: self.maybe("giver").map(giver),
            path: self.all("path").iter().map(|name| name.parse().unwrap()).collect(),
            dest: self.one("dest").parse().unwrap(),
            next: self.maybe("next").map(Into::into),
            clearances: (!clearances.is_empty())
                .then(|| clearances.iter().map(|text| clearance(text)).collect()),
            approvals: self.all("approval").iter().map(|text| signed_approval(text)).collect(),
            policy: digest(self.one("policy")),
            semantics: self.one("semantics").parse().unwrap(),
            ruling: match self.one("ruling") {
                "deny" => LoggedRuling::Deny,
                "hold" => LoggedRuling::Hold,
                "permit" => LoggedRuling::Permit,
                other => panic!("{other}"),
            },
            reasons: self.all("reason").to_vec(),
            batch: self.maybe("batch.signer").map(|_| self.batch()),
            keep_until: self.maybe("keep_until").map(time),
            subjects: self.all("subject").iter().map(|text| subject(text)).collect(),
        }
    }

    fn batch(&self) -> SignedPart {
        let size = self.one("batch.size").parse().unwrap();
        let positions = match self.one("batch.positions") {
            "all" => (0..size).collect(),
            some => some.split(' ').map(|place| place.parse().unwrap()).collect(),
        };
        SignedPart {
            signer: digest(self.one("batch.signer")),
            size,
            signature: unhex(self.one("batch.signature")).into(),
            positions,
            proof: self.all("batch.proof").iter().map(|hash| digest(hash)).collect(),
        }
    }

    /// Lines that stand behind `|`.
    fn checkpoint(&self) -> String {
        let lines = self.all("checkpoint").iter().map(|line| line.strip_prefix('|').unwrap());
        lines.map(|line| format!("{}\n", line.trim())).collect()
    }

    fn identity(&self, name: &str) -> Option<SpiffeId> {
        self.maybe(name).map(|id| id.parse().unwrap())
    }
}

fn channel(text: &str) -> Channel {
    let [direction, peer, seq, prev] = words(text);
    let direction = match direction {
        "in" => Direction::In,
        "out" => Direction::Out,
        other => panic!("{other}"),
    };
    let (peer, seq) = (peer.parse().unwrap(), seq.parse().unwrap());
    Channel { peer, direction, seq, prev: digest(prev) }
}

fn giver(text: &str) -> Giver {
    text.parse().map(Giver::System).unwrap_or_else(|_| Giver::Peer(text.parse().unwrap()))
}

fn subject(text: &str) -> Subject {
    let [message, header] = words(text);
    Subject { message: message.parse().unwrap(), header: digest(header) }
}

/// The bytes of another vector, signed alone.
fn signed_approval(text: &str) -> SignedApproval {
    let [file, signer, signature] = words(text);
    let proof = BatchProof {
        signer: digest(signer),
        index: 0,
        size: 1,
        path: Vec::new(),
        signature: unhex(signature).into(),
    };
    SignedApproval { approval: Vector::read(&folder().join(file)).bytes.into(), proof }
}

fn file(text: &str) -> FileInForce {
    let [whose, kind, name, serial, bytes, signatures] = words(text);
    let (kind, serial) = (kind.parse().unwrap(), serial.parse().unwrap());
    let (digest, signatures) = (digest(bytes), digest(signatures));
    let is_own = match whose {
        "own" => true,
        "federation's" => false,
        other => panic!("{other}"),
    };
    FileInForce { kind, name: name.into(), serial, digest, signatures, is_own }
}

fn clearance(text: &str) -> LoggedClearance {
    let [policy, levels, grants] = words(text);
    let list = |text: &str| text.split(',').map(Into::into).collect();
    LoggedClearance { policy: policy.into(), levels: list(levels), grants: list(grants) }
}

fn words<const N: usize>(text: &str) -> [&str; N] {
    text.split(' ').collect::<Vec<_>>().try_into().unwrap()
}

fn recipient(text: &str) -> Recipient {
    let (role, address) = text.split_once(' ').unwrap();
    let role = match role {
        "action" => Role::Action,
        "info" => Role::Info,
        other => panic!("{other}"),
    };
    let address = address.parse().unwrap();
    Recipient { address, role }
}

fn seal_key(text: &str) -> SealKeyId {
    let (ministry, key) = text.split_once(' ').unwrap();
    SealKeyId { ministry: ministry.parse().unwrap(), key: digest(key) }
}

fn time(millis: &str) -> Timestamp {
    Timestamp::from_millis(millis.parse().unwrap())
}

fn digest(text: &str) -> Digest {
    Digest::from_slice(&unhex(text)).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |i| u8::from_str_radix(&text[i..i + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}
