//! The signed files that come into force: who signed them, whether their serials only rise, and whether the
//! auditor's own are among them.

use std::collections::{BTreeMap, BTreeSet};

use kuriiri_policy::{FileId, SERIAL_JUMP_MAX, SIGNERS_TO_WIDEN};
use kuriiri_seal::{FileSigner, file_signers};
use kuriiri_types::{Digest, FileInForce, FileKind, PolicyInForce, SpiffeId, Timestamp};

use crate::{
    check_entry::{LAG_MAX, Spot},
    finding::{Check, Finding, Findings},
    rules::{Contents, InForce},
    trusted::{Anchors, Certificates, Trusted},
};

/// Changes of rules that are held against those before them, which takes time; with more it is said that
/// it was not done.
const COMPARED_MAX: u32 = 64;

/// What was in force last, and what was found so far.
#[derive(Debug, Default)]
pub(super) struct SignedFiles {
    /// Of every file that was ever in force, by what it is and not by what it is called.
    last: BTreeMap<FileId, (u64, Digest)>,
    /// Those in force, with their names.
    in_force: BTreeMap<FileId, String>,
    compared: u32,
    not_compared: u64,
    /// Those whose signatures counted, and whether the auditor knows them.
    signers: BTreeSet<SpiffeId>,
}

/// What files are held against when they come into force.
pub(super) struct Basis<'a> {
    pub(super) contents: &'a Contents,
    pub(super) certificates: &'a Certificates,
    pub(super) anchors: &'a Anchors,
    /// Whether the relay has just started.
    pub(super) is_start: bool,
    /// What was in force before, and what the files come to.
    pub(super) before: &'a Trusted,
    pub(super) after: &'a InForce,
}

impl SignedFiles {
    /// Looks at files that come into force.
    pub(super) fn change(
        &mut self,
        spot: Spot,
        policy: &PolicyInForce,
        basis: &Basis<'_>,
        out: &mut Findings,
    ) {
        let mut needed = None;
        let is_first = self.in_force.is_empty();
        let before = std::mem::take(&mut self.in_force);
        for file in &policy.files {
            out.done(Check::SignedFiles, 1);
            let mut wrong = |what: String| {
                let what = format!("the {} `{}`: {what}", file.kind.title(), file.name);
                let finding = Finding::fault(Check::SignedFiles, what).at(spot.index);
                out.add(finding.against(&basis.before.home));
            };
            let Some(bytes) = basis.contents.get(file.digest) else {
                wrong("it is in force, and its bytes are not in the log".into());
                continue;
            };
            if file.is_own && file.kind != FileKind::Rules {
                wrong("it is said to be the ministry's own, which only rules can be".into());
            }
            let is_changed = self.serial(file, bytes, (&before, is_first), &mut wrong);
            let persons = match signers_of(spot.at, file, bytes, basis) {
                Ok(signers) => signers,
                Err(what) => {
                    wrong(what);
                    continue;
                }
            };
            if persons.is_empty() {
                wrong(
                    "nobody has signed it with a certificate that the log shows and that was valid"
                        .into(),
                );
            } else if is_changed && persons.len() < SIGNERS_TO_WIDEN as usize {
                let needs = *needed.get_or_insert_with(|| self.needs_two(basis));
                if needs {
                    wrong(format!(
                        "it allows more than before, or came in while the relay was down, and {} alone has \
                         signed it",
                        names(&persons)
                    ));
                }
            }
            if !file.is_own {
                believed(spot, file, &persons, basis.anchors, out);
            }
            self.signers.extend(persons.into_iter().map(|person| person.id));
        }
        // Of a file that could not be read nobody knows which one it is.
        if self.in_force.len() == policy.files.len() {
            self.missing(spot, before, (basis, needed), out);
        }
        pinned(spot, policy, basis, out);
    }

    /// Whether files that were in force before are gone. Nobody signs that a file is taken out, so that may not
    /// permit more than before, and is done while the relay runs.
    fn missing(
        &mut self,
        spot: Spot,
        before: BTreeMap<FileId, String>,
        (basis, needed): (&Basis<'_>, Option<bool>),
        out: &mut Findings,
    ) {
        let is_gone = |(id, _): &(FileId, String)| !self.in_force.contains_key(id);
        let gone: Vec<(FileId, String)> = before.into_iter().filter(is_gone).collect();
        if gone.is_empty() || !needed.unwrap_or_else(|| self.needs_two(basis)) {
            return;
        }
        for (_, name) in gone {
            let what = format!(
                "`{name}` is no longer in force, and without it more is allowed than before, or it was taken out \
                 while the relay was down"
            );
            let finding = Finding::fault(Check::SignedFiles, what).at(spot.index);
            out.add(finding.against(&basis.before.home));
        }
    }

    /// Whether the serial is that of the file and rises with each change; true when the file is another than
    /// was in force before, or was not there.
    fn serial(
        &mut self,
        file: &FileInForce,
        bytes: &[u8],
        (before, is_first): (&BTreeMap<FileId, String>, bool),
        wrong: &mut impl FnMut(String),
    ) -> bool {
        let text = str::from_utf8(bytes).ok();
        let read =
            text.and_then(|text| FileId::read(file.kind, (&file.name, file.is_own), text).ok());
        // What cannot be read is told where its rules are compiled.
        let Some((id, serial)) = read else { return false };
        if serial != file.serial {
            wrong(format!("its serial is not {}, as is said", file.serial));
        }
        let is_new = !is_first && !before.contains_key(&id);
        self.in_force.insert(id.clone(), file.name.clone());
        let Some((serial, digest)) = self.last.insert(id, (file.serial, file.digest)) else {
            return is_new;
        };
        if file.serial.saturating_sub(serial) > SERIAL_JUMP_MAX {
            wrong(format!("serial {} comes after serial {serial}, which is too far", file.serial));
        }
        if file.serial < serial {
            wrong(format!("serial {} comes into force after serial {serial}", file.serial));
        } else if digest != file.digest && file.serial == serial {
            wrong(format!("two files have the serial {serial}"));
        }
        is_new || digest != file.digest
    }

    /// Whether changed files need two persons: what came in while the relay was down, and what lets more go
    /// than before.
    fn needs_two(&mut self, basis: &Basis<'_>) -> bool {
        if basis.is_start {
            return true;
        }
        let (Some(old), Some(new)) = (&basis.before.rules.policy, &basis.after.policy) else {
            return false;
        };
        if self.compared >= COMPARED_MAX {
            self.not_compared += 1;
            return false;
        }
        self.compared += 1;
        old.widened_by(new)
    }

    /// What is taken on faith, and what was not done.
    pub(super) fn finish(&self, anchors: &Anchors, out: &mut Findings) {
        if self.not_compared > 0 {
            let what = format!(
                "whether they allow more than before was not looked at for {} changes after the first \
                 {COMPARED_MAX}",
                self.not_compared
            );
            out.add(Finding::unchecked(Check::SignedFiles, what));
        }
        if anchors.pinned.is_empty() && !self.signers.is_empty() {
            let what = "that the federation files in the log are those of the federation is taken on faith: they \
                        name the authorities and keys of all members; give them with --federation";
            out.add(Finding::note(Check::SignedFiles, what));
        }
        if anchors.stewards.is_empty() && !self.signers.is_empty() {
            let all: Vec<String> = self.signers.iter().map(ToString::to_string).collect();
            let what = format!(
                "that those who signed the files in force may do so is taken on faith: {}; name their \
                 certificates with --stewards",
                all.join(", ")
            );
            out.add(Finding::note(Check::SignedFiles, what));
        }
    }
}

/// Somebody whose signature on a file counts.
struct Person {
    id: SpiffeId,
    certificates: Vec<Digest>,
}

fn names(persons: &[Person]) -> String {
    let names: Vec<String> = persons.iter().map(|person| person.id.to_string()).collect();
    names.join(", ")
}

/// The distinct persons whose signatures on a file are genuine, by certificates that the log has shown
/// before and that were valid. A certificate that ended a moment ago was good when the relay looked.
fn signers_of(
    at: Timestamp,
    file: &FileInForce,
    bytes: &[u8],
    basis: &Basis<'_>,
) -> Result<Vec<Person>, String> {
    let text = basis.contents.get(file.signatures);
    let text = text.ok_or("the text of its signatures is not in the log")?;
    let text = str::from_utf8(text).map_err(|_| "its signatures are no text")?;
    let all = basis.certificates.look(|shown| {
        let find = |name: &Digest| shown.get(name).map(|(_, der)| &der[..]);
        file_signers(file.kind, bytes, text, find).map_err(|error| error.to_string())
    })?;
    let counts = |one: &&FileSigner| one.counts_at(at) || one.counts_at(at.before(LAG_MAX));
    let mut persons: Vec<Person> = Vec::new();
    for one in all.iter().filter(counts) {
        match persons.iter_mut().find(|known| known.id == one.signer) {
            Some(known) => known.certificates.push(one.certificate),
            None => {
                persons.push(Person { id: one.signer.clone(), certificates: vec![one.certificate] })
            }
        }
    }
    Ok(persons)
}

/// Whether somebody signed a file of the federation whom the auditor knows for a steward.
fn believed(
    spot: Spot,
    file: &FileInForce,
    persons: &[Person],
    anchors: &Anchors,
    out: &mut Findings,
) {
    let is_known = |person: &Person| {
        person.certificates.iter().any(|certificate| anchors.stewards.contains(certificate))
    };
    if !anchors.stewards.is_empty() && !persons.is_empty() && !persons.iter().any(is_known) {
        let what = format!(
            "the {} `{}` of serial {} is signed by {}, and by none of the stewards that were given",
            file.kind.title(),
            file.name,
            file.serial,
            names(persons)
        );
        out.add(Finding::unchecked(Check::SignedFiles, what).at(spot.index));
    }
}

/// Whether the federation file is one that the auditor was given.
fn pinned(spot: Spot, policy: &PolicyInForce, basis: &Basis<'_>, out: &mut Findings) {
    let given = &basis.anchors.pinned;
    let file = policy.files.iter().find(|file| file.kind == FileKind::Federation);
    let Some(file) = file.filter(|_| !given.is_empty()) else { return };
    if given.iter().any(|pinned| pinned.digest() == file.digest) {
        return;
    }
    let (serial, home) = (file.serial, &basis.before.home);
    out.add(if given.iter().any(|pinned| pinned.federation().serial() == serial) {
        let what = format!(
            "the federation file of serial {serial} is another than the one that was given with this serial"
        );
        Finding::fault(Check::SignedFiles, what).at(spot.index)
    } else {
        let what = format!(
            "{home} worked by the federation file of serial {serial}, which is none of those given; what is \
             signed under its authorities is checked by it, and it is not known whether to believe it \
             (--federation may be given several times)"
        );
        Finding::unchecked(Check::SignedFiles, what).at(spot.index)
    });
}
