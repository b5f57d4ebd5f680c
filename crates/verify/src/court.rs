//! Entries judged one after the other, of a log of which only these are at hand.

use std::{collections::HashMap, sync::Arc};

use kuriiri_types::{Code, Decided, Digest, Header, LogEvent, Ministry, PolicyInForce, Receipt};

use crate::{
    bundle::came,
    finding::{Check, Finding, Findings},
    genuine::Spot,
    lives::{Said, Trace},
    rules::{Contents, InForce},
    scan::{Found, Inner},
    scene::{Anchors, Keys, Scene},
};

/// Who judges. It grows with the messages that it sees, about the size of their headers.
pub(crate) struct Court<'a> {
    anchors: &'a Anchors,
    pub(crate) scene: Scene,
    contents: Contents,
    pub(crate) headers: HashMap<Digest, Header>,
    pub(crate) traces: Vec<Trace>,
}

impl<'a> Court<'a> {
    pub(crate) fn new(home: Ministry, anchors: &'a Anchors) -> Self {
        let scene = Scene::first(home, anchors, false);
        let (contents, headers, traces) = (Contents::new(), HashMap::new(), Vec::new());
        Self { anchors, scene, contents, headers, traces }
    }

    /// Whether authorities are those that the auditor has pinned.
    pub(crate) fn is_pinned(&self) -> bool {
        self.anchors.pinned.is_some()
    }

    /// Judges the next entry. They come in the order of their log.
    pub(crate) fn entry(&mut self, found: &Found, out: &mut Findings) {
        out.done(Check::Entries, 1);
        let index = found.index;
        let entry = match &found.entry {
            Ok(entry) => entry,
            Err(error) => {
                let what = format!("it cannot be read: {error}");
                return out.add(Finding::fault(Check::Entries, what).at(index));
            }
        };
        let spot = Spot { index, at: entry.at };
        match &entry.event {
            LogEvent::Decided(decided) => self.decided(spot, decided, found, out),
            LogEvent::Receipt(receipt) => self.stated(spot, receipt, found, out),
            LogEvent::ReceiptIn { receipt, .. } => {
                let said = came(found);
                if let Some(said) = said {
                    let is_home = *said.sender.ministry() == self.scene.home;
                    let came = Said::Came(said.kind, is_home);
                    self.traces.push(Trace::receipt(index, entry.at, said, found.about, came));
                }
                self.scene.check_receipt(spot, receipt, said, out);
            }
            LogEvent::Approved { subject, approval } => {
                self.scene.check_approval(spot, approval, None, *subject, out);
            }
            LogEvent::Certificate { der } => {
                self.scene.certificates.add(index, der);
            }
            LogEvent::FilePart(part) => {
                if let Err(what) = self.contents.add_part(part) {
                    out.add(Finding::fault(Check::Decisions, what).at(index));
                }
            }
            LogEvent::PolicyChanged(policy) => self.policy(policy),
            LogEvent::Erased { subject, .. } => {
                self.traces.push(Trace::erased(index, entry.at, *subject));
            }
            LogEvent::TurnedAway { .. }
            | LogEvent::PeerCheckpoint { .. }
            | LogEvent::Booted { .. }
            | LogEvent::Restored { .. }
            | LogEvent::Acted { .. }
            | LogEvent::ClockStepped { .. }
            | LogEvent::ChannelHeads(_)
            | LogEvent::Pruned { .. }
            | LogEvent::Exported { .. } => {}
        }
    }

    /// What this log states itself.
    fn stated(&mut self, spot: Spot, receipt: &Receipt, found: &Found, out: &mut Findings) {
        if receipt.issuer != self.scene.home {
            let what = format!("this log speaks as {}", receipt.issuer);
            out.add(Finding::fault(Check::Order, what).at(spot.index).of(receipt.message));
        }
        let unknown = receipt.code == Some(Code::UNKNOWN_RECIPIENT);
        let said = Said::Own(receipt.kind, unknown);
        self.traces.push(Trace::receipt(spot.index, spot.at, receipt, found.about, said));
    }

    fn policy(&mut self, policy: &PolicyInForce) {
        let rules = InForce::of(policy, &self.contents);
        self.contents.settle(policy);
        self.scene.keys = Arc::new(Keys::of(rules.federation.as_ref(), self.anchors));
        self.scene.rules = Arc::new(rules);
    }

    fn decided(&mut self, spot: Spot, decided: &Decided, found: &Found, out: &mut Findings) {
        self.traces.push(Trace::decided(spot.index, spot.at, decided, found.about));
        if let (Some(envelope), Inner::Header(header)) = (&decided.envelope, &found.inner) {
            self.scene.check_message(spot, (decided, header), envelope, out);
            self.headers.insert(decided.subject, (**header).clone());
        }
        let Some(header) = self.headers.get(&decided.subject) else {
            let what = "the header that is decided on is not here";
            return out.add(Finding::note(Check::Decisions, what).at(spot.index));
        };
        self.scene.check_decision(spot, header, decided, out);
        if decided.envelope.is_none() {
            for signed in &decided.approvals {
                self.scene.check_approval(spot, signed, Some(header), decided.subject, out);
            }
        }
    }
}
