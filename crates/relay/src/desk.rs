//! What links and sessions have in common: checking what was handed over, asking the engine.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use kuriiri_engine::{
    Body, Certificate, Event, LinkId, ReceiptOut, Reply, SubscriptionId, Token, Unproved,
};
use kuriiri_seal::{VerifiedApproval, VerifiedHeader, VerifiedMessage, Verifier, VerifyError};
use kuriiri_store::{BodyError, Store};
use kuriiri_tlog::{Checkpoint, ReceiptVerifier, VerifiedReceipt};
use kuriiri_transport::Link;
use kuriiri_types::{Fingerprint, Ministry, Refusal, SignedApproval, SignedPart, SignedReceipt};
use kuriiri_wire::{approval, header, receipt, relay::Hello};
use tokio::sync::{mpsc, oneshot};

use crate::{
    certificates::Book,
    clock,
    error::LinkError,
    messages::{Closing, Input, Push},
    proving::Prover,
};

/// Shared by every task of a relay.
#[derive(Debug)]
pub(crate) struct Desk {
    verifier: ArcSwap<Verifier>,
    receipts: ArcSwap<ReceiptVerifier>,
    pub(crate) book: Book,
    pub(crate) store: Arc<Store>,
    pub(crate) prover: Prover,
    hello: Hello,
    /// The link to each peer that the loop uses, of those that this relay dialled. Only the loop
    /// writes it: two may be made at once, and the one that it lets go must not be the one noted.
    peers: Mutex<HashMap<Ministry, (LinkId, Link)>>,
    pub(crate) relay: String,
    inbox: mpsc::Sender<Input>,
    numbers: AtomicU64,
}

impl Desk {
    pub(crate) fn new(
        (verifier, receipts): (Verifier, ReceiptVerifier),
        book: Book,
        store: Arc<Store>,
        hello: Hello,
        relay: String,
        inbox: mpsc::Sender<Input>,
    ) -> Self {
        let (verifier, numbers) = (ArcSwap::from_pointee(verifier), AtomicU64::new(1));
        let receipts = ArcSwap::from_pointee(receipts);
        let (peers, prover) = (Mutex::default(), Prover::new(Arc::clone(&store)));
        Self { verifier, receipts, book, store, prover, hello, peers, relay, inbox, numbers }
    }

    /// What this relay says first to a peer: with what it cosigned of the peer's log.
    pub(crate) fn hello(&self, peer: &Ministry) -> Hello {
        // A state that cannot be read shows elsewhere, and stops the relay there.
        let seen = self.store.seen_log(peer).ok().flatten();
        Hello { witnessed: seen.map(|seen| seen.note), ..self.hello.clone() }
    }

    /// Notes that a link to a peer stands.
    pub(crate) fn link_stands(&self, peer: &Ministry, id: LinkId, link: &Link) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.insert(peer.clone(), (id, link.clone()));
    }

    /// Notes that a link has ended. Another one to the same peer may have taken its place.
    pub(crate) fn link_ended(&self, peer: &Ministry, id: LinkId) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.get(peer).is_some_and(|(standing, _)| *standing == id) {
            peers.remove(peer);
        }
    }

    /// The link to a peer, if one stands, and its number.
    pub(crate) fn peer_link(&self, peer: &Ministry) -> Option<(LinkId, Link)> {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.get(peer).cloned()
    }

    /// A number for a new link.
    pub(crate) fn link(&self) -> LinkId {
        LinkId(self.number())
    }

    /// A number for a new subscription.
    pub(crate) fn subscription(&self) -> SubscriptionId {
        SubscriptionId(self.number())
    }

    /// Believes these authorities, lists and logs from now on. Signers are judged anew.
    pub(crate) fn replace_verifiers(&self, verifier: Verifier, receipts: ReceiptVerifier) {
        self.verifier.store(Arc::new(verifier));
        self.receipts.store(Arc::new(receipts));
    }

    /// Tells the engine something.
    pub(crate) async fn tell(&self, event: Event) -> Result<(), Closing> {
        self.inbox.send(Input::Event(event)).await.map_err(|_| Closing)
    }

    /// Tells the engine something under a name by which the loop can answer at any time.
    pub(crate) async fn subscribe(
        &self,
        event: Event,
        subscription: SubscriptionId,
        pushes: mpsc::Sender<Push>,
    ) -> Result<(), Closing> {
        let input = Input::Subscription(event, subscription, pushes);
        self.inbox.send(input).await.map_err(|_| Closing)
    }

    /// Announces a link to a peer.
    pub(crate) async fn announce(&self, input: Input) -> Result<(), Closing> {
        self.inbox.send(input).await.map_err(|_| Closing)
    }

    /// Puts a question to the engine. Its place among all events is taken when this returns; the
    /// answer comes later.
    pub(crate) async fn ask(
        &self,
        question: impl FnOnce(Token) -> Event,
    ) -> Result<oneshot::Receiver<Reply>, Closing> {
        let (answer, reply) = oneshot::channel();
        let token = Token(self.number());
        let input = Input::Question(question(token), token, answer);
        self.inbox.send(input).await.map_err(|_| Closing)?;
        Ok(reply)
    }

    /// Notes certificates that came along, and reminds the verifier of all that a batch names, which
    /// may have come before. Bad ones are left out: what they signed is refused for it, one by one.
    /// Gives those that are named, to be kept with what they signed: what brought them first may have
    /// been lost on its way to the engine.
    pub(crate) fn signers(
        &self,
        came: Vec<Bytes>,
        named: impl IntoIterator<Item = Fingerprint>,
    ) -> Vec<Certificate> {
        let (now, verifier) = (clock::now(), self.verifier.load());
        let admit = |der: Bytes| {
            let fingerprint = verifier.admit_certificate(&der, now).ok()?;
            Some(Certificate { fingerprint, der })
        };
        let came: Vec<Certificate> = came.into_iter().filter_map(admit).collect();
        self.book.note(&came);
        self.book.certificates(named).into_iter().filter_map(admit).collect()
    }

    /// Checks messages that were signed together, each a header and salt with body. Without a good
    /// signature none of them counts.
    pub(crate) fn check_part(
        &self,
        signed: &SignedPart,
        messages: impl IntoIterator<Item = (Bytes, Bytes)>,
    ) -> Vec<Result<VerifiedMessage, Refusal>> {
        let (headers, bodies): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let decode = |bytes: &Bytes| header::decode(bytes);
        let headers = self.verifier.load().headers(signed, &headers, decode, clock::now());
        let joined = |(header, body): (Result<VerifiedHeader, _>, _)| {
            let message = header.and_then(|header| header.with_body(body));
            message.map_err(|error| refusal(&error))
        };
        headers.into_iter().zip(bodies).map(joined).collect()
    }

    /// Checks that a receipt stands in its issuer's log.
    pub(crate) fn check_receipt(&self, signed: SignedReceipt) -> Result<VerifiedReceipt, Refusal> {
        let verified = self.receipts.load().receipt(signed, |bytes| receipt::decode(bytes));
        verified.map_err(|error| Refusal { code: error.code(), reasons: vec![error.to_string()] })
    }

    /// Gives receipts of this relay their proofs. Their step must be durable.
    pub(crate) fn prove(&self, receipts: Vec<Unproved>) -> Result<Vec<SignedReceipt>, LinkError> {
        self.store.prove(receipts).map_err(|error| LinkError::Proof(error.to_string()))
    }

    /// A receipt as it leaves, whoever issued it.
    pub(crate) fn hand_out(&self, receipt: ReceiptOut) -> Result<SignedReceipt, LinkError> {
        match receipt {
            ReceiptOut::Other(signed) => Ok(signed),
            ReceiptOut::Own(unproved) => {
                let missing = || LinkError::Proof("the store gave no proof".into());
                self.prove(vec![unproved])?.pop().ok_or_else(missing)
            }
        }
    }

    /// Checks that a checkpoint is one of the peer's own log.
    pub(crate) fn check_checkpoint(
        &self,
        peer: &Ministry,
        note: &[u8],
    ) -> Result<Checkpoint, Refusal> {
        self.receipts
            .load()
            .checkpoint_of(peer, note)
            .map_err(|error| Refusal { code: error.code(), reasons: vec![error.to_string()] })
    }

    /// Salt and body, wherever they are.
    pub(crate) async fn body(&self, body: Body) -> Result<Bytes, BodyError> {
        match body {
            Body::Inline(body) => Ok(body),
            Body::File(place) => self.store.read_body(place).await,
        }
    }

    /// Checks the signature of an officer's approval.
    pub(crate) fn check_approval(
        &self,
        signed: SignedApproval,
    ) -> Result<VerifiedApproval, Refusal> {
        let verifier = self.verifier.load();
        let verified = verifier.approval(signed, |bytes| approval::decode(bytes), clock::now());
        verified.map_err(|error| refusal(&error))
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

fn refusal(error: &VerifyError) -> Refusal {
    Refusal { code: error.code(), reasons: vec![error.to_string()] }
}
