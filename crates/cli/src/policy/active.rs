//! What a running relay has in force.

use std::path::Path;

use kuriiri_policy::Record;

use super::folder::Files;
use crate::exit::Failure;

pub(crate) async fn fetch(_folder: &Path) -> Result<Files, Failure> {
    Err(Failure::usage("not yet"))
}

pub(crate) async fn decisions(_folder: &Path, _limit: u32) -> Result<Vec<Record>, Failure> {
    Err(Failure::usage("not yet"))
}
