//! Links that this relay dials: its outbox goes out on them, verdicts come back.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use kuriiri_engine::{Answer, BatchId, Event, LinkId, Load};
use kuriiri_seal::gather;
use kuriiri_tlog::VerifiedReceipt;
use kuriiri_transport::{
    CloseCode, Conversation, Endpoint, Expect, Frame as Came, Link, Receiver, Sender,
};
use kuriiri_types::{
    BatchProof, Envelope, Fingerprint, Lane, Ministry, Refusal, SignedPart, SignedReceipt, Verdict,
};
use kuriiri_wire::{
    Frame, Part,
    limits::SIGNED_RECEIPT_BYTES_MAX,
    relay::{Batch, Hello, Parcel, RelayRequest, RelayedPart, Verdicts},
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    checking::check,
    error::LinkError,
    handing_out,
    messages::{TRANSMISSIONS_MAX, Transmission},
    rollback::Rollback,
    shared::Shared,
};

/// How long a Hello may take, and the verdicts of a batch: a peer that is alive but answers
/// nothing is as good as gone.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Version of the relay conversation that this program speaks.
pub(crate) const CONTRACT_VERSION: u32 = 2;

/// Dials peers.
#[derive(Clone)]
pub(crate) struct Dialler {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) addresses: Arc<ArcSwap<Addresses>>,
    pub(crate) rollback: Arc<Rollback>,
}

/// Where the relays of peers listen, as `host:port`.
pub(crate) type Addresses = HashMap<Ministry, Vec<String>>;

impl Dialler {
    /// Dials a peer and serves the link until it ends. Reports either outcome to the loop.
    pub(crate) async fn link(self, peer: Ministry) {
        sleep(self.shared.peers.rest(&peer)).await;
        match self.connect(&peer, ANSWER_TIMEOUT).await {
            Err(error) => {
                if self.shared.lines.is_first(peer.as_str(), "peer not reached") {
                    tracing::info!(peer = %peer, %error, "peer not reached");
                }
                let problem = error.to_string();
                // When the loop is gone there is nobody left to tell.
                let _ = self.shared.inbox.tell(Event::DialFailed { peer, problem }).await;
            }
            Ok(link) => self.serve(peer, link).await,
        }
    }

    /// A link that the peer has greeted on. Every name is looked up now, and every address that it leads to has
    /// so long to complete its handshake.
    async fn connect(&self, peer: &Ministry, reach: Duration) -> Result<Link, LinkError> {
        let mut last = LinkError::NoAddress;
        let addresses = self.addresses.load_full();
        for endpoint in addresses.get(peer).into_iter().flatten() {
            let found = match self.shared.names.resolve(endpoint).await {
                Ok(found) => found,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            for address in found {
                match self.connect_to(peer, address, reach).await {
                    Ok(link) => return Ok(link),
                    Err(error) => last = error,
                }
            }
        }
        Err(last)
    }

    async fn connect_to(
        &self,
        peer: &Ministry,
        address: SocketAddr,
        reach: Duration,
    ) -> Result<Link, LinkError> {
        let expect = Expect::Relay(peer.clone());
        let dialled = self.endpoint.dial(address, expect, Conversation::Relay);
        let link = timeout(reach, dialled).await.map_err(|_| LinkError::Silent)??;
        match timeout(ANSWER_TIMEOUT, self.greet(peer, &link)).await {
            Ok(Ok(())) => Ok(link),
            Ok(Err(error)) => Err(link.close_reason().map_or(error, LinkError::from)),
            Err(_) => Err(LinkError::Silent),
        }
    }

    /// Until the peer has answered, it has not judged our certificate.
    async fn greet(&self, peer: &Ministry, link: &Link) -> Result<(), LinkError> {
        let (mut sender, mut receiver) = link.open().await?;
        sender.send(self.shared.hello_to(peer).encode()).await?;
        sender.finish()?;
        let answer = receiver.frame(Hello::BYTES_MAX).await?.ok_or(LinkError::Silent)?;
        self.check_hello(&Hello::decode(answer)?)
    }

    fn check_hello(&self, hello: &Hello) -> Result<(), LinkError> {
        check_hello(hello)?;
        match &hello.witnessed {
            Some(note) => self.rollback.held_by_witness(&self.shared.store, note).map(drop),
            None => Ok(()),
        }
    }

    /// Asks all peers at once what they saw of this relay's log, and waits a moment for those who
    /// answer; half of it for those with whom there is not even a link. What they say is held against the log.
    pub(crate) async fn ask_all(&self, patience: Duration) {
        let reach = patience / 2;
        let mut asking = JoinSet::new();
        for peer in self.addresses.load().keys() {
            let (dialler, peer) = (self.clone(), peer.clone());
            asking.spawn(async move { timeout(patience, dialler.connect(&peer, reach)).await });
        }
        while asking.join_next().await.is_some() {}
    }

    async fn serve(self, peer: Ministry, link: Link) {
        let id = self.shared.inbox.new_link();
        let (channel, transmissions) = mpsc::channel(TRANSMISSIONS_MAX);
        let announced = self.shared.inbox.announce(peer.clone(), id, link.clone(), channel);
        if announced.await.is_err() {
            return;
        }
        let is_told = self.shared.lines.is_first(peer.as_str(), "peer linked");
        if is_told {
            tracing::info!(peer = %peer, address = %link.remote_address(), "peer linked");
        }
        let outbound = Outbound { shared: Arc::clone(&self.shared), peer: peer.clone(), link, id };
        let problem = outbound.run(transmissions).await;
        if is_told {
            tracing::info!(peer = %peer, problem, "peer link ended");
        }
        let _ =
            self.shared.inbox.tell(Event::LinkDown { peer: Some(peer), link: id, problem }).await;
    }
}

/// A version that this program does not speak is the operators' matter, not a broken protocol.
pub(crate) fn check_hello(hello: &Hello) -> Result<(), LinkError> {
    if hello.version == CONTRACT_VERSION {
        Ok(())
    } else {
        Err(LinkError::Version { theirs: hello.version, ours: CONTRACT_VERSION })
    }
}

/// One link while it stands.
#[derive(Clone)]
struct Outbound {
    shared: Arc<Shared>,
    peer: Ministry,
    link: Link,
    id: LinkId,
}

impl Outbound {
    /// Sends batches, each on a stream of its own, until the link ends. Says why it did.
    async fn run(self, mut transmissions: mpsc::Receiver<Transmission>) -> String {
        let mut batches = JoinSet::new();
        let mut has_answered = false;
        let problem = loop {
            tokio::select! {
                next = transmissions.recv() => match next {
                    Some(transmission) => {
                        batches.spawn(self.clone().transmit(transmission));
                    }
                    None => return "no longer wanted".into(),
                },
                Some(done) = batches.join_next() => {
                    let error = match done {
                        Ok(Ok(())) => {
                            has_answered = true;
                            self.shared.peers.has_answered(&self.peer);
                            continue;
                        }
                        Ok(Err(error)) => error,
                        Err(error) => LinkError::Task(error.to_string()),
                    };
                    let closed = self.link.close_reason().map(|reason| reason.to_string());
                    let (problem, code) = (error.to_string(), error.code());
                    self.link.close_for(CloseCode::Done, code);
                    // It was under way itself.
                    break (closed.unwrap_or(problem), true);
                }
                reason = self.link.closed() => break (reason.to_string(), !batches.is_empty()),
            }
        };
        let (problem, was_under_way) = problem;
        if was_under_way && !has_answered {
            self.shared.peers.was_in_vain(&self.peer);
        }
        problem
    }

    async fn transmit(self, transmission: Transmission) -> Result<(), LinkError> {
        let Transmission { lane, batch, epoch, load } = transmission;
        // What waits for a slow peer is not read from disk yet.
        let _room = self.link.room_to_send(load.iter().map(bytes_of).sum()).await;
        let (mut sender, mut receiver) = self.link.open().await?;
        sender.set_priority(priority(lane));
        let Made { batch: made, unreadable } = self.batch(lane, batch.0, epoch, load).await?;
        if made.parts.is_empty() && made.receipts.is_empty() {
            self.tell(lane, batch, answers(Vec::new(), unreadable), Vec::new()).await?;
            // The peer waits for a batch of this number, and there is none.
            return Err(LinkError::NothingToSend);
        }
        let frame = RelayRequest::Batch(made).encode();
        let answer = timeout(ANSWER_TIMEOUT, exchange(&mut sender, &mut receiver, frame));
        // Its room is taken until the loop has it.
        let Came { bytes, held: _held } = answer.await.map_err(|_| LinkError::Silent)??;
        let Verdicts { verdicts, receipts } = Verdicts::decode(bytes)?;
        let receipts = self.believed(receipts).await?;
        self.tell(lane, batch, answers(verdicts, unreadable), receipts).await
    }

    async fn tell(
        &self,
        lane: Lane,
        batch: BatchId,
        answers: Vec<Answer>,
        receipts: Vec<VerifiedReceipt>,
    ) -> Result<(), LinkError> {
        let (peer, link) = (self.peer.clone(), self.id);
        let event = Event::Answered { peer, link, lane, batch, answers, receipts };
        self.shared.inbox.tell(event).await?;
        Ok(())
    }

    /// Those receipts of the peer that are genuine. Without one its word counts for nothing, so messages
    /// are given again and again: the operator must learn why.
    async fn believed(
        &self,
        receipts: Vec<SignedReceipt>,
    ) -> Result<Vec<VerifiedReceipt>, LinkError> {
        let checked = check(&self.shared, self.peer.as_str(), receipts.len(), |checks| {
            receipts.into_iter().map(|receipt| checks.receipt(receipt)).collect::<Vec<_>>()
        });
        let genuine = checked.await?.into_iter().filter_map(|receipt| match receipt {
            Ok(verified) => Some(verified),
            Err(refusal) => {
                let (code, why) = (refusal.code, refusal.reasons.join("; "));
                if self.shared.lines.is_first(self.peer.as_str(), NOT_GENUINE) {
                    tracing::warn!(peer = %self.peer, %code, why, "{NOT_GENUINE}");
                }
                None
            }
        });
        Ok(genuine.collect())
    }

    async fn batch(
        &self,
        lane: Lane,
        number: u64,
        epoch: u32,
        load: Vec<Load>,
    ) -> Result<Made, LinkError> {
        let certificates = self.shared.certificates.of(load.iter().flat_map(signers));
        let (mut messages, mut receipts) = (Vec::new(), Vec::new());
        let mut unreadable = BTreeMap::new();
        for (place, item) in load.into_iter().enumerate() {
            match item {
                Load::Receipt(receipt) => {
                    receipts.push(handing_out::receipt(&self.shared.store, receipt)?)
                }
                Load::Parcel { dest, path, envelope, approvals, body } => {
                    let Envelope { header, proof } = envelope;
                    let body = match handing_out::body_or_why(&self.shared.store, body).await? {
                        Ok(body) => body,
                        Err(why) => {
                            unreadable.insert(place, why);
                            continue;
                        }
                    };
                    let parcel = Parcel { header, body, approvals };
                    messages.push(Outgoing { dest, path, proof, parcel });
                }
            }
        }
        let parts = gather(messages, |message| &message.proof, Outgoing::goes_with);
        let parts = parts.into_iter().filter_map(relayed).collect();
        let batch = Batch { lane, number, epoch, certificates, parts, receipts };
        Ok(Made { batch, unreadable })
    }
}

/// A batch that is ready to leave.
struct Made {
    batch: Batch,
    /// What had to stay behind, by its place in what was to be sent.
    unreadable: BTreeMap<usize, Refusal>,
}

/// An answer for each item that was to be sent.
fn answers(verdicts: Vec<Verdict>, mut unreadable: BTreeMap<usize, Refusal>) -> Vec<Answer> {
    let mut answers = Vec::with_capacity(verdicts.len() + unreadable.len());
    let mut verdicts = verdicts.into_iter();
    loop {
        let answer = match unreadable.remove(&answers.len()) {
            Some(why) => Answer::Unreadable(why),
            None => match verdicts.next() {
                Some(verdict) => Answer::Verdict(verdict),
                None => return answers,
            },
        };
        answers.push(answer);
    }
}

async fn exchange(
    sender: &mut Sender,
    receiver: &mut Receiver,
    frame: bytes::Bytes,
) -> Result<Came, LinkError> {
    sender.send(frame).await?;
    sender.finish()?;
    receiver.next_frame(Verdicts::BYTES_MAX).await?.ok_or(LinkError::Silent)
}

const NOT_GENUINE: &str = "a receipt of the peer is not genuine";

/// Bytes that an item has in memory once it is ready to leave, without its proof.
fn bytes_of(load: &Load) -> usize {
    match load {
        Load::Parcel { envelope, approvals, body, .. } => {
            let approvals = approvals.iter().map(|signed| signed.approval.len()).sum::<usize>();
            envelope.header.len() + approvals + body.len()
        }
        Load::Receipt(_) => SIGNED_RECEIPT_BYTES_MAX,
    }
}

/// A message that is ready to leave.
struct Outgoing {
    dest: Ministry,
    path: Vec<Ministry>,
    proof: BatchProof,
    parcel: Parcel,
}

impl Outgoing {
    fn goes_with(&self, other: &Self) -> bool {
        self.dest == other.dest && self.path == other.path
    }
}

/// Messages that go the same way, as one part.
fn relayed((signed, messages): (SignedPart, Vec<Outgoing>)) -> Option<RelayedPart> {
    let (dest, path) = messages.first().map(|first| (first.dest.clone(), first.path.clone()))?;
    let messages = messages.into_iter().map(|message| message.parcel).collect();
    Some(RelayedPart { dest, path, part: Part { signed, messages } })
}

/// Everybody who signed something in an item.
fn signers(load: &Load) -> impl Iterator<Item = Fingerprint> {
    let (first, approvals) = match load {
        Load::Parcel { envelope, approvals, .. } => (Some(&envelope.proof), approvals.as_slice()),
        Load::Receipt(_) => (None, &[][..]),
    };
    let proofs = first.into_iter().chain(approvals.iter().map(|signed| &signed.proof));
    proofs.map(|proof| proof.signer)
}

/// The lane's place among the streams of a link: higher goes first.
fn priority(lane: Lane) -> i32 {
    lane.number().into()
}
