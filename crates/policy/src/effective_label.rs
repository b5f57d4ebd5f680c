//! Which label counts: the originator's own, a translation of it, or a trusted alternative.

use kuriiri_types::{Timestamp, WireLabel};

use crate::{
    catalogue::Catalogue,
    facts::{ALTERNATIVES_MAX, Alternative, Facts},
    label::{Invalid, Label, LabelFault, Use, check_form},
    node_id::NodeId,
    policy::Policy,
    reason::{Gate, Reason},
    translate::Table,
};

/// Where an effective label comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It is the originator's own.
    Own,
    /// There was none, and the catalogue names a default.
    Default,
    /// Our own table translates the originator's.
    Translated,
    /// A translator that we trust has read the originator's for us.
    Alternative,
}

impl Policy {
    /// The label that decisions at `facts.at` rest on. The originator's label itself is never
    /// changed.
    ///
    /// # Errors
    /// Why no label can be relied on.
    pub fn effective(&self, now: Timestamp, facts: &Facts<'_>) -> Result<Label, Vec<Reason>> {
        self.effective_with(now, facts).map(|(label, _)| label)
    }

    /// The same with where the label comes from.
    pub(crate) fn effective_with(
        &self,
        now: Timestamp,
        facts: &Facts<'_>,
    ) -> Result<(Label, Source), Vec<Reason>> {
        if !facts.verified {
            return Err(vec![Reason::Unverified]);
        }
        let Some(own) = self.governing(facts.at) else {
            return Err(vec![Reason::UnknownNode(Gate::Own)]);
        };
        // A label without a level is at most a marking, and markings are never read back.
        let written = facts.label.filter(|label| !label.level.is_empty());
        let Some(wire) = written else {
            let label = self.default_label(facts.origin);
            let label = label.ok_or_else(|| vec![Reason::Unlabelled])?;
            return Ok((label, Source::Default));
        };
        let known = self.catalogues.iter().position(|c| c.is_called(&wire.policy));
        match known.and_then(|place| self.catalogues.get(place).map(|c| (place, c))) {
            Some((place, catalogue)) if place == own => {
                Ok((resolve(catalogue, wire, now, facts)?, Source::Own))
            }
            Some((place, catalogue)) => {
                self.effective_foreign(now, facts, wire, (place, catalogue), own)
            }
            None => self.effective_alternative(now, facts, wire, own, || {
                Reason::Label(LabelFault::PolicyUnknown(wire.policy.clone()))
            }),
        }
    }

    /// A label of a policy that is known and not our own.
    fn effective_foreign(
        &self,
        now: Timestamp,
        facts: &Facts<'_>,
        wire: &WireLabel,
        (place, catalogue): (usize, &Catalogue),
        own: usize,
    ) -> Result<(Label, Source), Vec<Reason>> {
        let table = self.tables.iter().find(|t| t.reads(place, own, facts.created));
        if let Some(table) = table {
            let label = resolve(catalogue, wire, now, facts)?;
            let label = self.translate(now, facts, table, catalogue, &label)?;
            return Ok((label, Source::Translated));
        }
        if self.plans.get(place).is_some_and(Option::is_some) {
            return Ok((resolve(catalogue, wire, now, facts)?, Source::Own));
        }
        self.effective_alternative(now, facts, wire, own, || {
            Reason::NoEquivalence(wire.policy.clone())
        })
    }

    fn translate(
        &self,
        now: Timestamp,
        facts: &Facts<'_>,
        table: &Table,
        from: &Catalogue,
        label: &Label,
    ) -> Result<Label, Vec<Reason>> {
        self.check_alternatives(facts.alternatives)?;
        let to = self.catalogues.get(table.to);
        let to = to.ok_or_else(|| vec![Reason::NoEquivalence(from.name().into())])?;
        let translated = table.translate(from, to, label)?;
        let claim = self.trusted(facts.alternatives, table.to, to);
        let agrees = claim.is_none_or(|claim| {
            let claimed = to.resolve(claim, Use::Carriage, now, facts.skew);
            claimed == Ok(translated)
        });
        if agrees { Ok(translated) } else { Err(vec![Reason::AlternativeDisagrees]) }
    }

    /// A label that we cannot read: a translator that we trust may have read it for us.
    fn effective_alternative(
        &self,
        now: Timestamp,
        facts: &Facts<'_>,
        wire: &WireLabel,
        own: usize,
        otherwise: impl Fn() -> Reason,
    ) -> Result<(Label, Source), Vec<Reason>> {
        check_form(wire).map_err(reasons)?;
        self.check_alternatives(facts.alternatives)?;
        let own = self.catalogues.get(own).map(|catalogue| (own, catalogue));
        let claim = own.and_then(|(place, catalogue)| {
            let claim = self.trusted(facts.alternatives, place, catalogue)?;
            Some((claim, catalogue))
        });
        let Some((claim, catalogue)) = claim else {
            return Err(vec![otherwise()]);
        };
        let label = catalogue.resolve(claim, Use::Carriage, now, facts.skew);
        Ok((label.map_err(reasons)?, Source::Alternative))
    }

    /// Two alternatives under one policy could say two things (RFC 2634 §3.4.1).
    fn check_alternatives(&self, alternatives: &[Alternative<'_>]) -> Result<(), Vec<Reason>> {
        let same = |a: &str, b: &str| {
            let known = self.catalogue(a);
            a == b || known.is_some_and(|catalogue| catalogue.is_called(b))
        };
        let twice = alternatives.iter().enumerate().any(|(place, one)| {
            let later = alternatives.iter().skip(place + 1);
            later.into_iter().any(|other| same(&one.label.policy, &other.label.policy))
        });
        if twice || alternatives.len() > ALTERNATIVES_MAX {
            return Err(vec![Reason::Label(LabelFault::Malformed)]);
        }
        Ok(())
    }

    /// The alternative under a catalogue by a signer whose tables lead there.
    fn trusted<'a>(
        &self,
        alternatives: &[Alternative<'a>],
        place: usize,
        catalogue: &Catalogue,
    ) -> Option<&'a WireLabel> {
        let trusted = |signer: &str| {
            let leads = |table: &&Table| table.to == place && &*table.signer == signer;
            self.tables.iter().find(leads).is_some()
        };
        let found =
            alternatives.iter().find(|a| catalogue.is_called(&a.label.policy) && trusted(a.signer));
        found.map(|alternative| alternative.label)
    }

    fn default_label(&self, origin: NodeId) -> Option<Label> {
        let place = self.governing(origin)?;
        self.catalogues.get(place)?.default_label()
    }

    fn governing(&self, node: NodeId) -> Option<usize> {
        self.member(node).map(|member| member.governing)
    }
}

fn resolve(
    catalogue: &Catalogue,
    wire: &WireLabel,
    now: Timestamp,
    facts: &Facts<'_>,
) -> Result<Label, Vec<Reason>> {
    let use_ = if facts.originating { Use::Origination } else { Use::Carriage };
    catalogue.resolve(wire, use_, now, facts.skew).map_err(reasons)
}

fn reasons(invalid: Invalid) -> Vec<Reason> {
    invalid.into_faults().into_iter().map(Reason::Label).collect()
}
