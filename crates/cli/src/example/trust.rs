//! What others need to believe a member of the example.

use kuriiri_certs::Serial;

use super::{Member, people::officers};
use crate::tree::Tree;

/// What systems need to believe a member: CA, revocation list, key of its log, sealing key; and, at home,
/// its officers' release key.
pub(super) fn write(member: &Member, tree: &Tree, revoked: &[Serial]) -> anyhow::Result<()> {
    let list = member.authority.crl(revoked, member.validity)?;
    let name = |what: &str| format!("federation/{what}");
    tree.text(&name(&format!("revocation/{}.pem", member.ministry)), &list)?;
    tree.text(&name(&format!("trust/{}.crl.pem", member.ministry)), &list)?;
    let ca = member.authority.certificate_pem();
    tree.text(&name(&format!("trust/{}.ca.pem", member.ministry)), ca)?;
    let key = format!("{}\n", member.log.public);
    tree.text(&name(&format!("trust/{}.log.vkey", member.ministry)), &key)?;
    let key = format!("{}\n", member.sealing.public_key());
    tree.text(&name(&format!("trust/{}.seal.pub", member.ministry)), &key)?;
    if officers(member).is_empty() {
        return Ok(());
    }
    let key = format!("{}\n", member.release.public_key());
    tree.text(&name(&format!("trust/{}.release.pub", member.ministry)), &key)
}
