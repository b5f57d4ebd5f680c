//! Honest exchanges: what a case is embedded in, and what shows afterwards that the relay is well.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use kuriiri_tlog::{LogKeys, ReceiptVerifier};
use kuriiri_transport::{Conversation, Expect, Link};
use kuriiri_types::{Code, Lane, ReceiptKind, Verdict};
use kuriiri_wire::{
    Frame, receipt,
    relay::{Batch, Hello, RelayRequest, RelayedPart, Verdicts},
};
use tokio::time::timeout;

use crate::{
    case::{Halt, Seen, wrong},
    letter::{Sent, batch, letter, part},
    limits::CONTROL,
    partner::Partner,
    rude::{Outcome, hello, soon},
};

/// A link of the genuine partner with the genuine relay.
pub(crate) struct Honest {
    link: Link,
    /// The number of the next batch in each lane.
    next: Mutex<HashMap<Lane, u64>>,
}

impl Honest {
    /// Makes a link and says Hello.
    pub(crate) async fn link(partner: &Partner) -> Result<Self, Halt> {
        let expect = Expect::Relay(partner.target.ministry.clone());
        let dial = partner.dialler.dial(partner.target.address, expect, Conversation::Relay);
        let link = soon("an honest link", dial).await?.map_err(wrong)?;
        let honest = Self { link, next: Mutex::default() };
        let answer = honest.outcome(hello(partner).encode()).await;
        honest.read::<Hello>("a Hello", answer)?;
        Ok(honest)
    }

    /// Gives a batch under its next number.
    pub(crate) async fn give(&self, batch: Batch) -> Result<Verdicts, Halt> {
        let frame = self.numbered(batch);
        self.ask("a batch", frame).await
    }

    /// Gives messages, each part by itself.
    pub(crate) async fn give_parts(
        &self,
        partner: &Partner,
        parts: Vec<RelayedPart>,
    ) -> Result<Vec<Verdict>, Halt> {
        let items = parts.iter().map(|part| part.part.messages.len()).sum::<usize>();
        let verdicts = self.give(batch(partner, parts)).await?.verdicts;
        if verdicts.len() == items {
            return Ok(verdicts);
        }
        Err(wrong(format!("it gave {} verdicts on {items} messages", verdicts.len())))
    }

    /// Gives one message and says what became of it.
    pub(crate) async fn give_one(&self, partner: &Partner, sent: &Sent) -> Result<Verdict, Halt> {
        let part = part(partner, std::slice::from_ref(sent))?;
        self.give_part(partner, part).await
    }

    /// The same of a part with one message.
    pub(crate) async fn give_part(
        &self,
        partner: &Partner,
        part: RelayedPart,
    ) -> Result<Verdict, Halt> {
        let verdict = self.give_parts(partner, vec![part]).await?.pop();
        verdict.ok_or_else(|| wrong("it gave no verdict"))
    }

    /// Asks something that a right relay answers.
    pub(crate) async fn ask<A: Frame>(&self, what: &str, frame: Bytes) -> Result<A, Halt> {
        let answer = self.outcome(frame).await;
        self.read(what, answer)
    }

    /// The frame of a batch with its next number.
    pub(crate) fn numbered(&self, batch: Batch) -> Bytes {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let number = next.entry(batch.lane).or_default();
        let frame = RelayRequest::Batch(Batch { number: *number, ..batch }).encode();
        *number = number.saturating_add(1);
        frame
    }

    /// Sends a frame on a stream of its own, whatever is in it, and says what comes of it.
    pub(crate) async fn outcome(&self, frame: Bytes) -> Outcome {
        let exchange = async {
            let (mut sender, mut receiver) = self.link.open().await.map_err(|e| e.to_string())?;
            sender.send(frame).await.map_err(|error| error.to_string())?;
            // The other side may have ended it, which is seen where the answer is read.
            let _ = sender.finish();
            let answer = receiver.frame(RelayRequest::BYTES_MAX).await;
            answer
                .map_err(|e| e.to_string())?
                .ok_or_else(|| "the stream ended without an answer".into())
        };
        match soon("an answer", exchange).await {
            Ok(Ok(answer)) => Outcome::Answered(answer),
            Ok(Err(how)) => Outcome::Ended(how),
            Err(_) => Outcome::Silent,
        }
    }

    fn read<A: Frame>(&self, what: &str, outcome: Outcome) -> Result<A, Halt> {
        match outcome {
            Outcome::Answered(frame) => A::decode(frame)
                .map_err(|error| wrong(format!("its answer to {what} cannot be read: {error}"))),
            Outcome::Ended(how) => {
                let closed = self.link.close_reason().map_or(how, |closed| closed.to_string());
                Err(wrong(format!("it did not answer {what}: {closed}")))
            }
            Outcome::Silent => Err(wrong(format!("it did not answer {what} in time"))),
        }
    }
}

// === verdicts ===

/// A verdict in words.
pub(crate) fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accepted { repeat: false, .. } => "accepted".into(),
        Verdict::Accepted { repeat: true, .. } => "accepted as a repeat".into(),
        Verdict::Refused(refusal) => format!("refused with {}", refusal.code),
        Verdict::Busy => "told to come again".into(),
        Verdict::Later(code) => format!("told to give it again later ({code})"),
    }
}

/// It was refused with one of these numbers, and without a reason: those stay in the ministry.
pub(crate) fn must_refuse(verdict: &Verdict, codes: &[Code]) -> Seen {
    match verdict {
        Verdict::Refused(refusal) if !refusal.reasons.is_empty() => {
            Err(wrong(format!("{}, and told why: {:?}", in_words(verdict), refusal.reasons)))
        }
        Verdict::Refused(refusal) if codes.is_empty() || codes.contains(&refusal.code) => {
            Ok(in_words(verdict))
        }
        Verdict::Accepted { .. } | Verdict::Refused(_) | Verdict::Busy | Verdict::Later(_) => {
            Err(wrong(in_words(verdict)))
        }
    }
}

/// It was taken, for the first time or as a repeat.
pub(crate) fn must_take(verdict: &Verdict, as_repeat: bool) -> Seen {
    match verdict {
        Verdict::Accepted { repeat, .. } if *repeat == as_repeat => Ok(in_words(verdict)),
        Verdict::Accepted { .. } | Verdict::Refused(_) | Verdict::Busy | Verdict::Later(_) => {
            Err(wrong(in_words(verdict)))
        }
    }
}

// === the control ===

/// The relay takes an honest message on a new link, and its receipt is genuine.
pub(crate) async fn control(partner: &Partner) -> Seen {
    let seconds = CONTROL.as_secs();
    let late = |_| wrong(format!("an honest exchange was not done in {seconds} s"));
    timeout(CONTROL, exchange(partner)).await.map_err(late)?
}

async fn exchange(partner: &Partner) -> Seen {
    let honest = Honest::link(partner).await?;
    let sent = letter(partner)?.signed(partner)?;
    let given = batch(partner, vec![part(partner, std::slice::from_ref(&sent))?]);
    let Verdicts { verdicts, receipts } = honest.give(given).await?;
    match verdicts.as_slice() {
        [verdict] => must_take(verdict, false)?,
        _ => return Err(wrong(format!("{} verdicts on one honest message", verdicts.len()))),
    };
    let mut keys = LogKeys::new();
    keys.add(&partner.target.log).map_err(wrong)?;
    let verifier = ReceiptVerifier::new(keys);
    for signed in receipts {
        let verified = verifier.receipt(signed, |bytes| receipt::decode(bytes));
        let verified = verified.map_err(|error| wrong(format!("its receipt: {error}")))?;
        let said = verified.receipt();
        if said.kind == ReceiptKind::Relayed && said.is_about(sent.leaf(), &partner.target.mailbox)
        {
            return Ok("an honest message is taken, with a genuine receipt".into());
        }
    }
    Err(wrong("it gave no receipt for an honest message"))
}
