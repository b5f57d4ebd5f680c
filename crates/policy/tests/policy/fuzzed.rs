//! Any bytes at all: every parser answers, none panics. As ordinary tests a few thousand inputs
//! each; `cargo bolero test fuzzed::…` goes on from there.

use bolero::check;
use kuriiri_policy::{Catalogue, Federation, Record, Rules, Tester, Translation, Trials};
use kuriiri_types::WireLabel;

use crate::{
    example::{EU_FI, FEDERATION, FI, Files, NOW, RULES, facts, label},
    vectors::VECTORS,
};

const INPUTS: usize = 2000;

/// What is done to a good text: at a place, so many bytes are dropped and others put in.
type Edit = (u16, u8, Vec<u8>);

fn mutilated(whole: &str, edits: &[Edit]) -> String {
    let mut bytes = whole.as_bytes().to_vec();
    for (place, dropped, added) in edits.iter().take(4) {
        let from = usize::from(*place) % (bytes.len() + 1);
        let to = (from + usize::from(dropped % 16)).min(bytes.len());
        bytes.splice(from..to, added.iter().copied().take(16));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn labels() {
    check!().with_iterations(INPUTS).for_each(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(label) = text.parse::<WireLabel>() {
            assert_eq!(label.to_string().parse::<WireLabel>().unwrap(), label);
        }
        let near = format!("FI TL3 {text}");
        let _ = near.parse::<WireLabel>();
    });
}

#[test]
fn catalogues() {
    check!().with_type::<Vec<Edit>>().with_iterations(INPUTS).for_each(|edits| {
        let _ = Catalogue::parse(&mutilated(FI, edits));
    });
}

#[test]
fn federations() {
    check!().with_type::<Vec<Edit>>().with_iterations(INPUTS).for_each(|edits| {
        let _ = Federation::parse(&mutilated(FEDERATION, edits));
    });
}

#[test]
fn rules() {
    check!().with_type::<Vec<Edit>>().with_iterations(INPUTS).for_each(|edits| {
        let _ = Rules::parse(&mutilated(RULES, edits));
    });
}

#[test]
fn translations() {
    check!().with_type::<Vec<Edit>>().with_iterations(INPUTS).for_each(|edits| {
        let _ = Translation::parse(&mutilated(EU_FI, edits));
    });
}

/// Files that still read are compiled together, and the policy that comes out is looked at from
/// every side.
#[test]
fn policies() {
    let labels = ["FI TL4", "FI TL3 REL{PLM}", "EU R-UE", "TLP RED"];
    let labels: Vec<WireLabel> = labels.map(|text| text.parse().unwrap()).into();
    let shared = Files::shared().policy();
    check!().with_type::<(u8, Vec<Edit>)>().with_iterations(INPUTS / 4).for_each(
        |(file, edits)| {
            let mut files = Files::shared();
            let edits = edits.get(..edits.len().min(1)).unwrap_or(&[]);
            match file % 4 {
                0 => files.catalogues[0] = mutilated(FI, edits),
                1 => files.federation = mutilated(FEDERATION, edits),
                2 => files.rules = mutilated(RULES, edits),
                _ => files.translations[0] = mutilated(EU_FI, edits),
            }
            if let Ok(policy) = files.compile() {
                let _ = policy.findings();
                let _ = policy.run_tests();
                let _ = policy.what("sm", "plm");
                for label in &labels {
                    let _ = policy.who(NOW, label, Some("um"));
                }
                if file % 16 == 2 {
                    let _ = shared.diff(&policy);
                }
            }
        },
    );
}

#[test]
fn test_files() {
    let tester = Tester::new(Files::shared().sources().unwrap()).unwrap();
    let short = "[[test]]\nname='t'\nfrom='sm'\nto='plm'\nvia='hub'\nlabel='FI TL3 REL{PLM}'\n\
        sealed=true\nsize='1 KiB'\napprovals=2\nnow=2026-01-01T00:00:00Z\nexpect='deny'\nreasons=['LEVEL']\n";
    check!().with_type::<Vec<Edit>>().with_iterations(INPUTS).for_each(|edits| {
        if let Ok(trials) = toml::from_str::<Trials>(&mutilated(short, edits)) {
            let _ = tester.run(&trials);
        }
    });
    // A single case of the vectors at a time: a broken file is refused as a whole.
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    check!().with_type::<(u8, Vec<Edit>)>().with_iterations(INPUTS).for_each(|(case, edits)| {
        let case = cases[usize::from(*case) % cases.len()].to_string();
        if let Ok(trials) = serde_json::from_str::<Trials>(&mutilated(&format!("[{case}]"), edits))
        {
            let _ = tester.run(&trials);
        }
    });
}

/// What still reads is decided again without a panic, and is written as it was read.
#[test]
fn records() {
    let policy = Files::shared().policy();
    let texts = ["FI TL4", "FI TL3 REL{PLM}", "EU R-UE"].map(|text| {
        let wire = label(text);
        let facts = facts(&policy, ["sm", "plm", "plm"], &wire);
        let record = Record::of(&policy, text, NOW, &facts, &policy.decide(NOW, &facts));
        serde_json::to_string(&record).unwrap()
    });
    check!().with_type::<(u8, Vec<Edit>)>().with_iterations(INPUTS).for_each(|(which, edits)| {
        let edits = edits.get(..edits.len().min(2)).unwrap_or(&[]);
        let text = mutilated(&texts[usize::from(*which) % texts.len()], edits);
        let Ok(record) = serde_json::from_str::<Record>(&text) else { return };
        let written = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&written).unwrap(), record);
        let found = policy.rehearse([record]);
        assert_eq!(found.decided + found.foreign, 1);
    });
}
