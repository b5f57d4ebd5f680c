//! One relay's log in the making.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use bytes::Bytes;
use kuriiri_merkle::{Frontier, Growth, inclusion, leaf};
use kuriiri_seal::{Purpose, Signer, commit};
use kuriiri_tlog::{
    Bundle, Checkpoint, NoteSigner, Tile, add_signature, bundles_of, encode_bundle, encode_tile,
    tiles_of,
};
use kuriiri_types::{
    Address, Approval, ApprovalAct, Channel, Decided, Digest, Direction, Entry, Envelope, FilePart,
    Header, LogEvent, LoggedRuling, MessageId, MessageType, Ministry, Precedence, Receipt,
    ReceiptKind, Recipient, Role, SealKeyId, Sealing, SignedApproval, SignedReceipt, SpiffeId,
    Timestamp, WireLabel,
};
use kuriiri_wire::{approval, entry, header};

use super::{Cast, Member, NOW, judge::Question};

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
    /// Receipts that are not summed up yet: minute, peer, direction and header.
    pub passed: Vec<(i64, Ministry, Direction, Digest)>,
}

/// What is sent.
#[derive(Clone)]
pub struct Send {
    pub label: &'static str,
    pub sealed: bool,
    pub at: Timestamp,
    pub number: u64,
    pub from: &'static str,
    pub to: &'static str,
}

impl Send {
    pub fn new(from: &'static str, to: &'static str, number: u64) -> Self {
        let at = NOW.after(Duration::from_secs(10 * number));
        Self { label: "FI JULK", sealed: false, at, number, from, to }
    }

    /// Sealed, and an officer must release it.
    pub fn held(from: &'static str, to: &'static str, number: u64) -> Self {
        Self { label: "FI TL3", sealed: true, ..Self::new(from, to, number) }
    }

    pub fn id(&self) -> MessageId {
        let mut random = [9; 10];
        random[..8].copy_from_slice(&self.number.to_be_bytes());
        MessageId::new(self.at, random)
    }

    pub fn header(&self, cast: &Cast) -> Header {
        let domain = |node: &str| -> Ministry { cast.member(node).system.id().ministry().clone() };
        let (from, to) = (domain(self.from), domain(self.to));
        let key =
            |ministry: &Ministry, n| SealKeyId { ministry: ministry.clone(), key: Digest([n; 32]) };
        let body = self.body();
        Header {
            id: self.id(),
            from: Address::new("kirjaamo", from.clone()).unwrap(),
            to: vec![Recipient {
                address: Address::new("kirjaamo", to.clone()).unwrap(),
                role: Role::Action,
            }],
            label: Some(self.label.parse::<WireLabel>().unwrap()),
            precedence: Precedence::Routine,
            message_type: MessageType::Operation,
            created: self.at,
            expires: None,
            content_type: "text/plain".into(),
            body_size: (body.len() - 32) as u64,
            body_commitment: commit(&body).unwrap(),
            subject: String::new(),
            conversation: None,
            in_reply_to: None,
            obsoletes: None,
            sealing: self.sealed.then(|| Sealing {
                suite: 1,
                keys: vec![key(&to, 1), key(&from, 2)],
                content: Digest([3; 32]),
            }),
            drafter: None,
        }
    }

    /// Salt and body.
    pub fn body(&self) -> Vec<u8> {
        let mut body = vec![self.number as u8; 32];
        body.extend(format!("body {}", self.number).bytes());
        body
    }

    pub fn envelope(&self, cast: &Cast, signer: &Signer) -> Envelope {
        let bytes = header::encode(&self.header(cast));
        let proof = signer.sign(Purpose::Messages, &[leaf(&bytes)]).remove(0);
        Envelope { header: bytes, proof }
    }
}

impl<'a> Author<'a> {
    /// A relay that has started and told which files are in force.
    pub fn start(cast: &'a Cast, node: &'static str) -> Self {
        let mut author = Self::blank(cast, node);
        author.append(vec![], LogEvent::Booted { software: "test".into() });
        author.put_in_force();
        author
    }

    pub fn blank(cast: &'a Cast, node: &'static str) -> Self {
        Self {
            cast,
            node,
            home: cast.member(node).system.id().ministry().clone(),
            entries: vec![],
            raw: vec![],
            tree: Growth::on(&Frontier::new()),
            ends: BTreeMap::new(),
            at: NOW,
            boot: 1,
            known: vec![],
            number: node.len() as u8,
            passed: vec![],
        }
    }

    fn member(&self) -> &'a Member {
        self.cast.member(self.node)
    }

    pub fn put_in_force(&mut self) {
        for (file, content) in self.cast.in_force.files.iter().zip(&self.cast.contents) {
            let chunks: Vec<&[u8]> = content.chunks(16 * 1024).collect();
            for (part, bytes) in (0..).zip(&chunks) {
                let parts = chunks.len() as u32;
                let bytes = Bytes::copy_from_slice(bytes);
                let part = FilePart { digest: file.digest, part, parts, bytes };
                self.append(vec![], LogEvent::FilePart(part));
            }
        }
        self.append(vec![], LogEvent::PolicyChanged(self.cast.in_force.clone()));
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
        self.entries.push(entry);
        self.raw.push(bytes);
        self.tree.push(hash)
    }

    /// The same log written anew, every chain and time as if nothing had happened.
    pub fn rewritten(&self, change: impl FnOnce(&mut Vec<Entry>)) -> Self {
        let mut entries = self.entries.clone();
        change(&mut entries);
        let mut new = Self::blank(self.cast, self.node);
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
        self.signed(&self.member().log)
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
        let text = Checkpoint { origin: format!("{}/log", self.home), size, root }.to_string();
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
    }

    // === messages ===

    /// A system hands a message in that goes to `next`.
    pub fn submit(&mut self, send: &Send, next: Option<&Ministry>) -> Decided {
        let signer = &self.member().system;
        let envelope = send.envelope(self.cast, signer);
        self.submit_signed(send, envelope, next)
    }

    pub fn submit_signed(
        &mut self,
        send: &Send,
        envelope: Envelope,
        next: Option<&Ministry>,
    ) -> Decided {
        self.at = self.at.max(send.at);
        let signer = self.member().system.id().clone();
        let certificate = self.member().system.certificate().clone();
        self.show(&certificate);
        let header = send.header(self.cast);
        let mut decided = self.decide(send, &envelope, &[], next, Some(&signer), &[]);
        decided.envelope = Some(envelope);
        let goes = decided.ruling == LoggedRuling::Permit;
        let links = next.filter(|_| goes).map(|next| (next.clone(), Direction::Out));
        self.append(links.into_iter().collect(), LogEvent::Decided(Box::new(decided.clone())));
        let kind = if decided.ruling == LoggedRuling::Deny {
            ReceiptKind::Refused
        } else {
            ReceiptKind::Accepted
        };
        self.state(&header, kind, Some(&signer));
        decided
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
        self.cast.decide(&Question {
            at: self.at,
            home: &self.home,
            header: &header,
            subject: leaf(&envelope.header),
            dest: &dest,
            path,
            next,
            submitter,
            approvals,
        })
    }

    /// A peer hands a message over. Gives the place of the receipt.
    pub fn arrive(
        &mut self,
        send: &Send,
        envelope: &Envelope,
        (signer, path, next): (&Signer, &[Ministry], Option<&Ministry>),
    ) -> u64 {
        self.arrive_with(send, envelope, (signer, path, next), &[])
    }

    pub fn arrive_with(
        &mut self,
        send: &Send,
        envelope: &Envelope,
        (signer, path, next): (&Signer, &[Ministry], Option<&Ministry>),
        approvals: &[SignedApproval],
    ) -> u64 {
        self.at = self.at.max(send.at.after(Duration::from_millis(20)));
        self.show(signer.certificate());
        let mut decided = self.decide(send, envelope, path, next, None, approvals);
        decided.envelope = Some(envelope.clone());
        let permitted = decided.ruling == LoggedRuling::Permit;
        let mut links = vec![(path.last().unwrap().clone(), Direction::In)];
        links.extend(next.filter(|_| permitted).map(|next| (next.clone(), Direction::Out)));
        self.append(links, LogEvent::Decided(Box::new(decided)));
        let kind = if permitted { ReceiptKind::Relayed } else { ReceiptKind::Refused };
        let header = send.header(self.cast);
        if permitted {
            self.pass(path.last().unwrap(), Direction::In, self.at, leaf(&header::encode(&header)));
        }
        self.state(&header, kind, None)
    }

    /// States what became of a message.
    pub fn state(&mut self, header: &Header, kind: ReceiptKind, by: Option<&SpiffeId>) -> u64 {
        let negative = matches!(kind, ReceiptKind::Refused | ReceiptKind::Expired);
        let receipt = Receipt {
            message: header.id,
            header_digest: leaf(&header::encode(header)),
            sender: header.from.clone(),
            recipient: header.to[0].address.clone(),
            kind,
            at: self.at,
            issuer: self.home.clone(),
            code: negative.then_some(kuriiri_types::Code::POLICY),
            reasons: vec![],
            by: by.cloned(),
        };
        self.append(vec![], LogEvent::Receipt(receipt))
    }

    /// A receipt of another relay comes in.
    pub fn hear(&mut self, from: &Ministry, receipt: SignedReceipt) -> u64 {
        self.at = self.at.after(Duration::from_millis(5));
        if let Ok(said) = kuriiri_wire::receipt::decode(&receipt.entry)
            && said.kind == ReceiptKind::Relayed
            && said.issuer == *from
        {
            self.pass(from, Direction::Out, said.at, said.header_digest);
        }
        let receipt = Box::new(receipt);
        self.append(vec![], LogEvent::ReceiptIn { from: from.clone(), receipt })
    }

    fn pass(&mut self, peer: &Ministry, direction: Direction, at: Timestamp, header: Digest) {
        let minute = at.as_millis() / 60_000 * 60_000;
        self.passed.push((minute, peer.clone(), direction, header));
    }

    /// Says that entries were pruned.
    pub fn say_pruned(&mut self, before: u64) -> u64 {
        let by = format!("spiffe://{}/operator/otto", self.home).parse().unwrap();
        self.append(vec![], LogEvent::Pruned { before, by, basis: "AL 831/1994".into() })
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

/// A message from one to the other over a direct link, with both receipts.
pub fn exchange(a: &mut Author<'_>, b: &mut Author<'_>, send: &Send) {
    a.submit(send, Some(&b.home.clone()));
    finish(a, b, send, &[]);
}

pub fn finish(a: &mut Author<'_>, b: &mut Author<'_>, send: &Send, approvals: &[SignedApproval]) {
    let signer = &a.cast.member(a.node).system;
    let envelope = send.envelope(a.cast, signer);
    let received =
        b.arrive_with(send, &envelope, (signer, std::slice::from_ref(&a.home), None), approvals);
    a.hear(&b.home, b.proven(received));
    let by = b.cast.member(b.node).system.id().clone();
    let delivered = b.state(&send.header(b.cast), ReceiptKind::Delivered, Some(&by));
    a.hear(&b.home, b.proven(delivered));
}

/// Writes a log's files.
pub fn write_log(folder: &Path, raw: &[Bytes], tree: &Growth, checkpoint: &[u8]) {
    let put = |path: String, bytes: &[u8]| {
        let place = folder.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    };
    for bundle in bundles_of(tree.size()) {
        let Bundle { index, width } = bundle;
        let first = index as usize * 256;
        put(bundle.path(), &encode_bundle(&raw[first..first + width as usize]).unwrap());
    }
    for tile in tiles_of(tree.size()) {
        let Tile { level, index, width } = tile;
        let hash = |at: u64| tree.node(level * 8, index * 256 + at).unwrap();
        let hashes: Vec<Digest> = (0..u64::from(width)).map(hash).collect();
        put(tile.path(), &encode_tile(&hashes));
    }
    put("checkpoint".into(), checkpoint);
}
