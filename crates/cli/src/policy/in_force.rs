//! What a running relay has in force, and what it decided of late.

use std::path::{Path, PathBuf};

use kuriiri_client::ActiveFile;
use kuriiri_policy::Record;

use super::folder::{File, Files};
use crate::{exit::Failure, output::Output, person::connect};

/// The files in force.
pub(crate) async fn fetch(folder: &Path, output: Output) -> Result<Files, Failure> {
    let officer = connect(folder, output).await?;
    let active = officer.active().await.map_err(|error| Failure::new(error.code(), error))?;
    officer.close().await;
    active.files.into_iter().map(file).collect::<Result<_, _>>().map(Files)
}

/// The last decisions, newest first. One that this version cannot read is left out.
pub(crate) async fn decisions(
    folder: &Path,
    limit: u32,
    output: Output,
) -> Result<Vec<Record>, Failure> {
    let officer = connect(folder, output).await?;
    let told = officer.decisions(limit).await.map_err(|error| Failure::new(error.code(), error))?;
    officer.close().await;
    Ok(told.records.iter().filter_map(|record| serde_json::from_slice(record).ok()).collect())
}

fn file(active: ActiveFile) -> Result<File, Failure> {
    let text = String::from_utf8(active.bytes.to_vec())?;
    Ok(File {
        kind: active.kind,
        path: PathBuf::from(&active.name),
        name: active.name,
        text,
        signatures: Some(active.signatures),
    })
}
