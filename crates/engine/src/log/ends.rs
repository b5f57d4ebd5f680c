//! Where the chains of messages with each peer end.
//!
//! A step costs what it touches: it sees the ends of all chains and copies only those that move.

use std::{collections::BTreeMap, sync::Arc};

use kuriiri_types::{Digest, Direction, Ministry};

use crate::record::ChannelEnd;

/// A chain: the peer, and which way its messages go.
type Chain = (Ministry, Direction);
/// The number of the next link, and the leaf hash of the last.
type End = (u64, Digest);

/// The ends between two steps.
#[derive(Debug, Default)]
pub(super) struct Ends(Arc<BTreeMap<Chain, End>>);

/// The ends while a step is in the making.
#[derive(Debug)]
pub(super) struct MovingEnds {
    before: Arc<BTreeMap<Chain, End>>,
    moved: BTreeMap<Chain, End>,
}

impl Ends {
    /// Takes up the ends that were left behind.
    pub(super) fn restore(ends: Vec<ChannelEnd>) -> Self {
        let end = |end: ChannelEnd| ((end.peer, end.direction), (end.next, end.last));
        Self(Arc::new(ends.into_iter().map(end).collect()))
    }

    /// The ends for a step.
    pub(super) fn begin(&self) -> MovingEnds {
        MovingEnds { before: Arc::clone(&self.0), moved: BTreeMap::new() }
    }

    /// Takes over the ends that a step moved.
    pub(super) fn advance(&mut self, MovingEnds { before, moved }: MovingEnds) {
        // Nobody else may hold the map now, or all of it would be copied.
        drop(before);
        Arc::make_mut(&mut self.0).extend(moved);
    }
}

impl MovingEnds {
    /// Where a chain ends; one without a link has zeros.
    pub(super) fn get(&self, chain: &Chain) -> End {
        let end = self.moved.get(chain).or_else(|| self.before.get(chain));
        end.copied().unwrap_or((0, Digest([0; 32])))
    }

    /// Adds a link to a chain.
    pub(super) fn link(&mut self, chain: Chain, leaf: Digest) {
        let (next, _) = self.get(&chain);
        self.moved.insert(chain, (next.saturating_add(1), leaf));
    }

    /// The ends that moved in this step.
    pub(super) fn moved(&self) -> Vec<ChannelEnd> {
        let moved = self.moved.iter();
        let end = |((peer, direction), (next, last)): (&Chain, &End)| ChannelEnd {
            peer: peer.clone(),
            direction: *direction,
            next: *next,
            last: *last,
        };
        moved.map(end).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(peer: &str, direction: Direction) -> Chain {
        (peer.parse().unwrap(), direction)
    }

    #[test]
    fn a_step_moves_what_it_touches_and_copies_nothing_else() {
        let (um, plm) = (chain("um.example", Direction::In), chain("plm.example", Direction::Out));
        let end = |(peer, direction): &Chain, next, leaf| ChannelEnd {
            peer: peer.clone(),
            direction: *direction,
            next,
            last: Digest([leaf; 32]),
        };
        let mut ends = Ends::restore(vec![end(&um, 7, 1), end(&plm, 9, 2)]);
        let place = Arc::as_ptr(&ends.0);
        let mut moving = ends.begin();
        assert_eq!(moving.moved(), []);
        for leaf in [3, 4] {
            moving.link(um.clone(), Digest([leaf; 32]));
        }
        let other = chain("um.example", Direction::Out);
        moving.link(other.clone(), Digest([5; 32]));
        assert_eq!(moving.moved(), [end(&um, 9, 4), end(&other, 1, 5)]);
        assert_eq!(moving.get(&plm), (9, Digest([2; 32])));
        assert_eq!(ends.begin().get(&um), (7, Digest([1; 32])), "not before the step is over");
        ends.advance(moving);
        assert_eq!(Arc::as_ptr(&ends.0), place, "the map was copied");
        let next = ends.begin();
        assert_eq!((next.get(&um).0, next.get(&other).0, next.get(&plm).0), (9, 1, 9));
        assert_eq!(next.moved(), []);
    }
}
