//! 9xx: a partner that is dialled, and answers badly or not at all.

use bytes::Bytes;
use kuriiri_transport::{CloseCode, LinkClosed};
use kuriiri_types::Verdict;
use kuriiri_wire::{
    Frame,
    relay::{Hello, Verdicts},
};
use tokio::time::timeout;

use crate::{
    called::{Called, answer_hello},
    case::{Case, Seen, wrong},
    limits::{ANSWER, PATIENCE},
    partner::Partner,
    rude::hello,
};

pub(crate) const CASES: &[Case] = &[
    Case::new(901, "a link that ends before the verdicts", AGAIN, |p| Box::pin(ends(p))),
    Case::new(902, "verdicts that cannot be read", AGAIN, |p| {
        Box::pin(answered(p, Bytes::from_static(b"\x0a\xff")))
    }),
    Case::new(903, "an answer without a verdict", AGAIN, |p| Box::pin(answered(p, Bytes::new()))),
    Case::new(904, "verdicts that tell everything to come again", BUSY, |p| Box::pin(busy(p))),
    Case::new(905, "verdicts that are withheld", WITHHELD, |p| Box::pin(withheld(p))).waits(),
    Case::new(906, "a Hello of another version in the answer", ENDS_LINK, |p| {
        Box::pin(other_version(p))
    }),
    Case::new(907, "more verdicts than there were items", KNOWN_ONLY, |p| Box::pin(too_many(p))),
];

const AGAIN: &str = "counts nothing as taken, and gives all of it again";
const BUSY: &str = "gives all of it again in the same order, with a higher epoch";
const WITHHELD: &str =
    "gives up the link within a minute, counts nothing as taken, and gives all of it again";
const ENDS_LINK: &str = "ends the link, and gives nothing on it";
const KNOWN_ONLY: &str = "goes on; it takes the verdicts of the items, or gives all of it again";

async fn ends(partner: &Partner) -> Seen {
    let called = Called::listen(partner).await?;
    called.ask_for_a_receipt().await?;
    let first = called.batch().await?;
    first.link.close(CloseCode::Done, "no verdicts");
    let again = called.batch().await?;
    given_again(again.has_all_of(&first.batch))?;
    again.take().await;
    Ok("it gave all of it again".into())
}

fn given_again(all: bool) -> Result<(), crate::case::Halt> {
    if all { Ok(()) } else { Err(wrong("it did not give all of it again")) }
}

async fn answered(partner: &Partner, frame: Bytes) -> Seen {
    let called = Called::listen(partner).await?;
    called.ask_for_a_receipt().await?;
    let first = called.batch().await?;
    let batch = first.batch.clone();
    let link = first.answer(frame).await;
    let again = called.next_batch(link).await?;
    given_again(again.has_all_of(&batch))?;
    again.take().await;
    Ok("it gave all of it again".into())
}

async fn busy(partner: &Partner) -> Seen {
    let called = Called::listen(partner).await?;
    called.ask_for_a_receipt().await?;
    let first = called.batch().await?;
    let batch = first.batch.clone();
    let link = first.answer_all(Verdict::Busy).await;
    let again = called.next_batch(link).await?;
    given_again(again.has_all_of(&batch))?;
    let (before, after) = (batch.epoch, again.batch.epoch);
    again.take().await;
    if after > before {
        return Ok(format!("it gave all of it again in epoch {after}"));
    }
    Err(wrong(format!("it gave it again in epoch {after}, after {before}")))
}

async fn withheld(partner: &Partner) -> Seen {
    let called = Called::listen(partner).await?;
    called.ask_for_a_receipt().await?;
    let mut first = called.batch().await?;
    let ended = async {
        loop {
            let how = first.link.closed().await;
            // A second link that was made at the same time takes the place of the first: that is no giving up.
            if !matches!(how, LinkClosed::ByPeer { code: Some(CloseCode::Replaced), .. }) {
                return Ok(how.to_string());
            }
            first = called.batch().await?;
        }
    };
    let never = |_| wrong(format!("it waits for more than {} s", PATIENCE.as_secs()));
    let how = timeout(PATIENCE, ended).await.map_err(never)??;
    let again = called.batch().await?;
    given_again(again.has_all_of(&first.batch))?;
    again.take().await;
    Ok(format!("{how}; it gave all of it again"))
}

async fn other_version(partner: &Partner) -> Seen {
    let called = Called::listen(partner).await?;
    let link = called.link().await?;
    let other = Hello { version: 3, ..hello(partner) };
    // It may end the link before it has all of the answer.
    let _ = answer_hello(&link, other).await;
    let closed = timeout(ANSWER, link.closed()).await;
    closed.map(|how| how.to_string()).map_err(|_| wrong("the link stands"))
}

async fn too_many(partner: &Partner) -> Seen {
    let called = Called::listen(partner).await?;
    called.ask_for_a_receipt().await?;
    let first = called.batch().await?;
    let at = crate::clock::now();
    let verdicts = vec![Verdict::Accepted { at, repeat: false }; first.batch.receipts.len() + 5];
    let link = first.answer(Verdicts { verdicts, receipts: Vec::new() }.encode()).await;
    // Whatever it made of that, the next receipt comes.
    called.ask_for_a_receipt().await?;
    let next = called.next_batch(link).await?;
    next.take().await;
    Ok("it went on".into())
}
