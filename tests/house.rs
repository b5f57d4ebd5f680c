//! The plan of the house, held against the code.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The floors, lowest first. An arrow goes only to a lower floor.
const FLOORS: [&[&str]; 8] = [
    &["types", "damage"],
    &["merkle"],
    &["policy", "wire", "seal", "certs"],
    &["tlog", "transport"],
    &["engine", "client", "verify", "provoke"],
    &["store", "sim", "fuzz"],
    &["relay"],
    &["cli"],
];

/// Libraries that only some crates may know, whatever floor they are on.
const KNOWN_ONLY_TO: [(&str, &[&str]); 12] = [
    ("prost", &["wire"]),
    ("ring", &["merkle", "seal", "store", "transport"]),
    ("hpke", &["seal"]),
    ("quinn", &["transport", "provoke"]),
    ("quinn-proto", &["transport"]),
    ("rustls", &["transport", "provoke"]),
    ("sled", &["store"]),
    ("postcard", &["store"]),
    ("rcgen", &["certs"]),
    ("tokio", &["transport", "client", "provoke", "store", "relay", "cli"]),
    ("clap", &["cli", "verify", "fuzz"]),
    ("tracing-subscriber", &["cli"]),
];

/// Pairs that must not know each other although their floors would let them.
const STRANGERS: [(&str, &str); 4] =
    [("engine", "wire"), ("engine", "transport"), ("relay", "client"), ("store", "transport")];

type Dependencies = BTreeMap<String, Vec<String>>;

/// What each crate depends on outside its tests; our own by their folder's name.
fn dependencies() -> Dependencies {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let args = ["metadata", "--format-version=1", "--no-deps", "--offline"];
    let output = Command::new(cargo).args(args).current_dir(ROOT).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let bare = |name: &Value| name.as_str().unwrap().trim_start_matches("kuriiri-").to_owned();
    let of = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|d| d["kind"].is_null()).map(|d| bare(&d["name"])).collect()
    };
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| (bare(&package["name"]), of(package))).collect()
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

#[test]
fn every_crate_has_its_floor_and_looks_only_down() {
    for (name, known) in dependencies() {
        let own = floor(&name).unwrap_or_else(|| panic!("{name} has no floor in the plan"));
        for other in known {
            let Some(below) = floor(&other) else { continue };
            assert!(below < own, "{name} (floor {own}) must not know {other} (floor {below})");
            let pair = STRANGERS.iter().any(|(a, b)| *a == name && *b == other);
            assert!(!pair, "{name} must not know {other}");
        }
    }
}

#[test]
fn each_library_is_known_only_where_the_plan_says() {
    for (name, known) in dependencies() {
        for (library, allowed) in KNOWN_ONLY_TO {
            let knows = known.iter().any(|k| k == library);
            assert!(!knows || allowed.contains(&name.as_str()), "{name} must not know {library}");
        }
    }
}

/// Lines of code in a file, its tests not counted.
fn code_lines(text: &str) -> usize {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text).lines().count()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with(".git") {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

fn holds_a_private_key(text: &str) -> bool {
    text.split("PRIVATE KEY-----\n").skip(1).any(|rest| {
        let base64 = |c: &char| c.is_ascii_alphanumeric() || "+/=".contains(*c);
        rest.chars().take_while(base64).count() >= 40
    })
}

#[test]
fn files_are_short_and_no_secret_is_among_them() {
    let mut found = Vec::new();
    files(Path::new(ROOT), &mut found);
    assert!(found.len() > 200, "the tree was not found");
    for file in found {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let is_code = file.extension().is_some_and(|e| e == "rs");
        assert!(!is_code || code_lines(&text) <= 500, "{} is too long", file.display());
        assert!(!holds_a_private_key(&text), "{} holds a private key", file.display());
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_house() {
    let manifests =
        ["crates", "."].map(|folder| fs::read_dir(Path::new(ROOT).join(folder)).unwrap());
    let mut seen = 0;
    for entry in manifests.into_iter().flatten() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&manifest) else { continue };
        assert!(text.contains("[lints]\nworkspace = true"), "{}", manifest.display());
        seen += 1;
    }
    assert!(seen >= 12, "only {seen} manifests were found");
}

#[test]
fn the_annotated_configuration_has_every_key_that_the_example_has() {
    let annotated = fs::read_to_string(Path::new(ROOT).join("deploy/relay.toml")).unwrap();
    let annotated: toml::Table = annotated.parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let example = dir.path().join("example");
    let made = Command::new(env!("CARGO_BIN_EXE_kuriiri")).arg("example").arg(&example).output();
    assert!(made.unwrap().status.success());
    let written = fs::read_to_string(example.join("sm/relay.toml")).unwrap();
    let written: toml::Table = written.parse().unwrap();
    for key in written.keys() {
        assert!(annotated.contains_key(key), "deploy/relay.toml does not explain `{key}`");
    }
    // The annotated file itself must be accepted once the files that it names are there.
    let home = example.join("sm");
    let here = |text: &str| text.replace("federation/", "../federation/");
    let text = here(&fs::read_to_string(Path::new(ROOT).join("deploy/relay.toml")).unwrap());
    let all = ["fi", "eu", "tlp"].map(|name| format!("\"policy/catalogue-{name}.toml\""));
    let text = text.replace(&all[0], &all.join(", "));
    fs::write(home.join("annotated.toml"), text).unwrap();
    let check = Command::new(env!("CARGO_BIN_EXE_kuriiri"))
        .args(["relay", "--check", "--config"])
        .arg(home.join("annotated.toml"))
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
