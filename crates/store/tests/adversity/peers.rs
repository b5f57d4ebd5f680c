//! A relay with hundreds of peers on its real state: where the chain of messages with each ends is a
//! record of its own.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use kuriiri_engine::{
    Action, Arrival, Commit, Engine, Event, LinkId, Random, Reply, Step, Token, View,
};
use kuriiri_merkle::leaf;
use kuriiri_store::{Options, Store};
use kuriiri_types::{
    Digest, Direction, Lane, Ministry, Precedence, Verdict, limits::BATCH_MESSAGES_MAX,
};
use kuriiri_wire::entry;

use crate::members::{HOME, Members, NOW, named, system};

/// Ends of so many chains in both directions are far more than one stored value may have.
const PEERS: usize = 320;

const ROUTINE: Lane = Lane::Messages(Precedence::Routine);

/// Where each chain ends, as the entries of the log have it.
type Ends = BTreeMap<(Ministry, Direction), (u64, Digest)>;

/// No randomness: waits are never spread.
struct Still;

impl Random for Still {
    fn next(&mut self) -> u64 {
        0
    }
}

/// The relay at home at work.
struct Relay<'a> {
    members: &'a Members,
    engine: Engine,
    store: Store,
}

impl<'a> Relay<'a> {
    async fn start(members: &'a Members, dir: &Path, ends: &mut Ends) -> Self {
        let options = Options::default().entries(named).danger_without_barrier();
        let store = Store::open(dir, options).unwrap();
        let peers = members.peers.iter().cloned();
        let restored = Engine::restore(members.config(), peers, NOW, &mut Still, &store);
        let (engine, step) = restored.unwrap();
        assert_eq!(kept(&store), *ends);
        let relay = Self { members, engine, store };
        relay.commit(step.commit, ends).await;
        relay
    }

    /// Home sends a message to one peer: the commit speaks of that chain and no other.
    async fn send_one(&mut self, peer: &Ministry, number: u32, ends: &mut Ends) {
        let event = self.sent(std::slice::from_ref(peer), number);
        let step = self.engine.step(NOW, &mut Still, &self.store, vec![event]).unwrap();
        let moved = &step.commit.log.as_ref().unwrap().channels;
        let moved: Vec<_> = moved.iter().map(|end| (&end.peer, end.direction)).collect();
        assert_eq!(moved, [(peer, Direction::Out)]);
        self.commit(step.commit, ends).await;
    }

    async fn step(&mut self, events: Vec<Event>, ends: &mut Ends) -> Vec<Action> {
        let step = self.engine.step(NOW, &mut Still, &self.store, events);
        let Step { commit, actions, .. } = step.unwrap();
        self.commit(commit, ends).await;
        actions
    }

    /// Makes a step durable, whose entries must go on where the chains ended.
    async fn commit(&self, commit: Commit, ends: &mut Ends) {
        for bytes in commit.log.iter().flat_map(|append| &append.entries) {
            link(bytes, ends);
        }
        self.store.commit(commit).await.unwrap();
    }

    /// Home sends a message to each of some peers, and gets one from each, all in one step.
    async fn exchange(&mut self, peers: &[Ministry], number: u32, ends: &mut Ends) {
        let mut events = Vec::new();
        for peers in peers.chunks(BATCH_MESSAGES_MAX) {
            events.push(self.sent(peers, number));
            events.extend(peers.iter().map(|peer| self.arrived(peer, number)));
        }
        let actions = self.step(events, ends).await;
        let answers = actions.iter().filter_map(|action| match action {
            Action::Answer(_, Reply::Verdicts { verdicts, .. }) => Some(verdicts),
            Action::Answer(..)
            | Action::Confirm { .. }
            | Action::Deliver { .. }
            | Action::DeliverReceipts { .. }
            | Action::Dial(_)
            | Action::Refuse(..)
            | Action::Transmit { .. } => None,
        });
        let verdicts: Vec<_> = answers.flatten().collect();
        let is_new =
            |verdict: &&Verdict| matches!(verdict, Verdict::Accepted { repeat: false, .. });
        assert!(verdicts.iter().all(is_new), "{verdicts:?}");
        assert_eq!(verdicts.len(), 2 * peers.len());
    }

    fn sent(&self, peers: &[Ministry], number: u32) -> Event {
        let home: Ministry = HOME.parse().unwrap();
        let places = (number * 10_000..).zip(peers);
        let letters = places.map(|(place, to)| Ok(self.members.letter(&home, to, place)));
        Event::Submitted {
            system: system(&home),
            link: LinkId(900),
            token: Token(7),
            lane: ROUTINE,
            epoch: 0,
            messages: letters.collect(),
            certificates: Vec::new(),
        }
    }

    fn arrived(&self, peer: &Ministry, number: u32) -> Event {
        let home: Ministry = HOME.parse().unwrap();
        let arrival = Arrival {
            message: self.members.letter(peer, &home, number),
            dest: home,
            path: vec![peer.clone()],
            approvals: Vec::new(),
        };
        Event::Arrived {
            peer: peer.clone(),
            link: LinkId(901),
            token: Token(8),
            lane: ROUTINE,
            epoch: 0,
            parcels: vec![Ok(arrival)],
            certificates: Vec::new(),
        }
    }
}

/// Where each chain ends, as the store has it.
fn kept(store: &Store) -> Ends {
    let ends = store.channel_ends().unwrap().into_iter();
    ends.map(|end| ((end.peer, end.direction), (end.next, end.last))).collect()
}

/// Holds the links of an entry against where the chains ended.
fn link(bytes: &Bytes, ends: &mut Ends) {
    for link in entry::decode(bytes).unwrap().channels {
        let end = ends.entry((link.peer, link.direction)).or_insert((0, Digest([0; 32])));
        assert_eq!((link.seq, link.prev), *end);
        *end = (end.0 + 1, leaf(bytes));
    }
}

#[tokio::test]
async fn the_chains_with_hundreds_of_peers_go_on_over_restarts() {
    let (members, dir) = (Members::new(PEERS), tempfile::tempdir().unwrap());
    let mut ends = Ends::new();
    for round in 1..=3 {
        let mut relay = Relay::start(&members, dir.path(), &mut ends).await;
        relay.exchange(&members.peers, round, &mut ends).await;
        assert_eq!(ends.len(), 2 * PEERS);
        assert!(ends.values().all(|(next, _)| *next == u64::from(round)), "{ends:?}");
        assert_eq!(kept(&relay.store), ends);
        relay.store.close().await.unwrap();
    }
    let mut relay = Relay::start(&members, dir.path(), &mut ends).await;
    relay.send_one(&members.peers[PEERS / 2], 4, &mut ends).await;
    assert_eq!(kept(&relay.store), ends);
    relay.store.close().await.unwrap();
    Relay::start(&members, dir.path(), &mut ends).await;
}
