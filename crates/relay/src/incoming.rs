//! Links that peers dial: their outboxes come in on them, our verdicts go back.

use std::sync::Arc;

use kuriiri_engine::{Arrival, Certificate, Event, LinkId, Reply, Shown, Token};
use kuriiri_transport::{CloseCode, Link, Receiver, Sender};
use kuriiri_types::{Fingerprint, Ministry, Refusal};
use kuriiri_wire::{
    Frame, Part, Place,
    relay::{Batch, Hello, Parcel, RelayRequest, RelayedPart, Verdicts, WitnessRequest, Witnessed},
};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    convert,
    error::LinkError,
    gate::Gate,
    handing_out,
    newer_proofs::Questions,
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
    proof_questions: Questions,
}

impl Inbound {
    pub(crate) fn new(shared: Arc<Shared>, rollback: Arc<Rollback>, link: Link) -> Self {
        let (peer, id) = (link.peer().id().ministry().clone(), shared.inbox.new_link());
        let (gate, proof_questions) = (Gate::new(), Questions::new());
        Self { shared, rollback, peer, link, id, gate, proof_questions }
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
        self.link.close(CloseCode::Protocol, &error.to_string());
        error
    }

    async fn greet(&self) -> Result<(), LinkError> {
        let (mut sender, mut receiver) = self.link.accept().await?;
        let frame = receiver.frame(Hello::BYTES_MAX).await?.ok_or(LinkError::Silent)?;
        let hello = Hello::decode(frame)?;
        sender.send(self.shared.hello_to(&self.peer).encode()).await?;
        sender.finish()?;
        check_hello(&hello)?;
        if let Some(note) = &hello.witnessed {
            self.rollback.held_by_witness(&self.shared.store, note)?;
        }
        tracing::info!(peer = %self.peer, software = hello.software, "peer came in");
        self.shared.inbox.tell(Event::Heard { peer: self.peer.clone() }).await?;
        Ok(())
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
        self.link.close(CloseCode::Protocol, &error.to_string());
        let (link, problem) = (self.id, error.to_string());
        let _ = self.shared.inbox.tell(Event::LinkDown { peer: None, link, problem }).await;
        error
    }

    async fn take_request(
        self: Arc<Self>,
        sender: Sender,
        mut receiver: Receiver,
    ) -> Result<(), LinkError> {
        let frame = receiver.frame(RelayRequest::BYTES_MAX).await?.ok_or(LinkError::Silent)?;
        match RelayRequest::decode(frame)? {
            RelayRequest::Batch(batch) => self.take_batch(sender, batch).await,
            RelayRequest::Witness(request) => self.witness(sender, request).await,
            RelayRequest::Prove { issuer, places } => self.prove(sender, &issuer, places).await,
        }
    }

    async fn prove(
        &self,
        mut sender: Sender,
        issuer: &Ministry,
        places: Vec<Place>,
    ) -> Result<(), LinkError> {
        let proved = self.proof_questions.of_peer(&self.shared, issuer, places).await;
        sender.send(proved.encode()).await?;
        sender.finish()?;
        Ok(())
    }

    /// Cosigns a checkpoint of the peer's log, once it is durable that it was seen.
    async fn witness(&self, mut sender: Sender, request: WitnessRequest) -> Result<(), LinkError> {
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

    async fn take_batch(&self, mut sender: Sender, batch: Batch) -> Result<(), LinkError> {
        let (lane, number, epoch) = (batch.lane, batch.number, batch.epoch);
        let named = batch.parts.iter().flat_map(signers);
        let certificates = self.shared.checks.signers(batch.certificates, named);
        let parcels: Vec<_> = batch.parts.into_iter().flat_map(|part| self.check(part)).collect();
        let receipts: Vec<_> =
            batch.receipts.into_iter().map(|r| self.shared.checks.receipt(r)).collect();
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

    fn check(&self, relayed: RelayedPart) -> Vec<Result<Arrival, Refusal>> {
        let RelayedPart { dest, path, part: Part { signed, messages } } = relayed;
        let mut approvals = Vec::with_capacity(messages.len());
        let messages = messages.into_iter().map(|Parcel { header, body, approvals: signed }| {
            approvals.push(signed);
            (header, body)
        });
        let messages = self.shared.checks.part(&signed, messages);
        // One that is not genuine counts for nothing; whether enough are is for the rules to say.
        let known = |signed| self.shared.checks.approval(signed).ok();
        let arrival = |(message, approvals): (Result<_, _>, Vec<_>)| {
            let approvals = approvals.into_iter().filter_map(known).collect();
            Ok(Arrival { message: message?, dest: dest.clone(), path: path.clone(), approvals })
        };
        messages.into_iter().zip(approvals).map(arrival).collect()
    }
}

/// Everybody who signed something in a part.
fn signers(relayed: &RelayedPart) -> impl Iterator<Item = Fingerprint> {
    let approvals = relayed.part.messages.iter().flat_map(|parcel| &parcel.approvals);
    [relayed.part.signed.signer].into_iter().chain(approvals.map(|signed| signed.proof.signer))
}
