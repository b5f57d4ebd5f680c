//! Links of the ministry's own systems: what they submit, receive and ask.

use std::sync::Arc;

use kuriiri_engine::{Event, LinkId, Question, Reply, Token};
use kuriiri_transport::{Frame as Came, Held, Link, Receiver, Sender};
use kuriiri_types::{Address, Ministry, SpiffeId};
use kuriiri_wire::{
    Frame, Part, Place, Proved,
    client::{self, Request, Submission, SubmissionAnswer, Submitted},
};
use tokio::task::JoinSet;

use crate::{
    checking::check, convert, error::LinkError, gate::Gate, handing_out, newer_proofs,
    shared::Shared, subscription::Subscription,
};

/// One link of a system.
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) system: SpiffeId,
    /// The system's name, as those have it that share things out.
    giver: String,
    link: Link,
    id: LinkId,
    gate: Gate,
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>, link: Link) -> Self {
        let (system, id) = (link.peer().id().clone(), shared.inbox.new_link());
        let (gate, giver) = (Gate::new(), system.to_string());
        Self { shared, system, giver, link, id, gate }
    }

    /// Serves the link until it ends. A request that fails ends its own stream; one that breaks
    /// the protocol ends the link.
    pub(crate) async fn serve(self) {
        let is_told = self.shared.lines.is_first(&self.giver, "a system came in");
        if is_told {
            tracing::info!(system = %self.system, "system came in");
        }
        let session = Arc::new(self);
        let mut requests = JoinSet::new();
        let error = session.take_requests(&mut requests).await;
        error.close(&session.link);
        // Each ends by itself now that the link is closed, and frees what its receiver held.
        while requests.join_next().await.is_some() {}
        let (link, problem) = (session.id, error.to_string());
        // When the loop is gone there is nobody left to tell.
        let _ = session.shared.inbox.tell(Event::LinkDown { peer: None, link, problem }).await;
        if is_told {
            tracing::info!(system = %session.system, %error, "system left");
        }
    }

    async fn take_requests(
        self: &Arc<Self>,
        requests: &mut JoinSet<Result<(), LinkError>>,
    ) -> LinkError {
        loop {
            tokio::select! {
                stream = self.link.accept() => match stream {
                    Ok((sender, receiver)) => {
                        requests.spawn(Arc::clone(self).take_request(sender, receiver));
                    }
                    Err(closed) => break closed.into(),
                },
                Some(done) = requests.join_next() => match done {
                    Ok(Err(error)) if error.ends_the_link() => break error,
                    Ok(Ok(()) | Err(_)) => {}
                    Err(error) => break LinkError::Task(error.to_string()),
                },
            }
        }
    }

    async fn take_request(
        self: Arc<Self>,
        mut sender: Sender,
        mut receiver: Receiver,
    ) -> Result<(), LinkError> {
        let (request, held) = match request(&mut receiver).await {
            Ok(came) => came,
            Err(error) => {
                sender.reset(error.code());
                return Err(error);
            }
        };
        match request {
            Request::Submit(submission) => self.submit(&mut sender, submission).await,
            Request::Ask(question) => self.ask(&mut sender, question).await,
            Request::Status => self.status(&mut sender).await,
            Request::Prove { issuer, places } => self.prove(&mut sender, &issuer, places).await,
            // These are small and may last; the room of others is taken until they have been answered.
            Request::Receive { mailbox, credit } => {
                drop(held);
                self.receive(sender, receiver, mailbox, credit).await
            }
            Request::Receipts { address, mode } => {
                drop(held);
                self.receipts(sender, receiver, address, mode).await
            }
        }
    }

    async fn submit(&self, sender: &mut Sender, submission: Submission) -> Result<(), LinkError> {
        let Submission { epoch, number, lane, certificates, parts } = submission;
        let signatures = parts.len() + certificates.len();
        let checked = check(&self.shared, &self.giver, signatures, |checks| {
            let named = parts.iter().map(|part| part.signed.signer);
            let signers = checks.signers(certificates, named);
            let of_part = |Part { signed, messages }: Part<Submitted>| {
                let messages =
                    messages.into_iter().map(|Submitted { header, body }| (header, body));
                checks.part(&signers, &signed, messages)
            };
            let messages: Vec<_> = parts.into_iter().flat_map(of_part).collect();
            (signers.good, messages)
        });
        let (certificates, messages) = checked.await?;
        let (system, link) = (self.system.clone(), self.id);
        let event = |token: Token| Event::Submitted {
            system,
            link,
            token,
            lane,
            epoch,
            messages,
            certificates,
        };
        let turn = self.gate.turn(lane, number).await?;
        let reply = self.shared.inbox.ask(event).await?;
        drop(turn);
        let reply = match reply.await {
            Ok(Reply::Verdicts { verdicts, receipts }) => {
                let receipts = handing_out::prove(&self.shared.store, receipts)?;
                client::Reply::Submission(SubmissionAnswer { verdicts, receipts })
            }
            Ok(other) => convert::refused(other),
            Err(_) => return Err(LinkError::Closing),
        };
        answer(sender, &reply).await
    }

    async fn ask(&self, sender: &mut Sender, question: client::Question) -> Result<(), LinkError> {
        let client::Question { from, to, label, precedence, size } = question;
        let (system, question) =
            (self.system.clone(), Question { from, to, label, precedence, size });
        let reply = self.shared.inbox.ask(|token| Event::Asked { system, token, question }).await?;
        let reply = match reply.await {
            Ok(Reply::Outcome(outcome)) => client::Reply::Answer(client::Answer { outcome }),
            Ok(other) => convert::refused(other),
            Err(_) => return Err(LinkError::Closing),
        };
        answer(sender, &reply).await
    }

    async fn status(&self, sender: &mut Sender) -> Result<(), LinkError> {
        let system = self.system.clone();
        let reply = self.shared.inbox.ask(|token| Event::StatusAsked { system, token }).await?;
        let reply = match reply.await {
            Ok(Reply::Status(status)) => {
                let ministry = self.system.ministry().clone();
                client::Reply::Status(convert::report(ministry, self.shared.relay.clone(), status))
            }
            Ok(other) => convert::refused(other),
            Err(_) => return Err(LinkError::Closing),
        };
        answer(sender, &reply).await
    }

    async fn prove(
        &self,
        sender: &mut Sender,
        issuer: &Ministry,
        places: Vec<Place>,
    ) -> Result<(), LinkError> {
        let proved = newer_proofs::of_system(&self.shared, &self.giver, issuer, places).await;
        let reply = match proved {
            Proved::Proofs(proofs) => client::Reply::Proofs(proofs),
            Proved::Refused(refusal) => client::Reply::Refused(refusal),
        };
        answer(sender, &reply).await
    }

    async fn receive(
        &self,
        sender: Sender,
        receiver: Receiver,
        mailbox: Address,
        credit: u32,
    ) -> Result<(), LinkError> {
        let system = self.system.clone();
        let wanted = |subscription| Event::Wanted { system, subscription, mailbox, credit };
        let subscription = Subscription::open(&self.shared, &self.link, wanted).await?;
        subscription.serve_messages(sender, receiver).await
    }

    async fn receipts(
        &self,
        sender: Sender,
        receiver: Receiver,
        address: Address,
        mode: client::ReceiptMode,
    ) -> Result<(), LinkError> {
        let (system, mode) = (self.system.clone(), convert::mode(mode));
        let wanted = |subscription| Event::ReceiptsWanted { system, subscription, address, mode };
        let subscription = Subscription::open(&self.shared, &self.link, wanted).await?;
        subscription.serve_receipts(sender, receiver).await
    }
}

async fn answer(sender: &mut Sender, reply: &client::Reply) -> Result<(), LinkError> {
    sender.send(reply.encode()).await?;
    sender.finish()?;
    Ok(())
}

/// The request of a stream, and the room that it takes.
async fn request(receiver: &mut Receiver) -> Result<(Request, Held), LinkError> {
    receiver.is_due();
    let frame = receiver.next_frame_by(Request::bytes_max).await?;
    let Came { bytes, held } = frame.ok_or(LinkError::Silent)?;
    Ok((Request::decode(bytes)?, held))
}
