//! `kuriiri example`: writes a federation of three ministries and a hub, ready to run.

mod member;
mod misfits;
mod people;
mod relay;
mod signed;
mod stewards;
mod systems;
mod trust;

use std::{
    path::{Path, PathBuf},
    slice,
};

use anyhow::Context;
use kuriiri_policy::Federation;
use kuriiri_tlog::{Trust, witnesses_needed};
use kuriiri_types::{Code, FileKind};

use crate::{
    exit::{DONE, Failure, Outcome},
    output::Output,
    tree::Tree,
};
pub(crate) use member::Member;
use signed::SignedFile;
use stewards::Steward;

/// Write an example federation of three ministries and a hub to a folder.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder; it must not exist yet, or be empty.
    dir: PathBuf,
    /// The relays listen on loopback, on the four ports after this one.
    #[arg(long, default_value_t = BASE_PORT, value_name = "PORT")]
    base_port: u16,
    /// For how many days its certificates and revocation lists hold.
    #[arg(long, default_value_t = DAYS, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
}

/// Days for which the example's certificates and revocation lists hold.
const DAYS: u32 = 365;
/// Below the range from which systems give ports to whoever asks for any.
const BASE_PORT: u16 = 17100;

/// The label catalogues, rules and translation of the example, as files of the federation.
const FEDERATION_FILES: [(FileKind, &str, &str); 5] = [
    (
        FileKind::Catalogue,
        "catalogue-fi.toml",
        include_str!("../../../tests/vectors/labels/catalogue-fi.toml"),
    ),
    (
        FileKind::Catalogue,
        "catalogue-eu.toml",
        include_str!("../../../tests/vectors/labels/catalogue-eu.toml"),
    ),
    (
        FileKind::Catalogue,
        "catalogue-tlp.toml",
        include_str!("../../../tests/vectors/labels/catalogue-tlp.toml"),
    ),
    (FileKind::Rules, "policy.toml", include_str!("../../../tests/vectors/labels/policy.toml")),
    (
        FileKind::Translation,
        "translate-eu-fi.toml",
        include_str!("../../../tests/vectors/labels/translate-eu-fi.toml"),
    ),
];
/// The members, with a place for what differs from one example to the next.
const FEDERATION: &str = include_str!("../assets/federation.toml");
/// Stands at the head of every file that might be taken for a real one.
const NOTICE: &str = "# EXAMPLE (esimerkki, exempel): invented, not an official document.\n";

pub(crate) fn run(args: &Args, output: Output) -> Outcome {
    require_empty(&args.dir).map_err(Failure::usage)?;
    let written = write(&args.dir, args.base_port, args.days);
    let members = written.map_err(|error| Failure::new(Code::KEY_FILE, error))?;
    let object = serde_json::json!({
        "event": "written",
        "dir": args.dir,
        "relays": members.iter().map(Member::folder).collect::<Vec<_>>(),
    });
    output.data(&object, || format!("wrote an example federation to {}", args.dir.display()))?;
    let dir = args.dir.display();
    output.note(&format!(
        "next: kuriiri up {dir}\nthen: kuriiri send --as {dir}/sm/systems/kirjaamo \
         --to kirjaamo@um.example --label 'FI TL4' FILE\n and: kuriiri hold list --as \
         {dir}/sm/officers/anna"
    ));
    Ok(DONE)
}

/// Writes the whole federation to a folder that is empty or not there.
pub(crate) fn write_new(dir: &Path, base_port: u16) -> anyhow::Result<Vec<Member>> {
    require_empty(dir)?;
    write(dir, base_port, DAYS)
}

fn write(dir: &Path, base_port: u16, days: u32) -> anyhow::Result<Vec<Member>> {
    let tree = Tree::new(dir);
    let members = Member::all(base_port, days)?;
    let stewards = Steward::all(&members)?;
    let files = signed_files(&members, &stewards)?;
    files.iter().try_for_each(|file| file.write(&tree, "federation"))?;
    stewards.iter().try_for_each(|steward| steward.write(&tree))?;
    for member in &members {
        let revoked = misfits::write(member, &tree)?;
        trust::write(member, &tree, &revoked)?;
        relay::write(member, &tree, &files)?;
        people::write(member, &tree)?;
        systems::write(member, &tree)?;
    }
    write_log_policies(&tree, &members)?;
    Ok(members)
}

/// What an auditor believes of each log (C2SP `tlog-policy`): its key, the relays that have a link
/// with its own as witnesses, and how many of them must have seen a checkpoint.
fn write_log_policies(tree: &Tree, members: &[Member]) -> anyhow::Result<()> {
    let federation = Federation::parse(&federation_text(members))?;
    let node = |member: &Member| federation.by_domain(&member.ministry);
    for member in members {
        let linked = |other: &&Member| {
            let ends = node(member).zip(node(other)).filter(|(here, there)| here != there);
            ends.is_some_and(|(here, there)| federation.linked(here, there))
        };
        let witnesses: Vec<_> =
            members.iter().filter(linked).map(|other| other.witness.public.clone()).collect();
        let needed = witnesses_needed(witnesses.len());
        let trust = Trust::new(slice::from_ref(&member.log.public), &witnesses, needed)?;
        let text = String::from_utf8(trust.to_bytes())?;
        tree.text(&format!("{}/log.policy", member.folder()), &text)?;
    }
    // All of them, for evidence that is of several logs. Every relay here has two links at least.
    let logs: Vec<_> = members.iter().map(|member| member.log.public.clone()).collect();
    let witnesses: Vec<_> = members.iter().map(|member| member.witness.public.clone()).collect();
    let text = String::from_utf8(Trust::new(&logs, &witnesses, 2)?.to_bytes())?;
    tree.text("federation/logs.policy", &text)
}

/// The federation file with its members.
fn federation_text(members: &[Member]) -> String {
    let mut federation = FEDERATION.to_owned();
    for member in members {
        let place = format!("@{}@", member.folder());
        federation = federation.replace(&place, &member.federation_entry());
    }
    federation
}

/// The files that all relays of the federation work by, signed by all stewards.
fn signed_files(members: &[Member], stewards: &[Steward]) -> anyhow::Result<Vec<SignedFile>> {
    let federation = federation_text(members);
    let mut files =
        vec![SignedFile::new(FileKind::Federation, "federation.toml", federation, stewards)?];
    for (kind, name, text) in FEDERATION_FILES {
        files.push(SignedFile::new(kind, name, format!("{NOTICE}{text}"), stewards)?);
    }
    Ok(files)
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
