//! One relay's log in the making.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use kuriiri_merkle::{Growth, inclusion, leaf};
use kuriiri_seal::{Purpose, Signer, join};
use kuriiri_tlog::{
    Checkpoint, EntryHeaders, NoteSigner, add_signature, bundles_of, encode_headers, nth_log_origin,
};
use kuriiri_types::{
    Address, Addressed, Approval, ApprovalAct, Channel, Decided, Digest, Direction, Entry,
    Envelope, FilePart, Giver, Header, LogEvent, LoggedRuling, Ministry, Receipt, ReceiptKind,
    SignedApproval, SignedReceipt, SpiffeId, Subject, Timestamp,
};
use kuriiri_wire::{approval, entry, header};

use super::{Cast, DAY, Member, NOW, Send, judge::Question, put, write_log};

/// A relay that writes its log.
pub struct Author<'a> {
    pub cast: &'a Cast,
    pub node: &'static str,
    pub home: Ministry,
    pub entries: Vec<Entry>,
    pub raw: Vec<Bytes>,
    pub tree: Growth,
    pub ends: BTreeMap<(Ministry, Direction), (u64, Digest)>,
    pub at: Timestamp,
    pub boot: u64,
    known: Vec<Digest>,
    number: u8,
    /// Which of the ministry's logs this is.
    pub log: u32,
    /// All headers by digest, and which of them are not there any more.
    pub headers: BTreeMap<Digest, Bytes>,
    pub gone: BTreeSet<Digest>,
    /// The messages that entries name first.
    named: BTreeMap<u64, Vec<Digest>>,
    /// Receipts that are not summed up yet: minute, peer, direction and header.
    pub passed: Vec<(i64, Ministry, Direction, Digest)>,
}

impl<'a> Author<'a> {
    /// A relay that has started and told which files are in force.
    pub fn start(cast: &'a Cast, node: &'static str) -> Self {
        let mut author = Self::blank(cast, node);
        author.append(vec![], LogEvent::Booted { software: "test".into() });
        author.put_in_force();
        author
    }

    /// The relay of a log that was lost, with another one that goes on from its last checkpoint.
    pub fn renewed(old: &Self) -> Self {
        let mut author = Self::blank(old.cast, old.node);
        (author.log, author.at, author.boot) = (old.log + 1, old.at, old.boot + 1);
        author.append(vec![], LogEvent::Restored { checkpoint: old.checkpoint() });
        author.append(vec![], LogEvent::Booted { software: "test".into() });
        author.put_in_force();
        author
    }

    /// The origin of this log.
    pub fn origin(&self) -> String {
        nth_log_origin(&self.home, self.log)
    }

    pub fn blank(cast: &'a Cast, node: &'static str) -> Self {
        Self {
            cast,
            node,
            home: cast.member(node).system.id().ministry().clone(),
            entries: vec![],
            raw: vec![],
            tree: Growth::default(),
            ends: BTreeMap::new(),
            at: NOW,
            boot: 1,
            known: vec![],
            number: node.len() as u8,
            log: 1,
            headers: BTreeMap::new(),
            gone: BTreeSet::new(),
            named: BTreeMap::new(),
            passed: vec![],
        }
    }

    fn member(&self) -> &'a Member {
        self.cast.member(self.node)
    }

    pub fn put_in_force(&mut self) {
        self.put_in_force_of(self.cast);
    }

    /// The files of another cast come into force.
    pub fn put_in_force_of(&mut self, cast: &Cast) {
        for steward in cast.stewards.iter() {
            let der = steward.certificate().clone();
            self.append(vec![], LogEvent::Certificate { der });
        }
        let both = cast.contents.iter().zip(&cast.signatures);
        for (file, (content, signatures)) in cast.in_force.files.iter().zip(both) {
            self.show_file(file.digest, content);
            self.show_file(file.signatures, signatures);
        }
        self.append(vec![], LogEvent::PolicyChanged(cast.in_force.clone()));
    }

    fn show_file(&mut self, digest: Digest, content: &Bytes) {
        let chunks: Vec<&[u8]> = content.chunks(16 * 1024).collect();
        for (part, bytes) in (0..).zip(&chunks) {
            let (parts, bytes) = (chunks.len() as u32, Bytes::copy_from_slice(bytes));
            self.append(vec![], LogEvent::FilePart(FilePart { digest, part, parts, bytes }));
        }
    }

    pub fn append(&mut self, links: Vec<(Ministry, Direction)>, event: LogEvent) -> u64 {
        let channels = links
            .iter()
            .map(|link| {
                let (seq, prev) = self.ends.get(link).copied().unwrap_or((0, Digest([0; 32])));
                Channel { peer: link.0.clone(), direction: link.1, seq, prev }
            })
            .collect();
        let mut salt = [self.number; 32];
        salt[..8].copy_from_slice(&self.tree.size().to_be_bytes());
        let entry = Entry { salt, at: self.at, boot: self.boot, channels, event };
        self.push(entry)
    }

    /// Appends an entry as it is.
    pub fn push(&mut self, entry: Entry) -> u64 {
        let bytes = entry::encode(&entry);
        let hash = leaf(&bytes);
        for channel in &entry.channels {
            self.ends.insert((channel.peer.clone(), channel.direction), (channel.seq + 1, hash));
        }
        if let LogEvent::Decided(decided) = &entry.event
            && decided.batch.is_some()
        {
            let named = decided.subjects.iter().map(|subject| subject.header).collect();
            self.named.insert(self.tree.size(), named);
        }
        self.entries.push(entry);
        self.raw.push(bytes);
        self.tree.push(hash)
    }

    /// The same log written again, every chain and time as if nothing had happened.
    pub fn rewritten(&self, change: impl FnOnce(&mut Vec<Entry>)) -> Self {
        let mut entries = self.entries.clone();
        change(&mut entries);
        let mut new = Self::blank(self.cast, self.node);
        new.log = self.log;
        (new.headers, new.gone) = (self.headers.clone(), self.gone.clone());
        for entry in entries {
            (new.at, new.boot) = (entry.at, entry.boot);
            let links = entry.channels.into_iter().map(|c| (c.peer, c.direction)).collect();
            new.append(links, entry.event);
        }
        new
    }

    pub fn show(&mut self, certificate: &Bytes) {
        let name = kuriiri_merkle::digest(certificate);
        if !self.known.contains(&name) {
            self.known.push(name);
            self.append(vec![], LogEvent::Certificate { der: certificate.clone() });
        }
    }

    pub fn checkpoint(&self) -> Bytes {
        self.signed(&self.member().log.renamed(self.origin().parse().unwrap()))
    }

    fn signed(&self, signer: &NoteSigner) -> Bytes {
        let (size, root) = (self.tree.size(), self.tree.root());
        Checkpoint { origin: signer.name().to_string(), size, root }.sign(signer).unwrap()
    }

    /// With the cosignatures of these.
    pub fn cosigned(&self, witnesses: &[&str]) -> Bytes {
        self.cosigned_at(witnesses, self.at.as_millis() as u64 / 1000)
    }

    pub fn cosigned_at(&self, witnesses: &[&str], time: u64) -> Bytes {
        let (note, size, root) = (self.checkpoint(), self.tree.size(), self.tree.root());
        let text = Checkpoint { origin: self.origin(), size, root }.to_string();
        witnesses.iter().fold(note, |note, name| {
            let signature = self.cast.member(name).witness.cosign(&text, time).unwrap();
            add_signature(&note, signature).unwrap()
        })
    }

    pub fn proven(&self, index: u64) -> SignedReceipt {
        SignedReceipt {
            entry: self.raw[index as usize].clone(),
            index,
            path: inclusion(&self.tree, index, self.tree.size()).unwrap(),
            checkpoint: self.checkpoint(),
        }
    }

    pub fn write(&self, folder: &Path, witnesses: &[&str]) {
        write_log(folder, &self.raw, &self.tree, &self.cosigned(witnesses));
        self.write_headers(folder);
    }

    /// Writes the headers beside the log, as far as they are there.
    pub fn write_headers(&self, folder: &Path) {
        for bundle in bundles_of(self.tree.size()) {
            let first = bundle.index * 256;
            let header = |digest: &Digest| {
                let header = self.headers.get(digest).filter(|_| !self.gone.contains(digest));
                header.cloned()
            };
            let parts: Vec<EntryHeaders> = self
                .named
                .range(first..first + u64::from(bundle.width))
                .map(|(index, named)| EntryHeaders {
                    place: (index - first) as u8,
                    headers: named.iter().map(header).collect(),
                })
                .collect();
            if parts.iter().any(|part| part.headers.iter().any(Option::is_some)) {
                put(folder, &bundle.headers_path(), &encode_headers(&parts).unwrap());
            }
        }
    }

    // === messages ===

    /// A system hands a message in that goes to `next`.
    pub fn submit(&mut self, send: &Send, next: Option<&Ministry>) -> Decided {
        let envelope = send.envelope(self.cast, &self.member().system);
        self.submit_signed(send, envelope, next)
    }

    pub fn submit_signed(
        &mut self,
        send: &Send,
        envelope: Envelope,
        next: Option<&Ministry>,
    ) -> Decided {
        self.submit_class(&[(send.clone(), envelope)], next)
    }

    /// A system hands messages in that are decided on as one, and taken as one.
    pub fn submit_class(&mut self, class: &[(Send, Envelope)], next: Option<&Ministry>) -> Decided {
        let (send, envelope) = &class[0];
        self.at = self.at.max(send.at);
        let signer = self.member().system.id().clone();
        let certificate = self.member().system.certificate().clone();
        self.show(&certificate);
        let decided = self.decide(send, envelope, &[], next, Some(&signer), &[]);
        let decided = self.first(decided, class);
        let goes = decided.ruling == LoggedRuling::Permit;
        let links = next.filter(|_| goes).map(|next| (next.clone(), Direction::Out));
        self.append(links.into_iter().collect(), LogEvent::Decided(Box::new(decided.clone())));
        let kind = if decided.ruling == LoggedRuling::Deny {
            ReceiptKind::Refused
        } else {
            ReceiptKind::Accepted
        };
        let headers: Vec<Header> = class.iter().map(|(send, _)| send.header(self.cast)).collect();
        self.state_by(&headers, kind, Some(Giver::System(signer)));
        decided
    }

    /// The decision as one that names these messages first, whose headers are then beside the log.
    pub fn first(&mut self, decided: Decided, class: &[(Send, Envelope)]) -> Decided {
        let leaves: Vec<Digest> =
            class.iter().map(|(_, envelope)| leaf(&envelope.header)).collect();
        let proofs: Vec<_> = class.iter().map(|(_, envelope)| &envelope.proof).collect();
        let batch = join(&proofs);
        for ((_, envelope), leaf) in class.iter().zip(&leaves) {
            self.headers.insert(*leaf, envelope.header.clone());
        }
        let subject = |((send, _), header): (&(Send, Envelope), &Digest)| Subject {
            message: send.id(),
            header: *header,
        };
        let subjects = class.iter().zip(&leaves).map(subject).collect();
        let keep_until = Some(self.at.after(101 * DAY));
        Decided { batch, keep_until, subjects, ..decided }
    }

    /// The same for one message.
    pub fn first_of(&mut self, decided: Decided, send: &Send, envelope: Envelope) -> Decided {
        self.first(decided, &[(send.clone(), envelope)])
    }

    pub fn decide(
        &self,
        send: &Send,
        envelope: &Envelope,
        path: &[Ministry],
        next: Option<&Ministry>,
        submitter: Option<&SpiffeId>,
        approvals: &[SignedApproval],
    ) -> Decided {
        let header = send.header(self.cast);
        let dest = header.to[0].address.ministry().clone();
        let system = submitter.cloned().map(Giver::System);
        let giver = system.or_else(|| path.last().cloned().map(Giver::Peer));
        self.cast.decide(&Question {
            at: self.at,
            home: &self.home,
            header: &header,
            subject: leaf(&envelope.header),
            dest: &dest,
            path,
            next,
            giver: giver.as_ref(),
            approvals,
        })
    }

    /// A peer hands a message over. Gives the place of the receipt.
    pub fn arrive(
        &mut self,
        send: &Send,
        envelope: &Envelope,
        way: (&Signer, &[Ministry], Option<&Ministry>),
    ) -> u64 {
        self.arrive_with(send, envelope, way, &[])
    }

    pub fn arrive_with(
        &mut self,
        send: &Send,
        envelope: &Envelope,
        way: (&Signer, &[Ministry], Option<&Ministry>),
        approvals: &[SignedApproval],
    ) -> u64 {
        self.arrive_class(&[(send.clone(), envelope.clone())], way, approvals)
    }

    /// A peer hands messages over that are decided on as one.
    pub fn arrive_class(
        &mut self,
        class: &[(Send, Envelope)],
        (signer, path, next): (&Signer, &[Ministry], Option<&Ministry>),
        approvals: &[SignedApproval],
    ) -> u64 {
        let (send, envelope) = &class[0];
        self.at = self.at.max(send.at.after(Duration::from_millis(20)));
        self.show(signer.certificate());
        let decided = self.decide(send, envelope, path, next, None, approvals);
        let permitted = decided.ruling == LoggedRuling::Permit;
        let decided = self.first(decided, class);
        let from = path.last().unwrap();
        let mut links = vec![(from.clone(), Direction::In)];
        links.extend(next.filter(|_| permitted).map(|next| (next.clone(), Direction::Out)));
        self.append(links, LogEvent::Decided(Box::new(decided)));
        let kind = if permitted { ReceiptKind::Relayed } else { ReceiptKind::Refused };
        let headers: Vec<Header> = class.iter().map(|(send, _)| send.header(self.cast)).collect();
        for (_, envelope) in class.iter().filter(|_| permitted) {
            self.pass(from, Direction::In, self.at, leaf(&envelope.header));
        }
        self.state_by(&headers, kind, Some(Giver::Peer(from.clone())))
    }

    /// States what became of a message.
    pub fn state(&mut self, header: &Header, kind: ReceiptKind, by: Option<&SpiffeId>) -> u64 {
        let by = by.cloned().map(Giver::System);
        self.state_by(std::slice::from_ref(header), kind, by)
    }

    /// States what became of messages.
    pub fn state_by(&mut self, headers: &[Header], kind: ReceiptKind, by: Option<Giver>) -> u64 {
        let negative = matches!(kind, ReceiptKind::Refused | ReceiptKind::Expired);
        let told = |header: &Header| {
            let subject = Subject { message: header.id, header: leaf(&header::encode(header)) };
            let recipients = self.speaks_of(header).into_iter();
            recipients.map(move |recipient| Addressed { subject, recipient }).collect::<Vec<_>>()
        };
        let receipt = Receipt {
            issuer: self.home.clone(),
            kind,
            at: self.at,
            sender: headers[0].from.clone(),
            by,
            code: negative.then_some(kuriiri_types::Code::POLICY),
            reasons: vec![],
            subjects: headers.iter().flat_map(told).collect(),
        };
        self.append(vec![], LogEvent::Receipt(receipt))
    }

    /// The recipients of a message whom a relay speaks of: all at its origin, else its own, and a hub those
    /// of the first's ministry.
    fn speaks_of(&self, header: &Header) -> Vec<Address> {
        let all = || header.to.iter().map(|recipient| recipient.address.clone());
        let at = |ministry: &Ministry| all().filter(|a| a.ministry() == ministry).collect();
        let here: Vec<Address> = at(&self.home);
        if *header.from.ministry() == self.home {
            all().collect()
        } else if here.is_empty() {
            at(header.to[0].address.ministry())
        } else {
            here
        }
    }

    /// A receipt of another relay comes in.
    pub fn hear(&mut self, from: &Ministry, receipt: SignedReceipt) -> u64 {
        self.at = self.at.after(Duration::from_millis(5));
        if let Ok(said) = kuriiri_wire::receipt::decode(&receipt.entry)
            && said.kind == ReceiptKind::Relayed
            && said.issuer == *from
        {
            for told in &said.subjects {
                self.pass(from, Direction::Out, said.at, told.subject.header);
            }
        }
        let receipt = Box::new(receipt);
        self.append(vec![], LogEvent::ReceiptIn { from: from.clone(), receipt })
    }

    fn pass(&mut self, peer: &Ministry, direction: Direction, at: Timestamp, header: Digest) {
        let minute = at.as_millis() / 60_000 * 60_000;
        self.passed.push((minute, peer.clone(), direction, header));
    }

    /// Says that headers were pruned that were kept until a time.
    pub fn say_pruned(&mut self, until: Timestamp) -> u64 {
        let by = format!("spiffe://{}/operator/otto", self.home).parse().unwrap();
        let (headers, basis) = (1000, "AL 831/1994".into());
        self.append(vec![], LogEvent::Pruned { until, headers, by, basis })
    }

    /// Says that a message was erased, with its header or without.
    pub fn say_erased(&mut self, subject: Digest, header: bool) -> u64 {
        let by = format!("spiffe://{}/operator/otto", self.home).parse().unwrap();
        self.append(vec![], LogEvent::Erased { subject, header, by, basis: "JulkL 24 §".into() })
    }

    pub fn witness_checkpoint(&mut self, of: &Author<'_>) {
        let checkpoint = of.cosigned_at(&[self.node], self.at.as_millis() as u64 / 1000);
        self.append(vec![], LogEvent::PeerCheckpoint { checkpoint });
    }

    /// An officer of the ministry releases a message that waits; then it goes to `next`.
    pub fn release(&mut self, send: &Send, envelope: &Envelope, next: &Ministry) -> SignedApproval {
        let officer = &self.member().officer;
        let header = send.header(self.cast);
        let said = Approval {
            message: header.id,
            subject: leaf(&envelope.header),
            content: header.content(),
            label: header.label.clone().unwrap(),
            recipients: header.to.clone(),
            keys: header.sealing.as_ref().map(|s| s.keys.clone()).unwrap_or_default(),
            needed: 1,
            until: None,
            expires: header.expires,
            officer: officer.id().clone(),
            roles: vec!["release".into()],
            act: ApprovalAct::Release,
            at: self.at,
        };
        let bytes = approval::encode(&said);
        let proof = officer.sign(Purpose::Approvals, &[leaf(&bytes)]).remove(0);
        let signed = SignedApproval { approval: bytes, proof };
        let certificate = officer.certificate().clone();
        self.show(&certificate);
        let subject = said.subject;
        self.append(vec![], LogEvent::Approved { subject, approval: signed.clone() });
        let approvals = std::slice::from_ref(&signed);
        let decided = self.decide(send, envelope, &[], Some(next), None, approvals);
        assert_eq!(decided.ruling, LoggedRuling::Permit, "{:?}", decided.reasons);
        let links = vec![(next.clone(), Direction::Out)];
        self.append(links, LogEvent::Decided(Box::new(decided)));
        signed
    }
}
