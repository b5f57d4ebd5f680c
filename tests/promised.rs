//! What `SECURITY.md` names is there: each test that it rests on, each bound, each error number.

use std::{collections::BTreeSet, fs, path::Path};

use kuriiri_types::Code;

const BOUNDS: [&str; 3] =
    ["crates/types/src/limits.rs", "crates/transport/src/limits.rs", "crates/wire/src/limits.rs"];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Everything between two backticks, each once.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

fn is_bound(name: &str) -> bool {
    name.contains('_') && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

#[test]
fn each_test_of_the_security_page_is_there() {
    let page = read("SECURITY.md");
    let mut count = 0;
    for (file, test) in quoted(&page).iter().filter_map(|name| name.split_once(".rs::")) {
        let folder = if file.contains('/') { "" } else { "tests/" };
        let source = read(&format!("{folder}{file}.rs"));
        assert!(source.contains(&format!("fn {test}(")), "{file}.rs has no {test}");
        count += 1;
    }
    assert!(count > 20, "only {count} tests were found on the page");
}

#[test]
fn each_bound_and_number_of_the_security_page_is_there() {
    let page = read("SECURITY.md");
    let bounds = BOUNDS.map(read).concat();
    let named: Vec<&str> = quoted(&page).into_iter().filter(|name| is_bound(name)).collect();
    for name in &named {
        assert!(bounds.contains(&format!("pub const {name}: ")), "there is no bound {name}");
    }
    assert!(named.len() > 30, "only {} bounds were found on the page", named.len());
    for number in page.split("KRI-").skip(1) {
        let number = number.get(..4).unwrap_or_default();
        let code = number.parse().ok().and_then(Code::from_number);
        assert!(code.is_some(), "KRI-{number} is no error number");
    }
}
