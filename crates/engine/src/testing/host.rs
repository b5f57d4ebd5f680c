//! One relay: an engine, its state, and the time.

use std::time::Duration;

use kuriiri_seal::VerifiedApproval;
use kuriiri_types::{
    Address, Lane, Ministry, Precedence, Receipt, ReceiptKind, Timestamp, Verdict,
};

use super::{
    Letter, Memory, NOW,
    cast::{self, WireCodec, ministry, system},
};
use crate::{
    Action, Arrival, BatchId, Codec, Commit, Delivery, Engine, Event, HoldState, Item, LinkId,
    Load, QueueId, Random, Reply, SubscriptionId, Token,
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
    ministry: Ministry,
}

impl Host {
    /// A relay that starts for the first time, with two peers.
    pub(crate) fn new(of: &str) -> Self {
        Self::start(ministry(of), Memory::default(), NOW)
    }

    /// A relay on a state that another left behind.
    pub(crate) fn start(ministry: Ministry, mut disk: Memory, now: Timestamp) -> Self {
        let config = cast::config(&ministry);
        let peers = ["plm.example", "verkko.example"].map(cast::ministry);
        let restored = Engine::restore(config, peers, now, &mut Still, &disk);
        let (engine, step) = restored.unwrap();
        disk.apply(&step.commit);
        let (commit, wake) = (step.commit, step.wake);
        Self { engine, disk, now, commit, wake, endorsements: Vec::new(), ministry }
    }

    /// The same relay after a loss of power.
    pub(crate) fn restart(self) -> Self {
        Self::start(self.ministry, self.disk, self.now)
    }

    pub(crate) fn step(&mut self, events: Vec<Event>) -> Vec<Action> {
        let step = self.engine.step(self.now, &mut Still, &self.disk, events).unwrap();
        self.disk.apply(&step.commit);
        (self.commit, self.wake) = (step.commit, step.wake);
        step.actions
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
            messages: letters.iter().map(|letter| Ok(letter.verified())).collect(),
            certificates: Vec::new(),
        }]);
        let mut answers = actions.into_iter().filter_map(|action| {
            let Action::Answer(Token(7), Reply::Verdicts { verdicts, receipts }) = action else {
                return None;
            };
            let receipts =
                receipts.iter().map(|r| kuriiri_wire::receipt::decode(&r.receipt).unwrap());
            Some((verdicts, receipts.collect()))
        });
        let answer = answers.next().unwrap();
        assert!(answers.next().is_none(), "one answer to one question");
        answer
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
        let path: Vec<_> = path.iter().map(|relay| ministry(relay)).collect();
        let dest = self.ministry.clone();
        let parcel = |letter: &Letter| Arrival {
            message: letter.verified(),
            dest: dest.clone(),
            path: path.clone(),
            approvals: self.endorsements.clone(),
        };
        let actions = self.step(vec![Event::Arrived {
            peer: ministry(peer),
            link: LinkId(901),
            token: Token(8),
            lane: ROUTINE,
            epoch: 0,
            parcels: letters.iter().map(|letter| Ok(parcel(letter))).collect(),
            certificates: Vec::new(),
        }]);
        let verdicts = actions.into_iter().find_map(|action| {
            let Action::Answer(Token(8), Reply::Verdicts { verdicts, receipts }) = action else {
                return None;
            };
            assert_eq!(receipts, []);
            Some(verdicts)
        });
        verdicts.unwrap()
    }

    /// An officer hands in an approval.
    pub(crate) fn approve(&mut self, approval: VerifiedApproval) -> Reply {
        let officer = approval.officer().clone();
        let (token, certificates) = (Token(9), Vec::new());
        let approval = Box::new(approval);
        self.ask(Event::Approved { officer, token, approval, certificates })
    }

    /// What officers see.
    pub(crate) fn holds(&mut self) -> Vec<HoldState> {
        let officer = cast::officer(&self.ministry, "anna");
        match self.ask(Event::HoldsAsked { officer, token: Token(9), after: None }) {
            Reply::Holds(holds, false) => holds,
            Reply::Refused(refusal) => panic!("{refusal:?}"),
            Reply::Verdicts { .. }
            | Reply::Outcome(_)
            | Reply::Status(_)
            | Reply::Hold(_)
            | Reply::Holds(..)
            | Reply::Decisions(_)
            | Reply::Resolved(_) => panic!("no list"),
        }
    }

    fn ask(&mut self, event: Event) -> Reply {
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

    pub(crate) fn answer(
        &mut self,
        peer: &str,
        (link, batch): (u64, u64),
        verdicts: Vec<Verdict>,
    ) -> Vec<Action> {
        let (peer, link, batch) = (ministry(peer), LinkId(link), BatchId(batch));
        self.step(vec![Event::Answered { peer, link, lane: ROUTINE, batch, verdicts }])
    }

    pub(crate) fn want(mailbox: &Address, subscription: u64, credit: u32) -> Event {
        let (system, mailbox) = (system(mailbox), mailbox.clone());
        Event::Wanted { system, subscription: SubscriptionId(subscription), mailbox, credit }
    }

    // === what can be seen of it ===

    /// The receipts that wait for a sender here, told apart by what they say.
    pub(crate) fn receipts(&self, of: &Address) -> Vec<(ReceiptKind, Receipt)> {
        let queue = QueueId::Receipts(of.clone());
        let packs = self.disk.packs.iter().filter(|(key, _)| key.queue == queue);
        let items = packs.flat_map(|(_, pack)| &pack.items);
        let receipts = items.map(|item| match item {
            Item::Receipt(signed) => kuriiri_wire::receipt::decode(&signed.receipt).unwrap(),
            Item::Parcel(_) => panic!("a message among receipts"),
        });
        receipts.map(|receipt| (receipt.kind, receipt)).collect()
    }

    /// How many messages wait in a queue, as the engine counts them.
    pub(crate) fn waiting(&self, queue: &QueueId) -> u64 {
        self.engine.queues.waiting(queue)
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
fn number(header: &bytes::Bytes) -> u8 {
    WireCodec.header(header).unwrap().id.as_bytes()[15]
}
