//! What the machine itself can do: the yardsticks beside which a figure means something.

use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use kuriiri_certs::{Authority, Purpose as For, Validity};
use kuriiri_merkle::leaf;
use kuriiri_seal::{Authorities, Purpose, Signer, Verifier};
use kuriiri_types::{Envelope, Ministry, SpiffeRole, Timestamp};
use serde::Serialize;

use crate::system::now;

/// How long each yardstick is measured.
const SPAN: Duration = Duration::from_millis(400);
/// Bytes of one append before its fdatasync: a commit of some dozens of messages.
const APPEND_BYTES: usize = 64 * 1024;

/// Operations a second, on one core.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Limits {
    pub(super) sign: f64,
    pub(super) verify: f64,
    pub(super) fdatasync: f64,
}

impl Limits {
    pub(super) fn measure(dir: &Path) -> anyhow::Result<Self> {
        let (signer, verifier) = ministry()?;
        let mut number = 0u64;
        let mut envelope = || {
            number += 1;
            let header = Bytes::copy_from_slice(&number.to_be_bytes());
            let proof = signer.sign(Purpose::Messages, &[leaf(&header)]).pop();
            proof.map(|proof| Envelope { header, proof })
        };
        let sign = rate(|| envelope().is_some());
        let signed: Vec<Envelope> =
            std::iter::repeat_with(&mut envelope).flatten().take(20_000).collect();
        let mut signed = signed.into_iter();
        let verify = rate(|| signed.next().is_some_and(|envelope| check(&verifier, envelope)));
        Ok(Self { sign, verify, fdatasync: fdatasync(dir)? })
    }

    /// The mean of two measurements, one before and one after what they stand beside.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            sign: f64::midpoint(self.sign, other.sign),
            verify: f64::midpoint(self.verify, other.verify),
            fdatasync: f64::midpoint(self.fdatasync, other.fdatasync),
        }
    }
}

/// How often a second something can be done; until it cannot, or time is up.
pub(super) fn rate(mut something: impl FnMut() -> bool) -> f64 {
    let (begin, mut times) = (Instant::now(), 0u32);
    while begin.elapsed() < SPAN && something() {
        times += 1;
    }
    f64::from(times) / begin.elapsed().as_secs_f64()
}

/// Verifies a signature that was not seen before. The bytes are no header, so decoding refuses
/// them, which it does only after the signature was found good.
fn check(verifier: &Verifier, envelope: Envelope) -> bool {
    let refused = verifier.message(envelope, |_| Err("no header"), now());
    matches!(refused, Err(kuriiri_seal::VerifyError::Decode(_)))
}

fn ministry() -> anyhow::Result<(Signer, Verifier)> {
    let ministry: Ministry = "bench.example".parse()?;
    let validity = Validity::days(Timestamp::from_millis(now().as_millis() - 60_000), 1);
    let authority = Authority::new(&ministry, validity)?;
    let id = kuriiri_types::SpiffeId::new(ministry.clone(), SpiffeRole::System, "bench")?;
    let issued = authority.issue(&id, For::Signing, validity)?;
    let signer = Signer::from_pem(&issued.certificate_pem, &issued.key_pem)?;
    let mut authorities = Authorities::new();
    authorities.add(&ministry, authority.certificate_pem())?;
    let verifier = Verifier::new(authorities);
    verifier.admit_certificate(signer.certificate(), now())?;
    Ok((signer, verifier))
}

fn fdatasync(dir: &Path) -> anyhow::Result<f64> {
    let mut file = File::create(dir.join("fdatasync"))?;
    let block = vec![0x5a; APPEND_BYTES];
    Ok(rate(|| file.write_all(&block).and_then(|()| file.sync_data()).is_ok()))
}
