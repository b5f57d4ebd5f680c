//! Bounds of the encoding alone; those of the domain are in [`kuriiri_types::limits`].

use kuriiri_types::limits::{
    APPROVALS_MAX, BATCH_LEAVES_MAX, BATCH_MESSAGES_MAX, CHECKPOINT_BYTES_MAX, ENTRY_BYTES_MAX,
    FRAME_BYTES_MAX, HOPS_MAX, LABEL_ID_BYTES_MAX,
};

/// Bytes of a request that carries no batch and no files: the largest is a question with the most recipients
/// and the largest label. Larger: protocol error.
pub const SMALL_FRAME_BYTES_MAX: usize = 64 * 1024;
/// Reasons in a refusal or a receipt. More: left out when encoding, malformed when decoding.
pub const REASONS_MAX: usize = 32;
/// Bytes of one reason or problem; a sentence or two. Longer: cut when encoding, malformed when
/// decoding.
pub const REASON_BYTES_MAX: usize = 384;
/// Hashes in the path of a signature: the depth of the largest tree. More: malformed.
pub const PROOF_PATH_MAX: usize = BATCH_LEAVES_MAX.ilog2() as usize;
/// Bytes of an Ed25519 signature (RFC 8032). Any other length: malformed.
pub const SIGNATURE_BYTES: usize = 64;
/// Bytes of the software's name in a Hello. Longer: cut when encoding, malformed when decoding.
pub const SOFTWARE_BYTES_MAX: usize = 128;
/// Bytes of a name in a status report: an address or an identity. Longer: malformed.
pub const STATUS_NAME_BYTES_MAX: usize = 384;
/// Mailboxes, and peers, in a status report. More: malformed.
pub const STATUS_ENTRIES_MAX: usize = 4096;
/// Bytes of the line of a cosignature. Longer: protocol error.
pub const COSIGNATURE_BYTES_MAX: usize = 1024;
/// Bytes of a witness's answer: the checkpoint that it holds. Larger: protocol error.
pub const WITNESSED_BYTES_MAX: usize = CHECKPOINT_BYTES_MAX + 1024;
/// Bytes of proofs of as many places as a batch has messages: a path of 63 hashes each. Larger: protocol
/// error.
pub const PROVED_BYTES_MAX: usize = CHECKPOINT_BYTES_MAX + BATCH_MESSAGES_MAX * 2048;
/// Bytes of the checkpoint in a Hello: the log's own signature and one more. Longer: malformed.
pub const WITNESSED_NOTE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a frame of verdicts: as many receipts of the longest names as messages. Larger: protocol
/// error.
pub const VERDICTS_BYTES_MAX: usize = FRAME_BYTES_MAX;
/// Receipts in one answer: one of each message, if all have other senders, and as many that speak of
/// messages that were refused. More: protocol error.
pub const ANSWER_RECEIPTS_MAX: usize = 2 * BATCH_MESSAGES_MAX;
/// Bytes of a receipt with its proof: whoever gets it writes all of it into an entry of their own,
/// beside two chains and the longest names. Larger: malformed.
pub const SIGNED_RECEIPT_BYTES_MAX: usize = ENTRY_BYTES_MAX - 1024;
/// Bytes of a frame that only confirms. Larger: protocol error.
pub const CONFIRM_BYTES_MAX: usize = 64 * 1024;

// === the log ===

/// Chains that one entry is a link of: more than there are ways in and out. More: malformed.
pub const CHANNELS_MAX: usize = 2 * HOPS_MAX;
/// Reasons of one decision, as codes. More: left out when encoding, malformed when decoding.
pub const REASON_CODES_MAX: usize = 64;
/// Bytes of the code of a reason: two words and the id of a tag or role. Longer: cut when encoding,
/// malformed when decoding.
pub const REASON_CODE_BYTES_MAX: usize = 128;
/// Label policies under which one system is cleared. More: malformed.
pub const CLEARANCES_MAX: usize = 16;
/// Levels in one clearance: all of a catalogue. More: malformed.
pub const CLEARANCE_LEVELS_MAX: usize = 64;
/// Parts of one file: of 8 MiB, the largest that rules are read from. More: malformed.
pub const FILE_PARTS_MAX: usize = 512;
/// Bytes of a value in a clearance: `TAG:VALUE`. Longer: malformed.
pub const GRANT_BYTES_MAX: usize = 2 * LABEL_ID_BYTES_MAX + 1;

// === administration ===

/// Messages in one list of those that wait: with all their approvals they fit a frame. More: the list
/// goes on after the last.
pub const HOLDS_PAGE: usize = 64;
/// Bounds in one answer about what others may spend. More: the rest is left out by the relay, refused by a reader.
pub const BUDGETS_MAX: usize = 256;
/// Things with an end in one answer: what a federation of hundreds of members has. More: those that end last are left out
/// by the relay, refused by a reader.
pub const LAPSES_MAX: usize = 1024;
/// Messages in one list of those that are set aside: people read them. More: the list goes on after the last.
pub const ASIDE_PAGE: usize = 64;
/// Certificates with a message that waits: its system's and its officers'. More: malformed.
pub const HELD_CERTIFICATES_MAX: usize = 1 + APPROVALS_MAX;
/// Signed files at once: catalogue, federation and rules, and a translation for every pair that a
/// federation is likely to have. More: malformed.
pub const FILES_MAX: usize = 64;
/// Bytes of one signed file; a federation of a hundred members has about 100 KiB. Larger: malformed.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of all signed files and their signatures in one frame. More: malformed.
pub const FILES_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of the name of a signed file. Longer: malformed.
pub const FILE_NAME_BYTES_MAX: usize = 128;
/// Bytes of the word that says what became of a file. Longer: malformed.
pub const ACCEPTANCE_BYTES_MAX: usize = 32;
/// Lines in each list of what new files change; more than people read. More: left out and counted
/// when encoding, malformed when decoding.
pub const DIFFERENCES_MAX: usize = 4096;
/// Recorded decisions in one answer. More: malformed.
pub const DECISIONS_MAX: usize = 4096;
/// Bytes of one recorded decision. Larger: malformed.
pub const DECISION_BYTES_MAX: usize = 1024;
