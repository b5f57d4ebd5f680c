//! Which message it is that a peer ends the link for, if it is one.
//!
//! A peer that ends the link whenever it is handed a certain message, because of a fault of its own or on
//! purpose, would never get those behind it. So when links end again and again with a lane's batch unanswered,
//! the batch is halved until it is one message, and that one is kept back while others go. When the peer answers
//! one of those, it is the message and not the peer or the line.

use kuriiri_types::limits::BATCH_MESSAGES_MAX;

use crate::record::Seq;

/// Links that end with the same batch unanswered before it is halved, or kept back when it is one message.
const IN_VAIN_MAX: u32 = 2;
/// Messages that are kept back before it is thought to be the peer after all, and all are handed over again.
const KEPT_BACK_MAX: usize = 8;

/// What is suspected in one lane of a peer.
#[derive(Debug)]
pub(super) struct Suspicion {
    /// Messages in a batch at most.
    at_once: usize,
    /// Messages that still have to be answered before batches are large again.
    left: usize,
    /// Links in a row that ended with the first batch unanswered.
    in_vain: u32,
    /// Each of them ended its links alone.
    kept_back: Vec<Seq>,
}

impl Default for Suspicion {
    fn default() -> Self {
        Self { at_once: BATCH_MESSAGES_MAX, left: 0, in_vain: 0, kept_back: Vec::new() }
    }
}

impl Suspicion {
    /// Messages in a batch at most.
    pub(super) fn at_once(&self) -> usize {
        self.at_once
    }

    /// Whether batches go one by one, so that it is clear which of them a link ended for.
    pub(super) fn is_narrow(&self) -> bool {
        self.at_once < BATCH_MESSAGES_MAX
    }

    /// A link ended before its first batch was answered. Gives those that are to be given back although they
    /// were kept back, when there are too many.
    pub(super) fn ended(&mut self, batch: &[Seq]) -> Vec<Seq> {
        self.in_vain = self.in_vain.saturating_add(1);
        if self.in_vain < IN_VAIN_MAX {
            return Vec::new();
        }
        self.in_vain = 0;
        match batch {
            [alone] => {
                self.kept_back.push(*alone);
                if self.kept_back.len() > KEPT_BACK_MAX {
                    return std::mem::take(self).kept_back;
                }
            }
            _ => {
                self.left = self.left.max(batch.len());
                self.at_once = (batch.len() / 2).max(1);
            }
        }
        Vec::new()
    }

    /// The peer answered a batch. Gives those that it ended links for: it is not the peer.
    pub(super) fn answered(&mut self, messages: usize) -> Vec<Seq> {
        self.in_vain = 0;
        self.left = self.left.saturating_sub(messages);
        if self.left == 0 || !self.kept_back.is_empty() {
            return std::mem::take(self).kept_back;
        }
        Vec::new()
    }

    /// Whether this one is kept back.
    pub(super) fn keeps_back(&self, seq: Seq) -> bool {
        self.kept_back.contains(&seq)
    }

    /// Gives up keeping back what is alone in its lane: there is no other to tell by.
    pub(super) fn give_back(&mut self) -> Vec<Seq> {
        std::mem::take(&mut self.kept_back)
    }

    /// Those that are kept back.
    pub(super) fn kept_back(&self) -> &[Seq] {
        &self.kept_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that ends the link for one message of a lane: what it takes, and what is found.
    fn found(messages: u64, poison: u64) -> (Vec<Seq>, usize, Vec<Seq>) {
        let mut suspicion = Suspicion::default();
        let mut waiting: Vec<Seq> = (0..messages).collect();
        let (mut taken, mut links, mut found) = (Vec::new(), 0, Vec::new());
        while !waiting.is_empty() && found.is_empty() {
            let free: Vec<Seq> =
                waiting.iter().copied().filter(|seq| !suspicion.keeps_back(*seq)).collect();
            if free.is_empty() {
                break;
            }
            let batch = &free[..free.len().min(suspicion.at_once())];
            if batch.contains(&poison) {
                links += 1;
                assert!(links < 100, "it comes to an end");
                assert!(suspicion.ended(batch).is_empty());
            } else {
                taken.extend(batch);
                waiting.retain(|seq| !batch.contains(seq));
                found = suspicion.answered(batch.len());
            }
        }
        (taken, links, found)
    }

    #[test]
    fn the_one_message_is_found_and_all_others_go() {
        for poison in [0, 1, 100, 255, 256, 511] {
            let (taken, links, found) = found(600, poison);
            assert_eq!(found, [poison]);
            assert!(!taken.contains(&poison) && links <= 2 * 9 * 2, "{links} links for {poison}");
        }
    }

    #[test]
    fn without_another_message_nothing_is_proven() {
        let (taken, _, found) = found(1, 0);
        assert_eq!((taken, found), (vec![], vec![]));
    }

    #[test]
    fn a_peer_that_answers_nothing_is_not_put_down_to_messages() {
        let mut suspicion = Suspicion::default();
        let mut waiting: Vec<Seq> = (0..600).collect();
        let mut given_back = Vec::new();
        for _ in 0..100 {
            let free: Vec<Seq> =
                waiting.iter().copied().filter(|seq| !suspicion.keeps_back(*seq)).collect();
            let batch = &free[..free.len().min(suspicion.at_once())];
            given_back.extend(suspicion.ended(batch));
            assert!(suspicion.kept_back().len() <= KEPT_BACK_MAX);
        }
        assert!(!given_back.is_empty());
        waiting.clear();
    }

    #[test]
    fn one_answer_in_between_begins_the_count_again() {
        let mut suspicion = Suspicion::default();
        for _ in 0..50 {
            assert!(suspicion.ended(&[1, 2, 3]).is_empty());
            assert!(suspicion.answered(3).is_empty());
        }
        assert!(!suspicion.is_narrow());
    }
}
