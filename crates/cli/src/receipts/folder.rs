//! Receipts kept as files: proofs that anybody can check, years later and without any relay.
//!
//! A receipt speaks of many messages, so it is one file, and an index says which file speaks of which
//! message. The index only grows. It has a line for each message and recipient in each file, with tabs
//! between: the message's id, the recipient, what was said, and the name of the file.

use std::{
    collections::HashSet,
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use kuriiri_client::{VerifiedReceipt, receipt_proof};
use kuriiri_tlog::log_number;

use crate::{
    exit::Failure,
    files::{PUBLIC, replace, unwritten},
};

/// The name of the index in its folder.
const INDEX: &str = "messages.tsv";

/// A folder of receipts, or nothing if none are to be kept.
#[derive(Debug, Default)]
pub(crate) struct Proofs(Option<Folder>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    index: File,
    /// The names of the files in the index.
    kept: HashSet<String>,
}

impl Proofs {
    /// Makes the folder, or goes on with the one that is there.
    pub(crate) fn in_folder(folder: Option<PathBuf>) -> Result<Self, Failure> {
        let open = |path: PathBuf| Folder::open(&path).map_err(|error| unwritten(&path, error));
        Ok(Self(folder.map(open).transpose()?))
    }

    /// Writes a receipt as C2SP `tlog-proof` has it, unless it is there; `kuriiri-verify receipt` reads
    /// it. Then the index says of which messages it speaks. Both are on the disk when this returns.
    pub(crate) fn keep(&mut self, receipt: &VerifiedReceipt) -> Result<(), Failure> {
        let Some(folder) = &mut self.0 else { return Ok(()) };
        folder.keep(receipt).map_err(|error| unwritten(&folder.path, error))
    }
}

impl Folder {
    fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let index = path.join(INDEX);
        let mut index = OpenOptions::new().read(true).append(true).create(true).open(index)?;
        let mut lines = String::new();
        index.read_to_string(&mut lines)?;
        let file = |line: &str| line.rsplit_once('\t').map(|(_, file)| file.to_owned());
        let end = lines.rfind('\n').map_or(0, |end| end + 1);
        let whole = lines.get(..end).unwrap_or_default();
        let mut kept: HashSet<String> = whole.lines().filter_map(file).collect();
        if end < lines.len() {
            // The last line was cut off, and with it more of the same receipt: all is written again.
            index.write_all(b"\n")?;
            whole.lines().last().and_then(file).map(|name| kept.remove(&name));
        }
        Ok(Self { path: path.to_owned(), index, kept })
    }

    fn keep(&mut self, receipt: &VerifiedReceipt) -> io::Result<()> {
        let name = name(receipt);
        if self.kept.contains(&name) {
            return Ok(());
        }
        let proof = receipt_proof(receipt.signed());
        replace(&self.path.join(&name), &proof, PUBLIC)?;
        let said = receipt.receipt();
        let mut lines = String::new();
        for told in &said.subjects {
            let (message, recipient, kind) = (told.subject.message, &told.recipient, said.kind);
            // Writing into a string cannot fail.
            let _ = writeln!(lines, "{message}\t{recipient}\t{kind}\t{name}");
        }
        self.index.write_all(lines.as_bytes())?;
        self.index.sync_data()?;
        self.kept.insert(name);
        Ok(())
    }
}

/// `<issuer>-<kind>-<index>.tlog-proof`: nothing else stands at this place of the issuer's log. A log
/// that was begun anew counts from 0 again, so the second has `<issuer>_2`.
fn name(receipt: &VerifiedReceipt) -> String {
    let (said, signed) = (receipt.receipt(), receipt.signed());
    let origin = signed.checkpoint.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let log = match str::from_utf8(origin).ok().and_then(log_number) {
        None | Some(1) => said.issuer.to_string(),
        Some(number) => format!("{}_{number}", said.issuer),
    };
    format!("{log}-{}-{}.tlog-proof", said.kind, signed.index)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kuriiri_client::VerifiedReceipt;
    use kuriiri_merkle::{Growth, inclusion, leaf};
    use kuriiri_seal::NoteKey;
    use kuriiri_tlog::{Checkpoint, LogKeys, NoteSigner, ReceiptVerifier, TlogProof};
    use kuriiri_types::{
        Addressed, MessageId, Receipt, ReceiptKind, SignedReceipt, Subject, Timestamp,
    };

    use super::*;

    /// An acceptance of so many messages, at a place in a log of `sm.example`.
    fn receipt(origin: &str, index: u64, messages: u8) -> VerifiedReceipt {
        let at = Timestamp::from_millis(1_795_000_000_000);
        let told = |n| Addressed {
            subject: Subject { message: MessageId::new(at, [n; 10]), header: leaf(&[n]) },
            recipient: "kirjaamo@um.example".parse().unwrap(),
        };
        let receipt = Receipt {
            issuer: "sm.example".parse().unwrap(),
            kind: ReceiptKind::Accepted,
            at,
            sender: "kirjaamo@sm.example".parse().unwrap(),
            by: None,
            code: None,
            reasons: Vec::new(),
            subjects: (0..messages).map(told).collect(),
        };
        let log = NoteSigner::new(origin.parse().unwrap(), NoteKey::generate().unwrap().0);
        let (mut tree, entry) = (Growth::default(), Bytes::from_static(b"entry"));
        (0..=index).for_each(|_| {
            tree.push(leaf(&entry));
        });
        let (size, root) = (tree.size(), tree.root());
        let checkpoint = Checkpoint { origin: origin.into(), size, root }.sign(&log).unwrap();
        let path = inclusion(&tree, index, size).unwrap();
        let mut keys = LogKeys::new();
        keys.add(log.verifier_key()).unwrap();
        let signed = SignedReceipt { entry, index, path, checkpoint };
        ReceiptVerifier::new(keys).receipt(signed, |_| Ok::<_, String>(receipt)).unwrap()
    }

    fn index(folder: &Path) -> Vec<String> {
        let index = fs::read_to_string(folder.join(INDEX)).unwrap();
        index.lines().map(ToOwned::to_owned).collect()
    }

    fn proofs(folder: &Path) -> Proofs {
        Proofs::in_folder(Some(folder.to_owned())).unwrap()
    }

    #[test]
    fn one_file_is_kept_for_all_messages_of_a_receipt_and_the_index_says_which() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let receipt = receipt("sm.example/log", 2, 3);
        let mut proofs_now = proofs(folder);
        // Each message of a batch brings it.
        for _ in 0..3 {
            proofs_now.keep(&receipt).unwrap();
        }
        // And so does another `send`.
        proofs(folder).keep(&receipt).unwrap();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
        let name = "sm.example-accepted-2.tlog-proof";
        let proof = TlogProof::parse(&fs::read(folder.join(name)).unwrap()).unwrap();
        assert_eq!(proof.extra, receipt.signed().entry);
        let line = |told: &Addressed| {
            format!("{}\tkirjaamo@um.example\taccepted\t{name}", told.subject.message)
        };
        let lines: Vec<_> = receipt.receipt().subjects.iter().map(line).collect();
        assert_eq!(index(folder), lines);
    }

    #[test]
    fn receipts_of_other_places_and_logs_are_other_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut proofs = proofs(folder.path());
        for (origin, at) in [("sm.example/log", 0), ("sm.example/log", 1), ("sm.example/log/2", 0)]
        {
            proofs.keep(&receipt(origin, at, 1)).unwrap();
        }
        let files = index(folder.path());
        let files = files.iter().map(|line| line.rsplit_once('\t').unwrap().1);
        let expected =
            ["sm.example-accepted-0", "sm.example-accepted-1", "sm.example_2-accepted-0"];
        assert!(files.eq(expected.map(|name| format!("{name}.tlog-proof"))));
    }

    #[test]
    fn a_receipt_whose_lines_were_cut_off_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let receipt = receipt("sm.example/log", 0, 3);
        proofs(folder).keep(&receipt).unwrap();
        let lines = index(folder);
        let whole = fs::read_to_string(folder.join(INDEX)).unwrap();
        for left in [5, whole.len() / 2, whole.len() - 1] {
            fs::write(folder.join(INDEX), &whole[..left]).unwrap();
            proofs(folder).keep(&receipt).unwrap();
            let again = index(folder);
            assert_eq!(again[again.len() - 3..], lines, "{left}");
        }
    }

    #[test]
    fn nothing_is_kept_without_a_folder() {
        Proofs::in_folder(None).unwrap().keep(&receipt("sm.example/log", 0, 1)).unwrap();
    }
}
