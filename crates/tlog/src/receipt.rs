//! From a receipt that somebody hands over to one that is known to stand in its issuer's log.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use kuriiri_merkle::{digest, leaf, root_from_inclusion};
use kuriiri_types::{Code, Digest, Ministry, Receipt, SignedReceipt};

use crate::{Checkpoint, CheckpointError, KeyKind, KeyName, Note, VerifierKey, text::decimal};

/// What stands between a ministry's name and the number of its log in an origin.
const LOG: &str = "/log";
/// Checkpoints that are remembered as genuine, about 200 bytes each: all batches that can be under
/// way share a few. When it is full, the oldest goes; it is then verified again.
const CHECKPOINTS_REMEMBERED: usize = 8192;

/// The public keys of the ministries' logs.
///
/// The origin of a ministry's log is `<ministry>/log`; of one that was begun anew after a loss
/// `<ministry>/log/2`, then `/3`, with the same key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogKeys(BTreeMap<Ministry, VerifierKey>);

impl LogKeys {
    /// No log is known: no receipt is genuine.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the key of a ministry's log, as `log.vkey` and the federation file have it.
    ///
    /// # Errors
    /// When the key's name is not the origin of a ministry's log.
    pub fn add(&mut self, key: &VerifierKey) -> Result<(), ReceiptError> {
        let origin = key.name().as_str();
        let ministry = ministry_of(origin).filter(|_| key.kind() == KeyKind::Note);
        let ministry = ministry.ok_or_else(|| ReceiptError::origin(origin))?;
        self.0.insert(ministry, key.clone());
        Ok(())
    }

    /// The key of the log with this origin, and whose log it is.
    pub fn find(&self, origin: &str) -> Option<(&Ministry, VerifierKey)> {
        let (ministry, key) = self.0.get_key_value(&ministry_of(origin)?)?;
        let name: KeyName = origin.parse().ok()?;
        Some((ministry, VerifierKey::new(name, key.kind(), *key.public_key())))
    }
}

/// The origin of the first log of a ministry.
pub fn log_origin(ministry: &Ministry) -> String {
    nth_log_origin(ministry, 1)
}

/// The origin of a ministry's log with this number; the first is 1.
pub fn nth_log_origin(ministry: &Ministry, number: u32) -> String {
    if number > 1 { format!("{ministry}{LOG}/{number}") } else { format!("{ministry}{LOG}") }
}

/// Whose log has this origin, if it is that of a ministry's log.
pub fn ministry_of(origin: &str) -> Option<Ministry> {
    parts_of(origin).map(|(ministry, _)| ministry)
}

/// Which of its ministry's logs has this origin; the first is 1.
pub fn log_number(origin: &str) -> Option<u32> {
    parts_of(origin).map(|(_, number)| number)
}

fn parts_of(origin: &str) -> Option<(Ministry, u32)> {
    let (ministry, rest) = origin.split_once(LOG)?;
    let number = match rest.strip_prefix('/') {
        None => rest.is_empty().then_some(1)?,
        Some(number) => u32::try_from(decimal(number)?).ok().filter(|number| *number > 1)?,
    };
    Some((ministry.parse().ok()?, number))
}

/// Checks receipts against the logs that issued them. Shared by all tasks of a relay or a client.
///
/// It remembers checkpoints that it has verified, within a bound; no lock is held while it verifies.
/// A receipt is good for ever: nothing in it expires.
pub struct ReceiptVerifier {
    keys: LogKeys,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    checkpoints: HashMap<Digest, Arc<Witnessed>>,
    order: VecDeque<Digest>,
}

struct Witnessed {
    ministry: Ministry,
    size: u64,
    root: Digest,
}

/// Why a receipt is not genuine. It is the fault of whoever handed it over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Nobody here knows the log.
    #[error("the log `{0}` is not that of a member")]
    UnknownLog(String),
    /// The checkpoint is not what its log signed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The entry does not lead to the root that the log signed.
    #[error("the entry is not in the log of {0}")]
    NotInLog(Ministry),
    /// The receipt speaks for another ministry than the one whose log it is in.
    #[error("the log of {log} cannot speak for {issuer}")]
    Issuer {
        /// Whose log it is.
        log: Ministry,
        /// For whom the receipt speaks.
        issuer: Ministry,
    },
    /// The entry cannot be read.
    #[error("{0}")]
    Decode(String),
}

impl ReceiptError {
    /// The number under which this is known.
    pub fn code(&self) -> Code {
        match self {
            Self::Decode(_) => Code::MALFORMED,
            Self::UnknownLog(_) | Self::Checkpoint(_) | Self::NotInLog(_) | Self::Issuer { .. } => {
                Code::SIGNATURE
            }
        }
    }

    fn origin(origin: &str) -> Self {
        Self::UnknownLog(origin.chars().filter(|c| !c.is_control()).take(300).collect())
    }
}

impl ReceiptVerifier {
    /// A verifier that believes these logs.
    pub fn new(keys: LogKeys) -> Self {
        Self { keys, known: Mutex::default() }
    }

    /// Checks that this receipt stands in the log of the ministry that it speaks for. The entry is
    /// decoded only once it is known to be in the log.
    ///
    /// # Errors
    /// [`ReceiptError`], with what is not genuine.
    pub fn receipt<E: fmt::Display>(
        &self,
        signed: SignedReceipt,
        decode: impl FnOnce(&Bytes) -> Result<Receipt, E>,
    ) -> Result<VerifiedReceipt, ReceiptError> {
        let log = self.checkpoint(&signed.checkpoint)?;
        let root = root_from_inclusion(leaf(&signed.entry), signed.index, log.size, &signed.path);
        if root != Some(log.root) {
            return Err(ReceiptError::NotInLog(log.ministry.clone()));
        }
        let receipt =
            decode(&signed.entry).map_err(|error| ReceiptError::Decode(error.to_string()))?;
        if receipt.issuer != log.ministry {
            let (log, issuer) = (log.ministry.clone(), receipt.issuer);
            return Err(ReceiptError::Issuer { log, issuer });
        }
        Ok(VerifiedReceipt { receipt, signed })
    }

    /// The checkpoint in a note that the log of this very ministry signed.
    ///
    /// # Errors
    /// When it is another's, or not genuine.
    pub fn checkpoint_of(
        &self,
        ministry: &Ministry,
        note: &[u8],
    ) -> Result<Checkpoint, ReceiptError> {
        let parsed = Note::parse(note).map_err(CheckpointError::from)?;
        let origin = parsed.text().lines().next().unwrap_or_default();
        let found = self.keys.find(origin).filter(|(whose, _)| *whose == ministry);
        let (_, key) = found.ok_or_else(|| ReceiptError::origin(origin))?;
        Ok(Checkpoint::in_note(&parsed, &key)?)
    }

    fn checkpoint(&self, note: &Bytes) -> Result<Arc<Witnessed>, ReceiptError> {
        let name = digest(note);
        if let Some(known) = self.locked().checkpoints.get(&name) {
            return Ok(Arc::clone(known));
        }
        let parsed = Note::parse(note).map_err(CheckpointError::from)?;
        let origin = parsed.text().lines().next().unwrap_or_default();
        let (ministry, key) = self.keys.find(origin).ok_or_else(|| ReceiptError::origin(origin))?;
        let Checkpoint { size, root, .. } = Checkpoint::in_note(&parsed, &key)?;
        let witnessed = Arc::new(Witnessed { ministry: ministry.clone(), size, root });
        self.locked().remember(name, Arc::clone(&witnessed));
        Ok(witnessed)
    }

    /// The guard, also after a panic elsewhere: the memory is whole between any two calls.
    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn remember(&mut self, name: Digest, witnessed: Arc<Witnessed>) {
        if self.checkpoints.insert(name, witnessed).is_none() {
            self.order.push_back(name);
        }
        if self.order.len() > CHECKPOINTS_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.checkpoints.remove(&oldest);
        }
    }
}

/// A receipt that stands in the log of the ministry that issued it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedReceipt {
    receipt: Receipt,
    signed: SignedReceipt,
}

impl VerifiedReceipt {
    /// What it says.
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// The entry, verbatim, with its proof.
    pub fn signed(&self) -> &SignedReceipt {
        &self.signed
    }

    /// How many have signed its checkpoint besides the log itself; who they are, nobody has checked.
    pub fn cosignatures(&self) -> usize {
        let note = Note::parse(&self.signed.checkpoint);
        note.map_or(0, |note| note.signatures().len().saturating_sub(1))
    }

    /// The receipt and its proof, giving up that they were verified.
    pub fn into_parts(self) -> (Receipt, SignedReceipt) {
        (self.receipt, self.signed)
    }
}

impl fmt::Debug for ReceiptVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiptVerifier").field("keys", &self.keys).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_merkle::{Growth, inclusion};
    use kuriiri_seal::NoteKey;
    use kuriiri_types::{Addressed, MessageId, ReceiptKind, Subject, Timestamp};

    use super::*;
    use crate::{Cosigner, NoteSigner};

    fn signer(name: &str) -> NoteSigner {
        NoteSigner::new(name.parse().unwrap(), NoteKey::generate().unwrap().0)
    }

    fn receipt(issuer: &str) -> Receipt {
        let message = MessageId::new(Timestamp::from_millis(1_795_000_000_000), [1; 10]);
        let subject = Subject { message, header: leaf(b"header") };
        let recipient = "kirjaamo@sm.example".parse().unwrap();
        Receipt {
            issuer: issuer.parse().unwrap(),
            kind: ReceiptKind::Delivered,
            at: Timestamp::from_millis(1_795_000_000_001),
            sender: "kirjaamo@um.example".parse().unwrap(),
            by: None,
            code: None,
            reasons: Vec::new(),
            subjects: vec![Addressed { subject, recipient }],
        }
    }

    /// The second of three entries of a log.
    fn signed(log: &NoteSigner) -> SignedReceipt {
        let mut tree = Growth::default();
        [b"one".as_slice(), b"two", b"three"].into_iter().for_each(|e| {
            tree.push(leaf(e));
        });
        let origin = log.name().to_string();
        let checkpoint = Checkpoint { origin, size: 3, root: tree.root() }.sign(log).unwrap();
        let path = inclusion(&tree, 1, 3).unwrap();
        SignedReceipt { entry: Bytes::from_static(b"two"), index: 1, path, checkpoint }
    }

    fn decode(issuer: &str) -> impl FnOnce(&Bytes) -> Result<Receipt, String> {
        let receipt = receipt(issuer);
        move |entry| if entry == b"two".as_slice() { Ok(receipt) } else { Err("decoded".into()) }
    }

    fn verifier(log: &NoteSigner) -> ReceiptVerifier {
        let mut keys = LogKeys::new();
        keys.add(log.verifier_key()).unwrap();
        ReceiptVerifier::new(keys)
    }

    #[test]
    fn a_receipt_is_good_if_it_is_in_its_issuers_log() {
        let log = signer("sm.example/log");
        let verifier = verifier(&log);
        for _ in 0..2 {
            let verified = verifier.receipt(signed(&log), decode("sm.example")).unwrap();
            assert_eq!(verified.receipt().kind, ReceiptKind::Delivered);
        }
        let anew = log.renamed("sm.example/log/2".parse().unwrap());
        assert!(verifier.receipt(signed(&anew), decode("sm.example")).is_ok());
    }

    #[test]
    fn whatever_is_not_so_is_refused() {
        let log = signer("sm.example/log");
        let verifier = verifier(&log);
        let refused = |receipt, issuer| verifier.receipt(receipt, decode(issuer)).unwrap_err();
        let changed = |change: fn(&mut SignedReceipt)| {
            let mut receipt = signed(&log);
            change(&mut receipt);
            refused(receipt, "sm.example")
        };
        let not_in_log = |error| matches!(error, ReceiptError::NotInLog(_));
        assert!(not_in_log(changed(|r| r.entry = Bytes::from_static(b"other"))));
        assert!(not_in_log(changed(|r| r.index = 0)));
        assert!(not_in_log(changed(|r| r.path.truncate(1))));
        assert!(not_in_log(changed(|r| r.path.push(leaf(b"more")))));
        let flipped = changed(|r| {
            let mut note = r.checkpoint.to_vec();
            let at = note.len() - 10;
            note[at] = if note[at] == b'A' { b'B' } else { b'A' };
            r.checkpoint = note.into();
        });
        assert!(matches!(flipped, ReceiptError::Checkpoint(_)), "{flipped}");
        assert!(matches!(refused(signed(&log), "um.example"), ReceiptError::Issuer { .. }));
        let stranger = refused(signed(&signer("um.example/log")), "um.example");
        assert!(matches!(stranger, ReceiptError::UnknownLog(_)));
        let forged = refused(signed(&signer("sm.example/log")), "sm.example");
        assert!(matches!(forged, ReceiptError::Checkpoint(_)), "{forged}");
        assert_eq!(forged.code(), Code::SIGNATURE);
    }

    #[test]
    fn the_checkpoint_of_another_ministry_is_not_ones_own() {
        let log = signer("sm.example/log");
        let (verifier, note) = (verifier(&log), signed(&log).checkpoint);
        assert!(verifier.checkpoint_of(&"sm.example".parse().unwrap(), &note).is_ok());
        assert!(verifier.checkpoint_of(&"um.example".parse().unwrap(), &note).is_err());
    }

    #[test]
    fn origins_name_a_ministry_and_a_number() {
        let sm: Ministry = "sm.example".parse().unwrap();
        for (number, origin) in [(1, "sm.example/log"), (2, "sm.example/log/2")] {
            assert_eq!(nth_log_origin(&sm, number), origin);
            assert_eq!(ministry_of(origin), Some(sm.clone()));
            assert_eq!(log_number(origin), Some(number));
        }
        for other in [
            "sm.example",
            "sm.example/log/",
            "sm.example/log/1",
            "sm.example/log/02",
            "sm.example/log/+2",
            "sm.example/log/2/3",
            "/log",
            "sm.example/logs",
        ] {
            assert_eq!(ministry_of(other), None, "{other}");
        }
    }

    #[test]
    fn the_key_of_a_witness_is_none_of_a_log() {
        let name = "sm.example/log".parse().unwrap();
        let witness = Cosigner::new(name, NoteKey::generate().unwrap().0);
        assert!(LogKeys::new().add(witness.verifier_key()).is_err());
        assert!(LogKeys::new().add(signer("sm.example").verifier_key()).is_err());
    }
}
