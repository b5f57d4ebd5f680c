//! Two logs compared, and the evidence that is written of it.

use std::{fs, path::PathBuf, time::Duration};

use kuriiri_types::LogEvent;

use super::{Author, Bench, Cast, Report, Send, exchange, files};

pub struct Compared {
    pub bench: Bench,
    pub report: Report,
    pub evidence: PathBuf,
}

impl Compared {
    pub fn row(&self, row: &str) -> u64 {
        self.report.json["reconcile"]["rows"][row].as_u64().unwrap_or(0)
    }

    pub fn accuses_nobody(&self) {
        for finding in self.report.json["found"]["findings"].as_array().unwrap() {
            assert!(finding.get("against").is_none(), "{}", self.report.text);
        }
    }

    /// The one evidence file of a kind, which stands alone.
    pub fn evidence(&self, kind: &str) -> String {
        let file =
            files(&self.evidence).into_iter().find(|file| file.to_string_lossy().contains(kind));
        let file = file.unwrap_or_else(|| panic!("no evidence of {kind}: {}", self.report.text));
        let report = self.bench.run(&["bundle", file.to_str().unwrap()]);
        // What is missing from a log, or who handed something over, no part of a log can prove.
        let open = ["stalled", "unaccounted", "content-differs"].contains(&kind);
        assert_eq!(report.exit, if open { 2 } else { 0 }, "{}", report.text);
        assert_eq!(report.json["bundle"]["claim"]["proved"], !open, "{}", report.text);
        assert_eq!(report.json["bundle"]["claim"]["open"], open, "{}", report.text);

        // Not for somebody who believes other logs.
        let strangers = Bench::new(&Cast::new(), &[], 0);
        let elsewhere = strangers.run(&["bundle", file.to_str().unwrap()]);
        assert_eq!(elsewhere.json["bundle"]["claim"]["proved"], false, "{}", elsewhere.text);

        // And not when its entries are not there.
        let text = fs::read_to_string(&file).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        for log in json["logs"].as_array_mut().unwrap() {
            log["entries"] = serde_json::json!([]);
        }
        if kind == "split-view" {
            json["logs"][1]["checkpoint"] = json["logs"][0]["checkpoint"].clone();
        }
        let empty = self.bench.folder("empty.json");
        fs::write(&empty, json.to_string()).unwrap();
        assert_eq!(self.bench.run(&["bundle", empty.to_str().unwrap()]).exit, 1);
        report.json["bundle"]["claim"]["what"].as_str().unwrap().to_owned()
    }
}

pub fn compare(cast: &Cast, a: &Author<'_>, b: &Author<'_>) -> Compared {
    compare_with(cast, a, b, &[])
}

pub fn compare_with(cast: &Cast, a: &Author<'_>, b: &Author<'_>, more: &[&str]) -> Compared {
    let bench = Bench::new(cast, &[], 0);
    let (one, two) = (bench.write(a, &[]), bench.write(b, &[]));
    let evidence = bench.folder("evidence");
    let args = [
        &["reconcile", one.to_str().unwrap(), two.to_str().unwrap()][..],
        &["--evidence", evidence.to_str().unwrap()],
        more,
    ]
    .concat();
    let report = bench.run(&args);
    Compared { report, evidence, bench }
}

/// Both ministries, with messages both ways that all arrived.
pub fn quiet(cast: &Cast) -> (Author<'_>, Author<'_>) {
    let (mut a, mut b) = (Author::start(cast, "sm"), Author::start(cast, "plm"));
    for n in 0..30 {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", n));
        exchange(&mut b, &mut a, &Send { number: 1000 + n, ..Send::new("plm", "sm", n) });
        a.at = a.at.max(b.at);
        b.at = a.at;
    }
    (a, b)
}

/// Something happens so much later that nothing is still under way.
pub fn much_later_on(author: &mut Author<'_>) {
    author.at = author.at.after(Duration::from_secs(40 * 86_400));
    author.append(vec![], LogEvent::Booted { software: "later".into() });
}

pub fn a_little_later(author: &mut Author<'_>) {
    author.at = author.at.after(Duration::from_secs(600));
    author.append(vec![], LogEvent::Booted { software: "later".into() });
}
