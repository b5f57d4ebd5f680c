//! Deliberate faults of the hosts, which the invariants must find.

/// A way in which a world is broken on purpose. A check that finds nothing in such a world would
/// find nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sabotage {
    /// All is well.
    #[default]
    None,
    /// Hosts speak before the commit, and some crash before they make it.
    SpeaksFirst,
    /// A disk loses a pack of a mailbox.
    LosesAPack,
    /// A disk forgets what was seen, and old batches come again.
    ForgetsWhatWasSeen,
    /// A disk forgets how often its relay started.
    ForgetsStarts,
    /// A disk keeps a body that was released.
    KeepsABody,
    /// A disk loses its body files.
    LosesBodies,
    /// Disks keep no certificates.
    LosesCertificates,
    /// A disk damages a signature.
    DamagesASignature,
    /// A disk loses the signature of some messages.
    LosesASignature,
    /// Batches are handed over as they come, whatever their numbers.
    HasNoGates,
    /// Relays run on rules that nobody signed.
    ForgedRules,
    /// Readers confirm receipts that they never had.
    ConfirmsUnread,
    /// Two relays never see each other again.
    NeverHeals,
    /// A message is said to be held that no disk holds.
    HoldsNothing,
    /// A disk loses a hold while its relay is down.
    LosesAHold,
    /// A hold ends, and with it all that would have come of it.
    EndsAHoldSilently,
    /// A disk keeps a hold that has ended, and its relay starts on it.
    KeepsAHold,
    /// An officer's word is counted and not kept.
    LosesAWord,
    /// Officers are shown nothing of what waits.
    HidesHolds,
    /// The same officer counts again under another name.
    CountsTwice,
    /// What officers said of one message is kept with another, and counts there.
    MixesUpWords,
    /// Nobody knows any more who wrote a message that waits.
    ForgetsDrafters,
    /// Whoever hands in a word is taken for whoever signed it.
    TrustsAnybody,
    /// Officers are told of a rejection that nobody made.
    MisleadsOfficers,
    /// Relays run on rules that ask for no officers.
    AsksForNoOfficers,
    /// Relays are not told of new rules.
    KeepsOldRules,
    /// When rules change, what is only on disk cannot be seen.
    SkipsWhatIsOnDisk,
    /// A disk loses what was written into the log last, while its relay is down.
    CutsTheLogBack,
    /// A disk changes an entry of the log.
    RewritesTheLog,
    /// Receipts are handed out with the place of another.
    MisplacesReceipts,
    /// A relay keeps what it has taken, and not what it wrote of it.
    ForgetsToWrite,
    /// Receipts of other relays are taken and not written into the log.
    HidesReceipts,
    /// The links of chains are counted wrongly.
    BreaksChains,
    /// The log has other decisions than those that were taken.
    MisquotesDecisions,
    /// Relays on the way do not write that the next one has a message, nor sum it up.
    LosesProofs,
    /// The log has a relay state things of messages of another sender too.
    MixesSenders,
    /// The log has one statement of another relay in the place of the next.
    RepeatsStatements,
    /// The log has another signature of an originator than was made.
    MisquotesSignatures,
    /// The log says that headers are kept longer than they are.
    MisquotesRetention,
    /// The log calls messages by other ids.
    MisquotesReceipts,
    /// The log counts a message too many between two relays.
    MisquotesSums,
    /// What goes into the log is no entry.
    Scribbles,
    /// A disk loses a header beside the log while its relay is down.
    LosesAHeader,
    /// A disk puts headers beside an entry in another order.
    ShufflesHeaders,
    /// Headers are erased of which the log says nothing.
    ErasesSilently,
    /// Checkpoints have more signatures than there is room for.
    FattensCheckpoints,
    /// A batch is answered without what is stated of it.
    WithholdsReceipts,
    /// A message is said to be erased while a copy is under way.
    ErasesInNameOnly,
    /// A batch is answered with a verdict too few.
    SwallowsAVerdict,
    /// A question is answered with what nobody asked for.
    AnswersSomethingElse,
    /// A receiver is turned away who may receive.
    TurnsReceiversAway,
    /// A receiver is handed the same over and over.
    HandsOutTooMuch,
    /// A peer is handed more than a batch holds.
    SendsTooMuch,
    /// What was taken is said to be refused.
    RefusesWhatItHolds,
    /// Officers are told of a release that nobody made.
    PretendsReleases,
    /// Watches are not shown all receipts.
    HidesFromWatches,
    /// Something is said to wait where nothing does.
    MiscountsWhatWaits,
    /// A relay at rest steps again and again.
    NeverSleeps,
    /// More stands in a pack than it holds.
    StuffsAPack,
    /// A receipt is put into a queue twice.
    RepeatsAReceipt,
    /// A word of an officer is kept twice.
    DoublesAWord,
    /// What disks are to forget they keep.
    RemembersForEver,
    /// A disk has a note of an expiry that will never be.
    LeavesANote,
    /// A disk has a body file that nothing ever referred to.
    LeavesABody,
    /// A commit ends what is not there.
    ReleasesTooMuch,
    /// A relay shows its peers another log than it has.
    ShowsAnotherLog,
    /// Disks keep holds that end when nobody comes any more.
    NeverEndsAHold,
    /// A disk damages what is known of the log's end.
    DamagesTheHead,
}
