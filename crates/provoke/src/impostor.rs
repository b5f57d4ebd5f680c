//! Certificates of an authority that calls itself the member's and is not.

use std::time::Duration;

use kuriiri_certs::{Authority, Issued, Purpose, Validity};
use kuriiri_seal::Signer;
use kuriiri_types::{SpiffeId, SpiffeRole};

use crate::{
    case::{Halt, wrong},
    clock,
    folder::Pair,
    partner::Partner,
};

const HOUR: Duration = Duration::from_secs(3600);

fn issued(partner: &Partner, role: SpiffeRole, purpose: Purpose) -> Result<Issued, Halt> {
    let now = clock::now();
    let validity = Validity { not_before: now.before(HOUR), not_after: now.after(24 * HOUR) };
    let authority = Authority::new(&partner.home, validity).map_err(wrong)?;
    let id = SpiffeId::new(partner.home.clone(), role, "r1").map_err(wrong)?;
    authority.issue(&id, purpose, validity).map_err(wrong)
}

/// A relay's certificate.
pub(crate) fn impostor_relay(partner: &Partner) -> Result<Pair, Halt> {
    let issued = issued(partner, SpiffeRole::Relay, Purpose::Tls)?;
    Ok(Pair { chain: issued.certificate_pem, key: issued.key_pem })
}

/// A system's signing certificate.
pub(crate) fn impostor_signer(partner: &Partner) -> Result<Signer, Halt> {
    let issued = issued(partner, SpiffeRole::System, Purpose::Signing)?;
    Signer::from_pem(&issued.certificate_pem, &issued.key_pem).map_err(wrong)
}
