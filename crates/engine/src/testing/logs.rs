//! The logs of the example federation: their keys, and receipts that relays besides the one under
//! test issue.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use kuriiri_merkle::{Growth, inclusion, leaf};
use kuriiri_seal::NoteKey;
use kuriiri_tlog::{
    Checkpoint, Cosigner, LogKeys, NoteSigner, ReceiptVerifier, VerifiedReceipt, log_origin,
};
use kuriiri_types::{
    Address, Addressed, Code, Entry, Giver, LogEvent, Ministry, Receipt, ReceiptKind,
    SignedReceipt, Subject, Timestamp,
};
use kuriiri_wire::{entry, receipt};

use super::{
    Letter,
    cast::{NODES, ministry},
};

struct Logs {
    signers: BTreeMap<Ministry, Arc<NoteSigner>>,
    cosigners: BTreeMap<Ministry, Arc<Cosigner>>,
    verifier: ReceiptVerifier,
}

/// The logs, their keys made once for all tests.
fn logs() -> &'static Logs {
    static LOGS: OnceLock<Logs> = OnceLock::new();
    LOGS.get_or_init(|| {
        let (mut signers, mut keys) = (BTreeMap::new(), LogKeys::new());
        let mut cosigners = BTreeMap::new();
        for (_, domain, _) in NODES {
            let ministry = ministry(domain);
            let key = NoteKey::generate().unwrap().0;
            let signer = NoteSigner::new(log_origin(&ministry).parse().unwrap(), key);
            keys.add(signer.verifier_key()).unwrap();
            let name = format!("{ministry}/witness").parse().unwrap();
            let cosigner = Cosigner::new(name, NoteKey::generate().unwrap().0);
            cosigners.insert(ministry.clone(), Arc::new(cosigner));
            signers.insert(ministry, Arc::new(signer));
        }
        Logs { signers, cosigners, verifier: ReceiptVerifier::new(keys) }
    })
}

/// As whom a ministry's relay witnesses the logs of others.
pub(crate) fn cosigner_of(ministry: &Ministry) -> Arc<Cosigner> {
    Arc::clone(&logs().cosigners[ministry])
}

/// Who signs the log of a ministry's relay.
pub(crate) fn signer_of(ministry: &Ministry) -> Arc<NoteSigner> {
    Arc::clone(&logs().signers[ministry])
}

/// The receipt, held against the log that it names.
pub(crate) fn verified(signed: &SignedReceipt) -> VerifiedReceipt {
    logs().verifier.receipt(signed.clone(), |bytes| receipt::decode(bytes)).unwrap()
}

/// These statements of one relay, as entries of a log of which nothing else is known.
pub(crate) fn stated(receipts: Vec<Receipt>) -> Vec<VerifiedReceipt> {
    let Some(issuer) = receipts.first().map(|receipt| receipt.issuer.clone()) else {
        return Vec::new();
    };
    let mut tree = Growth::default();
    let mut entries = Vec::new();
    for (number, receipt) in (0..=u8::MAX).cycle().zip(receipts) {
        let (at, event) = (receipt.at, LogEvent::Receipt(receipt));
        let entry = Entry { salt: [number; 32], at, boot: 1, channels: Vec::new(), event };
        let bytes = entry::encode(&entry);
        entries.push((tree.push(leaf(&bytes)), bytes));
    }
    let (signer, size, root) = (signer_of(&issuer), tree.size(), tree.root());
    let origin = log_origin(&issuer);
    let checkpoint = Checkpoint { origin, size, root }.sign(&signer).unwrap();
    let proven = entries.into_iter().map(|(index, entry)| {
        let path = inclusion(&tree, index, size).unwrap();
        verified(&SignedReceipt { entry, index, path, checkpoint: checkpoint.clone() })
    });
    proven.collect()
}

/// What a relay would say of a letter and one recipient.
pub(crate) fn receipt_of(
    letter: &Letter,
    recipient: &Address,
    (kind, issuer): (ReceiptKind, &str),
    at: Timestamp,
) -> Receipt {
    let (header, header_digest) = (letter.header(), letter.verified().leaf());
    let code = match kind {
        ReceiptKind::Accepted | ReceiptKind::Relayed | ReceiptKind::Delivered => None,
        ReceiptKind::Refused => Some(Code::REJECTED),
        ReceiptKind::SetAside => Some(Code::MALFORMED),
        ReceiptKind::Expired => Some(Code::EXPIRED),
    };
    let system = |ministry: &Ministry| {
        Giver::System(format!("spiffe://{ministry}/system/kirjaamo").parse().unwrap())
    };
    let by = match kind {
        ReceiptKind::Accepted => Some(system(header.from.ministry())),
        ReceiptKind::Relayed => Some(Giver::Peer(header.from.ministry().clone())),
        ReceiptKind::Delivered | ReceiptKind::SetAside => Some(system(recipient.ministry())),
        ReceiptKind::Refused | ReceiptKind::Expired => None,
    };
    let subject = Subject { message: header.id, header: header_digest };
    Receipt {
        issuer: ministry(issuer),
        kind,
        at,
        sender: header.from,
        by,
        code,
        reasons: Vec::new(),
        subjects: vec![Addressed { subject, recipient: recipient.clone() }],
    }
}

/// What the relay of a letter's first recipient says of its delivery at a time.
pub(crate) fn delivery_of(letter: &Letter, at: Timestamp) -> VerifiedReceipt {
    let recipient = &letter.to[0];
    let issuer = recipient.ministry().as_str();
    let receipt = receipt_of(letter, recipient, (ReceiptKind::Delivered, issuer), at);
    stated(vec![receipt]).remove(0)
}
