//! From the files to a policy, with all checks of one against another.

use std::sync::Arc;

use kuriiri_types::FileKind;

use super::{Member, Policy};
use crate::{
    catalogue::Catalogue,
    clearance::Clearance,
    error::{Flaw, PolicyError},
    federation::{Federation, Node, WrittenClearance},
    plan,
    rules::Rules,
    translate::{self, Translation},
    trial::{Embedded, Trial},
};

/// The files that a policy is compiled from, each read and checked by itself.
#[derive(Debug, Clone)]
pub struct Sources {
    /// One for each label policy that is understood here.
    pub catalogues: Vec<Catalogue>,
    /// Who the members are.
    pub federation: Federation,
    /// The rules of the federation. Only they can give a level leave to move.
    pub rules: Rules,
    /// Rules of the ministry itself: they can only tighten, whatever they say.
    pub local: Vec<Rules>,
    /// How labels of other policies are read.
    pub translations: Vec<Translation>,
}

impl Policy {
    /// Compiles and cross-checks all files.
    ///
    /// # Errors
    /// The first flaw, with file and place. Flaws that only make a policy useless, not wrong, are
    /// told by [`findings`](Self::findings).
    pub fn compile(sources: Sources) -> Result<Self, PolicyError> {
        let Sources { catalogues, federation, rules, local, translations } = sources;
        check_distinct(&catalogues)?;
        let members = federation.nodes().map(|(_, node)| Member::compile(node, &catalogues));
        let members = members.collect::<Result<_, _>>()?;
        let tests =
            carried(&catalogues, &federation, [&rules].into_iter().chain(&local), &translations);
        let (plans, words, rules) = plan::compile(&catalogues, &federation, &rules, &local)?;
        Ok(Self {
            tests,
            rules,
            members,
            plans,
            tables: translate::compile(&catalogues, &translations)?,
            catalogues: catalogues.into(),
            federation,
            words,
        })
    }
}

impl Member {
    fn compile(node: &Node, catalogues: &[Catalogue]) -> Result<Self, PolicyError> {
        let wrong = |name: &str| {
            let item = format!("node `{}`", node.id());
            PolicyError::content(FileKind::Federation, item, Flaw::Unknown(name.into()))
        };
        let governing = catalogues.iter().position(|c| c.is_called(&node.governing));
        Ok(Self {
            name: Arc::clone(&node.name),
            governing: governing.ok_or_else(|| wrong(&node.governing))?,
            transit: node.is_transit(),
            clearances: compile_clearances(&node.clearance, catalogues, &wrong)?,
            carriage: compile_clearances(&node.carriage, catalogues, &wrong)?,
        })
    }
}

fn compile_clearances(
    written: &[WrittenClearance],
    catalogues: &[Catalogue],
    wrong: &impl Fn(&str) -> PolicyError,
) -> Result<Box<[Clearance]>, PolicyError> {
    let mut clearances: Vec<Clearance> = Vec::with_capacity(written.len());
    for entry in written {
        let catalogue = catalogues.iter().find(|c| c.is_called(&entry.policy));
        let catalogue = catalogue.ok_or_else(|| wrong(&entry.policy))?;
        let mut levels = entry.levels.clone();
        if let Some(top) = &entry.up_to {
            levels.extend(catalogue.levels_up_to(top).map_err(|unknown| wrong(&unknown.0))?);
        }
        let clearance = catalogue.clearance(&levels, &entry.grants);
        let clearance = clearance.map_err(|unknown| wrong(&unknown.0))?;
        if clearances.iter().any(|known| known.catalogue == clearance.catalogue) {
            let item = format!("clearance under `{}`", entry.policy);
            let flaw = Flaw::Duplicate(entry.policy.clone());
            return Err(PolicyError::content(FileKind::Federation, item, flaw));
        }
        clearances.push(clearance);
    }
    Ok(clearances.into())
}

/// The tests of all files that carry any.
fn carried<'a>(
    catalogues: &[Catalogue],
    federation: &Federation,
    rules: impl Iterator<Item = &'a Rules>,
    translations: &[Translation],
) -> Box<[Embedded]> {
    let of = |file: FileKind, tests: &Arc<[Trial]>| Embedded { file, tests: Arc::clone(tests) };
    let catalogues = catalogues.iter().map(|c| of(FileKind::Catalogue, &c.tests));
    let federation = [of(FileKind::Federation, &federation.tests)];
    let rules = rules.map(|rules| of(FileKind::Rules, &rules.tests));
    let translations = translations.iter().map(|t| of(FileKind::Translation, &t.tests));
    let all = catalogues.chain(federation).chain(rules).chain(translations);
    all.filter(|embedded| !embedded.tests.is_empty()).collect()
}

fn check_distinct(catalogues: &[Catalogue]) -> Result<(), PolicyError> {
    for (place, one) in catalogues.iter().enumerate() {
        for other in catalogues.iter().skip(place + 1) {
            let same = [other.id(), other.name()].into_iter().find(|name| one.is_called(name));
            if same.is_some() || one.key == other.key {
                let name = same.unwrap_or_else(|| other.name()).to_owned();
                let item = format!("catalogue `{}`", other.name());
                return Err(PolicyError::content(FileKind::Catalogue, item, Flaw::Duplicate(name)));
            }
        }
    }
    Ok(())
}
