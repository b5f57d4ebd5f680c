//! A relay that takes everything, believes everybody and cosigns whatever it is shown.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_seal::NoteKey;
use kuriiri_tlog::{Checkpoint, Cosigner, Note, NoteSigner};
use kuriiri_transport::{
    CloseCode, Conversation, Endpoint, Identity, Link, Receiver, Sender, Settings, Trust,
};
use kuriiri_types::{
    Addressed, Entry, Giver, LogEvent, Receipt, ReceiptKind, SignedReceipt, Subject, Timestamp,
    Verdict, limits::FRAME_BYTES_MAX,
};
use kuriiri_wire::{
    Frame, Proofs, Proved, entry, header,
    relay::{Batch, Hello, RelayRequest, Verdicts, Witnessed},
};
use tokio::task::JoinSet;

use super::address;
use crate::federation::Federation;

/// The relay, for as long as this is held.
pub(super) struct Yes {
    _tasks: JoinSet<()>,
}

struct Keys {
    log: NoteSigner,
    witness: Cosigner,
    /// Whether it has seen what it cannot read, after which it serves nobody.
    is_frail: bool,
    is_broken: AtomicBool,
}

impl Yes {
    /// Listens in the place of the relay of sm.
    pub(super) fn listening(federation: &Federation, is_frail: bool) -> Self {
        let read = |name: &str| std::fs::read_to_string(federation.path(name)).unwrap();
        let identity = Identity::from_pem(&read("sm/tls.pem"), &read("sm/tls.key")).unwrap();
        let mut trust = Trust::builder();
        for ministry in ["sm.example", "plm.example", "um.example"] {
            let ca = read(&format!("federation/trust/{ministry}.ca.pem"));
            trust = trust.member(ministry.parse().unwrap(), &ca, None).unwrap();
            trust = trust.danger_without_revocation(ministry.parse().unwrap());
        }
        let settings = Settings::new(identity, trust.build().unwrap());
        let at = address(&federation.path("sm/relay.toml")).parse().unwrap();
        let endpoint = Endpoint::listen(at, settings, &[Conversation::Relay]).unwrap();
        let key = |name: &str| NoteKey::from_pem(&read(name)).unwrap();
        let keys = Keys {
            log: NoteSigner::new("sm.example/log".parse().unwrap(), key("sm/log.key")),
            witness: Cosigner::new("sm.example/witness".parse().unwrap(), key("sm/witness.key")),
            is_frail,
            is_broken: AtomicBool::new(false),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(keep_door(endpoint, Arc::new(keys)));
        Self { _tasks: tasks }
    }
}

async fn keep_door(endpoint: Endpoint, keys: Arc<Keys>) {
    let mut guests = JoinSet::new();
    while let Some(handshake) = endpoint.accept().await {
        let keys = Arc::clone(&keys);
        guests.spawn(async move {
            let Ok(link) = handshake.complete().await else { return };
            if keys.is_broken.load(Ordering::Relaxed) {
                return link.close(CloseCode::Done, "broken");
            }
            serve(link, keys).await;
        });
    }
}

async fn serve(link: Link, keys: Arc<Keys>) {
    let mut streams = JoinSet::new();
    let mut is_first = true;
    while let Ok((sender, receiver)) = link.accept().await {
        streams.spawn(answer(sender, receiver, std::mem::take(&mut is_first), Arc::clone(&keys)));
    }
}

async fn answer(mut sender: Sender, mut receiver: Receiver, is_first: bool, keys: Arc<Keys>) {
    let Ok(Some(frame)) = receiver.frame(FRAME_BYTES_MAX).await else { return };
    let answer = if is_first { hello() } else { yes(frame, &keys) };
    let _ = sender.send(answer).await;
    let _ = sender.finish();
}

fn hello() -> Bytes {
    let software = "yes".into();
    let (policy_digest, witnessed) = (None, None);
    Hello { version: 2, software, federation_serial: 19, policy_digest, witnessed }.encode()
}

fn yes(frame: Bytes, keys: &Keys) -> Bytes {
    let Ok(request) = RelayRequest::decode(frame) else {
        keys.is_broken.store(keys.is_frail, Ordering::Relaxed);
        return Verdicts { verdicts: vec![taken()], receipts: Vec::new() }.encode();
    };
    match request {
        RelayRequest::Batch(batch) => take(&batch, keys).encode(),
        RelayRequest::Witness(request) => {
            let note = Note::parse(&request.checkpoint).unwrap();
            let line = keys.witness.cosign(note.text(), 1).unwrap();
            Witnessed::Cosigned(line.to_string()).encode()
        }
        RelayRequest::Prove { places, .. } => {
            let paths = places.iter().map(|_| Some(Vec::new())).collect();
            Proved::Proofs(Proofs { checkpoint: b"proof"[..].into(), paths }).encode()
        }
    }
}

fn taken() -> Verdict {
    Verdict::Accepted { at: crate::identity::now(), repeat: false }
}

/// Takes all of a batch, with a receipt for each message that can be read.
fn take(batch: &Batch, keys: &Keys) -> Verdicts {
    let parcels: Vec<_> = batch.parts.iter().flat_map(|part| &part.part.messages).collect();
    let receipts = parcels.iter().filter_map(|parcel| receipt(&parcel.header, keys)).collect();
    Verdicts { verdicts: vec![taken(); parcels.len() + batch.receipts.len()], receipts }
}

fn receipt(bytes: &Bytes, keys: &Keys) -> Option<SignedReceipt> {
    let read = header::decode(bytes).ok()?;
    let subject = Subject { message: read.id, header: leaf(bytes) };
    let to = read.to.iter().map(|to| Addressed { subject, recipient: to.address.clone() });
    let at = Timestamp::from_millis(0);
    let receipt = Receipt {
        issuer: "sm.example".parse().unwrap(),
        kind: ReceiptKind::Relayed,
        at,
        sender: read.from.clone(),
        by: Some(Giver::Peer("plm.example".parse().unwrap())),
        code: None,
        reasons: Vec::new(),
        subjects: to.collect(),
    };
    let event = LogEvent::Receipt(receipt);
    let entry = entry::encode(&Entry { salt: [0; 32], at, boot: 1, channels: Vec::new(), event });
    let origin = keys.log.name().to_string();
    let checkpoint = Checkpoint { origin, size: 1, root: leaf(&entry) }.sign(&keys.log).unwrap();
    Some(SignedReceipt { entry, index: 0, path: Vec::new(), checkpoint })
}
