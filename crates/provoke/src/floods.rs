//! 4xx: more of everything than anybody needs. What counts is that honest partners are served meanwhile and
//! afterwards.

use std::{collections::HashSet, net::SocketAddr};

use kuriiri_merkle::leaf;
use kuriiri_types::{Code, limits::FRAME_BYTES_MAX};
use kuriiri_wire::{
    Frame, Place, Proved,
    relay::{RelayRequest, Verdicts, WitnessRequest, Witnessed},
};
use tokio::{
    net::UdpSocket,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use crate::{
    case::{Case, Halt, Seen, wrong},
    honest::{Honest, control, must_refuse, must_take},
    ledger::signed,
    letter::{Letter, batch, honest, letter, part, parts},
    limits::{
        ANNOUNCED, BATCHES, DENIED, DIALS, DIALS_SEEN, DIALS_SETTLE, HANDSHAKES, HELLOS, LINKS,
        QUESTIONS, RESETS, STREAMS,
    },
    partner::Partner,
    rude::{Guise, Outcome, RELAY, RudeLink, RudeStream, config, framed, socket, soon},
};

pub(crate) const CASES: &[Case] = &[
    Case::new(401, "handshakes that are begun and left", SERVES, |p| Box::pin(half_open(p))),
    Case::new(402, "links, one after the other, all kept", SERVES, |p| Box::pin(many_links(p))),
    Case::new(403, "streams that are opened and left", SERVES, |p| Box::pin(many_streams(p))),
    Case::new(404, "streams that are opened and broken off", SERVES, |p| Box::pin(resets(p))),
    Case::new(405, "frames that are announced as large as may be, and only begun", SERVES, |p| {
        Box::pin(many_announced(p))
    }),
    Case::new(406, "batches, many under way at once", IN_ORDER, |p| Box::pin(many_batches(p))),
    Case::new(407, "batches whose numbers come in the wrong order", IN_ORDER, |p| {
        Box::pin(backwards(p))
    }),
    Case::new(408, "messages that are denied, in full batches", DENIES, |p| Box::pin(denied(p))),
    Case::new(409, "one denied message, again and again", DENIES, |p| Box::pin(denied_again(p))),
    Case::new(410, "questions for proofs, many at once", ANSWERS, |p| Box::pin(questions(p))),
    Case::new(411, "checkpoints, many at once", ANSWERS, |p| Box::pin(checkpoints(p))),
    Case::new(412, "links that begin with garbage, one after the other", SERVES, |p| {
        Box::pin(garbage(p))
    }),
    Case::new(413, "Hellos, one after the other, of who does not answer when dialled", FEW, |p| {
        Box::pin(unreachable(p))
    }),
];

const SERVES: &str = "serves honest partners meanwhile; it may end or refuse any of these";
const IN_ORDER: &str = "takes each, by its number, or tells it to come again";
const DENIES: &str = "refuses each, and serves honest partners meanwhile";
const FEW: &str =
    "has few dials to it under way at once, and serves honest partners meanwhile; it need not dial";
const ANSWERS: &str = "answers each, and serves honest partners meanwhile";

/// The honest exchange beside a flood.
async fn meanwhile(partner: &Partner) -> Result<(), Halt> {
    match control(partner).await {
        Ok(_) => Ok(()),
        Err(Halt::Wrong(why) | Halt::Skipped(why)) => {
            Err(wrong(format!("meanwhile an honest partner was not served: {why}")))
        }
    }
}

async fn half_open(partner: &Partner) -> Seen {
    let client = socket(partner.target.address).map_err(wrong)?;
    let mut left = Vec::new();
    for _ in 0..HANDSHAKES {
        let begun = begin_handshake(&client, partner.target.address);
        left.push(soon("the first packet of a handshake", begun).await??);
    }
    meanwhile(partner).await?;
    Ok(format!("an honest partner got in beside {} of them", left.len()))
}

/// Begins a handshake, shows that the address is its own, and goes no further. The sockets are kept, so that
/// nobody hears that there is no one any more.
async fn begin_handshake(
    client: &quinn::Endpoint,
    relay: SocketAddr,
) -> Result<(UdpSocket, UdpSocket), Halt> {
    let any =
        SocketAddr::new(if relay.is_ipv4() { [0, 0, 0, 0].into() } else { [0; 16].into() }, 0);
    let near = UdpSocket::bind(("127.0.0.1", 0)).await.map_err(wrong)?;
    let far = UdpSocket::bind(any).await.map_err(wrong)?;
    let nobody = Guise { pair: None, conversation: RELAY, takes_little: false };
    let config = config(&nobody).map_err(wrong)?;
    let to = near.local_addr().map_err(wrong)?;
    let connecting = client.connect_with(config, to, "relay.invalid").map_err(wrong)?;
    let mut packet = [0; 2048];
    let (first, dialler) = near.recv_from(&mut packet).await.map_err(wrong)?;
    far.send_to(packet.get(..first).unwrap_or_default(), relay).await.map_err(wrong)?;
    // A relay asks to be shown that the address is the partner's; one that does not is served its own packet.
    let (retry, _) = far.recv_from(&mut packet).await.map_err(wrong)?;
    near.send_to(packet.get(..retry).unwrap_or_default(), dialler).await.map_err(wrong)?;
    let (second, _) = near.recv_from(&mut packet).await.map_err(wrong)?;
    far.send_to(packet.get(..second).unwrap_or_default(), relay).await.map_err(wrong)?;
    drop(connecting);
    Ok((near, far))
}

async fn many_links(partner: &Partner) -> Seen {
    let mut links = Vec::new();
    for _ in 0..LINKS {
        match RudeLink::greeted(partner).await {
            Ok(link) => links.push(link),
            // Links enough: whoever says so is right too.
            Err(_) => break,
        }
    }
    meanwhile(partner).await?;
    Ok(format!("an honest partner got in beside {} of them", links.len()))
}

/// Begins so many streams with these bytes, as far as the relay lets it.
async fn begun(link: &RudeLink, count: usize, bytes: &[u8]) -> Vec<RudeStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let Ok(mut stream) = link.open().await else { break };
        if stream.write(bytes).await.is_err() {
            break;
        }
        streams.push(stream);
    }
    streams
}

async fn many_streams(partner: &Partner) -> Seen {
    let link = RudeLink::greeted(partner).await?;
    let streams = begun(&link, STREAMS, &[0]).await;
    meanwhile(partner).await?;
    Ok(format!("an honest partner was served beside {} of them", streams.len()))
}

async fn resets(partner: &Partner) -> Seen {
    let mut count = 0;
    for _ in 0..LINKS {
        // A relay may end the link for it; then the partner comes again.
        let link = RudeLink::greeted(partner).await?;
        for mut stream in begun(&link, RESETS, &[0, 0]).await {
            stream.reset();
            count += 1;
        }
    }
    meanwhile(partner).await?;
    Ok(format!("an honest partner was served beside {count} of them"))
}

async fn many_announced(partner: &Partner) -> Seen {
    let link = RudeLink::greeted(partner).await?;
    let length = u32::try_from(FRAME_BYTES_MAX).unwrap_or(u32::MAX).to_be_bytes();
    let beginning = [&length[..], &[0x0a; 1024]].concat();
    let streams = begun(&link, ANNOUNCED, &beginning).await;
    meanwhile(partner).await?;
    Ok(format!("an honest partner was served beside {} of them", streams.len()))
}

/// The frames of honest batches of one message each, in the order of their numbers.
fn frames(partner: &Partner, link: &Honest) -> Result<Vec<bytes::Bytes>, Halt> {
    let batches = honest(partner, BATCHES)?;
    let frame = |sent| Ok(link.numbered(batch(partner, vec![part(partner, &[sent])?])));
    batches.into_iter().map(frame).collect()
}

/// Gives these batches at the same time; each must be taken, or told to come again.
async fn all_at_once(link: Honest, frames: Vec<bytes::Bytes>) -> Seen {
    let link = std::sync::Arc::new(link);
    let mut under_way = JoinSet::new();
    for frame in frames {
        let link = std::sync::Arc::clone(&link);
        under_way.spawn(async move { link.ask::<Verdicts>("a batch", frame).await });
    }
    let mut taken = 0;
    for answer in under_way.join_all().await {
        match answer?.verdicts.as_slice() {
            [kuriiri_types::Verdict::Busy] => {}
            [verdict] => {
                must_take(verdict, false)?;
                taken += 1;
            }
            verdicts => return Err(wrong(format!("{} verdicts on one message", verdicts.len()))),
        }
    }
    Ok(format!("{taken} of {BATCHES} accepted at once"))
}

async fn many_batches(partner: &Partner) -> Seen {
    let link = Honest::link(partner).await?;
    let frames = frames(partner, &link)?;
    all_at_once(link, frames).await
}

async fn backwards(partner: &Partner) -> Seen {
    let link = Honest::link(partner).await?;
    let mut frames = frames(partner, &link)?;
    frames.reverse();
    all_at_once(link, frames).await
}

/// A message under the label that may not go.
fn forbidden(partner: &Partner) -> Result<Letter, Halt> {
    let label = partner.labels.forbidden.clone();
    Ok(letter(partner)?.with(|header| header.label = Some(label)))
}

async fn denied(partner: &Partner) -> Seen {
    let (messages, batches) = DENIED;
    let link = Honest::link(partner).await?;
    for _ in 0..batches {
        let sent = (0..messages).map(|_| forbidden(partner)?.signed(partner));
        let given = parts(partner, &sent.collect::<Result<Vec<_>, _>>()?)?;
        for verdict in link.give_parts(partner, given).await? {
            must_refuse(&verdict, &[Code::POLICY])?;
        }
    }
    meanwhile(partner).await?;
    Ok(format!("{} messages refused", messages * batches))
}

async fn denied_again(partner: &Partner) -> Seen {
    let (messages, batches) = DENIED;
    let link = Honest::link(partner).await?;
    let same = vec![forbidden(partner)?.signed(partner)?; messages];
    for _ in 0..batches {
        for verdict in link.give_parts(partner, parts(partner, &same)?).await? {
            must_refuse(&verdict, &[Code::POLICY])?;
        }
    }
    meanwhile(partner).await?;
    Ok(format!("one message refused {} times", messages * batches))
}

async fn questions(partner: &Partner) -> Seen {
    let issuer = partner.target.ministry.clone();
    let places = vec![Place { index: 0, leaf: leaf(b"not there") }; 256];
    let question = RelayRequest::Prove { issuer, places }.encode();
    many::<Proved>(partner, question).await
}

async fn checkpoints(partner: &Partner) -> Seen {
    let checkpoint = signed(&partner.log, 1, leaf(b"another log")).map_err(wrong)?;
    // A size that nobody has seen: each is read and verified, and none is cosigned.
    let request = WitnessRequest { old: u64::MAX, proof: Vec::new(), checkpoint };
    many::<Witnessed>(partner, RelayRequest::Witness(request).encode()).await
}

async fn many<A: Frame + Send + 'static>(partner: &Partner, question: bytes::Bytes) -> Seen {
    let link = std::sync::Arc::new(Honest::link(partner).await?);
    let mut under_way = JoinSet::new();
    for _ in 0..QUESTIONS {
        let (link, question) = (std::sync::Arc::clone(&link), question.clone());
        under_way.spawn(async move { link.ask::<A>("a question", question).await.map(drop) });
    }
    meanwhile(partner).await?;
    under_way.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(format!("{QUESTIONS} answers"))
}

async fn garbage(partner: &Partner) -> Seen {
    for _ in 0..LINKS {
        let link = RudeLink::dial(partner, &Guise::genuine(partner)).await.map_err(wrong)?;
        match link.say(&framed(b"\xff\xff"), true).await {
            Outcome::Ended(_) => {}
            other @ (Outcome::Answered(_) | Outcome::Silent) => return other.must_end(),
        }
    }
    Ok(format!("{LINKS} links ended"))
}

async fn unreachable(partner: &Partner) -> Seen {
    let taken = |error| Halt::Skipped(format!("the partner cannot be dialled: {error}"));
    let silent = UdpSocket::bind(partner.listen).await.map_err(taken)?;
    for _ in 0..HELLOS {
        RudeLink::greeted(partner).await?;
    }
    let begun = Instant::now();
    let mut dials = HashSet::new();
    let mut packet = [0; 2048];
    while let Ok(came) = timeout_at(begun + DIALS_SEEN, silent.recv_from(&mut packet)).await {
        let (bytes, _) = came.map_err(wrong)?;
        // What came before is of dials that may have been given up.
        if begun.elapsed() > DIALS_SETTLE
            && let Some(dial) = destination(packet.get(..bytes).unwrap_or_default())
        {
            dials.insert(dial.to_vec());
        }
    }
    drop(silent);
    meanwhile(partner).await?;
    let saw = format!("{} dials under way at once after {HELLOS} Hellos", dials.len());
    if dials.len() <= DIALS { Ok(saw) } else { Err(wrong(saw)) }
}

/// The connection that a first packet of QUIC is of (RFC 9000 §17.2): the id that the dialler made up.
fn destination(packet: &[u8]) -> Option<&[u8]> {
    let (first, rest) = packet.split_first()?;
    let (length, ids) = rest.get(4..)?.split_first()?;
    ids.get(..usize::from(*length)).filter(|_| first & 0x80 != 0)
}
