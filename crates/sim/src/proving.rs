//! Receipts on their way out: a host makes the proof of what its relay states, once that is durable.

use kuriiri_engine::{Load, ReceiptOut, Unproved};
use kuriiri_types::{Ministry, SignedReceipt};

use crate::{
    failure::{Check, Failure, hold},
    network::{Cargo, Parcel},
    sabotage::Sabotage,
    world::World,
};

impl World {
    /// A receipt of this relay with its proof, as it is handed out.
    pub(crate) fn prove(
        &mut self,
        relay: &Ministry,
        receipt: Unproved,
    ) -> Result<SignedReceipt, Failure> {
        let index = receipt.index;
        let proved = self.nodes.get(relay).and_then(|node| node.disk.log.prove(receipt));
        hold("receipts_are_in_the_log", proved.is_some(), || {
            format!("{relay} hands out entry {index}, and its log is not so long")
        })?;
        let proved = proved.ok_or_else(|| Failure::setup("a receipt that is and is not there"))?;
        self.hand_out(relay, ReceiptOut::Other(self.saboteur.fatten(proved)))
    }

    /// Receipts of this relay with their proofs.
    pub(crate) fn prove_all(
        &mut self,
        relay: &Ministry,
        receipts: Vec<Unproved>,
    ) -> Result<Vec<SignedReceipt>, Failure> {
        receipts.into_iter().map(|receipt| self.prove(relay, receipt)).collect()
    }

    /// Any receipt as it is handed out.
    pub(crate) fn hand_out(
        &mut self,
        relay: &Ministry,
        receipt: ReceiptOut,
    ) -> Result<SignedReceipt, Failure> {
        match receipt {
            ReceiptOut::Own(unproved) => self.prove(relay, unproved),
            ReceiptOut::Other(signed) => {
                self.observer.statements_fit(relay, &signed)?;
                self.observer.receipts_are_in_the_log(relay, &signed)?;
                Ok(signed)
            }
        }
    }

    // === batches for peers ===

    /// Makes a batch of what a relay hands to a peer.
    pub(crate) fn load(
        &mut self,
        relay: &Ministry,
        peer: &Ministry,
        link: kuriiri_engine::LinkId,
        lane: kuriiri_types::Lane,
        (epoch, load): (u32, Vec<Load>),
    ) -> Result<Cargo, Failure> {
        let under_way = self.network.depart(link, lane);
        self.observer.batches_are_bounded(&load, under_way)?;
        let (mut parcels, mut receipts) = (Vec::new(), Vec::new());
        for item in load {
            self.may_be_handed_over(relay, peer, &item)?;
            match item {
                Load::Parcel { dest, path, envelope, approvals, body } => {
                    let body = self.body_of(relay, &body)?;
                    parcels.push(Parcel { dest, path, envelope, approvals, body });
                }
                Load::Receipt(receipt) => receipts.push(self.hand_out(relay, receipt)?),
            }
        }
        let is_pure = parcels.is_empty() || receipts.is_empty();
        hold("batches_are_bounded", is_pure, || format!("{relay} mixes in {lane:?}"))?;
        if receipts.is_empty() {
            Ok(Cargo::Parcels(epoch, parcels))
        } else {
            Ok(Cargo::Receipts(receipts))
        }
    }

    fn may_be_handed_over(&self, relay: &Ministry, peer: &Ministry, item: &Load) -> Check {
        let Some(node) = self.nodes.get(relay) else { return Ok(()) };
        let forged = self.saboteur.plan == Sabotage::ForgedRules;
        let policy = if forged { &self.cast.rules.example } else { &node.in_force };
        self.observer.nothing_reaches_an_uncleared_relay(
            self.time_at(relay),
            policy,
            (relay, peer),
            item,
        )?;
        let Load::Parcel { envelope, approvals, .. } = item else { return Ok(()) };
        self.observer.signers_are_known(node, &envelope.proof)?;
        approvals.iter().try_for_each(|signed| self.observer.signers_are_known(node, &signed.proof))
    }

    fn body_of(
        &self,
        relay: &Ministry,
        body: &kuriiri_engine::Body,
    ) -> Result<bytes::Bytes, Failure> {
        let body = self.nodes.get(relay).map_or(Err("no disk".into()), |node| node.disk.body(body));
        hold("bodies_are_there", body.is_ok(), || format!("{relay}: {body:?}"))?;
        Ok(body.unwrap_or_default())
    }
}
