//! Every ministry changes the authority that issues its certificates.

use std::sync::Arc;

use kuriiri_types::{Ministry, SpiffeId};

use crate::{planned::Planned, world::World};

/// When a federation file comes with the new authorities, at most, in milliseconds.
const KNOWN_WITHIN: u64 = 12_000;
/// How much later certificates are renewed, at least and at most: by then every relay that is up goes by
/// the file, and every other finds it when it starts.
const RENEWED_WITHIN: (u64, u64) = (1000, 20_000);
/// The federation files with both authorities of each ministry, and with the new one alone.
const BOTH: usize = 1;
const NEW_ALONE: usize = 2;

impl World {
    /// There will be a federation file with new authorities.
    pub(crate) fn begin_rekeying(&mut self) {
        let Some(rng) = &mut self.rekeying else { return };
        self.agenda.after(rng.between(1000, KNOWN_WITHIN), Planned::Federation(BOTH));
    }

    /// A federation file comes into force at every relay, and with the first one people see to new
    /// certificates.
    pub(crate) fn federate(&mut self, file: usize) {
        self.federation = file;
        self.trace.line(self.agenda.now(), format_args!("federation file {file} is in force"));
        let homes: Vec<Ministry> = self.nodes.keys().cloned().collect();
        for home in &homes {
            let Some(node) = self.nodes.get(home) else { continue };
            let policy = self.cast.rules.with_federation(&node.policy, file);
            self.give_rules(home, policy);
        }
        let Some(rng) = self.rekeying.as_mut().filter(|_| file == BOTH) else { return };
        let (least, most) = RENEWED_WITHIN;
        for signer in self.cast.houses.values().flat_map(|house| house.renewed.keys()) {
            self.agenda.after(rng.between(least, most), Planned::Renew(signer.clone()));
        }
    }

    /// A system or an officer signs with another certificate from now on.
    pub(crate) fn renew(&mut self, signer: &SpiffeId) {
        let house = self.cast.houses.get(signer.ministry());
        let Some(renewed) = house.and_then(|house| house.renewed.get(signer)) else { return };
        self.trace.line(self.agenda.now(), format_args!("{signer} has a new certificate"));
        for sender in self.senders.iter_mut().filter(|sender| sender.system == *signer) {
            sender.renew(Arc::clone(renewed));
        }
        for officer in self.officers.iter_mut().filter(|officer| officer.id() == signer) {
            *officer = Arc::clone(renewed);
        }
    }

    /// What the old authorities issued is no longer needed.
    pub(crate) fn end_rekeying(&mut self) {
        if self.rekeying.is_some() {
            self.federate(NEW_ALONE);
        }
    }
}
