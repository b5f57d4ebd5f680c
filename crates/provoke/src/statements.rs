//! 3xx: what others are said to have stated, and logs that are none.

use std::time::Duration;

use kuriiri_merkle::leaf;
use kuriiri_seal::NoteKey;
use kuriiri_tlog::{NoteSigner, log_origin};
use kuriiri_types::{
    Address, Addressed, Code, Digest, Giver, Ministry, Receipt, ReceiptKind, SignedReceipt,
    SpiffeId, SpiffeRole, Subject,
};
use kuriiri_wire::{
    Frame, Place, Proved,
    relay::{Hello, RelayRequest, Verdicts},
};

use crate::{
    case::{Case, Halt, Seen, wrong},
    clock,
    honest::{Honest, must_refuse},
    ledger::{entry_of, in_log, signed},
    letter::{new_id, random, receipts},
    need::Need,
    partner::Partner,
    raw::Raw,
    rude::{Guise, Outcome, RudeLink, hello},
};

pub(crate) const CASES: &[Case] = &[
    Case::new(301, "a receipt for what the relay never sent", NOT_HEARD, |p| {
        Box::pin(about(p, |p| stated(p, ReceiptKind::Expired), Ok, &[Code::NOT_HEARD]))
    }),
    Case::new(302, "a receipt whose path leads to another root", NOT_GENUINE, |p| {
        Box::pin(about(p, |p| stated(p, ReceiptKind::Expired), other_path, SIGNATURE))
    }),
    Case::new(303, "a receipt at a place that its log does not have", NOT_GENUINE, |p| {
        Box::pin(about(p, |p| stated(p, ReceiptKind::Expired), beyond, SIGNATURE))
    }),
    Case::new(
        304,
        "a receipt under a checkpoint that the log's key did not sign",
        NOT_GENUINE,
        |p| Box::pin(false_checkpoint(p)),
    ),
    Case::new(305, "a receipt in the name of another member's log", NOT_GENUINE, |p| {
        Box::pin(foreign_log(p))
    })
    .needs(&[Need::Third]),
    Case::new(306, "another member's statement in the partner's log", NOT_GENUINE, |p| {
        Box::pin(about(p, issued_by_third, Ok, SIGNATURE))
    })
    .needs(&[Need::Third]),
    Case::new(307, "delivered, stated by who is not the recipient's ministry", NOT_GENUINE, |p| {
        Box::pin(about(p, delivered_elsewhere, Ok, SIGNATURE))
    })
    .needs(&[Need::Third]),
    Case::new(308, "accepted, stated by who is not the sender's ministry", NOT_GENUINE, |p| {
        Box::pin(about(p, |p| stated(p, ReceiptKind::Accepted), Ok, SIGNATURE))
    }),
    Case::new(309, "a receipt whose entry has a field behind its last", MALFORMED, |p| {
        Box::pin(not_canonical(p))
    }),
    Case::new(310, "a receipt of a day to come", MALFORMED, |p| {
        Box::pin(about(p, of_tomorrow, Ok, &[Code::MALFORMED]))
    }),
    Case::new(311, "a receipt that is older than anything can wait", EXPIRED, |p| {
        Box::pin(about(p, of_last_year, Ok, &[Code::EXPIRED]))
    }),
    Case::new(
        312,
        "a Hello with a checkpoint of the relay's log that it never signed",
        GOES_ON,
        |p| Box::pin(false_memory(p)),
    ),
    Case::new(313, "a question for a place in the relay's log with another leaf", NO_PROOF, |p| {
        Box::pin(other_leaf(p))
    }),
    Case::new(314, "a question about the log of nobody", NO_PROOF, |p| Box::pin(nobodys_log(p))),
];

const NOT_HEARD: &str = "refuses it with 2120: it keeps no receipt for what did not go through it";
const NOT_GENUINE: &str = "refuses it with 3101, and tells no reason";
const MALFORMED: &str = "refuses it with 2102";
const EXPIRED: &str = "refuses it with 2103";
const GOES_ON: &str = "does not believe it, and goes on; it may end the link";
const NO_PROOF: &str = "gives no proof, and tells no reason";

const SIGNATURE: &[Code] = &[Code::SIGNATURE];
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What the partner states of a message that the relay is said to have sent to it.
fn stated(partner: &Partner, kind: ReceiptKind) -> Result<Receipt, Halt> {
    let there = partner.target.ministry.clone();
    let sender = Address::new(partner.target.mailbox.mailbox(), there).map_err(wrong)?;
    let at = clock::now();
    let subject = Subject { message: new_id(at)?, header: Digest(random()?) };
    let is_over = kind == ReceiptKind::Expired;
    let own = SpiffeId::new(partner.home.clone(), SpiffeRole::System, "kirjaamo").map_err(wrong)?;
    Ok(Receipt {
        issuer: partner.home.clone(),
        kind,
        at,
        sender,
        by: (!is_over).then_some(Giver::System(own)),
        code: is_over.then_some(Code::EXPIRED),
        reasons: Vec::new(),
        subjects: vec![Addressed { subject, recipient: partner.system.address.clone() }],
    })
}

fn third(partner: &Partner) -> Result<Ministry, Halt> {
    partner.third().cloned().ok_or_else(|| wrong("there is no third member"))
}

fn issued_by_third(partner: &Partner) -> Result<Receipt, Halt> {
    Ok(Receipt { issuer: third(partner)?, ..stated(partner, ReceiptKind::Expired)? })
}

fn delivered_elsewhere(partner: &Partner) -> Result<Receipt, Halt> {
    let mut receipt = stated(partner, ReceiptKind::Delivered)?;
    let there = Address::new("kirjaamo", third(partner)?).map_err(wrong)?;
    receipt.subjects.iter_mut().for_each(|told| told.recipient = there.clone());
    Ok(receipt)
}

fn of_tomorrow(partner: &Partner) -> Result<Receipt, Halt> {
    let receipt = stated(partner, ReceiptKind::Expired)?;
    Ok(Receipt { at: receipt.at.after(DAY), ..receipt })
}

fn of_last_year(partner: &Partner) -> Result<Receipt, Halt> {
    let receipt = stated(partner, ReceiptKind::Expired)?;
    Ok(Receipt { at: receipt.at.before(365 * DAY), ..receipt })
}

type Make = fn(&Partner) -> Result<Receipt, Halt>;
type Change = fn(SignedReceipt) -> Result<SignedReceipt, Halt>;

/// Gives a receipt from the partner's log, changed or not.
async fn about(partner: &Partner, make: Make, change: Change, codes: &[Code]) -> Seen {
    let receipt = in_log(entry_of(make(partner)?)?, &partner.log)?;
    give(partner, change(receipt)?, codes).await
}

async fn give(partner: &Partner, receipt: SignedReceipt, codes: &[Code]) -> Seen {
    let honest = Honest::link(partner).await?;
    let Verdicts { verdicts, receipts } = honest.give(receipts(vec![receipt])).await?;
    match verdicts.as_slice() {
        [verdict] if receipts.is_empty() => must_refuse(verdict, codes),
        [_] => Err(wrong("it answered a receipt with receipts")),
        verdicts => Err(wrong(format!("{} verdicts on one receipt", verdicts.len()))),
    }
}

fn other_path(mut receipt: SignedReceipt) -> Result<SignedReceipt, Halt> {
    receipt.path = vec![Digest(random()?)];
    Ok(receipt)
}

fn beyond(receipt: SignedReceipt) -> Result<SignedReceipt, Halt> {
    Ok(SignedReceipt { index: 2, ..receipt })
}

async fn false_checkpoint(partner: &Partner) -> Seen {
    let (key, _) = NoteKey::generate().map_err(wrong)?;
    let impostor = NoteSigner::new(partner.log.name().clone(), key);
    let entry = entry_of(stated(partner, ReceiptKind::Expired)?)?;
    give(partner, in_log(entry, &impostor)?, SIGNATURE).await
}

async fn foreign_log(partner: &Partner) -> Seen {
    let name = log_origin(&third(partner)?).parse().map_err(wrong)?;
    let entry = entry_of(issued_by_third(partner)?)?;
    give(partner, in_log(entry, &partner.log.renamed(name))?, SIGNATURE).await
}

async fn not_canonical(partner: &Partner) -> Seen {
    let good = entry_of(stated(partner, ReceiptKind::Expired)?)?;
    let entry = [good, Raw::new().bytes(99, b"hidden").done()].concat();
    give(partner, in_log(entry.into(), &partner.log)?, &[Code::MALFORMED]).await
}

async fn false_memory(partner: &Partner) -> Seen {
    let name = log_origin(&partner.target.ministry).parse().map_err(wrong)?;
    let note = signed(&partner.log.renamed(name), 1 << 40, Digest(random()?)).map_err(wrong)?;
    let link = RudeLink::dial(partner, &Guise::genuine(partner)).await.map_err(wrong)?;
    let claim = Hello { witnessed: Some(note), ..hello(partner) };
    // That it goes on, the honest exchange afterwards shows.
    match link.ask(claim.encode()).await {
        Outcome::Answered(_) => Ok("it says Hello".into()),
        Outcome::Ended(how) => Ok(how),
        Outcome::Silent => Err(wrong("it neither said Hello nor ended the link")),
    }
}

async fn other_leaf(partner: &Partner) -> Seen {
    let place = Place { index: 0, leaf: leaf(b"not what stands there") };
    asked(partner, partner.target.ministry.clone(), place).await
}

async fn nobodys_log(partner: &Partner) -> Seen {
    let nobody = "nobody.invalid".parse().map_err(wrong)?;
    asked(partner, nobody, Place { index: 0, leaf: leaf(b"nothing") }).await
}

async fn asked(partner: &Partner, issuer: Ministry, place: Place) -> Seen {
    let honest = Honest::link(partner).await?;
    let question = RelayRequest::Prove { issuer, places: vec![place] };
    match honest.ask::<Proved>("a question for a proof", question.encode()).await? {
        Proved::Refused(refusal) if refusal.reasons.is_empty() => {
            Ok(format!("refused with {}", refusal.code))
        }
        Proved::Refused(refusal) => Err(wrong(format!("it told why: {:?}", refusal.reasons))),
        Proved::Proofs(proofs) if proofs.paths.iter().all(Option::is_none) => {
            Ok("it has no proof for that".into())
        }
        Proved::Proofs(_) => Err(wrong("it gave a proof")),
    }
}
