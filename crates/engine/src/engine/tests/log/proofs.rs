//! A peer that says that it has taken a message must show its receipts, or it is asked again.

use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{Code, Receipt, ReceiptKind, Refusal, Verdict};

use super::*;
use crate::{
    QueueId,
    testing::{NOW, accepted, address, receipt_of, stated},
};

const PLM: &str = "plm.example";
const TWO: [&str; 2] = [RECIPIENT, "tilanne@plm.example"];
const RELAYED: (ReceiptKind, &str) = (ReceiptKind::Relayed, PLM);

/// A relay that has handed a letter for two mailboxes to a peer.
fn host() -> Host {
    let mut host = Host::new("sm.example");
    host.submit(&[two()]);
    host.link_up(PLM, 1);
    host
}

fn two() -> Letter {
    Letter::new(1, SENDER, &TWO)
}

fn said(kind: (ReceiptKind, &str), to: &str) -> Receipt {
    receipt_of(&two(), &address(to), kind, NOW)
}

fn waiting(host: &Host) -> u64 {
    host.waiting(&QueueId::Outbox(ministry(PLM)))
}

fn asks_again(receipts: Vec<VerifiedReceipt>, why: &str) {
    let mut host = host();
    host.answer_with(PLM, (1, 0), vec![accepted(NOW)], receipts);
    assert_eq!((waiting(&host), host.kinds()), (1, vec![]), "{why}");
    assert_eq!(host.receipts(&address(SENDER)), [], "{why}");
    let rest = host.wake.unwrap().since(host.now);
    let actions = host.pass(rest);
    assert_eq!(Host::batches(&actions), [(1, 1, 1, vec![1])], "{why}");
    let repeat = Verdict::Accepted { at: NOW, repeat: true };
    host.answer(PLM, (1, 1), vec![repeat]);
    assert_eq!((waiting(&host), host.kinds()), (0, vec!["RECEIPT_IN"]), "{why}");
}

#[test]
fn a_word_without_proof_counts_as_none() {
    asks_again(Vec::new(), "nothing");
    asks_again(stated(vec![said(RELAYED, TWO[0])]), "only of one of its recipients");
    asks_again(stated(vec![said(RELAYED, TWO[0]); 2]), "twice of the same");
    let refused = TWO.map(|to| said((ReceiptKind::Refused, PLM), to));
    asks_again(stated(refused.into()), "proof of the contrary");
    let delivered = TWO.map(|to| said((ReceiptKind::Delivered, PLM), to));
    asks_again(stated(delivered.into()), "proof of something else");
    let others = TWO.map(|to| said((ReceiptKind::Relayed, "um.example"), to));
    asks_again(stated(others.into()), "of another relay");
    let other = |to: &str| receipt_of(&letter(2), &address(to), RELAYED, NOW);
    asks_again(stated(TWO.map(other).into()), "of another message");
    let sender = address("tilanne@sm.example");
    let lies = TWO.map(|to| Receipt { sender: sender.clone(), ..said(RELAYED, to) });
    asks_again(stated(lies.into()), "for another sender");
}

#[test]
fn what_nobody_asked_for_is_not_kept() {
    let mut host = host();
    let strangers = ["kirjaamo@um.example", "nobody@plm.example"];
    let all = TWO.into_iter().chain(TWO).chain(strangers).map(|to| said(RELAYED, to));
    let all = all.chain(TWO.map(|to| said((ReceiptKind::Refused, PLM), to)));
    host.answer_with(PLM, (1, 0), vec![accepted(NOW)], stated(all.collect()));
    assert_eq!((waiting(&host), host.kinds()), (0, vec!["RECEIPT_IN"; 2]));
    assert_eq!(host.receipts(&address(SENDER)).len(), 2);
}

#[test]
fn a_refusal_needs_no_proof_and_its_proof_is_kept() {
    let refused = Verdict::Refused(Refusal::bare(Code::POLICY));
    for (receipts, kinds) in [
        (Vec::new(), vec!["REFUSED"]),
        (
            stated(TWO.map(|to| said((ReceiptKind::Refused, PLM), to)).into()),
            vec!["RECEIPT_IN", "RECEIPT_IN", "REFUSED"],
        ),
    ] {
        let mut host = host();
        host.answer_with(PLM, (1, 0), vec![refused.clone()], receipts);
        assert_eq!((waiting(&host), host.kinds()), (0, kinds));
        let told = host.receipts(&address(SENDER)).into_iter();
        let told: Vec<_> = told.map(|(kind, receipt)| (kind, receipt.issuer)).collect();
        let ours = (ReceiptKind::Refused, ministry("sm.example"));
        assert_eq!(told, [ours.clone(), ours], "the sender hears it from its own relay");
    }
}

#[test]
fn copies_of_one_message_in_one_batch_each_have_their_own_proof() {
    let hub = "verkko.example";
    let mut host = Host::new("sm.example");
    let to = ["kirjaamo@um.example", "kirjaamo@verkko.example"];
    host.submit(&[Letter::new(1, SENDER, &to)]);
    let actions = host.link_up(hub, 1);
    assert_eq!(Host::batches(&actions), [(1, 0, 0, vec![1, 1])]);
    let refused = Verdict::Refused(Refusal::bare(Code::POLICY));
    for (verdicts, told) in [
        (vec![accepted(NOW); 2], [ReceiptKind::Relayed; 2]),
        (vec![accepted(NOW), refused], [ReceiptKind::Relayed, ReceiptKind::Refused]),
    ] {
        let mut host = Host::start(ministry("sm.example"), host.disk.clone(), NOW);
        host.link_up(hub, 1);
        host.answer(hub, (1, 0), verdicts);
        assert_eq!(host.waiting(&QueueId::Outbox(ministry(hub))), 0);
        let kinds: Vec<_> = host.receipts(&address(SENDER)).into_iter().map(|r| r.0).collect();
        assert_eq!(kinds, told);
    }
}
