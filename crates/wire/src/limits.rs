//! Bounds of the encoding alone; those of the domain are in [`kuriiri_types::limits`].

use kuriiri_types::limits::BATCH_LEAVES_MAX;

/// Bytes of an encoded receipt: all that keep the other limits fit, and it fits a stored pack.
/// Larger: malformed.
pub const RECEIPT_BYTES_MAX: usize = 16 * 1024;
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
/// Bytes of a frame of verdicts: 64 refusals with all their reasons. Larger: protocol error.
pub const VERDICTS_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a frame that only confirms. Larger: protocol error.
pub const CONFIRM_BYTES_MAX: usize = 64 * 1024;
