//! Every bound, with its unit, its reason, and what happens when it is reached.

use std::time::Duration;

// === names ===

/// Bytes in a mailbox name: RFC 5321 §4.5.3.1.1 gives a local part 64. Longer: malformed.
pub const MAILBOX_NAME_BYTES_MAX: usize = 64;
/// Bytes in a ministry's name: a trust domain is at most 255 bytes (SPIFFE-ID §2.1). Longer: malformed.
pub const MINISTRY_NAME_BYTES_MAX: usize = 255;
/// Bytes in the last segment of a SPIFFE id; long enough for a host name. Longer: not an identity.
pub const SPIFFE_NAME_BYTES_MAX: usize = 64;

// === labels ===

/// Tags in a label: RFC 2634 `ub-security-categories`. More: malformed.
pub const LABEL_CATEGORIES_MAX: usize = 64;
/// Values in a label over all tags; a catalogue has at most 256. More: malformed.
pub const LABEL_VALUES_MAX: usize = 256;
/// Bytes in a level, tag or value id, and in a policy's OID URN. Longer: malformed.
pub const LABEL_ID_BYTES_MAX: usize = 64;
/// Bytes of a privacy mark; a line of text. Longer: malformed.
pub const PRIVACY_MARK_BYTES_MAX: usize = 256;

// === messages ===

/// Recipients of one message; a header stays within [`HEADER_BYTES_MAX`]. More: malformed.
pub const RECIPIENTS_MAX: usize = 64;
/// Sealing keys that one body is sealed to: two for each recipient, while a ministry changes its
/// key. More: malformed.
pub const SEALING_KEYS_MAX: usize = 2 * RECIPIENTS_MAX;
/// Sealing keys that the federation file lists for one ministry at once, and as many release keys: the one in
/// use, and those before and after it while keys change.
pub const MINISTRY_KEYS_MAX: usize = 8;
/// Bytes of an encoded header; it must fit a pack beside nothing else. Larger: malformed.
pub const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a content type (RFC 6838 gives two names of 127). Longer: malformed.
pub const CONTENT_TYPE_BYTES_MAX: usize = 256;
/// Bytes of a subject; a file name's worth. Longer: malformed.
pub const SUBJECT_BYTES_MAX: usize = 255;
/// Bytes of salt that stand before every body and make its commitment say nothing.
pub const BODY_SALT_BYTES: usize = 32;
/// Bytes of one body as carried. A client and two relays hold it in memory while it is on its way,
/// so it is a bound on memory too. Larger: refused as too big.
pub const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes up to which a body is stored inside a pack; above it goes to a body file, because sled
/// spends 90 µs on values of this size and a segment file 20.
pub const BODY_INLINE_BYTES_MAX: usize = 16 * 1024;
/// How far into the future a message may be dated before it is malformed: clocks differ.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(5 * 60);
/// How long a message may live, whatever it says; ids seen are remembered for as long.
pub const MESSAGE_TTL_MAX: Duration = Duration::from_secs(31 * 24 * 3600);

// === approvals ===

/// Approvals that one message carries: more officers than any rule asks for. More: malformed.
pub const APPROVALS_MAX: usize = 16;
/// Roles in which an officer signs an approval. More: malformed.
pub const APPROVAL_ROLES_MAX: usize = 8;
/// Bytes of the name of an officer's role, as of other ids in a policy. Longer: malformed.
pub const ROLE_NAME_BYTES_MAX: usize = 64;
/// Bytes of an officer's note to the drafter; a paragraph. Longer: malformed.
pub const APPROVAL_NOTE_BYTES_MAX: usize = 512;
/// Bytes of an encoded approval: what it repeats of the largest header, and what the officer adds.
/// Larger: malformed.
pub const APPROVAL_BYTES_MAX: usize = HEADER_BYTES_MAX + 2 * 1024;

// === handling ===

/// Markers that are shown with one message. More: the last are left out.
pub const MARKERS_MAX: usize = 16;
/// Bytes of a marker in one language; a line of text. Longer: cut.
pub const MARKER_BYTES_MAX: usize = 256;
/// How old a receipt may be when a relay takes it: it can wait as long as a message where it was
/// issued and again at a hub. Marks of what was seen are kept for as long. Older: refused as expired.
pub const RECEIPT_AGE_MAX: Duration = MESSAGE_TTL_MAX.saturating_mul(2);

// === batches and frames ===

/// Messages in a batch: one signature, one stream, one commit. More would wait for each other.
pub const BATCH_MESSAGES_MAX: usize = 256;
/// Bytes of bodies in a batch unless it is a single message; keeps a stream's memory small.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Batches under way to one peer in one lane: hides a round trip and a commit. More wait.
pub const BATCHES_IN_FLIGHT_MAX: usize = 8;
/// Leaves under one signature; 2^16 messages would be more than any batch. More: malformed.
pub const BATCH_LEAVES_MAX: u32 = 65_536;
/// Bytes in one frame: the largest body and its header, or a batch. Checked before allocation.
pub const FRAME_BYTES_MAX: usize = 18 * 1024 * 1024;
/// Bytes of a Hello; it comes before trust. Larger: protocol error.
pub const HELLO_BYTES_MAX: usize = 16 * 1024;
/// Certificates with messages or receipts: at most one signer each. More: protocol error.
pub const BATCH_CERTIFICATES_MAX: usize = BATCH_MESSAGES_MAX;
/// Certificates with messages that carry approvals, their systems' and their officers': 5 MiB of a frame.
/// A message with which there would be more begins another batch. More: protocol error.
pub const APPROVED_CERTIFICATES_MAX: usize = 1280;
/// Bytes of one certificate; Ed25519 SVIDs are about 500. Larger: malformed.
pub const CERTIFICATE_BYTES_MAX: usize = 4 * 1024;
/// Relays a message may pass, origin counted; policy can lower it. More: refused.
pub const HOPS_MAX: usize = 8;

// === files ===

/// Bytes of the file of a private key; one in PEM has some hundred. Larger: refused, and not read on.
pub const SECRET_FILE_BYTES_MAX: usize = 16 * 1024;

// === signed files ===

/// Signatures over one file: every officer of a large ministry. More: refused.
pub const FILE_SIGNATURES_MAX: usize = 32;
/// Bytes of a file of signatures; one takes about 300. Larger: refused before it is parsed.
pub const FILE_SIGNATURES_BYTES_MAX: usize = 64 * 1024;

// === the log ===

/// Bytes of an entry that C2SP tlog-tiles allows: its length has 16 bits.
pub const LOG_ENTRY_BYTES_LIMIT: usize = 65_535;
/// Bytes of an entry that a relay writes; it must fit a stored value. Larger: what it would say at
/// length is left out.
pub const ENTRY_BYTES_MAX: usize = PACK_BYTES_MAX - 1024;
/// Bytes of one part of a file in the log.
pub const FILE_PART_BYTES_MAX: usize = 16 * 1024;
/// Hashes in the path of an entry: the depth of the largest tree that can be. More: malformed.
pub const LOG_PATH_MAX: usize = 63;
/// Bytes of a checkpoint: its three lines and a signature of the log and each witness. Larger:
/// malformed.
pub const CHECKPOINT_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a checkpoint that a witness keeps: the log's own signature and a few more. Larger: not
/// cosigned.
pub const CHECKPOINT_SEEN_BYTES_MAX: usize = 4 * 1024;
/// Messages of one channel and minute whose headers a relay remembers to sum them up, 32 bytes each:
/// 2,000 a second. More: the sum counts them and has no root.
pub const CHANNEL_HEAD_DIGESTS_MAX: usize = 131_072;
/// Sums of channels in one entry of a log, so that it stays far below an entry's limit; a relay that
/// has more writes more entries. More: malformed.
pub const CHANNEL_HEADS_MAX: usize = 64;
/// How long the header of a message is kept beside the log at least: it may be decided on again for the
/// life of a message, and auditors come in their own time. A configuration that says less is refused.
pub const LOG_RETENTION_MIN: Duration = Duration::from_secs(100 * 24 * 3600);
/// Messages in one statement, each counted once for every recipient: one relay's share of a batch, and
/// few enough that what a message's own recipients make of it fits. More: malformed.
pub const STATEMENT_SUBJECTS_MAX: usize = 512;
/// Bytes of an entry after which no further message is added to its statement: whoever gets a receipt
/// must be able to write it into an entry of their own, with a path and a checkpoint of a log with many
/// witnesses. Reached: another statement begins.
pub const STATEMENT_BYTES: usize = 14 * 1024;
/// Bytes of a legal basis or a description of what somebody did. Longer: refused.
pub const BASIS_BYTES_MAX: usize = 1024;

// === storage ===

/// Bytes of one stored value: larger ones make sled spill to files that it never syncs.
pub const PACK_BYTES_MAX: usize = 28 * 1024;
/// Messages in one stored pack; one bit each in its record of what is done.
pub const PACK_MESSAGES_MAX: usize = 64;

/// Bytes that a file of the state folder holds for when the disk is full. A start writes as much at most:
/// 32 MiB of journal go into sled, 64 MiB of log are written again, 16 MiB of a journal begin, and 16 MiB are
/// for what the first deliveries say. Given up when less is free; made again when there is plenty.
pub const STATE_RESERVE_BYTES: u64 = 128 * 1024 * 1024;
/// Free bytes below which a relay takes in nothing that stays: as much as a busy one writes between two looks.
pub const STATE_ROOM_LOW_BYTES: u64 = 2 * STATE_RESERVE_BYTES;
/// Free bytes below which nobody may have more than [`CUSTODY_SHARE_BYTES`] waiting: whoever fills the disk is held
/// off before the others are.
pub const STATE_ROOM_TIGHT_BYTES: u64 = 8 * STATE_ROOM_LOW_BYTES;
/// Free bytes below which a relay does only what empties its queues: the largest commit, and what sled writes
/// next.
pub const STATE_ROOM_CRITICAL_BYTES: u64 = STATE_RESERVE_BYTES / 4;
/// Files and folders that can still be made, below which a relay takes in nothing that stays: a body file for
/// each commit of some seconds.
pub const STATE_FILES_LOW: u64 = 4096;
/// The same below which it does only what empties its queues: a start makes fewer.
pub const STATE_FILES_CRITICAL: u64 = 256;

// === engine ===

/// Events in one step of the engine, each a batch at most; bounds the size of a commit. More
/// wait for the next.
pub const EVENTS_PER_STEP_MAX: usize = 64;
/// Bytes of packs that one lane of a queue keeps in memory, twice what can be under way in it as 1 KiB
/// messages; the rest is on disk.
pub const LANE_MEMORY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The same for a lane that fills once all together keep [`QUEUES_MEMORY_BYTES_MAX`]: two packs, so that
/// none stands still.
pub const LANE_MEMORY_BYTES_MIN: usize = 64 * 1024;
/// Bytes of packs that all lanes keep in memory together: however many peers are away, the relay does not
/// grow with what waits for them.
pub const QUEUES_MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Messages waiting for one peer. Full: submissions and arrivals for it are refused.
pub const OUTBOX_MESSAGES_MAX: u64 = 4_000_000;
/// Messages waiting in one mailbox. Full: what comes for it is refused, and the sender hears so.
pub const MAILBOX_MESSAGES_MAX: u64 = 1_000_000;
/// Parts of a queue of which one payer (a sender at its origin, else the ministry that a message is from) has one
/// at most once the queue is half full. More: refused, and the sender hears so.
pub const QUEUE_SHARES: u64 = 8;
/// Messages of one payer among those that wait for officers or hours. More: refused, and the sender hears so.
pub const HOLDS_SHARE_MAX: usize = HOLDS_MAX / 8;
/// Bytes that one payer may have waiting in all queues when the disk has less than [`STATE_ROOM_TIGHT_BYTES`] left.
/// More: refused, and the sender hears so.
pub const CUSTODY_SHARE_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of headers and entries about what is denied, for one payer at once; then
/// [`DENIED_BYTES_PER_MINUTE`] more each minute, 360 MiB a day. Over it: refused, counted, and not written one by one.
pub const DENIED_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// See [`DENIED_BYTES_MAX`].
pub const DENIED_BYTES_PER_MINUTE: u64 = 256 * 1024;
/// Checkpoints of a peer's log that are cosigned at once; then [`CHECKPOINTS_PER_MINUTE`] more each minute: a relay
/// asks once a second. Over it: told to come again.
pub const CHECKPOINTS_MAX: u64 = 120;
/// See [`CHECKPOINTS_MAX`].
pub const CHECKPOINTS_PER_MINUTE: u64 = 60;
/// Messages that wait at their origin for officers or for their hours: people read them one by
/// one, so more is a mistake somewhere. Full: what has to wait is refused, and the sender hears so.
pub const HOLDS_MAX: usize = 10_000;
/// Messages of one mailbox or outbox that are set aside: people deal with them. Full: what is the sender's fault
/// ends and its sender is told; what is not stays where it is, and the mailbox gives nothing out.
pub const ASIDE_MESSAGES_MAX: u64 = 10_000;
/// Bytes of the reason for which a message is set aside. Longer: cut.
pub const ASIDE_REASON_BYTES_MAX: usize = 256;
/// Receipts waiting for one system. Full: the oldest go; the ministry's log still has them.
pub const RECEIPTS_MAX: u64 = 1_000_000;
/// Messages delivered and not yet confirmed on one subscription, whatever credit it asked for.
pub const CREDIT_MAX: u32 = 1024;
/// Open subscriptions of one system to messages, and as many to receipts: each is looked at in every step. More:
/// refused.
pub const SUBSCRIPTIONS_PER_SYSTEM_MAX: usize = 64;
/// Statements of other relays that are known again, 16 bytes each. Older ones may be made once more.
pub const SAID_IN_MEMORY_MAX: usize = 1_000_000;
/// Bytes of statements that a relay may make once more at once about what it stated before, and each minute: a
/// message that is set aside again, or a state that was lost. More: refused, and not written.
pub const SAID_AGAIN_BYTES_MAX: u64 = 4 << 20;
/// See [`SAID_AGAIN_BYTES_MAX`].
pub const SAID_AGAIN_PER_MINUTE: u64 = 64 << 10;
/// Marks of seen messages held in memory, about 80 bytes each; others are read from disk.
pub const SEEN_IDS_IN_MEMORY_MAX: usize = 1_000_000;
/// Width of one bucket of marks: small enough to read back one when an old message comes, and so that the buckets
/// of the last minute are in memory at 10,000 messages a second.
pub const SEEN_BUCKET: Duration = Duration::from_secs(16);
/// Marks that a giver may have read from disk once more at once, and each minute; a million take about a second.
/// Nobody needs any who does not jump between old times. More: the message is put off.
pub const MARKS_READ_AGAIN_MAX: u64 = 4_000_000;
/// See [`MARKS_READ_AGAIN_MAX`].
pub const MARKS_READ_AGAIN_PER_MINUTE: u64 = 500_000;
/// First wait after a peer failed once: a restart should cost nobody a minute.
pub const RETRY_GRACE: Duration = Duration::from_millis(250);
/// Longest wait between two tries to reach a peer: an operator's patience, not a week.
pub const RETRY_WAIT_MAX: Duration = Duration::from_secs(60);

// === links ===

/// Handshakes that others have begun and not finished. More: the oldest of the address prefix that has
/// most of them makes room, so that no flood keeps the others out.
pub const HANDSHAKES_MAX: usize = 256;
/// Unfinished handshakes of one address prefix, a /24 of IPv4 or a /48 of IPv6: a ministry whose systems
/// all come again at once. More: one older than [`HANDSHAKE_GRACE`] makes room, else the newcomer's packet
/// is dropped, and an honest newcomer sends it again.
pub const HANDSHAKES_PER_PREFIX_MAX: usize = 32;
/// Age up to which a handshake keeps its place before a newcomer of its own prefix: some round trips over
/// a bad line.
pub const HANDSHAKE_GRACE: Duration = Duration::from_secs(1);
/// Links that relays of other ministries have with this one, reserved for them: 64 ministries with all
/// their links, or 256 with one. More: refused.
pub const RELAY_LINKS_MAX: usize = 256;
/// Links that the ministry's own systems have with its relay. More: refused.
pub const CLIENT_LINKS_MAX: usize = 736;
/// Links of officers and operators, reserved for them: whoever has to help must get in. More: refused.
pub const ADMIN_LINKS_MAX: usize = 32;
/// Systems, peers and persons connected at once.
pub const CONNECTIONS_MAX: usize = RELAY_LINKS_MAX + CLIENT_LINKS_MAX + ADMIN_LINKS_MAX;
/// Links that the relays of one ministry have with this one: one is used, others are being replaced. More:
/// the oldest ends, because a relay that was started again does not know the links of its earlier life.
pub const LINKS_PER_MINISTRY_MAX: usize = 4;
/// Links of one system: its processes, each with one. More: refused, because ending another would set
/// them against each other.
pub const LINKS_PER_SYSTEM_MAX: usize = 8;
/// Links of one officer or operator to administer. More: refused.
pub const LINKS_PER_PERSON_MAX: usize = 4;
/// Bytes of frames of one link that were begun, or were decoded and wait for their answer: two of the largest
/// bodies at once, or all batches under way as they usually are. More wait unread at the sender.
pub const FRAMES_LINK_BYTES_MAX: u64 = 40 * 1024 * 1024;
/// The same with one more frame, for the stream that is older than all that have their room: what others wait
/// for is never kept waiting by them.
pub const FRAMES_LINK_BYTES_LIMIT: u64 = FRAMES_LINK_BYTES_MAX + FRAME_BYTES_MAX as u64;
/// The same of all links of one system, or of the relays of one ministry. More wait.
pub const FRAMES_HOLDER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The same of all links. Nobody gets more than is left over for the others, so it cannot be used up by a few.
pub const FRAMES_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How long a frame may stand still, and a request may be awaited on a stream that was opened: a packet is
/// lost and sent again in much less. Longer: the stream ends.
pub const FRAME_PATIENCE: Duration = Duration::from_secs(30);
/// Bytes a second by which a frame must grow after [`FRAME_PATIENCE`], so that the room it holds is free
/// again. Slower: the stream ends.
pub const FRAME_BYTES_PER_SECOND_MIN: u64 = 64 * 1024;
/// How long a batch may wait for those of its lane that have lower numbers: as long as a frame may stand
/// still and its sender waits for an answer. Longer: the link ends.
pub const TURN_PATIENCE: Duration = FRAME_PATIENCE;

/// How long it may take to learn where the name of a relay leads. Longer: that peer counts as not reached.
pub const LOOKUP_PATIENCE: Duration = Duration::from_secs(5);
/// Names that are looked up at the same time: each takes a thread, for longer than anybody waits for it. More
/// wait.
pub const LOOKUPS_MAX: usize = 16;
/// Addresses of one name that are tried. More: left out.
pub const PEER_ADDRESSES_MAX: usize = 16;

// === threads and processors ===

/// Bodies that are read from disk at the same time; each takes a thread. More wait.
pub const BODY_READS_MAX: usize = 32;
/// Questions for newer proofs that are answered from the log at the same time; each takes a thread that reads
/// tiles. More wait.
pub const PROOFS_AT_ONCE_MAX: usize = 16;
/// The same for one system, or one ministry's relays.
pub const PROOFS_AT_ONCE_PER_GIVER_MAX: usize = 4;
/// Signatures up to which a frame is checked where it came in, in less time than a thread takes to wake up.
pub const CHECKED_IN_PLACE_MAX: usize = 4;
/// Bytes that wait to be sent to one system on all its subscriptions: more than the whole credit of one with
/// the longest headers, bodies that stand in packs and all their approvals. More: the subscription is let go.
pub const PUSHED_BYTES_MAX: u64 = 256 * 1024 * 1024;

// === lines ===

/// Givers whose lines of the log are counted each by itself, about 100 bytes each. More: counted together.
pub const LINE_GIVERS_MAX: usize = 1024;
