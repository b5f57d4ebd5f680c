//! Which messages findings are about.

use crate::{finding::Findings, folder::LogFolder, found::found};

/// Findings whose messages are looked up, because each is another reading.
pub(super) const NAMED_MAX: usize = 1000;

/// Findings that name an entry and no message get the message that the entry is about, if it is one.
pub(super) fn name_messages(folder: &LogFolder, findings: &mut Findings) {
    for finding in findings.listed_mut().iter_mut().take(NAMED_MAX) {
        let Some(index) = finding.entry.filter(|_| finding.message.is_none()) else { continue };
        let entry = folder.entry(index).ok();
        finding.message = entry.and_then(|bytes| found((index, bytes)).message());
    }
}
