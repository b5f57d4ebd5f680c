//! 5xx: partners that are slow, stand still, or have another time.

use std::time::Duration;

use kuriiri_types::{Code, Verdict};
use kuriiri_wire::{
    Frame,
    relay::{Batch, RelayRequest},
};
use tokio::time::{Instant, interval, timeout_at};

use crate::{
    case::{Case, Halt, Seen, wrong},
    clock,
    honest::{Honest, control, in_words, must_refuse, must_take},
    letter::{batch, honest, letter, letter_with, part},
    limits::{BATCHES, DRIP, PATIENCE},
    partner::Partner,
    rude::{Guise, Outcome, RudeLink, RudeStream, framed},
};

pub(crate) const CASES: &[Case] = &[
    Case::new(501, "a frame that stands still", ENDS_IN_TIME, |p| Box::pin(stands_still(p)))
        .waits(),
    Case::new(502, "a frame that never ends, a byte at a time", ENDS_IN_TIME, |p| {
        Box::pin(trickles(p))
    })
    .waits(),
    Case::new(503, "a batch whose forerunner never comes", ENDS_IN_TIME, |p| Box::pin(gap(p)))
        .waits(),
    Case::new(504, "a link on which nobody says Hello", ENDS_IN_TIME, |p| Box::pin(no_hello(p)))
        .waits(),
    Case::new(505, "a partner that reads none of its verdicts", SERVES, |p| {
        Box::pin(reads_nothing(p))
    }),
    Case::new(506, "a frame that comes in pieces", TAKES, |p| Box::pin(in_pieces(p))),
    Case::new(521, "a message of a day to come", NOT_YET, |p| Box::pin(to_come(p))),
    Case::new(522, "a message whose time is over", EXPIRED, |p| Box::pin(over(p))),
    Case::new(523, "a message that is older than what a relay remembers", EXPIRED, |p| {
        Box::pin(made(p, Duration::ZERO, 60 * DAY, &[Code::EXPIRED]))
    }),
    Case::new(524, "a message by a clock that is two minutes fast", TAKES, |p| {
        Box::pin(clock_off(p, 2 * MINUTE, Duration::ZERO))
    }),
    Case::new(525, "a message by a clock that is two minutes slow", TAKES, |p| {
        Box::pin(clock_off(p, Duration::ZERO, 2 * MINUTE))
    }),
];

const ENDS_IN_TIME: &str =
    "ends the stream or the link within a minute, and serves honest partners meanwhile";
const SERVES: &str = "serves honest partners meanwhile; it may end the link";
const TAKES: &str = "takes it";
const NOT_YET: &str = "answers `Later` with 2127";
const EXPIRED: &str = "refuses it with 2103, and tells no reason";

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What stands still or lasts must end in time.
fn must_end_in_time(outcome: Outcome) -> Seen {
    match outcome {
        Outcome::Ended(how) => Ok(how),
        Outcome::Answered(_) => Err(wrong("it answered what has not come")),
        Outcome::Silent => Err(wrong(format!("it waits for more than {} s", PATIENCE.as_secs()))),
    }
}

/// A stream of a good link, with these bytes on it.
async fn begun(partner: &Partner, bytes: &[u8]) -> Result<(RudeLink, RudeStream), Halt> {
    let link = RudeLink::greeted(partner).await?;
    let mut stream = link.open().await.map_err(wrong)?;
    stream.write(bytes).await.map_err(wrong)?;
    Ok((link, stream))
}

/// The beginning of a good batch, and what is missing of it.
fn halves(partner: &Partner) -> Result<(Vec<u8>, Vec<u8>), Halt> {
    let sent = letter(partner)?.signed(partner)?;
    let batch = batch(partner, vec![part(partner, &[sent])?]);
    let mut whole = framed(&RelayRequest::Batch(batch).encode());
    let rest = whole.split_off(whole.len() / 2);
    Ok((whole, rest))
}

async fn stands_still(partner: &Partner) -> Seen {
    let (_link, mut stream) = begun(partner, &halves(partner)?.0).await?;
    must_end_in_time(stream.outcome_within(PATIENCE).await)
}

async fn trickles(partner: &Partner) -> Seen {
    let length = 1_000_000_u32.to_be_bytes();
    let (_link, mut stream) = begun(partner, &[&length[..], &[0x0a]].concat()).await?;
    let (until, mut drips) = (Instant::now() + PATIENCE, interval(DRIP));
    loop {
        if timeout_at(until, drips.tick()).await.is_err() {
            return must_end_in_time(Outcome::Silent);
        }
        if let Err(how) = stream.write(&[0]).await {
            return Ok(how);
        }
    }
}

async fn gap(partner: &Partner) -> Seen {
    let sent = letter(partner)?.signed(partner)?;
    let late = Batch { number: 7, ..batch(partner, vec![part(partner, &[sent])?]) };
    let (_link, mut stream) = begun(partner, &framed(&RelayRequest::Batch(late).encode())).await?;
    stream.finish();
    must_end_in_time(stream.outcome_within(PATIENCE).await)
}

async fn no_hello(partner: &Partner) -> Seen {
    let link = RudeLink::dial(partner, &Guise::genuine(partner)).await.map_err(wrong)?;
    let ended = link.ended(PATIENCE).await;
    ended.map_or_else(|| must_end_in_time(Outcome::Silent), Ok)
}

async fn reads_nothing(partner: &Partner) -> Seen {
    let guise = Guise { takes_little: true, ..Guise::genuine(partner) };
    let link = RudeLink::greeted_as(partner, &guise).await?;
    let mut streams = Vec::new();
    for (number, sent) in (0..).zip(honest(partner, BATCHES)?) {
        let given = Batch { number, ..batch(partner, vec![part(partner, &[sent])?]) };
        let Ok(mut stream) = link.open().await else { break };
        if stream.write(&framed(&RelayRequest::Batch(given).encode())).await.is_err() {
            break;
        }
        stream.finish();
        streams.push(stream);
    }
    control(partner).await?;
    Ok(format!("an honest partner was served beside {} batches", streams.len()))
}

async fn in_pieces(partner: &Partner) -> Seen {
    let (first, rest) = halves(partner)?;
    let (_link, mut stream) = begun(partner, &first).await?;
    for piece in rest.chunks(7) {
        stream.write(piece).await.map_err(wrong)?;
        tokio::task::yield_now().await;
    }
    stream.finish();
    match stream.outcome().await {
        Outcome::Answered(frame) => {
            let answer = kuriiri_wire::relay::Verdicts::decode(frame).map_err(wrong)?;
            let verdict = answer.verdicts.first().ok_or_else(|| wrong("no verdict"))?;
            must_take(verdict, false)
        }
        other @ (Outcome::Ended(_) | Outcome::Silent) => Err(match other.must_end() {
            Ok(how) => wrong(how),
            Err(halt) => halt,
        }),
    }
}

/// Gives a message of another time.
async fn to_come(partner: &Partner) -> Seen {
    let honest = Honest::link(partner).await?;
    let at = clock::now().after(DAY);
    let sent = letter_with(partner, &partner.labels.open, b"another time", at)?.signed(partner)?;
    let verdict = honest.give_one(partner, &sent).await?;
    if verdict == Verdict::Later(Code::NOT_YET) {
        return Ok(in_words(&verdict));
    }
    Err(wrong(in_words(&verdict)))
}

async fn made(partner: &Partner, after: Duration, before: Duration, codes: &[Code]) -> Seen {
    let honest = Honest::link(partner).await?;
    let at = clock::now().after(after).before(before);
    let sent = letter_with(partner, &partner.labels.open, b"another time", at)?.signed(partner)?;
    must_refuse(&honest.give_one(partner, &sent).await?, codes)
}

async fn clock_off(partner: &Partner, after: Duration, before: Duration) -> Seen {
    let honest = Honest::link(partner).await?;
    let at = clock::now().after(after).before(before);
    let sent = letter_with(partner, &partner.labels.open, b"another time", at)?.signed(partner)?;
    must_take(&honest.give_one(partner, &sent).await?, false)
}

async fn over(partner: &Partner) -> Seen {
    let honest = Honest::link(partner).await?;
    let made = clock::now().before(2 * MINUTE);
    let letter = letter_with(partner, &partner.labels.open, b"too late", made)?;
    let sent = letter.with(|header| header.expires = Some(made.after(MINUTE))).signed(partner)?;
    must_refuse(&honest.give_one(partner, &sent).await?, &[Code::EXPIRED])
}
