//! Nothing that was replaced comes back.

use std::{fs, process::Output};

use kuriiri_certs::{Purpose, Serial};
use kuriiri_transport::Conversation;

use crate::{
    federation::{Federation, kuriiri, succeeded},
    identity::{days, identity},
};

fn check(federation: &Federation, relay: &str, more: &[&str]) -> Output {
    let config = federation.path(&format!("{relay}/relay.toml"));
    let args = ["relay".as_ref(), "--check".as_ref(), "--config".as_ref(), config.as_os_str()];
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
