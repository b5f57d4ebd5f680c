//! How much is used of what others may spend of a relay.

use crate::{
    error::Flaw,
    field,
    limits::{BUDGETS_MAX, REASON_BYTES_MAX},
    proto,
    shape::{Field, Shape},
};

/// One bound, and how much of it is used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// What is bounded, in words; one line of at most [`REASON_BYTES_MAX`] bytes.
    pub name: String,
    /// How much of it is used.
    pub used: u64,
    /// How much may be.
    pub limit: u64,
}

static BUDGET: Shape = Shape::new("Budget", &[]);
pub(super) static BUDGETS: Shape =
    Shape::new("Budgets", &[Field::many("budgets", 1, BUDGETS_MAX, &BUDGET)]);
pub(super) static LIST: Shape = Shape::new("BudgetList", &[]);

pub(super) fn write(budgets: &[Budget]) -> proto::Budgets {
    let budget = |Budget { name, used, limit }: &Budget| proto::Budget {
        name: field::cut(REASON_BYTES_MAX, name),
        used: *used,
        limit: *limit,
    };
    proto::Budgets { budgets: budgets.iter().take(BUDGETS_MAX).map(budget).collect() }
}

pub(super) fn read(wire: proto::Budgets) -> Result<Vec<Budget>, Flaw> {
    field::at_most("budgets", BUDGETS_MAX, wire.budgets.len())?;
    field::each(wire.budgets, |proto::Budget { name, used, limit }| {
        Ok(Budget { name: field::line("name", REASON_BYTES_MAX, name)?, used, limit })
    })
}
