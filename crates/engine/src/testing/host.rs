//! One relay: an engine, its state, and the time.

use std::{collections::BTreeMap, time::Duration};

use kuriiri_merkle::leaf;
use kuriiri_seal::{VerifiedApproval, VerifiedMessage};
use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{
    Address, Addressed, Codec, Entry, Giver, Header, Lane, LogEvent, Ministry, Precedence, Receipt,
    ReceiptKind, SignedReceipt, Subject, Timestamp, Verdict,
};
use kuriiri_wire::WireCodec;

use super::{
    Letter, Memory, NOW,
    cast::{self, ministry, system},
    logs::{stated, verified},
};
use crate::{
    Action, Answer, Arrival, BatchId, Commit, Config, Delivery, Engine, Event, HoldState, Item,
    LinkId, Load, PersonRequest, QueueId, Random, ReceiptOut, Reply, SubscriptionId, Token,
    Unproved,
};

/// No randomness: waits are never spread.
pub(crate) struct Still;

impl Random for Still {
    fn next(&mut self) -> u64 {
        0
    }
}

/// The lane that letters travel in unless they say otherwise.
const ROUTINE: Lane = Lane::Messages(Precedence::Routine);

/// A relay at work. Each step is committed before the next.
pub(crate) struct Host {
    pub(crate) engine: Engine,
    pub(crate) disk: Memory,
    pub(crate) now: Timestamp,
    /// What the last step made durable.
    pub(crate) commit: Commit,
    /// When the last step asked for the next.
    pub(crate) wake: Option<Timestamp>,
    /// What comes along with everything that arrives.
    pub(crate) endorsements: Vec<VerifiedApproval>,
    /// Receipts as they were handed out with answers, in order.
    pub(crate) answered: Vec<SignedReceipt>,
    /// What was handed to peers, by link and batch.
    sent: BTreeMap<(LinkId, BatchId), Vec<Load>>,
    ministry: Ministry,
}

impl Host {
    /// A relay that starts for the first time, with two peers.
    pub(crate) fn new(of: &str) -> Self {
        Self::start(ministry(of), Memory::default(), NOW)
    }

    /// A relay on a state that another left behind.
    pub(crate) fn start(ministry: Ministry, disk: Memory, now: Timestamp) -> Self {
        Self::start_as(cast::config(&ministry), disk, now)
    }

    /// A relay that is made of this.
    pub(crate) fn start_as(config: Config, mut disk: Memory, now: Timestamp) -> Self {
        let ministry = config.ministry.clone();
        let peers = ["plm.example", "verkko.example"].map(cast::ministry);
        let restored = Engine::restore(config, peers, now, &mut Still, &disk);
        let (engine, step) = restored.unwrap();
        disk.apply(&step.commit);
        let (commit, wake) = (step.commit, step.wake);
        let (endorsements, answered, sent) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { engine, disk, now, commit, wake, endorsements, answered, sent, ministry }
    }

    /// The same relay after a loss of power.
    pub(crate) fn restart(self) -> Self {
        Self::start(self.ministry, self.disk, self.now)
    }

    pub(crate) fn step(&mut self, events: Vec<Event>) -> Vec<Action> {
        let step = self.engine.step(self.now, &mut Still, &self.disk, events).unwrap();
        self.disk.apply(&step.commit);
        (self.commit, self.wake) = (step.commit, step.wake);
        step.actions.iter().for_each(|action| self.check(action));
        step.actions
    }

    /// Every receipt that is handed out stands in the log that it names, at the place that it names.
    fn check(&mut self, action: &Action) {
        for signed in self.handed_out(action) {
            let issuer = verified(&signed).receipt().issuer.clone();
            if issuer == self.ministry {
                let place = usize::try_from(signed.index).unwrap();
                assert_eq!(self.disk.entries[place], signed.entry);
                assert_eq!(self.disk.checkpoints.last(), Some(&signed.checkpoint));
            }
        }
        if let Action::Transmit { link, lane: ROUTINE, batch, load, .. } = action {
            self.sent.insert((*link, *batch), load.clone());
        }
        if let Action::Answer(_, Reply::Verdicts { receipts, .. }) = action {
            let proved: Vec<_> = receipts.iter().map(|receipt| self.disk.prove(receipt)).collect();
            self.answered.extend(proved);
        }
    }

    /// The receipts that an action hands out, with their proofs.
    pub(crate) fn handed_out(&self, action: &Action) -> Vec<SignedReceipt> {
        let out = |receipt: &ReceiptOut| match receipt {
            ReceiptOut::Own(unproved) => self.disk.prove(unproved),
            ReceiptOut::Other(signed) => signed.clone(),
        };
        match action {
            Action::Answer(_, Reply::Verdicts { receipts, .. }) => {
                receipts.iter().map(|receipt| self.disk.prove(receipt)).collect()
            }
            Action::DeliverReceipts { receipts, .. } => {
                receipts.iter().map(|(_, receipt)| out(receipt)).collect()
            }
            Action::Transmit { load, .. } => {
                let receipt = |load: &Load| match load {
                    Load::Receipt(receipt) => Some(out(receipt)),
                    Load::Parcel { .. } => None,
                };
                load.iter().filter_map(receipt).collect()
            }
            Action::Answer(..)
            | Action::Confirm { .. }
            | Action::Deliver { .. }
            | Action::Dial(_)
            | Action::Refuse(..) => Vec::new(),
        }
    }

    /// Lets time pass and takes all steps that are asked for by then.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<Action> {
        self.now = self.now.after(time);
        let mut actions = self.step(Vec::new());
        for _ in 0..100 {
            if self.wake.is_none_or(|wake| wake > self.now) {
                return actions;
            }
            actions.extend(self.step(Vec::new()));
        }
        panic!("the engine wants steps without end");
    }

    // === what happens to it ===

    /// A system hands over letters of one sender in one batch.
    pub(crate) fn submit(&mut self, letters: &[Letter]) -> (Vec<Verdict>, Vec<Receipt>) {
        self.submit_in(0, letters)
    }

    pub(crate) fn submit_in(
        &mut self,
        epoch: u32,
        letters: &[Letter],
    ) -> (Vec<Verdict>, Vec<Receipt>) {
        let from = system(&letters[0].from);
        let actions = self.step(vec![Event::Submitted {
            system: from,
            link: LinkId(900),
            token: Token(7),
            lane: ROUTINE,
            epoch,
            messages: Letter::all_verified(letters).into_iter().map(Ok).collect(),
            certificates: Vec::new(),
        }]);
        let mut answers = actions.into_iter().filter_map(|action| {
            let Action::Answer(Token(7), Reply::Verdicts { verdicts, receipts }) = action else {
                return None;
            };
            Some((verdicts, receipts))
        });
        let (verdicts, receipts) = answers.next().unwrap();
        assert!(answers.next().is_none(), "one answer to one question");
        (verdicts, receipts.iter().flat_map(|receipt| self.said(receipt)).collect())
    }

    /// The last relay of a path hands over letters for this ministry in one batch.
    pub(crate) fn arrive(&mut self, path: &[&str], letters: &[Letter]) -> Vec<Verdict> {
        self.arrive_from(path.last().unwrap(), path, letters)
    }

    pub(crate) fn arrive_from(
        &mut self,
        peer: &str,
        path: &[&str],
        letters: &[Letter],
    ) -> Vec<Verdict> {
        let dest = self.ministry.clone();
        let actions = self.arrive_verified((peer, path), Letter::all_verified(letters));
        let answer = actions.into_iter().find_map(|action| {
            let Action::Answer(Token(8), Reply::Verdicts { verdicts, receipts }) = action else {
                return None;
            };
            Some((verdicts, receipts))
        });
        let (verdicts, receipts) = answer.unwrap();
        let headers = letters.iter().map(|letter| (letter.header(), dest.clone()));
        let mut expected = statements((&dest, &ministry(peer)), headers.zip(&verdicts), self.now);
        let mut stated: Vec<_> = receipts.iter().flat_map(|receipt| self.said(receipt)).collect();
        // What is stated about a message in the same words is one statement, whatever came between.
        stated.sort_by(|a, b| a.subjects.cmp(&b.subjects));
        expected.sort_by(|a, b| a.subjects.cmp(&b.subjects));
        expected.dedup();
        stated.retain(|one| expected.contains(one));
        assert_eq!(stated, expected);
        verdicts
    }

    /// Messages come from a peer for this ministry.
    pub(crate) fn arrive_verified(
        &mut self,
        (peer, path): (&str, &[&str]),
        messages: Vec<VerifiedMessage>,
    ) -> Vec<Action> {
        let path: Vec<_> = path.iter().map(|relay| ministry(relay)).collect();
        let dest = self.ministry.clone();
        let parcel = |message| Arrival {
            message,
            dest: dest.clone(),
            path: path.clone(),
            approvals: self.endorsements.clone(),
        };
        self.step(vec![Event::Arrived {
            peer: ministry(peer),
            link: LinkId(901),
            token: Token(8),
            lane: ROUTINE,
            epoch: 0,
            parcels: messages.into_iter().map(|message| Ok(parcel(message))).collect(),
            certificates: Vec::new(),
        }])
    }

    /// What a receipt of this relay says, message by message.
    fn said(&self, receipt: &Unproved) -> Vec<Receipt> {
        one_by_one(verified(&self.disk.prove(receipt)).into_parts().0)
    }

    /// An officer hands in an approval.
    pub(crate) fn approve(&mut self, approval: VerifiedApproval) -> Reply {
        let officer = approval.officer().clone();
        let (token, certificates) = (Token(9), Vec::new());
        let approval = Box::new(approval);
        self.ask(Event::Person {
            person: officer,
            token,
            request: PersonRequest::Approve { approval, certificates },
        })
    }

    /// What officers see.
    pub(crate) fn holds(&mut self) -> Vec<HoldState> {
        let officer = cast::officer(&self.ministry, "anna");
        let asked = Event::Person {
            person: officer,
            token: Token(9),
            request: PersonRequest::Holds { after: None },
        };
        let reply = self.ask(asked);
        let Reply::Holds(holds, false) = reply else { panic!("no list: {reply:?}") };
        holds
    }

    /// The answer to a question that comes with token 9.
    pub(crate) fn ask(&mut self, event: Event) -> Reply {
        let answers = self.step(vec![event]).into_iter().filter_map(|action| {
            let Action::Answer(Token(9), reply) = action else { return None };
            Some(reply)
        });
        let mut answers: Vec<Reply> = answers.collect();
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    pub(crate) fn link_up(&mut self, peer: &str, link: u64) -> Vec<Action> {
        self.step(vec![Event::LinkUp { peer: ministry(peer), link: LinkId(link) }])
    }

    pub(crate) fn link_down(&mut self, peer: &str, link: u64) -> Vec<Action> {
        let (peer, problem) = (Some(ministry(peer)), "cut".into());
        self.step(vec![Event::LinkDown { peer, link: LinkId(link), problem }])
    }

    /// A peer answers a batch, with the receipts that it owes.
    pub(crate) fn answer(
        &mut self,
        peer: &str,
        (link, batch): (u64, u64),
        verdicts: Vec<Verdict>,
    ) -> Vec<Action> {
        let receipts = self.owed(peer, (link, batch), &verdicts);
        self.answer_with(peer, (link, batch), verdicts, receipts)
    }

    /// A peer answers a batch with these receipts.
    pub(crate) fn answer_with(
        &mut self,
        peer: &str,
        (link, batch): (u64, u64),
        verdicts: Vec<Verdict>,
        receipts: Vec<VerifiedReceipt>,
    ) -> Vec<Action> {
        let (peer, link, batch) = (ministry(peer), LinkId(link), BatchId(batch));
        let answers = verdicts.into_iter().map(Answer::Verdict).collect();
        self.step(vec![Event::Answered { peer, link, lane: ROUTINE, batch, answers, receipts }])
    }

    /// The receipts that a peer owes with such verdicts on a batch.
    pub(crate) fn owed(
        &self,
        peer: &str,
        (link, batch): (u64, u64),
        verdicts: &[Verdict],
    ) -> Vec<VerifiedReceipt> {
        let load = self.sent.get(&(LinkId(link), BatchId(batch)));
        let parcels = load.into_iter().flatten().filter_map(|load| match load {
            Load::Parcel { envelope, dest, .. } => Some((header(&envelope.header), dest.clone())),
            Load::Receipt(_) => None,
        });
        let all = statements((&ministry(peer), &self.ministry), parcels.zip(verdicts), self.now);
        stated(together(all))
    }

    pub(crate) fn want(mailbox: &Address, subscription: u64, credit: u32) -> Event {
        let (system, mailbox) = (system(mailbox), mailbox.clone());
        Event::Wanted { system, subscription: SubscriptionId(subscription), mailbox, credit }
    }

    // === what can be seen of it ===

    /// Whose relay it is.
    pub(crate) fn home(&self) -> &str {
        self.ministry.as_str()
    }

    /// The receipts that wait for a sender here, told apart by what they say.
    pub(crate) fn receipts(&self, of: &Address) -> Vec<(ReceiptKind, Receipt)> {
        let queue = QueueId::Receipts(of.clone());
        let packs = self.disk.packs.iter().filter(|(key, _)| key.queue == queue);
        let items = packs.flat_map(|(_, pack)| &pack.items);
        let receipts = items.map(|item| match item {
            Item::Receipt(place) => self.receipt_at(*place),
            Item::Parcel(_) => panic!("a message among receipts"),
        });
        receipts.flat_map(one_by_one).map(|receipt| (receipt.kind, receipt)).collect()
    }

    /// The receipt that an entry of the log is, or holds.
    fn receipt_at(&self, place: u64) -> Receipt {
        let entry = WireCodec.entry(&self.disk.entries[usize::try_from(place).unwrap()]);
        let event = entry.unwrap().event;
        let kind = event.kind();
        if let LogEvent::ReceiptIn { receipt, .. } = event {
            return verified(&receipt).into_parts().0;
        }
        let LogEvent::Receipt(receipt) = event else { panic!("{kind} among receipts") };
        receipt
    }

    /// What the last step wrote into the log.
    pub(crate) fn written(&self) -> Vec<Entry> {
        let first = self
            .commit
            .log
            .as_ref()
            .map_or(self.disk.entries.len(), |append| usize::try_from(append.first).unwrap());
        self.disk.entries_from(first)
    }

    /// The kinds of what the last step wrote into the log.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.written().iter().map(|entry| entry.event.kind()).collect()
    }

    /// How many messages wait in a queue, as the engine counts them.
    pub(crate) fn waiting(&self, queue: &QueueId) -> u64 {
        self.engine.waiting(queue)
    }

    /// The batches of letters that are handed to peers: link, number, epoch, and the letters.
    pub(crate) fn batches(actions: &[Action]) -> Vec<(u64, u64, u32, Vec<u8>)> {
        let batch = |action: &Action| {
            let Action::Transmit { link, lane: ROUTINE, batch, epoch, load, .. } = action else {
                return None;
            };
            Some((link.0, batch.0, *epoch, load.iter().map(loaded).collect()))
        };
        actions.iter().filter_map(batch).collect()
    }

    /// What is handed to receivers: the subscription and the items.
    pub(crate) fn deliveries(actions: &[Action]) -> Vec<(u64, Vec<Delivery>)> {
        let delivery = |action: &Action| {
            let Action::Deliver { subscription, items } = action else { return None };
            Some((subscription.0, items.clone()))
        };
        actions.iter().filter_map(delivery).collect()
    }

    /// The numbers of the letters that are handed to one receiver, in order.
    pub(crate) fn delivered(actions: &[Action], to: u64) -> Vec<u8> {
        let items = Self::deliveries(actions).into_iter().filter(|(whom, _)| *whom == to);
        items.flat_map(|(_, items)| items).map(|item| number(&item.envelope.header)).collect()
    }
}

/// Accepted for the first time, now.
pub(crate) fn accepted(at: Timestamp) -> Verdict {
    Verdict::Accepted { at, repeat: false }
}

fn loaded(load: &Load) -> u8 {
    match load {
        Load::Parcel { envelope, .. } => number(&envelope.header),
        Load::Receipt(_) => panic!("a receipt among messages"),
    }
}

/// The number of the letter with this header.
fn number(bytes: &bytes::Bytes) -> u8 {
    header(bytes).id.as_bytes()[15]
}

fn header(bytes: &bytes::Bytes) -> Header {
    WireCodec.header(bytes).unwrap()
}

/// What a statement says, message by message.
pub(crate) fn one_by_one(statement: Receipt) -> Vec<Receipt> {
    let told = statement.subjects.clone().into_iter();
    told.map(|told| Receipt { subjects: vec![told], ..statement.clone() }).collect()
}

/// Statements about many messages, of what is said about each in the same words.
pub(crate) fn together(all: Vec<Receipt>) -> Vec<Receipt> {
    let mut statements: Vec<Receipt> = Vec::new();
    for one in all {
        let bare = |receipt: &Receipt| Receipt { subjects: Vec::new(), ..receipt.clone() };
        match statements.iter_mut().find(|known| bare(known) == bare(&one)) {
            Some(known) => known.subjects.extend(one.subjects),
            None => statements.push(one),
        }
    }
    statements
}

/// What a relay has to state with its verdicts on copies of messages, which it gives now: each by itself.
fn statements<'a>(
    (issuer, giver): (&Ministry, &Ministry),
    judged: impl Iterator<Item = ((Header, Ministry), &'a Verdict)>,
    now: Timestamp,
) -> Vec<Receipt> {
    let mut statements = Vec::new();
    for ((header, dest), verdict) in judged {
        let (kind, at, code) = match verdict {
            Verdict::Accepted { at, .. } => (ReceiptKind::Relayed, *at, None),
            Verdict::Refused(refusal) => (ReceiptKind::Refused, now, Some(refusal.code)),
            Verdict::Busy | Verdict::Later(_) => continue,
        };
        for recipient in header.recipients_at(&dest) {
            let leaf = leaf(&kuriiri_wire::header::encode(&header));
            let subject = Subject { message: header.id, header: leaf };
            statements.push(Receipt {
                issuer: issuer.clone(),
                kind,
                at,
                sender: header.from.clone(),
                by: Some(Giver::Peer(giver.clone())),
                code,
                reasons: Vec::new(),
                subjects: vec![Addressed { subject, recipient: recipient.address.clone() }],
            });
        }
    }
    statements
}
