//! 8xx: seals that are none.

use kuriiri_seal::{SUITE, SealingKey, SealingPublicKey, seal};
use kuriiri_types::{Digest, Ministry, SealKeyId, Sealing};

use crate::{
    case::{Case, Halt, Seen, wrong},
    clock,
    honest::{Honest, must_refuse, must_take},
    letter::{Letter, letter_with, random},
    need::Need,
    partner::Partner,
};

pub(crate) const CASES: &[Case] = &[
    Case::new(801, "a body that is sealed to the relay's ministry", TAKES, |p| Box::pin(sealed(p))),
    Case::new(802, "an open body under a label that asks for a seal", REFUSES, |p| {
        Box::pin(open(p))
    }),
    Case::new(803, "an open body under a header that says it is sealed", REFUSES, |p| {
        Box::pin(claimed(p))
    }),
    Case::new(804, "a seal to a key that the ministry does not have", REFUSES, |p| {
        Box::pin(other_key(p))
    }),
    Case::new(805, "a seal that a member can open to whom it is not addressed", REFUSES, |p| {
        Box::pin(stranger_too(p))
    })
    .needs(&[Need::Third]),
    Case::new(806, "a seal of a suite that there is not", REFUSES, |p| {
        Box::pin(changed(p, |letter| {
            letter.with(|h| h.sealing.iter_mut().for_each(|sealing| sealing.suite = 77))
        }))
    }),
    Case::new(807, "a sealed body of another suite than its header's", REFUSES, |p| {
        Box::pin(layout(p, |body| body.iter_mut().take(1).for_each(|suite| *suite = 2)))
    }),
    Case::new(808, "a sealed body of more keys than its header has", REFUSES, |p| {
        Box::pin(layout(p, |body| body.iter_mut().skip(1).take(1).for_each(|keys| *keys = 9)))
    }),
    Case::new(809, "a sealed body that is too short for its keys", REFUSES, |p| {
        Box::pin(layout(p, |body| body.truncate(64)))
    }),
    Case::new(810, "a seal to nobody", MALFORMED, |p| {
        Box::pin(changed(p, |letter| {
            letter.with(|h| h.sealing.iter_mut().for_each(|sealing| sealing.keys.clear()))
        }))
    }),
];

const TAKES: &str = "takes it";
const REFUSES: &str = "refuses it, and tells no reason";
const MALFORMED: &str = "refuses it with 2102, and tells no reason";

/// The relay's ministry and its key.
fn theirs(partner: &Partner) -> Result<(Ministry, SealingPublicKey), Halt> {
    let key = partner.target.sealing.clone();
    let key = key.ok_or_else(|| Halt::Skipped("the relay's ministry has no sealing key".into()));
    Ok((partner.target.ministry.clone(), key?))
}

/// A message whose body is sealed to these keys, before it is signed, and the sealed body.
fn sealed_to(
    partner: &Partner,
    keys: &[(Ministry, SealingPublicKey)],
) -> Result<(Letter, Vec<u8>), Halt> {
    let letter = letter_with(partner, &partner.labels.sealed, b"", clock::now())?;
    let (sealing, body) = seal(b"sealed", keys, &letter.header.id).map_err(wrong)?;
    let letter = letter.with(|header| header.sealing = Some(sealing)).with_body(&body)?;
    Ok((letter, body))
}

async fn give(partner: &Partner, letter: Letter) -> Result<kuriiri_types::Verdict, Halt> {
    let honest = Honest::link(partner).await?;
    honest.give_one(partner, &letter.signed(partner)?).await
}

async fn sealed(partner: &Partner) -> Seen {
    let (letter, _) = sealed_to(partner, &[theirs(partner)?])?;
    must_take(&give(partner, letter).await?, false)
}

async fn open(partner: &Partner) -> Seen {
    let letter = letter_with(partner, &partner.labels.sealed, b"open", clock::now())?;
    must_refuse(&give(partner, letter).await?, &[])
}

async fn claimed(partner: &Partner) -> Seen {
    let (ministry, key) = theirs(partner)?;
    let keys = vec![SealKeyId { ministry, key: key.id() }];
    let content = Digest(random()?);
    let letter = letter_with(partner, &partner.labels.sealed, b"readable by all", clock::now())?;
    let letter = letter.with(|header| {
        header.sealing = Some(Sealing { suite: SUITE, keys, content });
    });
    must_refuse(&give(partner, letter).await?, &[])
}

async fn other_key(partner: &Partner) -> Seen {
    let (ministry, _) = theirs(partner)?;
    let other = SealingKey::generate().map_err(wrong)?.public_key();
    let (letter, _) = sealed_to(partner, &[(ministry, other)])?;
    must_refuse(&give(partner, letter).await?, &[])
}

async fn stranger_too(partner: &Partner) -> Seen {
    let third = partner.third().ok_or_else(|| wrong("there is no third member"))?.clone();
    let other = SealingKey::generate().map_err(wrong)?.public_key();
    let (letter, _) = sealed_to(partner, &[theirs(partner)?, (third, other)])?;
    must_refuse(&give(partner, letter).await?, &[])
}

/// A good seal under another header.
async fn changed(partner: &Partner, change: fn(Letter) -> Letter) -> Seen {
    let (letter, _) = sealed_to(partner, &[theirs(partner)?])?;
    must_refuse(&give(partner, change(letter)).await?, &[])
}

/// A good header that commits to a body which is laid out otherwise.
async fn layout(partner: &Partner, change: fn(&mut Vec<u8>)) -> Seen {
    let (letter, mut body) = sealed_to(partner, &[theirs(partner)?])?;
    change(&mut body);
    must_refuse(&give(partner, letter.with_body(&body)?).await?, &[])
}
