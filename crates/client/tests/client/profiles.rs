//! Profiles in files: what is wrong is named with its file.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use kuriiri_certs::Purpose;
use kuriiri_client::{Profile, ProfileError};
use kuriiri_tlog::{KeyKind, VerifierKey};
use kuriiri_types::Code;
use tempfile::TempDir;

use crate::world::{Member, World};

/// A good profile of `sm`'s system, beside a folder of trust.
struct Files {
    folder: TempDir,
    world: World,
}

const TOML: &str = r#"
system = "spiffe://sm.example/system/kirjaamo"
address = "kirjaamo@sm.example"
relay = "127.0.0.1:7101"
tls = { certificate = "tls.pem", key = "tls.key" }
signing = { certificate = "signing.pem", key = "signing.key" }
sealing-key = "sealing.key"
trust = "../trust"
"#;

impl Files {
    fn new() -> Self {
        let files = Self { folder: TempDir::new().unwrap(), world: World::new() };
        fs::create_dir(files.path("profile")).unwrap();
        fs::create_dir(files.path("trust")).unwrap();
        let sm = &files.world.sm;
        files.write("profile/system.toml", TOML);
        files.pair("tls", sm, Purpose::Tls);
        files.pair("signing", sm, Purpose::Signing);
        files.secret("profile/sealing.key", &sm.sealing_text);
        let release = sm.release_key().public_key().to_string();
        files.write("trust/sm.example.release.pub", &release);
        for member in [sm, &files.world.um] {
            let ministry = &member.ministry;
            let ca = member.authority.certificate_pem();
            files.write(&format!("trust/{ministry}.ca.pem"), ca);
            files.write(&format!("trust/{ministry}.crl.pem"), &member.crl());
            files.write(&format!("trust/{ministry}.log.vkey"), &format!("{}\n", member.log.key()));
            let public = member.sealing_key().public_key().to_string();
            files.write(&format!("trust/{ministry}.seal.pub"), &public);
        }
        files
    }

    fn pair(&self, name: &str, member: &Member, purpose: Purpose) {
        let issued = member.issue("system/kirjaamo", purpose);
        self.write(&format!("profile/{name}.pem"), &issued.certificate_pem);
        self.secret(&format!("profile/{name}.key"), &issued.key_pem);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn secret(&self, name: &str, text: &str) {
        self.write(name, text);
        self.mode(name, 0o600);
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Result<Profile, ProfileError> {
        Profile::load(&self.path("profile"))
    }

    /// The error of loading, which must name this file and this trouble.
    fn fails(&self, code: Code, file: &str, trouble: &str) {
        let error = self.load().unwrap_err();
        let text = error.to_string();
        assert!(text.contains(file) && text.contains(trouble), "{text}");
        assert_eq!(error.code(), code, "{text}");
    }
}

#[test]
fn a_good_profile_loads_and_shows_no_key() {
    let files = Files::new();
    let profile = files.load().unwrap();
    assert_eq!(profile.address().to_string(), "kirjaamo@sm.example");
    assert_eq!(profile.system().to_string(), "spiffe://sm.example/system/kirjaamo");
    assert!(!format!("{profile:?}").to_lowercase().contains("key"), "{profile:?}");
    for public in ["um.example.seal.pub", "sm.example.release.pub", "um.example.log.vkey"] {
        fs::remove_file(files.path("trust").join(public)).unwrap();
        assert!(files.load().is_ok(), "without {public}");
    }
}

#[test]
fn keys_that_others_can_read_are_refused() {
    for key in ["profile/tls.key", "profile/signing.key", "profile/sealing.key"] {
        let files = Files::new();
        files.mode(key, 0o640);
        let name = Path::new(key).file_name().unwrap().to_str().unwrap();
        files.fails(Code::KEY_FILE, name, "0600");
    }
}

#[test]
fn a_key_behind_a_link_is_read_and_what_is_no_file_is_refused() {
    for key in ["tls.key", "signing.key", "sealing.key"] {
        let (files, key) = (Files::new(), format!("profile/{key}"));
        let (path, elsewhere) = (files.path(&key), files.path("elsewhere.key"));
        fs::rename(&path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(files.load().is_ok(), "whoever hands out secrets puts links");
        files.mode("elsewhere.key", 0o640);
        files.fails(Code::KEY_FILE, &key, "0600");
        fs::remove_file(&path).unwrap();
        // Whoever only opens it waits for ever.
        assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().unwrap().success());
        files.fails(Code::KEY_FILE, &key, "this is no file");
    }
}

#[test]
fn the_folder_of_another_is_told_from_an_empty_one() {
    let files = Files::new();
    let (own, other) = (files.path("profile/system.toml"), files.path("profile/officer.toml"));
    fs::rename(own, &other).unwrap();
    files.fails(Code::CONFIG, "profile/system.toml", "but officer.toml");
    fs::remove_file(other).unwrap();
    files.fails(Code::CONFIG, "profile/system.toml", "the file cannot be read");
}

#[test]
fn what_is_wrong_in_the_file_is_named() {
    let cases = [
        ("relay = ", "realy = ", "did you mean `relay`?"),
        ("kirjaamo@sm.example", "kirjaamo", "mailbox@ministry"),
        ("kirjaamo@sm.example", "kirjaamo@um.example", "not at sm.example"),
        ("/system/", "/relay/", "names spiffe://sm.example/system/kirjaamo"),
        ("127.0.0.1:7101", "127.0.0.1", "host:port"),
        ("127.0.0.1:7101", "127.0.0.1:0", "host:port"),
        ("trust = \"../trust\"", "", "`trust`"),
    ];
    for (from, to, trouble) in cases {
        let files = Files::new();
        files.write("profile/system.toml", &TOML.replace(from, to));
        let text = files.load().unwrap_err().to_string();
        assert!(text.contains(trouble), "{text}");
    }
}

#[test]
fn a_missing_or_unfit_file_is_named() {
    for (name, code) in [
        ("profile/system.toml", Code::CONFIG),
        ("profile/tls.pem", Code::KEY_FILE),
        ("profile/signing.key", Code::KEY_FILE),
        ("profile/sealing.key", Code::KEY_FILE),
        ("trust/um.example.crl.pem", Code::KEY_FILE),
    ] {
        let files = Files::new();
        fs::remove_file(files.path(name)).unwrap();
        files.fails(code, Path::new(name).file_name().unwrap().to_str().unwrap(), "read");
    }
    let files = Files::new();
    let other = files.world.sm.issue("system/other", Purpose::Signing);
    files.write("profile/signing.pem", &other.certificate_pem);
    files.fails(Code::KEY_FILE, "signing.pem", "cannot be used");
    files.secret("profile/signing.key", &other.key_pem);
    files.fails(Code::KEY_FILE, "signing.pem", "names spiffe://sm.example/system/other");

    for garbled in [
        "trust/um.example.ca.pem",
        "trust/um.example.seal.pub",
        "trust/sm.example.release.pub",
        "trust/sm.example.log.vkey",
        "trust/um.example.log.vkey",
        "profile/sealing.key",
    ] {
        let files = Files::new();
        files.write(garbled, "garbled");
        let name = Path::new(garbled).file_name().unwrap().to_str().unwrap();
        files.fails(Code::KEY_FILE, name, "cannot be used");
    }
}

#[test]
fn the_key_of_a_log_is_the_one_of_its_ministry() {
    let files = Files::new();
    fs::remove_file(files.path("trust/sm.example.log.vkey")).unwrap();
    files.fails(Code::KEY_FILE, "trust/sm.example.log.vkey", "is missing");

    let files = Files::new();
    let (sm, um) = (files.world.sm.log.key(), files.world.um.log.key());
    let witness = VerifierKey::new(um.name().clone(), KeyKind::Cosignature, *um.public_key());
    let again = VerifierKey::new("um.example/log/2".parse().unwrap(), um.kind(), *um.public_key());
    let two = format!("{um}\n{um}\n");
    for (key, trouble) in [
        (&sm.to_string(), "for `sm.example/log`, not for `um.example/log`"),
        (&again.to_string(), "for `um.example/log/2`, not for `um.example/log`"),
        (&witness.to_string(), "a witness's key"),
        (&two, "cannot be used"),
    ] {
        files.write("trust/um.example.log.vkey", key);
        files.fails(Code::KEY_FILE, "um.example.log.vkey", trouble);
    }
}

#[test]
fn a_profile_without_files_needs_the_key_of_its_own_log_too() {
    let world = World::new();
    let builder = world.profile_without_log_keys(&world.sm, "127.0.0.1:7101");
    let builder = builder.log_key(&world.um.ministry, world.um.log.key()).unwrap();
    let error = builder.build().unwrap_err();
    assert!(error.to_string().contains("sm.example.log.vkey"), "{error}");
    let builder = world.profile_without_log_keys(&world.sm, "127.0.0.1:7101");
    let error = builder.log_key(&world.sm.ministry, world.um.log.key()).unwrap_err();
    assert!(error.to_string().contains("sm.example.log.vkey"), "{error}");
}
