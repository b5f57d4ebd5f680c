//! The partner as the one who is dialled: what the relay under test sends, and what it is answered.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use kuriiri_transport::{CloseCode, Conversation, Endpoint, Identity, Link, Sender, Settings};
use kuriiri_types::{Code, Refusal, SignedReceipt, Verdict};
use kuriiri_wire::{
    Frame, Proved,
    relay::{Batch, Hello, RelayRequest, Verdicts, Witnessed},
};
use tokio::time::timeout;

use crate::{
    case::{Halt, wrong},
    clock,
    honest::{Honest, must_take},
    letter::letter,
    limits::{ANSWER, PATIENCE, SOON},
    partner::Partner,
    rude::hello,
};

/// The partner's own address, where the relay under test dials it.
pub(crate) struct Called<'a> {
    partner: &'a Partner,
    endpoint: Endpoint,
    /// On which the partner made itself heard, so that it is dialled at once.
    heard: Honest,
    /// Links that came, to be ended with the case.
    links: Mutex<Vec<Link>>,
}

/// A batch that came, whose verdicts are awaited.
pub(crate) struct Came {
    pub(crate) batch: Batch,
    pub(crate) link: Link,
    sender: Sender,
}

impl<'a> Called<'a> {
    /// Listens, and makes itself heard.
    pub(crate) async fn listen(partner: &'a Partner) -> Result<Self, Halt> {
        let taken = |error| Halt::Skipped(format!("the partner cannot be dialled: {error}"));
        let endpoint = partner.listener.get_or_try_init(async || listen(partner)).await;
        let endpoint = endpoint.map_err(taken)?.clone();
        let heard = Honest::link(partner).await?;
        Ok(Self { partner, endpoint, heard, links: Mutex::default() })
    }

    /// Gives the relay a message that expires soon, so that it has a receipt for the partner.
    pub(crate) async fn ask_for_a_receipt(&self) -> Result<(), Halt> {
        let soon = clock::now().after(SOON);
        let letter = letter(self.partner)?.with(|header| header.expires = Some(soon));
        let sent = letter.signed(self.partner)?;
        must_take(&self.heard.give_one(self.partner, &sent).await?, false).map(drop)
    }

    /// The next link of the relay, before any Hello.
    pub(crate) async fn link(&self) -> Result<Link, Halt> {
        let accepted = async {
            loop {
                let Some(handshake) = self.endpoint.accept().await else {
                    return Err(wrong("the kit listens no more"));
                };
                // Others may knock too, and the relay may give up a link that it has just begun.
                if let Ok(link) = handshake.complete().await
                    && *link.peer().id().ministry() == self.partner.target.ministry
                {
                    self.links.lock().unwrap_or_else(PoisonError::into_inner).push(link.clone());
                    return Ok(link);
                }
            }
        };
        let never = |_| wrong(format!("it did not dial in {} s", PATIENCE.as_secs()));
        timeout(PATIENCE, accepted).await.map_err(never)?
    }

    /// The next batch, on whatever link the relay makes.
    pub(crate) async fn batch(&self) -> Result<Came, Halt> {
        let link = self.greeted().await?;
        self.next_batch(link).await
    }

    /// The next batch on this link, or on a later one if it ends.
    pub(crate) async fn next_batch(&self, link: Link) -> Result<Came, Halt> {
        let came = async {
            let mut link = link;
            loop {
                if let Some(came) = batch_on(&link).await {
                    return Ok(came);
                }
                link = self.greeted().await?;
            }
        };
        let never = |_| wrong(format!("it gave nothing in {} s", PATIENCE.as_secs()));
        timeout(PATIENCE, came).await.map_err(never)?
    }

    /// The next link, on which both sides have said Hello.
    pub(crate) async fn greeted(&self) -> Result<Link, Halt> {
        loop {
            let link = self.link().await?;
            if answer_hello(&link, hello(self.partner)).await.is_some() {
                return Ok(link);
            }
        }
    }
}

impl Drop for Called<'_> {
    fn drop(&mut self) {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.iter().for_each(|link| link.close(CloseCode::Done, "the case is over"));
    }
}

/// The partner's socket, which is kept for all cases.
fn listen(partner: &Partner) -> Result<Endpoint, String> {
    let identity = Identity::from_pem(&partner.relay.chain, &partner.relay.key);
    let settings = Settings::new(identity.map_err(|e| e.to_string())?, partner.trust.clone());
    let endpoint = Endpoint::listen(partner.listen, settings, &[Conversation::Relay]);
    endpoint.map_err(|error| error.to_string())
}

impl Came {
    /// Answers with these bytes, and gives the link back.
    pub(crate) async fn answer(mut self, frame: Bytes) -> Link {
        // If the relay has gone meanwhile it comes again, which is what the case looks for.
        let _ = self.sender.send(frame).await;
        let _ = self.sender.finish();
        // A link that is closed loses what has not arrived.
        let _ = timeout(ANSWER, self.sender.stopped()).await;
        self.link
    }

    /// Answers each item with the same verdict.
    pub(crate) async fn answer_all(self, verdict: Verdict) -> Link {
        let items = self.batch.receipts.len() + parcels(&self.batch);
        let verdicts = vec![verdict; items];
        self.answer(Verdicts { verdicts, receipts: Vec::new() }.encode()).await
    }

    /// Says of everything that it is taken, with these receipts, and gives the link back.
    pub(crate) async fn take_with(self, receipts: Vec<SignedReceipt>) -> Link {
        let items = self.batch.receipts.len() + parcels(&self.batch);
        let verdicts = vec![Verdict::Accepted { at: clock::now(), repeat: false }; items];
        self.answer(Verdicts { verdicts, receipts }.encode()).await
    }

    /// Takes all receipts, as an honest partner does.
    pub(crate) async fn take(self) {
        let taken = Verdict::Accepted { at: clock::now(), repeat: false };
        self.answer_all(taken).await;
    }

    /// Whether everything of an earlier batch is in it.
    pub(crate) fn has_all_of(&self, earlier: &Batch) -> bool {
        let mut all = earlier.receipts.iter();
        all.all(|one| self.batch.receipts.iter().any(|again| again.entry == one.entry))
    }
}

fn parcels(batch: &Batch) -> usize {
    batch.parts.iter().map(|part| part.part.messages.len()).sum()
}

/// Answers the Hello of a relay that has dialled; nothing when it does not stay.
pub(crate) async fn answer_hello(link: &Link, answer: Hello) -> Option<()> {
    let (mut sender, mut receiver) = link.accept().await.ok()?;
    Hello::decode(receiver.frame(Hello::BYTES_MAX).await.ok()??).ok()?;
    sender.send(answer.encode()).await.ok()?;
    sender.finish().ok()
}

/// The next batch on a link, with an answer to whatever else is asked; nothing when the link ends.
async fn batch_on(link: &Link) -> Option<Came> {
    loop {
        let (mut sender, mut receiver) = link.accept().await.ok()?;
        let frame = receiver.frame(RelayRequest::BYTES_MAX).await.ok()??;
        let busy = Refusal::bare(Code::BUSY);
        let answer = match RelayRequest::decode(frame).ok()? {
            RelayRequest::Batch(batch) => return Some(Came { batch, link: link.clone(), sender }),
            RelayRequest::Witness(_) => Witnessed::Refused(busy).encode(),
            RelayRequest::Prove { .. } => Proved::Refused(busy).encode(),
        };
        sender.send(answer).await.ok()?;
        sender.finish().ok()?;
    }
}
