//! An auditor: whom they believe, and where they keep what they were given.

use std::{fs, path::PathBuf, time::Duration};

use bytes::Bytes;
use kuriiri_sim::{LogCopy, World};
use kuriiri_tlog::{Trust, ministry_of};
use kuriiri_types::{Entry, Ministry, Timestamp};
use kuriiri_verify::{
    Anchors, AuditOptions, Known, LogFolder, MessageBundle, ReconcileOptions, audit, check_bundle,
    reconcile,
};
use kuriiri_wire::entry;
use tempfile::TempDir;

use super::{
    folder,
    verdict::{Circumstances, Verdict},
};

/// Witnesses of a log that must have cosigned it: no relay has fewer links.
const NEEDED: usize = 2;

/// An auditor of the relays of one world.
pub struct Auditor {
    dir: TempDir,
    pub(super) anchors: Anchors,
    /// Under which the logs came about.
    circumstances: Circumstances,
    /// Folders handed out so far.
    count: usize,
}

/// A log as a folder, and a name of it for people.
pub struct Folder {
    pub name: String,
    pub log: LogFolder,
    /// Whose it is.
    pub home: Ministry,
    /// It was made in the end, not at an earlier time.
    pub is_whole: bool,
    /// A file of it is lost or changed.
    pub is_damaged: bool,
    pub(super) entries: Vec<Bytes>,
}

impl Folder {
    /// What it says.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.iter().map(|bytes| entry::decode(bytes).unwrap()).collect()
    }
}

impl Auditor {
    /// An auditor who believes all logs and all witnesses of a world, and the authorities that the logs
    /// name or, if they are pinned, the federation files.
    pub fn of(world: &World, is_pinned: bool, circumstances: Circumstances) -> Self {
        let dir = TempDir::new().unwrap();
        let trust = Trust::new(&world.log_keys(), &world.witness_keys(), NEEDED).unwrap();
        folder::put(dir.path(), "policy", &trust.to_bytes());
        let mut anchors = Anchors::read(&dir.path().join("policy")).unwrap();
        for (number, federation) in world.federations().iter().enumerate().filter(|_| is_pinned) {
            let file = format!("federation-{number}.toml");
            folder::put(dir.path(), &file, federation.as_bytes());
            anchors = anchors.with_federation(&dir.path().join(file)).unwrap();
        }
        Self { dir, anchors, circumstances, count: 0 }
    }

    /// A path at which nothing is yet.
    pub(super) fn place(&mut self) -> PathBuf {
        self.count += 1;
        self.dir.path().join(self.count.to_string())
    }

    /// Is given a copy of a log.
    pub fn get(&mut self, copy: &LogCopy) -> Folder {
        let place = self.place();
        folder::write(copy, &place);
        let name = format!("{} of {} entries", copy.origin, copy.entries.len());
        let home = ministry_of(&copy.origin).unwrap();
        let (log, entries) = (LogFolder::open(&place).unwrap(), copy.entries.clone());
        Folder { name, log, home, is_whole: true, is_damaged: false, entries }
    }

    /// Checkpoints of a log that somebody kept, and those that the logs of others hold.
    pub fn known(&mut self, of: &Folder, kept: &[&[u8]], others: &[Folder]) -> Known {
        let (mut known, place) = (Known::new(), self.place());
        for (number, note) in kept.iter().enumerate() {
            folder::put(&place, &number.to_string(), note);
        }
        let origin = &of.log.checkpoint().origin;
        if !kept.is_empty() {
            known.add_file(&place, origin, &self.anchors.trust).unwrap();
        }
        for other in others {
            known.add_log(&other.log, origin).unwrap();
        }
        known
    }

    /// Audits one log.
    pub fn audit(&self, log: &Folder, known: Known, verdict: &mut Verdict) {
        let options = AuditOptions { known, ..AuditOptions::default() };
        let report = audit(&log.log, &self.anchors, options, |_| {});
        verdict.hear(
            &format!("audit of {}", log.name),
            &report.findings,
            self.circumstances([log]),
        );
    }

    /// Holds two logs against each other, with evidence; all of it, or what was between so many seconds
    /// after the first log began.
    pub fn reconcile(
        &mut self,
        one: &Folder,
        two: &Folder,
        window: Option<(u64, u64)>,
        verdict: &mut Verdict,
    ) {
        let evidence = self.place();
        let (from, to) = window.map(|window| within(one, window)).unzip();
        let evidence_in = Some(evidence.clone());
        let options = ReconcileOptions { from, to, evidence: evidence_in, ..Default::default() };
        let report = reconcile([&one.log, &two.log], &self.anchors, &options, |_| {});
        let name = format!("reconciliation of {} and {}, {window:?}", one.name, two.name);
        verdict.hear(&name, &report.findings, self.circumstances([one, two]));
        // Of a copy that cannot be read there is none.
        for file in fs::read_dir(evidence).into_iter().flatten() {
            let bundle = MessageBundle::read(&file.unwrap().path()).unwrap();
            let proved = check_bundle(&bundle, &self.anchors).claim.is_some_and(|c| c.proved);
            verdict.see(&name, &bundle, proved);
        }
    }

    /// What may be said of these.
    pub(super) fn circumstances<'a>(
        &self,
        logs: impl IntoIterator<Item = &'a Folder>,
    ) -> Circumstances {
        let mut circumstances = self.circumstances;
        for log in logs {
            circumstances.is_partial |= !log.is_whole;
            circumstances.is_damaged |= log.is_damaged;
        }
        circumstances
    }
}

/// Times so many seconds after the first entry of a log.
fn within(log: &Folder, (from, to): (u64, u64)) -> (Timestamp, Timestamp) {
    let first = entry::decode(&log.entries[0]).unwrap().at;
    (first.after(Duration::from_secs(from)), first.after(Duration::from_secs(to)))
}
