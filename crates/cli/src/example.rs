//! `kuriiri example`: writes a federation of three ministries and a hub, ready to run.

mod files;
mod member;

use std::path::{Path, PathBuf};

use anyhow::Context;
use kuriiri_types::Code;

use crate::{
    exit::{DONE, Failure, Outcome},
    output::Output,
};
use files::Tree;
pub(crate) use member::Member;

/// Write an example federation of three ministries and a hub to a folder.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder; it must not exist yet, or be empty.
    dir: PathBuf,
    /// The relays listen on loopback, on the four ports after this one.
    #[arg(long, default_value_t = BASE_PORT, value_name = "PORT")]
    base_port: u16,
}

/// Below the range from which systems give ports to whoever asks for any.
const BASE_PORT: u16 = 17100;

/// The label catalogues, rules and translation of the example, as files of the federation.
const FEDERATION_FILES: [(&str, &str); 5] = [
    ("catalogue-fi.toml", include_str!("../../../tests/vectors/labels/catalogue-fi.toml")),
    ("catalogue-eu.toml", include_str!("../../../tests/vectors/labels/catalogue-eu.toml")),
    ("catalogue-tlp.toml", include_str!("../../../tests/vectors/labels/catalogue-tlp.toml")),
    ("policy.toml", include_str!("../../../tests/vectors/labels/policy.toml")),
    ("translate-eu-fi.toml", include_str!("../../../tests/vectors/labels/translate-eu-fi.toml")),
];
/// The members, with a place for what differs from one example to the next.
const FEDERATION: &str = include_str!("../assets/federation.toml");
/// Stands at the head of every file that might be taken for a real one.
const NOTICE: &str = "# EXAMPLE (esimerkki, exempel): invented, not an official document.\n";

pub(crate) fn run(args: &Args, output: Output) -> Outcome {
    require_empty(&args.dir).map_err(Failure::usage)?;
    let written = write(&args.dir, args.base_port);
    let members = written.map_err(|error| Failure::new(Code::KEY_FILE, error))?;
    let object = serde_json::json!({
        "event": "written",
        "dir": args.dir,
        "relays": members.iter().map(Member::folder).collect::<Vec<_>>(),
    });
    output.data(&object, || format!("wrote an example federation to {}", args.dir.display()));
    let dir = args.dir.display();
    output.note(&format!(
        "next: kuriiri up {dir}\nthen: kuriiri send --as {dir}/sm/systems/kirjaamo \
         --to kirjaamo@um.example --label 'FI TL4' FILE"
    ));
    Ok(DONE)
}

/// Writes the whole federation to a folder that is empty or not there.
pub(crate) fn write_new(dir: &Path, base_port: u16) -> anyhow::Result<Vec<Member>> {
    require_empty(dir)?;
    write(dir, base_port)
}

fn write(dir: &Path, base_port: u16) -> anyhow::Result<Vec<Member>> {
    let tree = Tree::new(dir);
    let members = Member::all(base_port)?;
    write_federation(&tree, &members)?;
    members.iter().try_for_each(|member| member.write(&tree))?;
    Ok(members)
}

fn write_federation(tree: &Tree, members: &[Member]) -> anyhow::Result<()> {
    for (name, text) in FEDERATION_FILES {
        tree.text(&format!("federation/{name}"), &format!("{NOTICE}{text}"))?;
    }
    let mut federation = FEDERATION.to_owned();
    for member in members {
        let place = format!("@{}@", member.folder());
        federation = federation.replace(&place, &member.federation_entry());
        member.write_trust(tree)?;
    }
    tree.text("federation/federation.toml", &federation)
}

fn require_empty(dir: &Path) -> anyhow::Result<()> {
    let mut entries = match std::fs::read_dir(dir) {
        Err(_) if !dir.exists() => return Ok(()),
        entries => entries.with_context(|| dir.display().to_string())?,
    };
    match entries.next() {
        None => Ok(()),
        Some(_) => anyhow::bail!("{} is not empty", dir.display()),
    }
}
