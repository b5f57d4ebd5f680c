//! Profiles of people in files: what is wrong is named with its file.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use kuriiri_certs::Purpose;
use kuriiri_client::{OfficerProfile, ProfileError};
use kuriiri_types::Code;
use tempfile::TempDir;

use crate::world::World;

const OFFICER: &str = r#"
officer = "spiffe://sm.example/officer/anna"
relay = "127.0.0.1:7101"
tls = { certificate = "tls.pem", key = "tls.key" }
signing = { certificate = "signing.pem", key = "signing.key" }
release-key = "release.key"
roles = ["release", "border", "release"]
trust = "."
"#;
const OPERATOR: &str = r#"
operator = "spiffe://sm.example/operator/anna"
relay = "127.0.0.1:7101"
tls = { certificate = "tls.pem", key = "tls.key" }
trust = "."
"#;

/// A good profile of an officer of `sm`.
struct Files(TempDir);

impl Files {
    fn new(role: &str, toml: &str) -> Self {
        let (files, world) = (Self(TempDir::new().unwrap()), World::new());
        files.write(&format!("{role}.toml"), toml);
        for (name, purpose) in [("tls", Purpose::Tls), ("signing", Purpose::Signing)] {
            let issued = world.sm.issue(&format!("{role}/anna"), purpose);
            files.write(&format!("{name}.pem"), &issued.certificate_pem);
            files.write(&format!("{name}.key"), &issued.key_pem);
        }
        files.write("release.key", &world.sm.release_text);
        files.write("sm.example.ca.pem", world.sm.authority.certificate_pem());
        files.write("sm.example.crl.pem", &world.sm.crl());
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        self.mode(name, 0o600);
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Result<OfficerProfile, ProfileError> {
        OfficerProfile::load(self.0.path())
    }
}

#[test]
fn good_profiles_load_and_show_no_key() {
    let files = Files::new("officer", OFFICER);
    let profile = files.load().unwrap();
    assert_eq!(profile.id().to_string(), "spiffe://sm.example/officer/anna");
    assert_eq!(profile.roles(), ["border", "release"]);
    assert!(!format!("{profile:?}").to_lowercase().contains("key"), "{profile:?}");

    let profile = Files::new("operator", OPERATOR).load().unwrap();
    assert_eq!(profile.id().to_string(), "spiffe://sm.example/operator/anna");
    assert!(profile.roles().is_empty());
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        ("officer", "officer = ", "oficer = ", "did you mean `officer`?"),
        ("officer", "/officer/", "/operator/", "names spiffe://sm.example/officer/anna"),
        ("officer", "\"release.key\"", "\"other.key\"", "other.key"),
        ("officer", ":7101", "", "host:port"),
        ("officer", "signing = ", "# ", "`signing`"),
        ("operator", "relay = ", "realy = ", "did you mean `relay`?"),
        ("operator", "/operator/", "/officer/", "names spiffe://sm.example/operator/anna"),
        ("operator", "operator = ", "roles = []\noperator = ", "`roles`"),
    ];
    for (role, from, to, trouble) in cases {
        let toml = if role == "officer" { OFFICER } else { OPERATOR };
        let text = Files::new(role, &toml.replace(from, to)).load().unwrap_err().to_string();
        assert!(text.contains(trouble), "{text}");
    }
    let empty = TempDir::new().unwrap();
    let text = OfficerProfile::load(empty.path()).unwrap_err().to_string();
    assert!(text.contains("officer.toml"), "{text}");
}

#[test]
fn keys_that_others_can_read_are_refused() {
    for key in ["tls.key", "signing.key", "release.key"] {
        let files = Files::new("officer", OFFICER);
        files.mode(key, 0o644);
        let error = files.load().unwrap_err();
        assert_eq!(error.code(), Code::KEY_FILE);
        assert!(error.to_string().contains(key) && error.to_string().contains("0600"), "{error}");
    }
}

#[test]
fn whoever_signs_files_needs_a_signing_pair_and_no_more() {
    let files = Files::new("officer", OFFICER);
    files.write("renamed.key", &fs::read_to_string(files.path("signing.key")).unwrap());
    files.write("officer.toml", &OFFICER.replace("\"signing.key\"", "\"renamed.key\""));
    let signer = || OfficerProfile::load_signer(files.0.path());
    fs::rename(files.path("signing.key"), files.path("kept.key")).unwrap();
    assert_eq!(signer().unwrap().id().name(), "anna");
    fs::remove_file(files.path("officer.toml")).unwrap();
    assert!(signer().unwrap_err().to_string().contains("signing.key"));
    fs::rename(files.path("kept.key"), files.path("signing.key")).unwrap();
    assert_eq!(signer().unwrap().id().name(), "anna");
    files.mode("signing.key", 0o640);
    assert!(signer().unwrap_err().to_string().contains("0600"));
}
