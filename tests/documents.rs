//! Real documents: the shared workload where it is, the embedded ones elsewhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Documents that come with the program.
const EMBEDDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/documents");
/// Where the 1,825 documents of MITRE ATT&CK for ICS lie beside a checkout, on machines that have them.
const WORKLOAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/workload/ics-attack");

/// All documents that there are, by name. Says which.
pub(crate) fn documents() -> Vec<(String, Vec<u8>)> {
    let workload = Path::new(WORKLOAD);
    if workload.is_dir() {
        let all = read(workload);
        assert_eq!(all.len(), 1825, "the workload is not complete");
        return all;
    }
    eprintln!("NOTE: {WORKLOAD} is not there; the embedded documents stand in for the 1,825");
    embedded()
}

/// So many documents, some of them again where there are fewer.
pub(crate) fn many(count: usize) -> Vec<(String, Vec<u8>)> {
    documents().into_iter().cycle().take(count).collect()
}

/// The documents that come with the program.
pub(crate) fn embedded() -> Vec<(String, Vec<u8>)> {
    read(Path::new(EMBEDDED))
}

fn read(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    gather(folder, &mut files);
    files.sort();
    let json = files.into_iter().filter(|file| file.extension().is_some_and(|e| e == "json"));
    json.map(|file| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read(&file).unwrap())
    })
    .collect()
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { gather(&path, files) } else { files.push(path) }
    }
}
