//! One authority, a certificate for both nodes and one for the clients: for this run only.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// Certificates and keys (ECDSA P-256, PEM) as files in a folder.
#[derive(Debug, Clone)]
pub struct Pki(PathBuf);

impl Pki {
    /// Those that were made in this folder.
    pub fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Makes all.
    pub fn make(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir(folder).with_context(|| folder.display().to_string())?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "kuriiri-peers");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let pki = Self::at(folder);
        fs::write(pki.authority(), authority.pem())?;
        for name in ["node", "client"] {
            let mut params = CertificateParams::new(["localhost".into(), "127.0.0.1".into()])?;
            params.distinguished_name.push(DnType::CommonName, name);
            // A node is a client of the other one.
            params.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            let key = KeyPair::generate()?;
            fs::write(pki.certificate(name), params.signed_by(&key, &authority)?.pem())?;
            fs::write(pki.key(name), key.serialize_pem())?;
        }
        Ok(pki)
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }

    pub fn authority(&self) -> PathBuf {
        self.0.join("authority.pem")
    }

    /// Of `node` or `client`.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.pem"))
    }

    /// Of `node` or `client`.
    pub fn key(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.key"))
    }
}
