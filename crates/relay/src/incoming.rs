//! Links that peers dial: their outboxes come in on them, our verdicts go back.

use std::sync::Arc;

use kuriiri_engine::{Arrival, Certificate, Event, LinkId, Reply, Shown, Token};
use kuriiri_tlog::VerifiedReceipt;
use kuriiri_transport::{Frame as Came, Link, Receiver, Sender};
use kuriiri_types::{Fingerprint, Ministry, Refusal};
use kuriiri_wire::{
    Frame, Part, Place,
    relay::{Batch, Hello, Parcel, RelayRequest, RelayedPart, Verdicts, WitnessRequest, Witnessed},
};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    checking::check,
    checks::{Checks, Signers},
    convert,
    error::LinkError,
    gate::Gate,
    handing_out, newer_proofs,
    outgoing::{ANSWER_TIMEOUT, check_hello},
    rollback::Rollback,
    shared::Shared,
};

/// One link that a peer dialled.
pub(crate) struct Inbound {
    shared: Arc<Shared>,
    rollback: Arc<Rollback>,
    peer: Ministry,
    link: Link,
    id: LinkId,
    gate: Gate,
}

impl Inbound {
    pub(crate) fn new(shared: Arc<Shared>, rollback: Arc<Rollback>, link: Link) -> Self {
        let (peer, id) = (link.peer().id().ministry().clone(), shared.inbox.new_link());
        Self { shared, rollback, peer, link, id, gate: Gate::new() }
    }

    /// Serves the link until it ends.
    pub(crate) async fn serve(self) {
        let error = match timeout(ANSWER_TIMEOUT, self.greet()).await {
            Ok(Ok(())) => Arc::new(self).take_batches().await,
            Ok(Err(error)) => self.give_up(error),
            Err(_) => self.give_up(LinkError::Silent),
        };
        tracing::debug!(%error, "inbound link ended");
    }

    fn give_up(self, error: LinkError) -> LinkError {
        error.close(&self.link);
        error
    }

    async fn greet(&self) -> Result<(), LinkError> {
        self.is_linked()?;
        let (mut sender, mut receiver) = self.link.accept().await?;
        let frame = receiver.frame(Hello::BYTES_MAX).await?.ok_or(LinkError::Silent)?;
        let hello = Hello::decode(frame)?;
        sender.send(self.shared.hello_to(&self.peer).encode()).await?;
        sender.finish()?;
        check_hello(&hello)?;
        if let Some(note) = &hello.witnessed {
            self.rollback.held_by_witness(&self.shared.store, note)?;
        }
        if self.shared.lines.is_first(self.peer.as_str(), "peer came in") {
            tracing::info!(peer = %self.peer, software = hello.software, "peer came in");
        }
        self.shared.inbox.tell(Event::Heard { peer: self.peer.clone() }).await?;
        Ok(())
    }

    /// A member with which the federation file has no link is none to speak with; the file may change while
    /// the link is there.
    fn is_linked(&self) -> Result<(), LinkError> {
        if self.shared.is_linked(&self.peer) { Ok(()) } else { Err(LinkError::NotLinked) }
    }

    async fn take_batches(self: Arc<Self>) -> LinkError {
        let mut batches = JoinSet::new();
        let error = loop {
            tokio::select! {
                stream = self.link.accept() => match stream {
                    Ok((sender, receiver)) => {
                        batches.spawn(Arc::clone(&self).take_request(sender, receiver));
                    }
                    Err(closed) => break closed.into(),
                },
                Some(done) = batches.join_next() => match done {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => break error,
                    Err(error) => break LinkError::Task(error.to_string()),
                },
            }
        };
        // A batch that failed leaves a gap in the order: the peer sends all of it again.
        error.close(&self.link);
        let (link, problem) = (self.id, error.to_string());
        let _ = self.shared.inbox.tell(Event::LinkDown { peer: None, link, problem }).await;
        error
    }

    async fn take_request(
        self: Arc<Self>,
        mut sender: Sender,
        receiver: Receiver,
    ) -> Result<(), LinkError> {
        let answered = self.answer(&mut sender, receiver).await;
        if let Err(error) = &answered {
            // The stream ends with the number that the link is closed with.
            sender.reset(error.code());
        }
        answered
    }

    async fn answer(&self, sender: &mut Sender, mut receiver: Receiver) -> Result<(), LinkError> {
        self.is_linked()?;
        receiver.is_due();
        let frame = receiver.next_frame_by(RelayRequest::bytes_max).await?;
        // Its room is taken until it has been answered.
        let Came { bytes, held: _held } = frame.ok_or(LinkError::Silent)?;
        match RelayRequest::decode(bytes)? {
            RelayRequest::Batch(batch) => self.take_batch(sender, batch).await,
            RelayRequest::Witness(request) => self.witness(sender, request).await,
            RelayRequest::Prove { issuer, places } => self.prove(sender, &issuer, places).await,
        }
    }

    async fn prove(
        &self,
        sender: &mut Sender,
        issuer: &Ministry,
        places: Vec<Place>,
    ) -> Result<(), LinkError> {
        let proved = newer_proofs::of_peer(&self.shared, &self.peer, issuer, places).await;
        sender.send(proved.encode()).await?;
        sender.finish()?;
        Ok(())
    }

    /// Cosigns a checkpoint of the peer's log, once it is durable that it was seen.
    async fn witness(&self, sender: &mut Sender, request: WitnessRequest) -> Result<(), LinkError> {
        let answer = match self.shared.checks.checkpoint(&self.peer, &request.checkpoint) {
            Err(refusal) => Witnessed::Refused(refusal.coarse()),
            Ok(checkpoint) => {
                let peer = self.peer.clone();
                let WitnessRequest { old, proof, checkpoint: note } = request;
                let shown = Shown { checkpoint, note, old, proof };
                let event = |token| Event::CheckpointShown { peer, token, shown };
                let answer = self.shared.inbox.ask(event).await?.await;
                convert::witnessed(answer.map_err(|_| LinkError::Closing)?)
            }
        };
        sender.send(answer.encode()).await?;
        sender.finish()?;
        Ok(())
    }

    async fn take_batch(&self, sender: &mut Sender, batch: Batch) -> Result<(), LinkError> {
        let (lane, number, epoch) = (batch.lane, batch.number, batch.epoch);
        let signatures = signatures(&batch);
        let checked = check(&self.shared, self.peer.as_str(), signatures, |checks| {
            Checked::of(checks, batch)
        });
        let Checked { certificates, parcels, receipts } = checked.await?;
        let (peer, link) = (self.peer.clone(), self.id);
        let event = move |token: Token, certificates: Vec<Certificate>| {
            if receipts.is_empty() {
                Event::Arrived { peer, link, token, lane, epoch, parcels, certificates }
            } else {
                Event::ReceiptsArrived { peer, token, receipts }
            }
        };
        let turn = self.gate.turn(lane, number).await?;
        let reply = self.shared.inbox.ask(|token| event(token, certificates)).await?;
        drop(turn);
        let Ok(Reply::Verdicts { verdicts, receipts }) = reply.await else {
            return Err(LinkError::Closing);
        };
        let receipts = handing_out::prove(&self.shared.store, receipts)?;
        sender.set_priority(lane.number().into());
        sender.send(Verdicts { verdicts, receipts }.encode()).await?;
        sender.finish()?;
        Ok(())
    }
}

/// A batch when everything in it has been checked.
struct Checked {
    certificates: Vec<Certificate>,
    parcels: Vec<Result<Arrival, Refusal>>,
    receipts: Vec<Result<VerifiedReceipt, Refusal>>,
}

impl Checked {
    fn of(checks: &Checks, batch: Batch) -> Self {
        let named = batch.parts.iter().flat_map(signers);
        let signers = checks.signers(batch.certificates, named);
        let parcels = |part| parcels(checks, &signers, part);
        let parcels = batch.parts.into_iter().flat_map(parcels).collect();
        let receipts = batch.receipts.into_iter().map(|r| checks.receipt(r)).collect();
        Self { certificates: signers.good, parcels, receipts }
    }
}

fn parcels(
    checks: &Checks,
    signers: &Signers,
    relayed: RelayedPart,
) -> Vec<Result<Arrival, Refusal>> {
    let RelayedPart { dest, path, part: Part { signed, messages } } = relayed;
    let mut approvals = Vec::with_capacity(messages.len());
    let messages = messages.into_iter().map(|Parcel { header, body, approvals: signed }| {
        approvals.push(signed);
        (header, body)
    });
    let messages = checks.part(signers, &signed, messages);
    // One that is not genuine counts for nothing; whether enough are is for the rules to say.
    let known = |signed| checks.approval(signed).ok();
    let arrival = |(message, approvals): (Result<_, _>, Vec<_>)| {
        let approvals = approvals.into_iter().filter_map(known).collect();
        Ok(Arrival { message: message?, dest: dest.clone(), path: path.clone(), approvals })
    };
    messages.into_iter().zip(approvals).map(arrival).collect()
}

/// Signatures that a batch has to be checked for: on its parts, approvals, certificates and receipts.
fn signatures(batch: &Batch) -> usize {
    let approvals = batch.parts.iter().flat_map(|relayed| &relayed.part.messages);
    let approvals: usize = approvals.map(|parcel| parcel.approvals.len()).sum();
    batch.parts.len() + approvals + batch.certificates.len() + batch.receipts.len()
}

/// Everybody who signed something in a part.
fn signers(relayed: &RelayedPart) -> impl Iterator<Item = Fingerprint> {
    let approvals = relayed.part.messages.iter().flat_map(|parcel| &parcel.approvals);
    [relayed.part.signed.signer].into_iter().chain(approvals.map(|signed| signed.proof.signer))
}
