//! The stewards of the federation, who sign the files that all share.

use anyhow::Context;
use kuriiri_certs::{Issued, Purpose};
use kuriiri_seal::Signer;
use kuriiri_types::SpiffeRole;

use super::Member;
use crate::tree::Tree;

/// Officers of the hub's ministry who sign the shared files.
pub(super) const STEWARDS: [&str; 2] = ["sulo", "taru"];
/// The folder of the member whose officers the stewards are.
const STEWARDS_AT: &str = "hub";

/// One of those who sign the shared files.
pub(super) struct Steward {
    name: &'static str,
    issued: Issued,
    signer: Signer,
}

impl Steward {
    /// All of them.
    pub(super) fn all(members: &[Member]) -> anyhow::Result<Vec<Self>> {
        let home = members.iter().find(|member| member.folder == STEWARDS_AT);
        let home = home.context("nobody has the stewards")?;
        let steward = |name| {
            let issued = home.certify(&home.id(SpiffeRole::Officer, name)?, Purpose::Signing)?;
            let signer = Signer::from_pem(&issued.certificate_pem, &issued.key_pem)?;
            Ok(Self { name, issued, signer })
        };
        STEWARDS.into_iter().map(steward).collect()
    }

    pub(super) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Writes what this steward signs with, and the certificate by which relays know the signature.
    pub(super) fn write(&self, tree: &Tree) -> anyhow::Result<()> {
        let Issued { certificate_pem, key_pem, .. } = &self.issued;
        let folder = format!("stewards/{}", self.name);
        tree.text(&format!("{folder}/signing.pem"), certificate_pem)?;
        tree.key(&format!("{folder}/signing.key"), key_pem)?;
        tree.text(&format!("federation/signers/{}.pem", self.name), certificate_pem)
    }
}
