//! What the sender is told where a seal does not count.

use kuriiri_policy::{Federation, Unsealed};
use kuriiri_types::{Code, Header, Ministry, Refusal};

/// A denial; with the reason why its seal does not count, if its header names keys.
pub(super) fn denied(
    federation: &Federation,
    refusal: Refusal,
    (header, dest): (&Header, &Ministry),
) -> Refusal {
    match federation.check_seal(header, dest) {
        Ok(()) | Err(Unsealed::Open) => refusal,
        Err(unsealed) => with_reason(refusal, &unsealed),
    }
}

/// The same for a message that does not exist yet and would be sealed.
pub(super) fn denied_when_asked(
    federation: &Federation,
    refusal: Refusal,
    dest: &Ministry,
) -> Refusal {
    if federation.has_sealing_key(dest) {
        return refusal;
    }
    with_reason(refusal, &Unsealed::NoKey(dest.clone()))
}

/// Why a message cannot wait for officers, if they can never read it: the rules have begun to ask for them after
/// the sender was told that they do not. It must be sealed and sent again.
pub(super) fn unreadable(federation: &Federation, header: &Header) -> Option<Refusal> {
    if federation.is_readable_by_officers(header) {
        return None;
    }
    let home = header.from.ministry();
    let what = format!(
        "it is sealed to no release key that the federation file lists for {home}, whose officers would have to read \
         it: put one that is listed there into `{home}.release.pub` of the sender's trust folder, and send it again"
    );
    Some(Refusal { code: Code::NEEDS_RELEASE, reasons: vec![what] })
}

fn with_reason(mut refusal: Refusal, unsealed: &Unsealed) -> Refusal {
    refusal.reasons.push(format!("{}: {unsealed}", unsealed.code()));
    refusal
}
