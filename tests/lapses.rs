//! What ends: operators hear of it before, and nothing that has ended, or was replaced, comes back.

use std::{fs, path::Path, process::Output};

use kuriiri_certs::{Authority, Purpose, Serial};
use kuriiri_seal::{Signer, sign_file};
use kuriiri_transport::Conversation;
use kuriiri_types::FileKind;
use serde_json::Value;

use crate::{
    books::Sent,
    documents::embedded,
    evidence::{eventually, size, verified},
    federation::{Federation, kuriiri, succeeded},
    identity::{days, identity},
};

fn check(federation: &Federation, relay: &str, more: &[&str]) -> Output {
    let config = federation.path(&format!("{relay}/relay.toml"));
    let args = ["relay".as_ref(), "--check".as_ref(), "--config".as_ref(), config.as_os_str()];
    let more: Vec<_> = more.iter().map(|word| (*word).as_ref()).collect();
    kuriiri(&[&args[..], &more[..]].concat())
}

/// What the operator of sm is shown.
fn alerts(federation: &Federation, more: &[&str]) -> Output {
    let anna = federation.path("sm/operators/anna");
    let args = ["alerts".as_ref(), "--as".as_ref(), anna.as_os_str()];
    let more: Vec<_> = more.iter().map(|word| (*word).as_ref()).collect();
    kuriiri(&[&args[..], &more[..]].concat())
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_refused(federation: &Federation, code: &str) {
    let refused = check(federation, "sm", &[]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(complaint(&refused).contains(code), "{}", complaint(&refused));
}

/// A peer's certificate is revoked; with the list from before, it would get in again.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_from_before_a_revocation_is_not_taken_back() {
    let mut federation = Federation::written();
    let authority = federation.with_authority_of_plm("sm");
    let id = "spiffe://plm.example/relay/r1".parse().unwrap();
    let stolen = authority.issue(&id, Purpose::Tls, days(-1, 30)).unwrap();
    let list = |revoked: &[Serial], time| authority.crl(revoked, time).unwrap();
    // A list has the moment of its issue for its number.
    let [first, second, third] = [-3, -2, -1].map(|day| days(day, 30));
    let (older, newer) = (list(&[], first), list(&[stolen.serial], second));
    let place = federation.path("federation/revocation/plm.example.pem");
    fs::write(&place, &newer).unwrap();
    federation.start("sm");
    let knock = || federation.knock(identity(&stolen), Conversation::Relay);
    assert!(knock().await.is_none(), "it is revoked");

    fs::write(&place, &older).unwrap();
    federation.hang_up("sm");
    federation.says("sm", "KRI-1019");
    assert!(knock().await.is_none(), "it is still revoked");
    assert_refused(&federation, "KRI-1019");
    // A list of the same number without the revocation.
    fs::write(&place, list(&[], second)).unwrap();
    federation.hang_up("sm");
    federation.says("sm", "KRI-1020");
    assert_refused(&federation, "KRI-1020");
    fs::remove_file(&place).unwrap();
    federation.hang_up("sm");
    federation.says("sm", "KRI-1021");
    assert!(knock().await.is_none(), "it is still revoked");
    // To say now that there is none is the operator's own word.
    let config = federation.path("sm/relay.toml");
    let text = fs::read_to_string(&config).unwrap();
    let without = format!("danger-without-revocation = [\"plm.example\"]\n{text}");
    fs::write(&config, without).unwrap();
    succeeded(&check(&federation, "sm", &[]));
    fs::write(&config, &text).unwrap();

    federation.kill("sm");
    for (list, code) in [(Some(&older), "KRI-1019"), (None, "KRI-1021")] {
        match list {
            Some(list) => fs::write(&place, list).unwrap(),
            None => fs::remove_file(&place).unwrap(),
        }
        let refused = kuriiri(&["relay".as_ref(), "--config".as_ref(), config.as_os_str()]);
        assert!(complaint(&refused).contains(code), "{}", complaint(&refused));
    }
    // A list that somebody else signed says nothing, whatever its number.
    let forger = federation.with_authority_of_plm("um");
    fs::write(&place, forger.crl(&[], days(-1, 30)).unwrap()).unwrap();
    assert_refused(&federation, "KRI-1002");
    fs::write(&place, list(&[stolen.serial], third)).unwrap();
    federation.start("sm");
}

fn objects(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What ends, of those.
fn named<'a>(all: &'a [Value], what: &str) -> Vec<&'a Value> {
    all.iter().filter(|end| end["what"] == what).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_hear_five_days_before_what_ends() {
    let mut federation = Federation::written_for("5");
    let said = succeeded(&check(&federation, "sm", &[]));
    let is_said = |line: &str| line.starts_with("in 4 d") && line.ends_with("revocation list");
    assert!(said.lines().any(is_said), "{said}");
    let checked = check(&federation, "sm", &["--json"]);
    assert!(checked.status.success());
    let ends = objects(&checked)[0]["ends"].as_array().unwrap().clone();
    assert!(ends.is_sorted_by_key(|end| end["days"].as_i64().unwrap()), "{ends:?}");
    let own = &named(&ends, "certificate of this relay")[0];
    assert_eq!((own["days"].as_i64(), own["over"].as_bool()), (Some(4), Some(false)));
    assert!(Path::new(own["file"].as_str().unwrap()).ends_with("sm/tls.pem"));
    for (what, number) in [
        ("certificate authority", 4),
        ("revocation list", 4),
        ("certificate of a signer of files", 5),
        ("signatures of a file", 6),
    ] {
        let found = named(&ends, what);
        assert_eq!(found.len(), number, "{what}");
        assert!(found.iter().all(|end| end["days"] == 4), "{found:?}");
    }

    federation.start("sm");
    federation.says("sm", "ends within 7 days");
    let alerted = alerts(&federation, &["--json"]);
    assert_eq!(alerted.status.code(), Some(3), "{}", complaint(&alerted));
    let shown = objects(&alerted);
    assert_eq!(named(&shown, "revocation list").len(), 4);
    assert!(shown.iter().all(|end| end["days"].as_i64().unwrap() < 30));
    let all = objects(&alerts(&federation, &["--json", "--all"]));
    let whats = |all: &[Value]| all.iter().map(|end| end["what"].clone()).collect::<Vec<_>>();
    assert_eq!(whats(&all), whats(&ends));
    let text = alerts(&federation, &[]);
    assert_eq!(text.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&text.stdout).contains("put the newest list in place"));
}

/// A relay with a year before it has nothing to say, and one whose certificate is over says so itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_does_not_start_on_a_certificate_that_is_over() {
    let mut federation = Federation::written();
    let authority = federation.with_authority_of_plm("sm");
    federation.start("um");
    let anna = federation.path("um/operators/anna");
    let quiet = kuriiri(&["alerts".as_ref(), "--as".as_ref(), anna.as_os_str()]);
    assert!(succeeded(&quiet).contains("nothing ends within 30 days"));

    let id = "spiffe://sm.example/relay/r1".parse().unwrap();
    let (certificate, key) = (federation.path("sm/tls.pem"), federation.path("sm/tls.key"));
    let list = authority.crl(&[], days(-1, 30)).unwrap();
    fs::write(federation.path("federation/revocation/plm.example.pem"), list).unwrap();
    succeeded(&check(&federation, "sm", &[]));
    let good = fs::read_to_string(&key).unwrap();
    for (validity, word) in [(days(-9, -1), "ended at"), (days(1, 9), "counts from")] {
        let issued = authority.issue(&id, Purpose::Tls, validity).unwrap();
        fs::write(&certificate, &issued.certificate_pem).unwrap();
        fs::write(&key, &issued.key_pem).unwrap();
        assert_refused(&federation, "KRI-1002");
        let config = federation.path("sm/relay.toml");
        let refused = kuriiri(&["relay".as_ref(), "--config".as_ref(), config.as_os_str()]);
        let said = complaint(&refused);
        assert!(!refused.status.success() && said.contains(word), "{said}");
        assert!(said.contains("tls.pem"), "{said}");
    }
    fs::write(&key, good).unwrap();
    let said = complaint(&check(&federation, "sm", &[]));
    assert!(said.contains("does not belong to the certificate"), "{said}");
}

/// Signs all files that the stewards signed as one whose certificate ended yesterday, and has sm believe in that one
/// alone.
fn sign_as_lapsed(federation: &Federation) {
    let ministry = "verkko.example".parse().unwrap();
    let authority = Authority::new(&ministry, days(-9, 30)).unwrap();
    let id = "spiffe://verkko.example/officer/sulo".parse().unwrap();
    let issued = authority.issue(&id, Purpose::Signing, days(-9, -1)).unwrap();
    let signer = Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap();
    for steward in ["sulo", "taru"] {
        let pinned = federation.path(&format!("federation/signers/{steward}.pem"));
        fs::write(pinned, &issued.certificate_pem).unwrap();
    }
    for (name, kind) in [
        ("federation", FileKind::Federation),
        ("policy", FileKind::Rules),
        ("translate-eu-fi", FileKind::Translation),
        ("catalogue-fi", FileKind::Catalogue),
        ("catalogue-eu", FileKind::Catalogue),
        ("catalogue-tlp", FileKind::Catalogue),
    ] {
        let file = federation.path(&format!("sm/policy/{name}.toml"));
        let text = sign_file(kind, &fs::read(&file).unwrap(), None, &signer).unwrap();
        fs::write(file.with_extension("toml.sig"), text).unwrap();
    }
}

/// What is in force stays in force when those who signed it have other certificates by now. What is new does not
/// get there by them.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_outlives_the_certificates_of_those_who_signed_it() {
    let mut federation = Federation::written();
    federation.start("sm");
    federation.start("plm");
    federation.kill("sm");
    sign_as_lapsed(&federation);
    federation.start("sm");
    let sm = federation.client("sm", "kirjaamo").await;
    let mut sent = Sent::default();
    sent.send(&sm, &["kirjaamo@plm.example"], "FI JULK", &embedded()).await;
    federation.hang_up("sm");
    federation.says("sm", "in force");
    let shown = objects(&alerts(&federation, &["--json"]));
    let over = |end: &&Value| end["over"] == true;
    assert_eq!(named(&shown, "signatures of a file").iter().filter(|end| over(end)).count(), 6);

    let rules = federation.path("sm/policy/policy.toml");
    let changed = format!("{}\n# of today\n", fs::read_to_string(&rules).unwrap());
    fs::write(&rules, changed).unwrap();
    sign_as_lapsed(&federation);
    let refused = check(&federation, "sm", &[]);
    let said = complaint(&refused);
    assert!(said.contains("KRI-1007") && said.contains("officer/sulo did with another"), "{said}");

    eventually("a log that an auditor has nothing against", || {
        let log = federation.path("sm/log");
        verified(&federation.path("sm"), &log, &[]).exit() != 1 && size(&log) > 20
    });
}
