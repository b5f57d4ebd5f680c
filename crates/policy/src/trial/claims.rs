//! Labels of cases, held against a catalogue.

use kuriiri_types::Timestamp;

use super::label::GivenLabel;
use crate::{
    catalogue::Catalogue,
    label::{Invalid, Label, Use},
};

impl GivenLabel {
    /// The label under its catalogue, kinds of tags compared first.
    pub(crate) fn resolve(
        &self,
        catalogue: &Catalogue,
        use_: Use,
        now: Timestamp,
    ) -> Result<Label, Invalid> {
        self.check_claims(catalogue)?;
        catalogue.resolve(&self.wire, use_, now, self.skew)
    }

    /// Refuses a label that claims another kind of tag than the catalogue.
    pub(crate) fn check_claims(&self, catalogue: &Catalogue) -> Result<(), Invalid> {
        let mut claims = self.claims.iter();
        claims.try_for_each(|(tag, kind)| catalogue.check_kind(tag, *kind))
    }
}
