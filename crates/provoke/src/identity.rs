//! 6xx: certificates that nobody may accept, and such as are for something else.

use kuriiri_seal::Signer;
use kuriiri_wire::Frame;

use crate::{
    batches::refused_of,
    case::{Case, Seen, wrong},
    folder::Pair,
    impostor::impostor_relay,
    need::Need,
    partner::Partner,
    rude::{Guise, Outcome, RELAY, RudeLink, hello},
};

pub(crate) const CASES: &[Case] = &[
    Case::new(601, "a relay that shows no certificate", OUT, |p| {
        let nobody = Guise { pair: None, conversation: RELAY, takes_little: false };
        Box::pin(knock(p, nobody))
    }),
    Case::new(602, "a certificate of an authority that is not the member's", OUT, |p| {
        Box::pin(impostor(p))
    }),
    Case::new(603, "a certificate whose time is over", OUT, |p| {
        Box::pin(shown(p, p.expired().map(|misfit| &misfit.tls)))
    })
    .needs(&[Need::Expired]),
    Case::new(604, "a certificate that is revoked", OUT, |p| {
        Box::pin(shown(p, p.revoked().map(|misfit| &misfit.tls)))
    })
    .needs(&[Need::Revoked]),
    Case::new(605, "the certificate of a system, shown as a relay's", OUT, |p| {
        Box::pin(shown(p, Some(&p.system.tls)))
    }),
    Case::new(606, "a certificate for signing, shown as one for connections", OUT, |p| {
        Box::pin(shown(p, Some(&p.system.signing)))
    }),
    Case::new(607, "a member that the relay has no link with", OUT, |p| {
        Box::pin(shown(p, p.stranger()))
    })
    .needs(&[Need::Stranger]),
    Case::new(608, "a conversation of an unknown version", OUT, |p| {
        Box::pin(knock(p, Guise { conversation: "kuriiri-relay/999", ..Guise::genuine(p) }))
    }),
    Case::new(609, "a partner in the place of one of the ministry's systems", OUT, |p| {
        Box::pin(knock(p, Guise { conversation: "kuriiri-client/2", ..Guise::genuine(p) }))
    }),
    Case::new(610, "a partner in the place of one of the ministry's officers", OUT, |p| {
        Box::pin(knock(p, Guise { conversation: "kuriiri-admin/2", ..Guise::genuine(p) }))
    }),
    Case::new(611, "another member's system in the place of one of the ministry's", OUT, |p| {
        let guise = Guise { conversation: "kuriiri-client/2", ..Guise::of(&p.system.tls) };
        Box::pin(knock(p, guise))
    }),
    Case::new(621, "a message signed with a certificate whose time is over", NOT_GENUINE, |p| {
        Box::pin(signed(p, p.expired().map(|misfit| &misfit.signer)))
    })
    .needs(&[Need::Expired]),
    Case::new(622, "a message signed with a certificate that is revoked", NOT_GENUINE, |p| {
        Box::pin(signed(p, p.revoked().map(|misfit| &misfit.signer)))
    })
    .needs(&[Need::Revoked]),
    Case::new(623, "a message signed with a certificate for connections", NOT_GENUINE, |p| {
        Box::pin(signed_for_connections(p))
    }),
    Case::new(624, "a message signed by the partner's relay", NOT_GENUINE, |p| {
        Box::pin(signed_by_relay(p))
    }),
];

const OUT: &str = "lets it not in: the handshake fails, or the link ends without an answer";
const NOT_GENUINE: &str = "refuses it with 3101, and tells no reason";

/// Knocks, says Hello, and is answered nothing.
async fn knock(partner: &Partner, guise: Guise<'_>) -> Seen {
    let link = match RudeLink::dial(partner, &guise).await {
        Ok(link) => link,
        Err(how) => return Ok(how),
    };
    // A dialler believes itself connected before its certificate has been judged.
    match link.ask(hello(partner).encode()).await {
        Outcome::Answered(_) => Err(wrong("it was let in and answered")),
        other @ (Outcome::Ended(_) | Outcome::Silent) => other.must_end(),
    }
}

async fn shown(partner: &Partner, pair: Option<&Pair>) -> Seen {
    let pair = pair.ok_or_else(|| wrong("there is no such certificate"))?;
    knock(partner, Guise::of(pair)).await
}

async fn impostor(partner: &Partner) -> Seen {
    let pair = impostor_relay(partner)?;
    knock(partner, Guise::of(&pair)).await
}

async fn signed(partner: &Partner, signer: Option<&Signer>) -> Seen {
    let signer = signer.ok_or_else(|| wrong("there is no such certificate"))?;
    refused_of(partner, signer).await
}

async fn signed_for_connections(partner: &Partner) -> Seen {
    let Pair { chain, key } = &partner.system.tls;
    refused_of(partner, &Signer::from_pem(chain, key).map_err(wrong)?).await
}

async fn signed_by_relay(partner: &Partner) -> Seen {
    let Pair { chain, key } = &partner.relay;
    refused_of(partner, &Signer::from_pem(chain, key).map_err(wrong)?).await
}
