//! Putting the cases to the policy.

use kuriiri_types::{Timestamp, WireLabel};

use super::{
    answer::{Answer, TrialOutcome, TrialReport, TrialResult},
    coverage::Coverage,
    label::GivenLabel,
    question::{Body, Edits, Move, Trial},
    trials::Trials,
};
use crate::{
    admit::{Shortfall, admits},
    case::CaseClearance,
    catalogue::Catalogue,
    error::PolicyError,
    label::{Invalid, Label, LabelFault, Use, sole_label},
    nearest::nearest,
    policy::{Policy, Sources},
    replace::accept,
    report::Word,
    text::Lang,
};

/// Runs test cases against the files of a policy. Compiled once; again only for a case that
/// changes the files.
#[derive(Debug, Clone)]
pub struct Tester {
    sources: Sources,
    policy: Policy,
}

impl Tester {
    /// Compiles the files.
    ///
    /// # Errors
    /// The first flaw, as [`Policy::compile`].
    pub fn new(sources: Sources) -> Result<Self, PolicyError> {
        let policy = Policy::compile(sources.clone())?;
        Ok(Self { sources, policy })
    }

    /// The policy that is tested.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Puts every case to the policy. Never fails as a whole: what cannot be understood or run is
    /// [`TrialOutcome::Broken`].
    pub fn run(&self, trials: &Trials) -> TrialReport {
        let mut coverage = Coverage::of(&self.policy);
        let results = trials.iter().map(|trial| TrialResult {
            file: None,
            name: trial.name.clone(),
            title: trial.title.clone(),
            outcome: self.run_one(trial, &mut coverage),
        });
        let results = results.collect();
        TrialReport { results, coverage }
    }

    fn run_one(&self, trial: &Trial, coverage: &mut Coverage) -> TrialOutcome {
        match &trial.body {
            Ok((Body::Decide(asked), _)) if !asked.edits.is_empty() => {
                match edited(&self.sources, &asked.edits) {
                    Ok(policy) => run_plain(&policy, trial, coverage),
                    Err(why) => TrialOutcome::Broken { why },
                }
            }
            _ => run_plain(&self.policy, trial, coverage),
        }
    }
}

impl Policy {
    /// Runs every test that the files carry. A file whose tests fail must not be put in force.
    ///
    /// Results stand in the order of catalogues, federation, rules, local rules and translations;
    /// each names the kind of file that carries the test. Empty when no file carries any.
    pub fn run_tests(&self) -> TrialReport {
        let mut coverage = Coverage::of(self);
        let mut results = Vec::new();
        for embedded in &self.tests {
            for trial in &*embedded.tests {
                let outcome = run_plain(self, trial, &mut coverage);
                let (name, title) = (trial.name.clone(), trial.title.clone());
                let file = Some(embedded.file.title().to_owned());
                results.push(TrialResult { file, name, title, outcome });
            }
        }
        TrialReport { results, coverage }
    }
}

/// Runs a case against a policy as it is.
fn run_plain(policy: &Policy, trial: &Trial, coverage: &mut Coverage) -> TrialOutcome {
    let (body, expected) = match &trial.body {
        Ok(body) => body,
        Err(fault) => return TrialOutcome::Broken { why: fault.to_string() },
    };
    let got = match answer(policy, body, coverage) {
        Ok(got) => got,
        Err(why) => return TrialOutcome::Broken { why },
    };
    for code in &got.reasons {
        coverage.note_reason(code);
    }
    let differences = expected.differences(&got);
    if differences.is_empty() {
        return TrialOutcome::Held;
    }
    TrialOutcome::Failed { differences, got: Box::new(got) }
}

fn answer(policy: &Policy, body: &Body, coverage: &mut Coverage) -> Result<Answer, String> {
    match body {
        Body::Admits { policy: name, label, clearance, use_, now } => {
            let catalogue = catalogue(policy, name)?;
            answer_admits(policy, catalogue, (label, *use_, *now), clearance.as_ref())
        }
        Body::Decide(asked) => Ok(answer_decide(policy, asked, coverage)),
        Body::Join { policy: name, labels, now } => {
            answer_join(catalogue(policy, name)?, labels, *now)
        }
        Body::Bundle { now, current, candidate } => {
            let acceptance = accept(*now, *current, candidate);
            Ok(Answer { decision: Some(acceptance.code().into()), ..Answer::default() })
        }
        Body::Marking { policy: name, label, lang } => {
            Ok(answer_marking(catalogue(policy, name)?, label, *lang))
        }
    }
}

fn catalogue<'a>(policy: &'a Policy, name: &str) -> Result<&'a Catalogue, String> {
    policy.catalogue(name).ok_or_else(|| {
        let near = nearest(name, policy.catalogues().iter().map(Catalogue::name));
        let near = near.first().map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        format!("`in.policy`: there is no catalogue `{name}`{near}")
    })
}

// === admits, join, marking ===

fn answer_admits(
    policy: &Policy,
    catalogue: &Catalogue,
    (label, use_, now): (&GivenLabel, Use, Timestamp),
    held: Option<&CaseClearance>,
) -> Result<Answer, String> {
    let resolved = match label.resolve(catalogue, use_, now) {
        Ok(resolved) => resolved,
        Err(invalid) => return Ok(denied(codes_of(&invalid))),
    };
    let admitted = match held {
        None => Err(Shortfall::NO_CLEARANCE),
        Some(held) => {
            let under = policy.catalogue(&held.policy);
            let under = under.ok_or_else(|| format!("no catalogue `{}`", held.policy))?;
            let clearance = under.clearance(&held.levels, &held.grants);
            let clearance = clearance.map_err(|what| format!("`in.clearance`: {what}"))?;
            admits(catalogue, &resolved, &clearance)
        }
    };
    let reasons = admitted.err().map_or_else(Vec::new, |short| short.codes(catalogue));
    let word = if reasons.is_empty() { Word::Permit } else { Word::Deny };
    Ok(Answer { reasons, ..labelled(word, catalogue, &resolved) })
}

fn answer_join(
    catalogue: &Catalogue,
    labels: &[GivenLabel],
    now: Timestamp,
) -> Result<Answer, String> {
    let resolved = labels.iter().map(|label| label.resolve(catalogue, Use::Carriage, now));
    let resolved: Vec<Label> = match resolved.collect() {
        Ok(resolved) => resolved,
        Err(invalid) => return Ok(denied(codes_of(&invalid))),
    };
    Ok(match catalogue.join_labels(&resolved) {
        Ok(label) => labelled(Word::Permit, catalogue, &label),
        Err(_) => Answer { decision: Some(Word::Hold.to_string()), ..Answer::default() },
    })
}

fn answer_marking(catalogue: &Catalogue, label: &GivenLabel, lang: Lang) -> Answer {
    match label.resolve(catalogue, Use::Carriage, Timestamp::default()) {
        Ok(label) => Answer {
            text: Some(catalogue.marking(&label, lang)),
            ..labelled(Word::Permit, catalogue, &label)
        },
        Err(invalid) => denied(codes_of(&invalid)),
    }
}

fn labelled(word: Word, catalogue: &Catalogue, label: &Label) -> Answer {
    Answer {
        decision: Some(word.to_string()),
        level: catalogue.level_id(label).map(Into::into),
        label: catalogue.write(label).map(|wire| wire.to_string()),
        ..Answer::default()
    }
}

fn denied(reasons: Vec<String>) -> Answer {
    Answer { decision: Some(Word::Deny.to_string()), reasons, ..Answer::default() }
}

fn codes_of(invalid: &Invalid) -> Vec<String> {
    invalid.faults().iter().map(LabelFault::code).map(Into::into).collect()
}

// === decide ===

fn answer_decide(policy: &Policy, asked: &Move, coverage: &mut Coverage) -> Answer {
    if asked.case.verified
        && let Err(invalid) = check_labels(policy, &asked.labels)
    {
        return denied(codes_of(&invalid));
    }
    asked.case.with(policy, |facts| {
        let decision = policy.decide(asked.case.now, facts);
        let effective = policy.effective(asked.case.now, facts).ok();
        if let Some(label) = &effective {
            policy.matching(facts, label).for_each(|rule| coverage.note_rule(rule.id()));
        }
        let found = effective.and_then(|label| Some((policy.catalogue_of(&label)?, label)));
        let word = decision.word();
        let answer = found.map_or_else(
            || denied(Vec::new()),
            |(catalogue, label)| labelled(word, catalogue, &label),
        );
        Answer {
            reasons: decision.codes(),
            obligations: decision.obligations().map(|o| policy.duties(o)),
            ..answer
        }
    })
}

/// What is wrong with the labels before any decision: several of them, or one that claims another
/// kind of tag than its catalogue.
fn check_labels(policy: &Policy, labels: &[GivenLabel]) -> Result<(), Invalid> {
    let wires: Vec<WireLabel> = labels.iter().map(|label| label.wire.clone()).collect();
    sole_label(&wires)?;
    labels.iter().try_for_each(|label| {
        let catalogue = policy.catalogue(&label.wire.policy);
        catalogue.map_or(Ok(()), |catalogue| match label.check_claims(catalogue) {
            // An unknown tag is for the decision, which lists everything that is unknown.
            Err(invalid) if matches!(invalid.faults(), [LabelFault::TypeMismatch(_)]) => {
                Err(invalid)
            }
            _ => Ok(()),
        })
    })
}

// === changed files ===

fn edited(sources: &Sources, edits: &Edits) -> Result<Policy, String> {
    let mut sources = sources.clone();
    for id in &edits.disable_rules {
        let files = [&mut sources.rules].into_iter().chain(&mut sources.local);
        let dropped: usize = files.map(|file| file.drop_rule(id)).sum();
        if dropped == 0 {
            return Err(format!("`in.disable_rules`: there is no rule `{id}`"));
        }
    }
    for (revisions, carriage) in [(&edits.clearance, false), (&edits.carriage, true)] {
        for revision in revisions {
            let policy = revision.policy.as_deref();
            let held = revision.held.clone();
            if !sources.federation.revise(&revision.node, carriage, policy, held) {
                let key = if carriage { "revised_carriage" } else { "revised_clearance" };
                return Err(format!(
                    "`in.{key}.{}`: there is no such node or clearance",
                    revision.node
                ));
            }
        }
    }
    Policy::compile(sources).map_err(|error| format!("the changed files do not compile: {error}"))
}
