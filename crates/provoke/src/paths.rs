//! 7xx: ways that messages did not come.

use kuriiri_types::{
    Address, Code, Ministry, Recipient, Role,
    limits::{HEADER_BYTES_MAX, HOPS_MAX},
};
use kuriiri_wire::{Frame, relay::RelayRequest};

use crate::{
    case::{Case, Halt, Seen, wrong},
    honest::{Honest, must_refuse},
    letter::{batch, by_way, letter, part},
    need::Need,
    partner::Partner,
};

pub(crate) const CASES: &[Case] = &[
    Case::new(701, "a way that does not begin with the sender's ministry", MALFORMED, |p| {
        Box::pin(by(p, &[Code::MALFORMED], |p| Ok(vec![third(p)?, p.home.clone()])))
    })
    .needs(&[Need::Third]),
    Case::new(702, "a way that does not end with the partner", MALFORMED, |p| {
        Box::pin(by(p, &[Code::MALFORMED], |p| Ok(vec![p.home.clone(), third(p)?])))
    })
    .needs(&[Need::Third]),
    Case::new(703, "a way that went through the relay itself", REFUSES, |p| {
        Box::pin(by(p, LOOPS, |p| {
            Ok(vec![p.home.clone(), p.target.ministry.clone(), p.home.clone()])
        }))
    }),
    Case::new(704, "a way through a relay that is no member", REFUSES, |p| {
        Box::pin(by(p, LOOPS, |p| {
            Ok(vec![p.home.clone(), "nobody.invalid".parse().map_err(wrong)?, p.home.clone()])
        }))
    }),
    Case::new(705, "a way of nobody", ENDS, |p| Box::pin(way_ends(p, |_| Vec::new()))),
    Case::new(706, "a way of more relays than may be", ENDS, |p| {
        Box::pin(way_ends(p, |p| vec![p.home.clone(); HOPS_MAX + 1]))
    }),
    Case::new(707, "a way that has no room for the relay", REFUSES, |p| {
        Box::pin(by(p, LOOPS, |p| Ok(vec![p.home.clone(); HOPS_MAX])))
    }),
    Case::new(708, "a message for a ministry that none of its recipients is at", MALFORMED, |p| {
        Box::pin(other_dest(p))
    })
    .needs(&[Need::Third]),
    Case::new(709, "a message that the relay would have to carry on", CARRIES, |p| {
        Box::pin(onward(p))
    })
    .needs(&[Need::Third]),
    Case::new(710, "a header of more bytes than may be", ENDS, |p| Box::pin(long_header(p))),
];

const MALFORMED: &str = "refuses it with 2102, and tells no reason";
const REFUSES: &str = "refuses it with 2102 or 2108, and tells no reason";
const ENDS: &str = "ends the stream or the link, and answers nothing";
const CARRIES: &str =
    "refuses it, and tells no reason: only a hub carries what is for another ministry";

const LOOPS: &[Code] = &[Code::MALFORMED, Code::NO_ROUTE];

fn third(partner: &Partner) -> Result<Ministry, Halt> {
    partner.third().cloned().ok_or_else(|| wrong("there is no third member"))
}

type Way = fn(&Partner) -> Result<Vec<Ministry>, Halt>;

/// Gives a genuine message that says it came this way.
async fn by(partner: &Partner, codes: &[Code], way: Way) -> Seen {
    let honest = Honest::link(partner).await?;
    let sent = letter(partner)?.signed(partner)?;
    let given = by_way(part(partner, &[sent])?, way(partner)?);
    must_refuse(&honest.give_part(partner, given).await?, codes)
}

async fn way_ends(partner: &Partner, way: fn(&Partner) -> Vec<Ministry>) -> Seen {
    let link = Honest::link(partner).await?;
    let sent = letter(partner)?.signed(partner)?;
    let given = by_way(part(partner, &[sent])?, way(partner));
    let frame = RelayRequest::Batch(batch(partner, vec![given])).encode();
    link.outcome(frame).await.must_end()
}

async fn other_dest(partner: &Partner) -> Seen {
    let honest = Honest::link(partner).await?;
    let sent = letter(partner)?.signed(partner)?;
    let mut given = part(partner, &[sent])?;
    given.dest = third(partner)?;
    must_refuse(&honest.give_part(partner, given).await?, &[Code::MALFORMED])
}

async fn onward(partner: &Partner) -> Seen {
    if partner.target.is_transit {
        return Err(Halt::Skipped("the relay is a hub, which carries for others".into()));
    }
    let elsewhere = third(partner)?;
    let address = Address::new(partner.system.address.mailbox(), elsewhere.clone());
    let to = vec![Recipient { address: address.map_err(wrong)?, role: Role::Action }];
    let honest = Honest::link(partner).await?;
    let sent = letter(partner)?.with(|header| header.to = to).signed(partner)?;
    let mut given = part(partner, &[sent])?;
    given.dest = elsewhere;
    must_refuse(&honest.give_part(partner, given).await?, &[])
}

async fn long_header(partner: &Partner) -> Seen {
    let link = Honest::link(partner).await?;
    let letter = letter(partner)?.with(|header| header.subject = "x".repeat(HEADER_BYTES_MAX));
    let given = part(partner, &[letter.signed(partner)?])?;
    let frame = RelayRequest::Batch(batch(partner, vec![given])).encode();
    link.outcome(frame).await.must_end()
}
