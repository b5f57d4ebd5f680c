//! What of a seal counts, and what the sender is told where it does not.

use kuriiri_policy::{Missing, Reason, Unsealed};
use kuriiri_types::{Code, Header, Ministry, Refusal};

use super::{Need, Rules, Ruling, refuse};

impl Rules {
    /// True when the body is sealed to keys that the federation file lists: every recipient's ministry has
    /// one, and nobody else but the sender's own officers. A header whose body is not laid out so never came
    /// this far.
    pub(super) fn is_sealed(&self, header: &Header, dest: &Ministry) -> bool {
        self.policy.federation().check_seal(header, dest).is_ok()
    }

    /// A denial; with the reason why its seal does not count, if its header names keys.
    pub(super) fn denied(&self, why: &[Reason], header: &Header, dest: &Ministry) -> Refusal {
        match self.policy.federation().check_seal(header, dest) {
            Ok(()) | Err(Unsealed::Open) => refuse(why),
            Err(unsealed) => with_reason(refuse(why), &unsealed),
        }
    }

    /// The same for a message that does not exist yet and would be sealed.
    pub(super) fn denied_when_asked(&self, why: &[Reason], dest: &Ministry, seal: bool) -> Refusal {
        if seal && !self.policy.federation().has_sealing_key(dest) {
            return with_reason(refuse(why), &Unsealed::NoKey(dest.clone()));
        }
        refuse(why)
    }

    /// Waits for officers, if they can ever read it. They cannot when the rules have begun to ask for them
    /// after the sender was told that they do not; it must be sealed and sent again.
    pub(super) fn wait_for<T>(&self, missing: Vec<Missing>, header: &Header) -> Ruling<T> {
        if self.policy.federation().is_readable_by_officers(header) {
            return Ruling::Wait(Need::People(missing));
        }
        let home = header.from.ministry();
        let what = format!(
            "it is sealed to no release key that the federation file lists for {home}, whose officers would have to read it: put one that is listed there into `{home}.release.pub` of the sender's trust folder, and send it again"
        );
        Ruling::End(Refusal { code: Code::NEEDS_RELEASE, reasons: vec![what] })
    }
}

fn with_reason(mut refusal: Refusal, unsealed: &Unsealed) -> Refusal {
    refusal.reasons.push(format!("{}: {unsealed}", unsealed.code()));
    refusal
}
