//! The six stories of the label policy, told with real relays: what a label may do, who must say
//! yes first, and what changes when the rules do.

use std::{fs, path::Path};

use serde_json::Value;

use crate::federation::{Federation, RELAYS, kuriiri, succeeded};

/// Stands in every document of these tests; whoever has it in a file has read one.
pub(crate) const SECRET: &str = "the ferry leaves at four from the eastern quay";

/// Each line of output as an object.
fn lines(said: &str) -> Vec<Value> {
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Federation {
    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes a document and gives its path.
    fn document(&self, name: &str, text: &str) -> String {
        let folder = self.path("documents");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), text).unwrap();
        self.text(&format!("documents/{name}"))
    }

    /// Runs a command with `--json`; gives its exit code and what it said on both streams.
    fn run(&self, args: &[&str]) -> (i32, Vec<Value>, String) {
        let output = kuriiri(&[&["--json"], args].concat());
        let said = lines(&String::from_utf8(output.stdout).unwrap());
        let complaint = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said, complaint)
    }

    /// Sends a document from a registry, and waits until its relay has it.
    fn send(&self, from: &str, to: &str, label: &str, file: &str, more: &[&str]) -> (i32, Value) {
        let system = self.text(&format!("{from}/systems/kirjaamo"));
        let to = format!("kirjaamo@{to}.example");
        let args = ["send", "--as", &system, "--to", &to, "--label", label];
        let (code, said, complaint) = self.run(&[&args, more, &[file]].concat());
        let told = said.first().cloned().unwrap_or_else(|| panic!("{code}: {complaint}"));
        (code, told)
    }

    /// Receives one message in a registry: what was said of it, and its text.
    fn receive(&self, at: &str) -> (Value, String) {
        let system = self.text(&format!("{at}/systems/kirjaamo"));
        let out = self.text(&format!("{at}/came"));
        let args = ["receive", "--as", &system, "--count", "1", "--out", &out];
        let (code, said, complaint) = self.run(&args);
        assert_eq!(code, 0, "{complaint}");
        let text = fs::read_to_string(said[0]["file"].as_str().unwrap()).unwrap();
        (said[0].clone(), text)
    }

    fn officer(&self, of: &str, name: &str) -> String {
        self.text(&format!("{of}/officers/{name}"))
    }

    fn holds(&self, of: &str) -> Vec<Value> {
        let (code, said, complaint) =
            self.run(&["hold", "list", "--as", &self.officer(of, "anna")]);
        assert_eq!(code, 0, "{complaint}");
        said.into_iter().filter(|line| line["event"] == "hold").collect()
    }

    fn release(&self, of: &str, name: &str, id: &str) -> (i32, Vec<Value>, String) {
        self.run(&["hold", "release", "--as", &self.officer(of, name), id])
    }

    /// Writes a changed copy of a relay's signed file under its own name to a folder, signed by
    /// these stewards.
    fn changed(
        &self,
        folder: &str,
        name: &str,
        stewards: &[&str],
        change: &[(&str, &str)],
    ) -> String {
        let mut text = fs::read_to_string(self.path(&format!("plm/policy/{name}"))).unwrap();
        for (from, to) in change {
            assert!(text.contains(from), "{name} has `{from}`");
            text = text.replacen(from, to, 1);
        }
        fs::create_dir_all(self.path(folder)).unwrap();
        fs::write(self.path(&format!("{folder}/{name}")), text).unwrap();
        for steward in stewards {
            self.sign(steward, &format!("{folder}/{name}"));
        }
        self.text(&format!("{folder}/{name}"))
    }

    fn sign(&self, steward: &str, file: &str) {
        let steward = self.text(&format!("stewards/{steward}"));
        succeeded(&kuriiri(&["policy", "sign", "--as", &steward, &self.text(file)]));
    }

    fn activate(&self, file: &str) -> (i32, Vec<Value>, String) {
        let operator = self.text("plm/operators/anna");
        self.run(&["policy", "activate", "--as", &operator, file])
    }

    /// True when some file below a folder has the secret in it.
    pub(crate) fn knows_the_secret(&self, folder: &str) -> bool {
        fn any(folder: &Path) -> bool {
            fs::read_dir(folder).unwrap().any(|entry| {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    return any(&path);
                }
                let bytes = fs::read(&path).unwrap_or_default();
                bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
            })
        }
        any(&self.path(folder))
    }
}

fn acceptance(said: &[Value]) -> Vec<&str> {
    said.iter().filter_map(|line| line["acceptance"].as_str()).collect()
}

#[test]
fn one_class_four_passes_the_hub_which_cannot_read_it() {
    let federation = Federation::started(&RELAYS);
    let file = federation.document("a.txt", SECRET);
    let (code, _) = federation.send("sm", "um", "FI TL4", &file, &["--wait", "relayed"]);
    assert_eq!(code, 0);
    let (told, text) = federation.receive("um");
    assert_eq!((text.as_str(), &told["sealed"]), (SECRET, &true.into()));
    for relay in RELAYS {
        assert!(!federation.knows_the_secret(&format!("{relay}/state")), "{relay} can read it");
    }
    let (code, _) = federation.send("sm", "um", "FI JULK", &file, &["--wait", "relayed"]);
    assert_eq!((code, federation.receive("um").1.as_str()), (0, SECRET));
    assert!(federation.knows_the_secret("hub/state"), "a public one is not sealed: the hub had it");

    let asked = ["explain", "--from", "sm", "--to", "um", "--label", "FI TL4"];
    let operator = federation.text("hub/operators/anna");
    let (code, said, _) = federation.run(&[&asked[..], &["--as", &operator]].concat());
    assert_eq!((code, &said[0]["decision"]), (0, &"deny".into()));
    let codes = said[0]["reasons"].to_string();
    assert!(codes.contains("SEAL_REQUIRED") && codes.contains("next:LEVEL"), "{codes}");
    let (_, said, _) = federation.run(&[&asked[..], &["--as", &operator, "--sealed"]].concat());
    assert_eq!(said[0]["decision"], "permit");
}

#[test]
fn two_class_three_goes_only_direct_and_only_when_an_officer_says_so() {
    let federation = Federation::started(&["sm", "plm"]);
    let file = federation.document("a.txt", SECRET);
    let (code, told) = federation.send("sm", "um", "FI TL3", &file, &[]);
    assert_eq!(code, 1);
    let reasons = told["reasons"].to_string();
    assert!(reasons.contains("TRANSIT_FORBIDDEN") && reasons.contains("next:LEVEL"), "{reasons}");

    let (code, told) = federation.send("sm", "plm", "FI TL3", &file, &["--drafter", "dora"]);
    assert_eq!((code, told["waits_for"].as_u64()), (0, Some(1)));
    let holds = federation.holds("sm");
    assert_eq!((holds.len(), holds[0]["needed"].as_u64()), (1, Some(1)));
    assert!(!federation.knows_the_secret("sm/state"), "the relay cannot read what waits there");
    let id = holds[0]["id"].as_str().unwrap();
    let (code, shown, complaint) =
        federation.run(&["hold", "show", "--as", &federation.officer("sm", "anna"), id]);
    assert_eq!(code, 0, "{complaint}");
    assert!(shown[0].to_string().contains(SECRET), "the officer reads what is to be released");
    let (code, said, complaint) = federation.release("sm", "anna", id);
    assert_eq!((code, &said[0]["outcome"]), (0, &"released".into()), "{complaint}");
    let (told, text) = federation.receive("plm");
    assert_eq!(text, SECRET);
    assert!(told["approved_by"].to_string().contains("anna"), "{told}");
    assert!(federation.holds("sm").is_empty());
}

#[test]
fn three_labels_of_the_union_are_read_as_our_own_and_never_opened() {
    let federation = Federation::started(&["um", "plm"]);
    let file = federation.document("a.txt", SECRET);
    for label in ["EU TS-UE", "EU R-UE REL{CHE,NOR}"] {
        let (code, told) = federation.send("um", "plm", label, &file, &[]);
        let reasons = told["reasons"].to_string();
        assert!(code == 1 && reasons.contains("TRANSLATION_REFUSED"), "{label}: {told}");
    }
    let (code, told) = federation.send("um", "plm", "EU R-UE", &file, &[]);
    assert_eq!(code, 0, "{told}");
    if told["waits_for"].as_u64() != Some(0) {
        let id = federation.holds("um")[0]["id"].as_str().unwrap().to_owned();
        for officer in ["anna", "bertta"] {
            let (code, _, complaint) = federation.release("um", officer, &id);
            assert_eq!(code, 0, "{complaint}");
        }
    }
    let (told, text) = federation.receive("plm");
    assert_eq!(text, SECRET);
    assert_eq!(told["label"], "EU R-UE", "the originator's label is never changed");
    assert_eq!((&told["onward"], &told["sealed"]), (&"originator-consent".into(), &true.into()));
}

#[test]
fn four_two_officers_who_did_not_write_it_and_an_edit_begins_anew() {
    let federation = Federation::started(&["plm", "um"]);
    let label = "FI TL2 REL{PLM,UM}";
    let file = federation.document("a.txt", SECRET);
    let drafter = ["--drafter", "bertta"];
    let (code, told) = federation.send("plm", "um", label, &file, &drafter);
    assert_eq!((code, told["waits_for"].as_u64()), (0, Some(2)));
    let first = told["id"].as_str().unwrap().to_owned();
    let (code, _, complaint) = federation.release("plm", "bertta", &first);
    assert!(code == 1 && complaint.contains("KRI-2114"), "the drafter: {complaint}");
    for time in 0..2 {
        let (code, said, _) = federation.release("plm", "anna", &first);
        assert_eq!((code, &said[0]["outcome"]), (0, &"counted".into()), "time {time}");
        assert_eq!((said[0]["have"].as_u64(), said[0]["need"].as_u64()), (Some(1), Some(2)));
    }

    let edited = federation.document("b.txt", &format!("{SECRET}, not three"));
    let (_, told) = federation.send("plm", "um", label, &edited, &drafter);
    let second = told["id"].as_str().unwrap().to_owned();
    let holds = federation.holds("plm");
    let approved = |id: &str| {
        let hold = holds.iter().find(|hold| hold["id"] == id).unwrap();
        hold["approved_by"].as_array().unwrap().len()
    };
    assert_eq!(
        (approved(&first), approved(&second)),
        (1, 0),
        "what was said of the old is not of the new"
    );
    let note = ["hold", "reject", "--as", &federation.officer("plm", "anna"), &first];
    let (code, ..) = federation.run(&[&note[..], &["--note", "superseded"]].concat());
    assert_eq!(code, 0);
    for officer in ["anna", "cecilia"] {
        let (code, _, complaint) = federation.release("plm", officer, &second);
        assert_eq!(code, 0, "{complaint}");
    }
    assert_eq!(federation.receive("um").1, format!("{SECRET}, not three"));
    assert!(federation.holds("plm").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn five_what_waits_is_withdrawn_when_its_addressee_loses_the_class() {
    let federation = Federation::started(&["plm"]);
    let client = federation.client("plm", "kirjaamo").await;
    let mut receipts = client.receipts();
    let draft = |number: u8| {
        let draft = kuriiri_client::Draft::to("kirjaamo@um.example".parse().unwrap());
        draft.label("FI TL4".parse().unwrap()).body(vec![number; 100])
    };
    for number in 0..3 {
        client.send(draft(number)).await.unwrap();
    }
    // The third entry of levels in the file is that of the Ministry for Foreign Affairs.
    let levels = r#"levels = ["JULK", "SALP", "TL4", "TL3", "TL2"]"#;
    let mut text = fs::read_to_string(federation.path("plm/policy/federation.toml")).unwrap();
    let um = text.find("id = \"um\"").unwrap();
    let at = um + text[um..].find(levels).unwrap();
    text.replace_range(at..at + levels.len(), r#"levels = ["JULK", "SALP", "TL3", "TL2"]"#);
    text = text.replacen("serial = 19", "serial = 20", 1);
    fs::create_dir_all(federation.path("new")).unwrap();
    fs::write(federation.path("new/federation.toml"), text).unwrap();
    federation.sign("sulo", "new/federation.toml");
    let (code, said, complaint) = federation.activate(&federation.text("new/federation.toml"));
    assert_eq!((code, acceptance(&said)), (0, vec!["ACCEPT"]), "{complaint}");
    let mut refused = 0;
    while refused < 3 {
        let placed = receipts.next().await.unwrap().unwrap();
        let receipt = placed.receipt();
        refused += placed.about().count();
        assert_eq!(receipt.kind, kuriiri_types::ReceiptKind::Refused);
        assert_eq!(receipt.code, Some(kuriiri_types::Code::WITHDRAWN));
        let reasons = receipt.reasons.join(" ");
        assert!(reasons.contains("dest:LEVEL"), "the originator is told why: {reasons}");
    }
    client.close().await;
}

#[test]
fn six_tightening_needs_one_person_widening_two_and_nothing_goes_back() {
    let mut federation = Federation::started(&["plm", "um"]);
    let size = |from: &'static str, to: &'static str| (from, to);
    let tighter = [("serial = 42", "serial = 43"), size("\"256 MiB\"", "\"1 MiB\"")];
    let file = federation.changed("tighter", "policy.toml", &["sulo"], &tighter);
    let (code, said, complaint) = federation.activate(&file);
    assert_eq!((code, acceptance(&said)), (0, vec!["ACCEPT"]), "{complaint}");

    let wider = [("serial = 43", "serial = 44"), size("\"1 MiB\"", "\"2 MiB\"")];
    let file = federation.changed("wider", "policy.toml", &["sulo"], &wider);
    let (code, said, _) = federation.activate(&file);
    assert_eq!((code, acceptance(&said)), (1, vec!["SECOND_SIGNATURE"]));
    federation.sign("sulo", "wider/policy.toml");
    assert_eq!(federation.activate(&file).0, 1, "the same person twice is one");
    federation.sign("taru", "wider/policy.toml");
    let (code, said, complaint) = federation.activate(&file);
    assert_eq!((code, acceptance(&said)), (0, vec!["ACCEPT"]), "{complaint}");

    let (code, said, _) = federation.activate(&federation.text("tighter/policy.toml"));
    assert_eq!((code, acceptance(&said)), (1, vec!["ROLLBACK"]));
    let twice = [("serial = 44", "serial = 44 # again")];
    let twice = federation.changed("twice", "policy.toml", &["sulo", "taru"], &twice);
    let (code, said, _) = federation.activate(&twice);
    assert_eq!((code, acceptance(&said)), (1, vec!["EQUIVOCATION"]));
    let forged = [("serial = 44", "serial = 45")];
    let forged = federation.changed("forged", "policy.toml", &["sulo"], &forged);
    fs::write(&forged, fs::read_to_string(&forged).unwrap() + "# more\n").unwrap();
    let (code, _, complaint) = federation.activate(&forged);
    assert!(code != 0 && complaint.contains("KRI-1007"), "{complaint}");

    // A relay that starts again does not go back either.
    let (old, new) =
        (federation.path("tighter/policy.toml"), federation.path("plm/policy/policy.toml"));
    assert!(fs::read_to_string(&new).unwrap().contains("serial = 44"));
    federation.kill("plm");
    for ending in ["", ".sig"] {
        let with = |path: &Path| format!("{}{ending}", path.display());
        fs::copy(with(&old), with(&new)).unwrap();
    }
    let config = federation.text("plm/relay.toml");
    let refused = kuriiri(&["relay", "--config", &config]);
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(64) && complaint.contains("KRI-1008"), "{complaint}");
}

#[test]
fn exercise_traffic_is_marked_as_such() {
    let federation = Federation::started(&["plm", "um"]);
    let file = federation.document("a.txt", "a flood in the harbour");
    let (code, _) = federation.send("plm", "um", "FI JULK", &file, &["--type", "exercise"]);
    assert_eq!(code, 0);
    let (told, _) = federation.receive("um");
    assert!(told["markers"].to_string().contains("HARJOITUS HARJOITUS HARJOITUS"), "{told}");
    assert_eq!(told["type"], "exercise");
}
