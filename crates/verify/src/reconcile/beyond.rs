//! Why messages could not be compared.

use kuriiri_tlog::Checkpoint;
use kuriiri_types::Ministry;

use super::report::Row;

/// Why messages of a row could not be compared, because of the log of a ministry as it was given, in words.
pub(super) fn words(
    row: Row,
    count: u64,
    (home, other): (&Ministry, &Ministry),
    log: &Checkpoint,
) -> String {
    let Checkpoint { origin, size, .. } = log;
    if row == Row::ReceiptBeyondLog {
        format!(
            "{count} messages have receipts of {home} for entries beyond the end of its log as it was given \
             ({size} entries)"
        )
    } else if row == Row::ReceiptInOtherLog {
        format!(
            "{count} messages have receipts of {home} for entries of another log of it than {origin}; give \
             that log too"
        )
    } else if row == Row::BeforeLog {
        format!(
            "{count} messages may be in the log of {home} before {origin}, which goes on from it; give that \
             log too"
        )
    } else if row == Row::UnknownToReceiver {
        format!(
            "{count} messages left {other}, their time is over, and the log of {home} as it was given ({size} \
             entries) ends too early to say what became of them"
        )
    } else if row == Row::HeaderGone {
        format!(
            "{count} messages are in the log of {other} as come from {home}, whose log has not one of them; \
             their headers are gone, so who sent them cannot be told"
        )
    } else {
        format!(
            "{count} messages are in the log of {other} as come from {home}, and the log of {home} as it was \
             given ({size} entries) has not one of them and ends too early to say that they were omitted"
        )
    }
}
