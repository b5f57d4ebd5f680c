//! What both logs say of one message, side by side.

use std::{
    collections::{HashMap, HashSet},
    io,
};

use kuriiri_merkle::root;
use kuriiri_types::{ReceiptKind, Timestamp, limits::CLOCK_SKEW_MAX};

use super::{
    context::Context,
    records::{IdRecord, Tie, TieRecord},
    report::Row,
    survey::{ELSEWHERE, NO_LANE},
    tell::Teller,
};
use crate::{
    nodes::CachedNodes,
    spill::{Spill, groups},
};

/// Pairs of numbers that are kept to see whether messages overtook each other, 24 bytes each; with
/// more it is not looked at any further.
const ORDER_MAX: usize = 4_000_000;

/// Entries about one message that a finding has at most, of each kind.
const ENTRIES_TOLD: usize = 16;

/// Looks at one message after the other.
pub(super) struct Join<'a> {
    context: &'a Context<'a>,
    /// Receiver's side and lane, when the sender decided, when the receiver did. Within one moment of
    /// a relay messages have no order.
    order: Vec<(u8, u64, i64, i64)>,
    /// By side: how many entries of the other log it surely knew of when it ended.
    knew: [u64; 2],
}

/// The records of one message in one direction.
struct Way<'a> {
    from: u8,
    to: u8,
    all: &'a [TieRecord],
}

impl<'a> Way<'a> {
    fn of(&self, side: u8, is_it: impl Fn(Tie) -> bool) -> impl Iterator<Item = &'a TieRecord> {
        self.all.iter().filter(move |record| record.side == side && is_it(record.tie))
    }

    /// Stands for the message.
    fn message(&self) -> [u8; 16] {
        self.all.first().map_or([0; 16], |record| record.message)
    }

    fn sent(&self) -> impl Iterator<Item = &'a TieRecord> {
        self.of(self.from, |tie| tie == Tie::Sent)
    }

    fn heard(&self) -> impl Iterator<Item = &'a TieRecord> {
        self.of(self.from, |tie| matches!(tie, Tie::Heard(_)))
    }

    fn came(&self) -> impl Iterator<Item = &'a TieRecord> {
        self.of(self.to, |tie| matches!(tie, Tie::Came(_)))
    }

    fn took(&self) -> impl Iterator<Item = &'a TieRecord> {
        self.of(self.to, |tie| tie == Tie::Own(ReceiptKind::Relayed))
    }

    fn own(&self, side: u8, kinds: &[ReceiptKind]) -> bool {
        self.of(side, |tie| matches!(tie, Tie::Own(kind) if kinds.contains(&kind))).next().is_some()
    }
}

const ENDS: [ReceiptKind; 2] = [ReceiptKind::Refused, ReceiptKind::Expired];

impl<'a> Join<'a> {
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { context, order: Vec::new(), knew: [0, 1].map(|side| knew(context, side)) }
    }

    pub(super) fn run(
        &mut self,
        ties: Spill<TieRecord>,
        teller: &mut Teller<'_>,
    ) -> io::Result<()> {
        ties.sorted(|records| {
            groups(
                records,
                |record| record.message,
                |all| {
                    for (from, to) in [(0, 1), (1, 0)] {
                        self.way(&Way { from, to, all }, teller);
                    }
                },
            );
        })?;
        self.reordered(teller);
        teller.not_checked();
        Ok(())
    }

    fn way(&mut self, way: &Way<'_>, teller: &mut Teller<'_>) {
        let speaks = way.sent().next().or_else(|| way.came().next()).or_else(|| way.heard().next());
        let Some(first) = speaks else { return };
        let at = way.took().chain(way.came()).next().unwrap_or(first).at;
        if !self.context.is_within(at) {
            return;
        }
        teller.look();
        let mut is_red = self.missing(way, teller);
        is_red |= self.twice(way, teller);
        if way.sent().next().is_none() {
            if way.came().next().is_some() {
                is_red |= self.extra(way, teller);
            }
            if !is_red && way.heard().next().is_some() {
                // It went another way, through a hub, and what the other says of it is there.
                self.matched(way, teller);
            }
            return;
        }
        self.diverges(way, teller);
        self.late(way, teller);
        if !is_red {
            let row = self.row(way);
            if row == Row::Stalled {
                let sent = way.sent().next().map_or(0, |sent| sent.index);
                teller.stalled(way.message(), way.from, sent);
            } else if matches!(row, Row::UnknownToReceiver | Row::BeforeLog) {
                teller.beyond(row, way.to);
            } else if row == Row::Matched {
                self.matched(way, teller);
            } else {
                teller.count(row);
            }
        }
    }

    /// What is matched is in the other log; what is beyond the end of it was not looked at.
    fn matched(&self, way: &Way<'_>, teller: &mut Teller<'_>) {
        let size = self.context.folder(way.to).size();
        if way.heard().any(|heard| heard.place == ELSEWHERE) {
            teller.beyond(Row::ReceiptInOtherLog, way.to);
        } else if way.heard().any(|heard| heard.place >= size) {
            teller.beyond(Row::ReceiptBeyondLog, way.to);
        } else {
            teller.count(Row::Matched);
        }
    }

    /// Every receipt must be where it says, if the log as it was given goes so far: an older copy is
    /// shorter, whatever the clocks showed.
    fn missing(&self, way: &Way<'_>, teller: &mut Teller<'_>) -> bool {
        let size = self.context.folder(way.to).size();
        let there = stated(way);
        let is_missing =
            |heard: &&TieRecord| heard.place < size && !there.contains(&(heard.place, heard.leaf));
        let mut missing = way.heard().filter(is_missing);
        let Some(heard) = missing.next() else { return false };
        teller.missing(way.message(), (way.from, way.to), heard.index, heard.place);
        true
    }

    fn twice(&self, way: &Way<'_>, teller: &mut Teller<'_>) -> bool {
        let mut first = HashMap::new();
        for two in way.took() {
            if let Some(one) = first.insert(two.who, two.index) {
                let came = way.came().map(|came| came.index).take(ENTRIES_TOLD);
                let entries = came.chain([one, two.index]).collect();
                teller.duplicate(way.message(), way.to, entries);
                return true;
            }
        }
        false
    }

    /// It came and never left.
    fn extra(&self, way: &Way<'_>, teller: &mut Teller<'_>) -> bool {
        // What was taken came last of all that was not refused; what was refused may have come another way.
        let taken_from = way.came().filter(|came| came.tie == Tie::Came(true)).last();
        let Some(came) = taken_from.or_else(|| way.came().next()) else { return false };
        // What the receiver refused it did not take: whoever forged it got nowhere.
        let taken: Vec<u64> = way.took().map(|took| took.index).take(ENTRIES_TOLD).collect();
        let brought = way.came().map(|came| came.index).take(ENTRIES_TOLD);
        let entries: Vec<u64> = brought.chain(taken.iter().copied()).collect();
        if self.context.may_be_before(way.from, came.at) {
            teller.beyond(Row::BeforeLog, way.from);
            return false;
        }
        if !self.is_after(way.from, came) {
            // A signature is its sender's or not, whenever the sender's log ends.
            if !taken.is_empty() && teller.forged(way.message(), way.to, &entries) {
                return true;
            }
            teller.beyond(Row::UnknownToSender, way.from);
            return false;
        }
        if taken.is_empty() {
            teller.count(Row::Ended);
            return false;
        }
        teller.extra(way.message(), (way.from, way.to), entries);
        true
    }

    /// Whether the log of a side goes on after a message that the other has from it: by the clocks of
    /// both, or because it knew of a later entry of the other log, and a message leaves before it
    /// arrives.
    fn is_after(&self, from: u8, came: &TieRecord) -> bool {
        let surely = Timestamp::from_millis(came.at).after(CLOCK_SKEW_MAX);
        let knew = self.knew.get(usize::from(from)).is_some_and(|size| *size > came.index);
        knew || self.context.last(from).is_some_and(|ends| ends >= surely)
    }

    fn diverges(&self, way: &Way<'_>, teller: &mut Teller<'_>) {
        let denied = way.came().find(|came| came.tie == Tie::Came(false));
        if let Some((sent, denied)) = way.sent().next().zip(denied) {
            teller.diverges(way.message(), [(way.from, sent.index), (way.to, denied.index)]);
        }
    }

    fn late(&mut self, way: &Way<'_>, teller: &mut Teller<'_>) {
        let Some((sent, came)) = way.sent().next().zip(way.came().next()) else { return };
        if sent.leaf != NO_LANE && self.order.len() < ORDER_MAX {
            self.order.push((way.to, sent.leaf, sent.at, came.at));
        }
        let took = Timestamp::from_millis(came.at).since(Timestamp::from_millis(sent.at));
        if took > self.context.options.late {
            teller.late(way.message(), (way.from, sent.index), took);
        }
    }

    /// What becomes of a message that left, if nothing is wrong with it.
    fn row(&self, way: &Way<'_>) -> Row {
        let heard = |kind| way.heard().any(|heard| heard.tie == Tie::Heard(kind));
        let ended = way.own(way.from, &ENDS);
        if heard(ReceiptKind::Relayed) {
            return Row::Matched;
        }
        if way.took().next().is_some() {
            return Row::ReceiptUnderWay;
        }
        if ended || heard(ReceiptKind::Refused) || heard(ReceiptKind::Expired) {
            return Row::Ended;
        }
        if way.own(way.to, &ENDS) {
            return Row::ReceiptUnderWay;
        }
        let last = way.sent().last().map_or(0, |sent| sent.at);
        if self.context.may_be_before(way.to, last) {
            return Row::BeforeLog;
        }
        let over = way.sent().map(|sent| sent.place).min().unwrap_or(0);
        let over = Timestamp::from_millis(i64::try_from(over).unwrap_or(i64::MAX));
        let last = Timestamp::from_millis(last);
        let deadline = over.min(last.after(self.context.options.deadline));
        let ends = [self.context.last(way.from), self.context.last(way.to)];
        let seen = |ends: Option<Timestamp>| ends.is_some_and(|ends| ends > deadline);
        match ends {
            [from, to] if seen(from) && !seen(to) => Row::UnknownToReceiver,
            [Some(_), Some(there)] if there < last => Row::BeyondOtherLog,
            [from, to] if seen(from) && seen(to) => Row::Stalled,
            _ => Row::InFlight,
        }
    }

    /// Messages of one lane keep their order.
    fn reordered(&mut self, teller: &mut Teller<'_>) {
        self.order.sort_unstable();
        for lane in self.order.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let mut most = None;
            let mut count = 0_u64;
            for (_, _, _, there) in lane {
                count += u64::from(most.is_some_and(|most| *there < most));
                most = most.max(Some(*there));
            }
            if count > 0 {
                teller.reordered(lane.first().map_or(0, |(to, ..)| *to), count);
            }
        }
    }
}

/// Where the receiver states something of a message, with the beginnings of those leaf hashes.
fn stated(way: &Way<'_>) -> HashSet<(u64, u64)> {
    way.of(way.to, |tie| matches!(tie, Tie::Own(_))).map(|own| (own.index, own.leaf)).collect()
}

/// How many entries of the other log one side surely knew of: the largest tree of which it holds a
/// checkpoint with the root that the other log really has, which nobody can know before.
fn knew(context: &Context<'_>, side: u8) -> u64 {
    let folder = context.folder(1 - side);
    let seen = context.surveys.get(usize::from(side)).map(|survey| survey.seen.as_slice());
    let nodes = CachedNodes::new(folder);
    let within = seen.unwrap_or_default().iter().rev().filter(|seen| seen.size <= folder.size());
    let mut held = within.filter(|seen| root(&nodes, seen.size).is_ok_and(|r| r == seen.root));
    held.next().map_or(0, |seen| seen.size)
}

/// One id must name one header.
pub(super) fn same_ids(ids: Spill<IdRecord>, teller: &mut Teller<'_>) -> io::Result<()> {
    ids.sorted(|records| {
        groups(
            records,
            |record| record.id,
            |group| {
                let Some(one) = group.first() else { return };
                if let Some(two) = group.iter().find(|other| other.message != one.message) {
                    let entries = [(one.side, one.index), (two.side, two.index)];
                    teller.differs(one.message, entries);
                }
            },
        );
    })
}
