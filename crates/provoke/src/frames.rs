//! 1xx: frames that are none.

use kuriiri_types::limits::{
    BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, FRAME_BYTES_MAX, HELLO_BYTES_MAX,
};
use kuriiri_wire::{
    Frame,
    relay::{Hello, RelayRequest},
};

use crate::{
    case::{Case, Seen, wrong},
    honest::{Honest, must_take},
    letter::{ROUTINE, batch, honest, letter, letter_with, part, parts},
    limits::ANSWER,
    partner::Partner,
    raw::Raw,
    rude::{Guise, Outcome, RudeLink, framed, hello},
};

/// Bytes up to which every request but a batch may be long.
const SMALL_REQUEST_BYTES_MAX: usize = 64 * 1024;

pub(crate) const CASES: &[Case] = &[
    Case::new(101, "garbage in the place of a Hello", ENDS, |p| {
        Box::pin(first(p, framed(b"\x0a\xff\xff\xff"), true))
    }),
    Case::new(102, "a Hello that is announced too long", ENDS_AT_ONCE, |p| {
        Box::pin(first(p, announced(HELLO_BYTES_MAX + 1), false))
    }),
    Case::new(103, "a Hello of another version than the handshake's", ENDS_LINK, |p| {
        Box::pin(other_version(p, 3))
    }),
    Case::new(104, "a Hello of version 0", ENDS_LINK, |p| Box::pin(other_version(p, 0))),
    Case::new(105, "a request before any Hello", ENDS, |p| Box::pin(request_first(p))),
    Case::new(106, "garbage in the place of a request", ENDS, |p| {
        Box::pin(stream(p, framed(b"\x0a\xff"), true))
    }),
    Case::new(107, "a frame that is announced one byte too long", ENDS_AT_ONCE, |p| {
        Box::pin(stream(p, announced(FRAME_BYTES_MAX + 1), false))
    }),
    Case::new(108, "a frame that is announced as long as a length can be", ENDS_AT_ONCE, |p| {
        Box::pin(stream(p, u32::MAX.to_be_bytes().to_vec(), false))
    }),
    Case::new(109, "a small request that is announced as long as a batch", ENDS_BY_KIND, |p| {
        let bytes = [announced(SMALL_REQUEST_BYTES_MAX + 1), vec![0x12]].concat();
        Box::pin(stream(p, bytes, false))
    }),
    Case::new(110, "a frame that ends before its length", ENDS, |p| Box::pin(truncated(p))),
    Case::new(111, "a frame of no bytes", ENDS, |p| Box::pin(stream(p, framed(b""), true))),
    Case::new(112, "a request of an unknown kind", ENDS, |p| {
        let unknown = Raw::new().bytes(15, b"what?").done();
        Box::pin(stream(p, framed(&unknown), true))
    }),
    Case::new(113, "a batch with a field that is not known yet", SKIPS, |p| {
        Box::pin(unknown_field(p))
    }),
    Case::new(114, "a batch of nothing", ENDS, |p| {
        let batch = Raw::new().number(1, ROUTINE.number().into()).done();
        Box::pin(stream(p, request(&batch), true))
    }),
    Case::new(115, "a batch of more messages than may be", ENDS, |p| Box::pin(too_many(p))),
    Case::new(116, "a request that says its batch twice", ENDS, |p| Box::pin(twice(p))),
    Case::new(117, "a batch of half a million empty certificates", ENDS, |p| {
        Box::pin(stream(p, request(&[0x22, 0].repeat(500_000)), true))
    }),
    Case::new(118, "a batch in a lane that nobody knows", ENDS, |p| Box::pin(unknown_lane(p))),
    Case::new(119, "two bodies that are too long together", ENDS, |p| Box::pin(too_long(p))),
    Case::new(120, "a batch with messages and receipts", ENDS, |p| Box::pin(both(p))),
];

const ENDS: &str = "ends the stream or the link, and answers nothing";
const ENDS_LINK: &str = "ends the link, whether it said Hello before or not";
const ENDS_AT_ONCE: &str =
    "ends the stream or the link at the length alone, and waits for no byte of the frame";
const ENDS_BY_KIND: &str =
    "ends the stream or the link at the first byte, which says that it is no batch";
const SKIPS: &str = "skips the field and takes the message";

/// The length of a frame that does not follow.
fn announced(bytes: usize) -> Vec<u8> {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes().to_vec()
}

/// A frame with a batch of these bytes.
fn request(batch: &[u8]) -> Vec<u8> {
    framed(&Raw::new().bytes(1, batch).done())
}

/// Says this first on a connection.
async fn first(partner: &Partner, bytes: Vec<u8>, ends: bool) -> Seen {
    let link = RudeLink::dial(partner, &Guise::genuine(partner)).await.map_err(wrong)?;
    link.say(&bytes, ends).await.must_end()
}

/// Says this on a stream after a good Hello.
async fn stream(partner: &Partner, bytes: Vec<u8>, ends: bool) -> Seen {
    RudeLink::greeted(partner).await?.say(&bytes, ends).await.must_end()
}

async fn other_version(partner: &Partner, version: u32) -> Seen {
    let link = RudeLink::dial(partner, &Guise::genuine(partner)).await.map_err(wrong)?;
    let outcome = link.ask(Hello { version, ..hello(partner) }.encode()).await;
    match (outcome, link.ended(ANSWER).await) {
        (_, Some(how)) | (Outcome::Ended(how), None) => Ok(how),
        (Outcome::Answered(_) | Outcome::Silent, None) => Err(wrong("the link stands")),
    }
}

async fn request_first(partner: &Partner) -> Seen {
    let sent = letter(partner)?.signed(partner)?;
    let batch = batch(partner, vec![part(partner, &[sent])?]);
    first(partner, framed(&RelayRequest::Batch(batch).encode()), true).await
}

async fn truncated(partner: &Partner) -> Seen {
    let sent = letter(partner)?.signed(partner)?;
    let batch = batch(partner, vec![part(partner, &[sent])?]);
    let mut whole = framed(&RelayRequest::Batch(batch).encode());
    whole.truncate(whole.len() / 2);
    stream(partner, whole, true).await
}

async fn unknown_field(partner: &Partner) -> Seen {
    let honest = Honest::link(partner).await?;
    let sent = letter(partner)?.signed(partner)?;
    let known = honest.numbered(batch(partner, vec![part(partner, &[sent])?]));
    // The one field of the request is the batch, so what follows it stands beside it.
    let beside = Raw::new().number(99, 7).bytes(100, b"from a later version").done();
    let frame = [known, beside].concat().into();
    let answer: kuriiri_wire::relay::Verdicts = honest.ask("a batch", frame).await?;
    match answer.verdicts.as_slice() {
        [verdict] => must_take(verdict, false),
        verdicts => Err(wrong(format!("{} verdicts on one message", verdicts.len()))),
    }
}

async fn too_many(partner: &Partner) -> Seen {
    let sent = honest(partner, BATCH_MESSAGES_MAX + 1)?;
    let batch = batch(partner, parts(partner, &sent)?);
    stream(partner, framed(&RelayRequest::Batch(batch).encode()), true).await
}

async fn twice(partner: &Partner) -> Seen {
    let mut frames = Vec::new();
    for sent in honest(partner, 2)? {
        let batch = batch(partner, vec![part(partner, &[sent])?]);
        frames.push(RelayRequest::Batch(batch).encode());
    }
    stream(partner, framed(&frames.concat()), true).await
}

async fn unknown_lane(partner: &Partner) -> Seen {
    let sent = letter(partner)?.signed(partner)?;
    let good = RelayRequest::Batch(batch(partner, vec![part(partner, &[sent])?])).encode();
    // Of two fields with one number the last counts, and this one is inside the batch.
    let lane = Raw::new().number(1, 77).done();
    let Some(inside) = content(&good) else { return Err(wrong("the kit wrote no batch")) };
    stream(partner, request(&[inside, &lane[..]].concat()), true).await
}

async fn too_long(partner: &Partner) -> Seen {
    let body = vec![b'x'; BATCH_BYTES_MAX / 2 + 1];
    let letter = || letter_with(partner, &partner.labels.open, &body, crate::clock::now());
    let sent = [letter()?.signed(partner)?, letter()?.signed(partner)?];
    let batch = batch(partner, parts(partner, &sent)?);
    stream(partner, framed(&RelayRequest::Batch(batch).encode()), true).await
}

async fn both(partner: &Partner) -> Seen {
    let sent = letter(partner)?.signed(partner)?;
    let good = RelayRequest::Batch(batch(partner, vec![part(partner, &[sent])?])).encode();
    let Some(inside) = content(&good) else { return Err(wrong("the kit wrote no batch")) };
    let receipt = Raw::new().bytes(3, b"entry").bytes(6, b"checkpoint").done();
    let receipt = Raw::new().bytes(6, &receipt).done();
    stream(partner, request(&[inside, &receipt[..]].concat()), true).await
}

/// What is inside the one field of a message.
fn content(message: &[u8]) -> Option<&[u8]> {
    let (_, rest) = message.split_first()?;
    let end = rest.iter().position(|byte| *byte < 0x80)?;
    rest.get(end + 1..)
}
