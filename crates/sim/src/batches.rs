//! Batches on their way: handed over to a relay, checked as it does, and answered.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_engine::{Arrival, Certificate, Event, LinkId, Token};
use kuriiri_seal::{VerifiedHeader, VerifiedMessage, VerifyError, gather};
use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{
    BatchProof, Envelope, Lane, Ministry, Refusal, SignedPart, SignedReceipt, Verdict,
};
use kuriiri_wire::{approval, header, receipt};

use crate::{
    failure::Check,
    network::{Caller, Cargo, Parcel},
    node::{Claim, Question},
    planned::{Answer, Planned},
    sender::Sent,
    world::World,
};

/// Who hands a batch to a relay.
pub(crate) struct Giver {
    pub(crate) caller: Caller,
    pub(crate) link: LinkId,
    pub(crate) lane: Lane,
}

impl World {
    /// A batch reaches the relay that was called.
    pub(crate) fn on_cargo(&mut self, id: LinkId, lane: Lane, number: u64, cargo: Cargo) {
        let Some(link) = self.network.link(id).filter(|link| link.called_open) else {
            return;
        };
        let (caller, called, is_cut) = (link.caller.clone(), link.called.clone(), link.is_cut);
        if is_cut && self.rng.chance(50) {
            return;
        }
        for (number, cargo) in self.network.pass(id, lane, number, cargo) {
            let giver = Giver { caller: caller.clone(), link: id, lane };
            let claims = claims(&cargo);
            let kept = cargo.clone();
            let question = Question::Batch { link: id, lane, number, claims, cargo: kept };
            self.hand_over(&giver, &called, cargo, question);
        }
    }

    /// Checks a batch as a relay does before its engine hears of it.
    pub(crate) fn hand_over(
        &mut self,
        giver: &Giver,
        relay: &Ministry,
        cargo: Cargo,
        question: Question,
    ) {
        let token = Token(self.number());
        let claimed: Vec<_> =
            claims(&cargo).into_iter().flatten().map(|claim| claim.leaf).collect();
        let certificates = self.certificates(&cargo);
        let (link, lane) = (giver.link, giver.lane);
        let event = match (&giver.caller, cargo) {
            (Caller::System(sender), Cargo::Messages(epoch, messages)) => {
                let Some(system) = self.senders.get(*sender).map(|s| s.system.clone()) else {
                    return;
                };
                let messages = messages.iter().map(|m| (m.envelope.clone(), m.body.clone()));
                let messages = self.verify_messages(messages);
                Event::Submitted { system, link, token, lane, epoch, messages, certificates }
            }
            (Caller::Relay(peer), Cargo::Parcels(epoch, parcels)) => {
                let peer = peer.clone();
                let parcels = self.verify_parcels(parcels);
                Event::Arrived { peer, link, token, lane, epoch, parcels, certificates }
            }
            (Caller::Relay(peer), Cargo::Receipts(receipts)) => {
                let (peer, receipts) = (peer.clone(), receipts.into_iter());
                let receipts = receipts.map(|signed| self.verify_receipt(signed)).collect();
                Event::ReceiptsArrived { peer, token, receipts }
            }
            (Caller::System(_), Cargo::Parcels(..) | Cargo::Receipts(_))
            | (Caller::Relay(_), Cargo::Messages(..)) => return,
        };
        if let Some(node) = self.nodes.get_mut(relay) {
            node.ask(token, question);
        }
        self.tell(relay, event);
        if !self.is_calm && self.rng.chance(10) {
            self.erase(relay, &claimed);
        }
        if self.is_turbulent && self.rng.chance(30) {
            self.change_policy(relay);
        }
    }

    /// Hands a batch over from which nobody expects an answer.
    pub(crate) fn repeat(&mut self, giver: Giver, relay: &Ministry, cargo: Cargo) {
        debug_assert!(giver.lane != Lane::Receipts || matches!(cargo, Cargo::Receipts(_)));
        if self.nodes.get(relay).is_some_and(|node| node.is_up()) {
            let question = Question::Nobody(claims(&cargo));
            self.hand_over(&giver, relay, cargo, question);
        }
    }

    fn verify_receipt(&self, signed: SignedReceipt) -> Result<VerifiedReceipt, Refusal> {
        let verified = self.cast.receipts.receipt(signed, |bytes| receipt::decode(bytes));
        verified.map_err(|error| Refusal::bare(error.code()))
    }

    /// Gathers messages as whoever hands them over does, and checks them as a relay does: those that were
    /// signed together at once.
    fn verify_messages(
        &self,
        messages: impl Iterator<Item = (Envelope, Bytes)>,
    ) -> Vec<Result<VerifiedMessage, Refusal>> {
        let joined = |(header, body): (Result<VerifiedHeader, VerifyError>, _)| {
            let message = header.and_then(|header| header.with_body(body));
            message.map_err(|error| Refusal::bare(error.code()))
        };
        let check = |(signed, messages): (SignedPart, Vec<(Envelope, Bytes)>)| {
            let (envelopes, bodies): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
            let headers: Vec<_> = envelopes.into_iter().map(|envelope| envelope.header).collect();
            let read = |bytes: &Bytes| header::decode(bytes);
            let headers = self.cast.verifier.headers(&signed, &headers, read, self.now());
            headers.into_iter().zip(bodies).map(joined).collect::<Vec<_>>()
        };
        let parts = gather(messages, |(envelope, _)| &envelope.proof, |_, _| true);
        parts.into_iter().flat_map(check).collect()
    }

    fn verify_parcels(&self, parcels: Vec<Parcel>) -> Vec<Result<Arrival, Refusal>> {
        let messages = parcels.iter().map(|p| (p.envelope.clone(), p.body.clone()));
        let messages = self.verify_messages(messages);
        let read = |bytes: &Bytes| approval::decode(bytes);
        let known = |signed| self.cast.verifier.approval(signed, read, self.now()).ok();
        let arrival = |(message, parcel): (Result<_, _>, Parcel)| {
            let Parcel { dest, path, approvals, .. } = parcel;
            let approvals = approvals.into_iter().filter_map(known).collect();
            Ok(Arrival { message: message?, dest, path, approvals })
        };
        messages.into_iter().zip(parcels).map(arrival).collect()
    }

    /// The certificates that a batch names.
    fn certificates(&self, cargo: &Cargo) -> Vec<Certificate> {
        let of_parcel = |parcel: &'_ Parcel| {
            let officers = parcel.approvals.iter().map(|signed| signed.proof.clone());
            [parcel.envelope.proof.clone()].into_iter().chain(officers).collect::<Vec<_>>()
        };
        let proofs: Vec<BatchProof> = match cargo {
            Cargo::Messages(_, sent) => sent.iter().map(|m| m.envelope.proof.clone()).collect(),
            Cargo::Parcels(_, parcels) => parcels.iter().flat_map(of_parcel).collect(),
            Cargo::Receipts(_) => Vec::new(),
        };
        self.certificates_of(&proofs)
    }

    /// The certificates of those who signed.
    pub(crate) fn certificates_of(&self, proofs: &[BatchProof]) -> Vec<Certificate> {
        let certificate = |proof: &BatchProof| {
            let fingerprint = proof.signer;
            let der = self.cast.certificate(&fingerprint)?.clone();
            Some(Certificate { fingerprint, der })
        };
        proofs.iter().filter_map(certificate).collect()
    }

    /// Verdicts reach the caller.
    pub(crate) fn on_answer(
        &mut self,
        id: LinkId,
        lane: Lane,
        number: u64,
        answer: Answer,
    ) -> Check {
        let Some(link) = self.network.link(id).filter(|link| link.caller_open) else {
            return Ok(());
        };
        let (caller, called, is_cut) = (link.caller.clone(), link.called.clone(), link.is_cut);
        if is_cut && self.rng.chance(50) {
            return Ok(());
        }
        self.network.come_back(id, lane);
        let Answer { verdicts, receipts } = answer;
        match caller {
            Caller::Relay(relay) => {
                let batch = kuriiri_engine::BatchId(number);
                let receipts = receipts.into_iter().map(|signed| self.verify_receipt(signed));
                let receipts = receipts.filter_map(Result::ok).collect();
                let answers = verdicts.into_iter().map(kuriiri_engine::Answer::Verdict).collect();
                let event =
                    Event::Answered { peer: called, link: id, lane, batch, answers, receipts };
                self.tell(&relay, event);
                Ok(())
            }
            Caller::System(sender) => {
                for receipt in &receipts {
                    self.observer.on_read(receipt)?;
                }
                self.hear(sender, lane, number, verdicts);
                Ok(())
            }
        }
    }

    /// A system hears what became of its batch, or forgets it.
    fn hear(&mut self, sender: usize, lane: Lane, number: u64, verdicts: Vec<Verdict>) {
        let (now, is_calm) = (self.now(), self.is_calm);
        let rng = &mut self.rng;
        let Some(system) = self.senders.get_mut(sender) else {
            return;
        };
        let forgets = || !is_calm && rng.chance(3);
        for (message, verdict) in system.on_answer(now, (lane, number), verdicts, forgets) {
            self.observer.on_heard(&message, &verdict);
            let (index, system) = (message.index, &message.system);
            self.trace.line(now, format_args!("{system} hears of {index}: {verdict:?}"));
        }
        self.agenda.after(0, Planned::Call(sender));
    }
}

/// What a batch asks a relay to take. Receipts ask for nothing that is checked later.
pub(crate) fn claims(cargo: &Cargo) -> Vec<Option<Claim>> {
    match cargo {
        Cargo::Messages(_, messages) => {
            let claim = |m: &Arc<Sent>| Claim { leaf: m.leaf, dest: None };
            messages.iter().map(|m| (!m.is_spoilt).then(|| claim(m))).collect()
        }
        Cargo::Parcels(_, parcels) => {
            let leaf = |parcel: &Parcel| kuriiri_merkle::leaf(&parcel.envelope.header);
            let claim = |p: &Parcel| Claim { leaf: leaf(p), dest: Some(p.dest.clone()) };
            parcels.iter().map(|parcel| Some(claim(parcel))).collect()
        }
        Cargo::Receipts(receipts) => receipts.iter().map(|_| None).collect(),
    }
}
