//! 91x: a partner that is given messages, and says falsely that it took them.

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_seal::NoteKey;
use kuriiri_tlog::NoteSigner;
use kuriiri_transport::{CloseCode, Link};
use kuriiri_types::{Addressed, Digest, Giver, Receipt, ReceiptKind, SignedReceipt, Subject};
use kuriiri_wire::{header, relay::Batch};
use tokio::time::timeout;

use crate::{
    called::{Called, Came},
    case::{Case, Halt, Seen, wrong},
    clock,
    ledger::{entry_of, in_log},
    letter::{Sent, random},
    limits::AGAIN_WITHIN,
    need::Need,
    partner::Partner,
    theirs::submit,
};

pub(crate) const CASES: &[Case] = &[
    Case::new(911, "a message taken, with a genuine receipt", DONE, |p| Box::pin(taken(p)))
        .needs(SENDER),
    Case::new(912, "a message taken, without a receipt", AGAIN, |p| {
        Box::pin(lied(p, |_, _| Ok(Vec::new())))
    })
    .needs(SENDER),
    Case::new(913, "a message taken, with a receipt that another key signed", AGAIN, |p| {
        Box::pin(lied(p, by_another_key))
    })
    .needs(SENDER),
    Case::new(914, "a message taken, with a receipt for another message", AGAIN, |p| {
        Box::pin(lied(p, about_another))
    })
    .needs(SENDER),
    Case::new(915, "a message taken, with a receipt that says refused", AGAIN, |p| {
        Box::pin(lied(p, |p, batch| receipts(&p.log, statements(p, batch, Some(REFUSED))?)))
    })
    .needs(SENDER),
    Case::new(916, "a link that ends when a message came", AGAIN, |p| Box::pin(ends(p)))
        .needs(SENDER),
];

const SENDER: &[Need] = &[Need::Theirs];
const REFUSED: ReceiptKind = ReceiptKind::Refused;

const DONE: &str = "counts it as taken, and does not give it again";
const AGAIN: &str = "does not count it as taken, and gives it again";

/// The batch in which this message comes; whatever comes before is taken.
async fn with_message(called: &Called<'_>, partner: &Partner, sent: &Sent) -> Result<Came, Halt> {
    let mut came = called.batch().await?;
    while !has(&came.batch, sent) {
        let link = honestly(partner, came).await?;
        came = called.next_batch(link).await?;
    }
    Ok(came)
}

/// The next batch with messages; receipts that come before are taken.
async fn next_messages(called: &Called<'_>, link: Link) -> Result<Came, Halt> {
    let mut came = called.next_batch(link).await?;
    while came.batch.parts.is_empty() {
        let link = came.take_with(Vec::new()).await;
        came = called.next_batch(link).await?;
    }
    Ok(came)
}

fn has(batch: &Batch, sent: &Sent) -> bool {
    let mut parcels = batch.parts.iter().flat_map(|part| &part.part.messages);
    parcels.any(|parcel| parcel.header == sent.header && parcel.body == sent.body)
}

/// Takes all of a batch, with genuine receipts.
async fn honestly(partner: &Partner, came: Came) -> Result<Link, Halt> {
    let receipts = receipts(&partner.log, statements(partner, &came.batch, None)?)?;
    Ok(came.take_with(receipts).await)
}

/// What is stated of each message of a batch: that it was taken, if nothing else.
fn statements(
    partner: &Partner,
    batch: &Batch,
    kind: Option<ReceiptKind>,
) -> Result<Vec<Receipt>, Halt> {
    let parcels = batch.parts.iter().flat_map(|part| &part.part.messages);
    let statement = |bytes: &Bytes| {
        let header = header::decode(bytes).map_err(wrong)?;
        let subject = Subject { message: header.id, header: leaf(bytes) };
        let here = header.recipients_at(&partner.home);
        let subjects = here.map(|to| Addressed { subject, recipient: to.address.clone() });
        Ok(Receipt {
            issuer: partner.home.clone(),
            kind: kind.unwrap_or(ReceiptKind::Relayed),
            at: clock::now(),
            by: Some(Giver::Peer(partner.target.ministry.clone())),
            code: kind.map(|_| kuriiri_types::Code::POLICY),
            reasons: Vec::new(),
            subjects: subjects.collect(),
            sender: header.from,
        })
    };
    parcels.map(|parcel| statement(&parcel.header)).collect()
}

fn receipts(signer: &NoteSigner, statements: Vec<Receipt>) -> Result<Vec<SignedReceipt>, Halt> {
    statements.into_iter().map(|said| in_log(entry_of(said)?, signer)).collect()
}

fn by_another_key(partner: &Partner, batch: &Batch) -> Result<Vec<SignedReceipt>, Halt> {
    let (key, _) = NoteKey::generate().map_err(wrong)?;
    let impostor = NoteSigner::new(partner.log.name().clone(), key);
    receipts(&impostor, statements(partner, batch, None)?)
}

fn about_another(partner: &Partner, batch: &Batch) -> Result<Vec<SignedReceipt>, Halt> {
    let mut all = statements(partner, batch, None)?;
    for told in all.iter_mut().flat_map(|said| &mut said.subjects) {
        told.subject.header = Digest(random()?);
    }
    receipts(&partner.log, all)
}

async fn taken(partner: &Partner) -> Seen {
    let called = Called::listen(partner).await?;
    let first = submit(partner).await?;
    let came = with_message(&called, partner, &first).await?;
    let mut link = honestly(partner, came).await?;
    let second = submit(partner).await?;
    loop {
        let next = next_messages(&called, link).await?;
        let (is_again, has_come) = (has(&next.batch, &first), has(&next.batch, &second));
        link = honestly(partner, next).await?;
        if is_again {
            return Err(wrong("it gave it again"));
        }
        if has_come {
            return Ok("it went on with the next message".into());
        }
    }
}

type Lie = fn(&Partner, &Batch) -> Result<Vec<SignedReceipt>, Halt>;

async fn lied(partner: &Partner, lie: Lie) -> Seen {
    let called = Called::listen(partner).await?;
    let sent = submit(partner).await?;
    let came = with_message(&called, partner, &sent).await?;
    let receipts = lie(partner, &came.batch)?;
    let link = came.take_with(receipts).await;
    comes_again(partner, &called, &sent, link).await
}

/// The message must come again; what else comes may come before it.
async fn comes_again(partner: &Partner, called: &Called<'_>, sent: &Sent, link: Link) -> Seen {
    let again = async {
        let mut link = link;
        loop {
            let came = next_messages(called, link).await?;
            let is_again = has(&came.batch, sent);
            link = honestly(partner, came).await?;
            if is_again {
                return Ok("it gave it again".into());
            }
        }
    };
    let never = |_| wrong(format!("it did not give it again in {} s", AGAIN_WITHIN.as_secs()));
    timeout(AGAIN_WITHIN, again).await.map_err(never)?
}

async fn ends(partner: &Partner) -> Seen {
    let called = Called::listen(partner).await?;
    let sent = submit(partner).await?;
    let came = with_message(&called, partner, &sent).await?;
    came.link.close(CloseCode::Done, "no verdicts");
    let link = called.greeted().await?;
    comes_again(partner, &called, &sent, link).await
}
