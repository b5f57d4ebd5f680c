//! Asking before sending.

use kuriiri_types::{Address, Outcome, Precedence, WireLabel, limits::RECIPIENTS_MAX};

use crate::{
    error::Flaw,
    field, header, label,
    proto::{self, answer::Outcome as OutcomeKind},
    refusal,
    shape::{Field, Shape},
};

/// A message that does not exist yet: may it go?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// From which address.
    pub from: Address,
    /// To whom: 1 to [`RECIPIENTS_MAX`], no address twice.
    pub to: Vec<Address>,
    /// Under which label.
    pub label: Option<WireLabel>,
    /// How urgent.
    pub precedence: Precedence,
    /// Bytes of body.
    pub size: u64,
}

/// What would happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether it may go.
    pub outcome: Outcome,
}

pub(super) static QUESTION: Shape = Shape::new(
    "Question",
    &[Field::plain("to", 2, RECIPIENTS_MAX), Field::one("label", 3, &label::LABEL)],
);
static PERMIT: Shape = Shape::new("Permit", &[]);
pub(super) static ANSWER: Shape = Shape::new(
    "Answer",
    &[Field::one("permit", 1, &PERMIT), Field::one("refusal", 2, &refusal::REFUSAL)],
);

pub(super) fn write_question(question: &Question) -> proto::Question {
    proto::Question {
        from: question.from.to_string(),
        to: question.to.iter().map(Address::to_string).collect(),
        label: question.label.as_ref().map(label::write),
        precedence: question.precedence.number().into(),
        size: question.size,
    }
}

pub(super) fn read_question(wire: proto::Question) -> Result<Question, Flaw> {
    field::some_at_most("to", RECIPIENTS_MAX, wire.to.len())?;
    let to = field::each(wire.to, |to| field::address("to", &to))?;
    header::once_each("to", to.iter())?;
    Ok(Question {
        from: field::address("from", &wire.from)?,
        to,
        label: wire.label.map(label::read).transpose()?,
        precedence: field::precedence(wire.precedence)?,
        size: wire.size,
    })
}

pub(super) fn write_answer(answer: &Answer) -> proto::Answer {
    let outcome = match &answer.outcome {
        Outcome::Permit { seal, size_max, approvals } => OutcomeKind::Permit(proto::Permit {
            seal: *seal,
            size_max: *size_max,
            approvals: *approvals,
        }),
        Outcome::Refuse(refusal) => OutcomeKind::Refusal(refusal::write(refusal)),
    };
    proto::Answer { outcome: Some(outcome) }
}

pub(super) fn read_answer(wire: proto::Answer) -> Result<Answer, Flaw> {
    let outcome = match field::present("outcome", wire.outcome)? {
        OutcomeKind::Permit(permit) => read_permit(&permit)?,
        OutcomeKind::Refusal(refusal) => Outcome::Refuse(refusal::read(refusal)?),
    };
    Ok(Answer { outcome })
}

fn read_permit(permit: &proto::Permit) -> Result<Outcome, Flaw> {
    let approvals = field::officers("approvals", permit.approvals)?;
    Ok(Outcome::Permit { seal: permit.seal, size_max: permit.size_max, approvals })
}
