//! 2xx: batches, signatures and repeats.

use kuriiri_seal::{Signer, join};
use kuriiri_types::{Address, Code, Digest, Lane, Precedence, Recipient, Role, Verdict};
use kuriiri_wire::{
    Frame, header,
    relay::{Batch, RelayRequest, Verdicts},
};

use crate::{
    case::{Case, Halt, Seen, wrong},
    clock,
    honest::{Honest, in_words, must_refuse, must_take},
    impostor::impostor_signer,
    letter::{
        Sent, batch, honest, letter, letter_with, new_id, part, part_as, parts, random,
        signed_bytes, signed_together,
    },
    need::Need,
    partner::Partner,
    raw::Raw,
};

pub(crate) const CASES: &[Case] = &[
    Case::new(201, "one message twice in a batch", REPEAT, |p| Box::pin(twice_in_a_batch(p))),
    Case::new(202, "a message again on another link", SAME_TIME, |p| Box::pin(replayed(p))),
    Case::new(203, "a number of a batch that was used before", ENDS, |p| Box::pin(number_again(p))),
    Case::new(204, "a message in the lane of another precedence", MALFORMED, |p| {
        Box::pin(other_lane(p))
    }),
    Case::new(205, "a genuine part with one body that is another", ONE_ONLY, |p| {
        Box::pin(other_body(p))
    }),
    Case::new(206, "a header that was changed after it was signed", PART, |p| {
        Box::pin(changed(p, |_, sent| {
            let mut header = sent.header.to_vec();
            header.iter_mut().skip(30).take(1).for_each(|byte| *byte ^= 1);
            sent.header = header.into();
        }))
    }),
    Case::new(207, "a signature with one bit changed", PART, |p| {
        Box::pin(changed(p, |_, sent| {
            let mut signature = sent.proof.signature.to_vec();
            signature.iter_mut().take(1).for_each(|byte| *byte ^= 1);
            sent.proof.signature = signature.into();
        }))
    }),
    Case::new(208, "a part of a larger signed batch", TAKES, |p| Box::pin(some_leaves(p))),
    Case::new(209, "a part whose absent leaves are others", PART, |p| Box::pin(other_leaves(p))),
    Case::new(210, "a part with a leaf that is absent too few", PART, |p| {
        Box::pin(fewer_leaves(p))
    }),
    Case::new(211, "a part of a batch of another size", PART, |p| Box::pin(other_size(p))),
    Case::new(212, "places in the signed batch that do not rise", ENDS, |p| Box::pin(falling(p))),
    Case::new(213, "a signer whose certificate nobody has", PART, |p| {
        Box::pin(changed(p, |random, sent| sent.proof.signer.0 = random))
    }),
    Case::new(214, "a signer that another authority vouches for", PART, |p| Box::pin(impostor(p))),
    Case::new(215, "a sender of another ministry", FOREIGN, |p| Box::pin(foreign_sender(p)))
        .needs(&[Need::Third]),
    Case::new(216, "a header with a field behind its last", MALFORMED, |p| {
        Box::pin(not_canonical(p, Raw::new().bytes(99, b"hidden")))
    }),
    Case::new(217, "a header that says its subject twice", MALFORMED, |p| {
        Box::pin(not_canonical(p, Raw::new().bytes(12, b"another subject")))
    }),
    Case::new(218, "a mailbox that is not there", UNKNOWN, |p| Box::pin(unknown_mailbox(p))),
    Case::new(219, "a message without a label", DENIED, |p| {
        Box::pin(refused(p, DENIALS, |letter| letter.label = None))
    }),
    Case::new(220, "a label that may not go there", FORBIDDEN, |p| {
        Box::pin(refused_with(p, &[Code::POLICY], |p, h| {
            h.label = Some(p.labels.forbidden.clone())
        }))
    }),
    Case::new(221, "an id of another time than the message", MALFORMED, |p| Box::pin(other_id(p))),
    Case::new(222, "a body without its salt", ENDS, |p| Box::pin(no_salt(p))),
    Case::new(223, "a whole batch with one message that is not genuine", OTHERS, |p| {
        Box::pin(one_bad_part(p))
    }),
];

const REPEAT: &str = "takes it once, and says of the second that it was here before";
const SAME_TIME: &str =
    "takes it once, and says of the second that it was here before, and when it was taken first";
const ENDS: &str = "ends the stream or the link, and answers nothing";
const MALFORMED: &str = "refuses it with 2102, and tells no reason";
const ONE_ONLY: &str = "takes the other messages of the part, and refuses this one with 2102";
const PART: &str = "refuses all of the part with 3101, and tells no reason";
const TAKES: &str = "takes it";
const FOREIGN: &str = "refuses it with 3101: its system speaks for its own ministry alone";
const UNKNOWN: &str = "refuses it with 2106";
const FORBIDDEN: &str = "refuses it with 2101, and tells no reason: those stay in the ministry";
const DENIED: &str = "refuses it, and tells no reason: those stay in the ministry";
const OTHERS: &str = "takes the other parts, and refuses this one with 3101";

/// With what a message is refused that no label lets pass.
const DENIALS: &[Code] = &[Code::POLICY, Code::MALFORMED];
/// With what something that is not genuine is refused.
const NOT_GENUINE: &[Code] = &[Code::SIGNATURE];

async fn twice_in_a_batch(partner: &Partner) -> Seen {
    let honest = Honest::link(partner).await?;
    let sent = letter(partner)?.signed(partner)?;
    let twice = parts(partner, &[sent.clone(), sent])?;
    match honest.give_parts(partner, twice).await?.as_slice() {
        [one, two] => Ok(format!("{}, then {}", must_take(one, false)?, must_take(two, true)?)),
        _ => Err(wrong("it did not give two verdicts")),
    }
}

async fn replayed(partner: &Partner) -> Seen {
    let sent = letter(partner)?.signed(partner)?;
    let taken = Honest::link(partner).await?.give_one(partner, &sent).await?;
    must_take(&taken, false)?;
    let again = Honest::link(partner).await?.give_one(partner, &sent).await?;
    must_take(&again, true)?;
    match (taken, again) {
        (Verdict::Accepted { at, .. }, Verdict::Accepted { at: first, .. }) if at == first => {
            Ok("accepted as a repeat, with the time of the first".into())
        }
        _ => Err(wrong("the repeat has another time than the first")),
    }
}

async fn number_again(partner: &Partner) -> Seen {
    let link = Honest::link(partner).await?;
    let [one, two] = [letter(partner)?.signed(partner)?, letter(partner)?.signed(partner)?];
    must_take(&link.give_one(partner, &one).await?, false)?;
    let again = batch(partner, vec![part(partner, &[two])?]);
    link.outcome(RelayRequest::Batch(again).encode()).await.must_end()
}

async fn other_lane(partner: &Partner) -> Seen {
    let honest = Honest::link(partner).await?;
    let sent = letter(partner)?.signed(partner)?;
    let lane = Lane::Messages(Precedence::Flash);
    let given = Batch { lane, ..batch(partner, vec![part(partner, &[sent])?]) };
    one(&honest.give(given).await?, |verdict| must_refuse(verdict, &[Code::MALFORMED]))
}

/// The one verdict that there must be.
fn one(verdicts: &Verdicts, judge: impl FnOnce(&Verdict) -> Seen) -> Seen {
    match verdicts.verdicts.as_slice() {
        [verdict] => judge(verdict),
        verdicts => Err(wrong(format!("{} verdicts on one message", verdicts.len()))),
    }
}

async fn other_body(partner: &Partner) -> Seen {
    let honest = Honest::link(partner).await?;
    let mut sent = signed_together(partner, vec![letter(partner)?, letter(partner)?]);
    let last = sent.last_mut().ok_or_else(|| wrong("the kit signed nothing"))?;
    let mut body = last.body.to_vec();
    body.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1);
    last.body = body.into();
    match honest.give_parts(partner, vec![part(partner, &sent)?]).await?.as_slice() {
        [good, bad] => {
            let refused = must_refuse(bad, &[Code::MALFORMED])?;
            Ok(format!("{}, and {refused}", must_take(good, false)?))
        }
        _ => Err(wrong("it did not give two verdicts")),
    }
}

/// Gives a message that was changed after it was signed.
async fn changed(partner: &Partner, change: fn([u8; 32], &mut Sent)) -> Seen {
    let honest = Honest::link(partner).await?;
    let mut sent = letter(partner)?.signed(partner)?;
    change(random()?, &mut sent);
    must_refuse(&honest.give_one(partner, &sent).await?, NOT_GENUINE)
}

/// Two of four messages that were signed together.
fn two_of_four(partner: &Partner) -> Result<Vec<Sent>, Halt> {
    let letters = (0..4).map(|_| letter(partner)).collect::<Result<Vec<_>, _>>()?;
    Ok(signed_together(partner, letters).into_iter().step_by(2).collect())
}

async fn some_leaves(partner: &Partner) -> Seen {
    let honest = Honest::link(partner).await?;
    let sent = two_of_four(partner)?;
    let verdicts = honest.give_parts(partner, vec![part(partner, &sent)?]).await?;
    verdicts.iter().try_for_each(|verdict| must_take(verdict, false).map(drop))?;
    Ok("accepted".into())
}

async fn other_leaves(partner: &Partner) -> Seen {
    let honest = Honest::link(partner).await?;
    let sent = two_of_four(partner)?;
    let mut bad = part(partner, &sent)?;
    let other = Digest(random()?);
    bad.part.signed.proof.iter_mut().take(1).for_each(|absent| *absent = other);
    all_refused(&honest.give_parts(partner, vec![bad]).await?)
}

async fn fewer_leaves(partner: &Partner) -> Seen {
    let honest = Honest::link(partner).await?;
    let sent = two_of_four(partner)?;
    let mut bad = part(partner, &sent)?;
    bad.part.signed.proof.pop();
    all_refused(&honest.give_parts(partner, vec![bad]).await?)
}

async fn other_size(partner: &Partner) -> Seen {
    let honest = Honest::link(partner).await?;
    let sent = two_of_four(partner)?;
    let mut bad = part(partner, &sent)?;
    bad.part.signed.size += 1;
    all_refused(&honest.give_parts(partner, vec![bad]).await?)
}

fn all_refused(verdicts: &[Verdict]) -> Seen {
    verdicts.iter().try_for_each(|verdict| must_refuse(verdict, NOT_GENUINE).map(drop))?;
    Ok(verdicts.first().map_or_else(String::new, in_words))
}

async fn falling(partner: &Partner) -> Seen {
    let link = Honest::link(partner).await?;
    let mut bad = part(partner, &two_of_four(partner)?)?;
    bad.part.signed.positions.reverse();
    let frame = RelayRequest::Batch(batch(partner, vec![bad])).encode();
    link.outcome(frame).await.must_end()
}

async fn impostor(partner: &Partner) -> Seen {
    let signer = impostor_signer(partner)?;
    refused_of(partner, &signer).await
}

/// Gives a message that somebody else signed, with that certificate.
pub(crate) async fn refused_of(partner: &Partner, signer: &Signer) -> Seen {
    let honest = Honest::link(partner).await?;
    let sent = letter(partner)?.signed_by(signer)?;
    let certificates = vec![signer.certificate().clone()];
    let given = Batch { certificates, ..batch(partner, vec![part(partner, &[sent])?]) };
    one(&honest.give(given).await?, |verdict| must_refuse(verdict, NOT_GENUINE))
}

async fn foreign_sender(partner: &Partner) -> Seen {
    let third = partner.third().ok_or_else(|| wrong("there is no third member"))?.clone();
    let honest = Honest::link(partner).await?;
    let from = Address::new(partner.system.address.mailbox(), third.clone()).map_err(wrong)?;
    let sent = letter(partner)?.with(|header| header.from = from).signed(partner)?;
    let mut given = part(partner, &[sent])?;
    given.path = vec![third, partner.home.clone()];
    must_refuse(&honest.give_part(partner, given).await?, NOT_GENUINE)
}

async fn not_canonical(partner: &Partner, behind: Raw) -> Seen {
    let honest = Honest::link(partner).await?;
    let good = letter(partner)?;
    let header = [header::encode(&good.header), behind.done()].concat();
    let body = good.signed(partner)?.body;
    let sent = signed_bytes(partner, header.into(), body)?;
    must_refuse(&honest.give_one(partner, &sent).await?, &[Code::MALFORMED])
}

async fn unknown_mailbox(partner: &Partner) -> Seen {
    let address = Address::new("nobody-has-this", partner.target.ministry.clone());
    let to = vec![Recipient { address: address.map_err(wrong)?, role: Role::Action }];
    let honest = Honest::link(partner).await?;
    let sent = letter(partner)?.with(|header| header.to = to).signed(partner)?;
    must_refuse(&honest.give_one(partner, &sent).await?, &[Code::UNKNOWN_RECIPIENT])
}

/// Gives a message with another header, genuinely signed.
async fn refused(
    partner: &Partner,
    codes: &[Code],
    change: fn(&mut kuriiri_types::Header),
) -> Seen {
    let honest = Honest::link(partner).await?;
    let sent = letter(partner)?.with(change).signed(partner)?;
    must_refuse(&honest.give_one(partner, &sent).await?, codes)
}

/// The same where the change depends on the partner.
async fn refused_with(
    partner: &Partner,
    codes: &[Code],
    change: fn(&Partner, &mut kuriiri_types::Header),
) -> Seen {
    let honest = Honest::link(partner).await?;
    let sent = letter(partner)?.with(|header| change(partner, header)).signed(partner)?;
    must_refuse(&honest.give_one(partner, &sent).await?, codes)
}

async fn other_id(partner: &Partner) -> Seen {
    let honest = Honest::link(partner).await?;
    let id = new_id(clock::now().before(std::time::Duration::from_secs(24 * 3600)))?;
    let sent = letter(partner)?.with(|header| header.id = id).signed(partner)?;
    must_refuse(&honest.give_one(partner, &sent).await?, &[Code::MALFORMED])
}

async fn no_salt(partner: &Partner) -> Seen {
    let link = Honest::link(partner).await?;
    let mut sent =
        letter_with(partner, &partner.labels.open, b"", clock::now())?.signed(partner)?;
    sent.body = bytes::Bytes::new();
    let given = batch(partner, vec![part(partner, &[sent])?]);
    link.outcome(RelayRequest::Batch(given).encode()).await.must_end()
}

async fn one_bad_part(partner: &Partner) -> Seen {
    let link = Honest::link(partner).await?;
    let sent = honest(partner, 3)?;
    let mut given = parts(partner, &sent)?;
    if let [_, bad, _] = given.as_mut_slice()
        && let Some(other) = join(&[&letter(partner)?.signed(partner)?.proof])
    {
        let messages = sent.get(1..2).unwrap_or_default();
        *bad = part_as(partner, other, messages);
    }
    match link.give_parts(partner, given).await?.as_slice() {
        [one, bad, two] => {
            must_take(one, false)?;
            must_take(two, false)?;
            must_refuse(bad, NOT_GENUINE)
        }
        _ => Err(wrong("it did not give three verdicts")),
    }
}
