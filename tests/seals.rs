//! Whether a body is sealed is what the federation file and the body say, at every relay, whatever its header
//! claims.

use std::fs;

use bytes::Bytes;
use kuriiri_client::SendError;
use kuriiri_seal::{SealingKey, SealingPublicKey, seal};
use kuriiri_types::{Code, Ministry, Sealing};
use kuriiri_wire::relay::RelayedPart;

use crate::{
    books::{Books, Sent, draft},
    documents::embedded,
    federation::{Federation, RELAYS},
    identity::{new_id, signed_by_plm},
    stories::SECRET,
};

const PLM: &str = "kirjaamo@plm.example";

impl Federation {
    /// The key in a ministry's file of the trust folder.
    fn listed_key(&self, ministry: &str) -> SealingPublicKey {
        self.read(&format!("federation/trust/{ministry}.seal.pub")).trim().parse().unwrap()
    }
}

/// A message of class four by plm's registry, genuinely signed, that says to whom it is sealed; with a body
/// as it is sealed, or with another.
fn message(
    federation: &Federation,
    ministry: &str,
    key: SealingPublicKey,
    change: impl FnOnce(Sealing, Vec<u8>) -> (Sealing, Vec<u8>),
) -> (RelayedPart, Bytes) {
    let (id, dest): (_, Ministry) = (new_id(), ministry.parse().unwrap());
    let (sealing, body) = seal(SECRET.as_bytes(), &[(dest, key)], &id).unwrap();
    let (sealing, body) = change(sealing, body);
    signed_by_plm(federation, id, (ministry, "FI TL4"), (&body, Some(sealing)))
}

/// A system and a relay of one ministry that act together, or are both in another's hands, get nothing to a hub
/// or a recipient that is not sealed as it says: not in the clear, whatever keys it names, and not to a key that
/// nobody but them knows.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sealed_as_it_says_is_taken_by_no_hub_and_no_recipient() {
    let federation = Federation::started(&["sm", "hub"]);
    let as_it_is = |sealing, body| (sealing, body);
    let clear = |sealing, _| (sealing, SECRET.as_bytes().to_vec());
    // As long as a sealed one, and readable.
    let filled = |sealing: Sealing, body: Vec<u8>| {
        let text = SECRET.bytes().cycle().take(body.len() - 2);
        (sealing, [0, 1].into_iter().chain(text).collect())
    };
    let two = |mut sealing: Sealing, body| {
        let other = SealingKey::generate().unwrap().public_key();
        sealing.keys.push(kuriiri_types::SealKeyId { key: other.id(), ..sealing.keys[0].clone() });
        sealing.keys.sort();
        (sealing, body)
    };
    let suite = |sealing, body| (Sealing { suite: 2, ..sealing }, body);
    for (relay, dest) in
        [(("sm", "sm.example"), "sm.example"), (("hub", "verkko.example"), "um.example")]
    {
        let listed = || federation.listed_key(dest);
        let invented = || SealingKey::generate().unwrap().public_key();
        let made = [
            message(&federation, dest, listed(), as_it_is),
            message(&federation, dest, invented(), as_it_is),
            message(&federation, dest, invented(), clear),
            message(&federation, dest, listed(), clear),
            message(&federation, dest, listed(), filled),
            message(&federation, dest, listed(), two),
            message(&federation, dest, listed(), suite),
        ];
        let certificate = made[0].1.clone();
        let parts = made.map(|(part, _)| part).into();
        let told = federation.told_by(relay, "plm", (parts, certificate)).await;
        let (taken, not_listed, not_sealed) = (None, Some(Code::POLICY), Some(Code::SEAL_FALSE));
        let mut expected = vec![taken, not_listed];
        expected.extend([not_sealed; 5]);
        assert_eq!(told, expected, "{relay:?}");
        assert!(!federation.knows_the_secret(&format!("{}/state", relay.0)), "{relay:?}");
    }
}

/// A sender whose trust folder has another key is told whose it is and what to do. Where the new key is listed
/// beside the old one, messages to either go.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_refused_at_home_and_a_new_one_is_listed_beside_the_old() {
    let mut federation = Federation::started(&RELAYS);
    let (old, new) = (federation.listed_key("plm.example"), SealingKey::generate().unwrap());
    let file = federation.path("federation/trust/plm.example.seal.pub");
    fs::write(&file, format!("{}\n", new.public_key())).unwrap();
    let ahead = federation.client("sm", "kirjaamo").await;
    let secret = || draft(&[PLM], "FI TL4", "", SECRET.as_bytes());
    let error = ahead.send(secret()).await.unwrap_err();
    let SendError::Refused { refusal, .. } = &error else { panic!("{error}") };
    assert_eq!(refusal.code, Code::POLICY);
    let why = refusal.reasons.iter().find(|why| why.contains("SEAL_KEY_UNKNOWN: "));
    assert!(why.is_some_and(|why| why.contains("`plm.example.seal.pub`")), "{refusal:?}");
    drop(ahead);

    for relay in ["sm", "plm"] {
        federation.kill(relay);
        let file = federation.path(&format!("{relay}/policy/federation.toml"));
        let members = fs::read_to_string(&file).unwrap();
        let both = format!("\"{old}\", \"{}\"", new.public_key());
        let members = members.replace(&format!("\"{old}\""), &both);
        fs::write(&file, members.replace("serial = 19", "serial = 20")).unwrap();
        federation.sign_anew(&file);
        federation.start(relay);
    }
    fs::write(federation.system("plm", "kirjaamo").join("sealing.key"), new.to_text()).unwrap();
    let ahead = federation.client("sm", "kirjaamo").await;
    let (mut books, mut sent) = (Books::new(), Sent::default());
    sent.send(&ahead, &[PLM], "FI TL4", &embedded()).await;
    books.receive(&federation.client("plm", "kirjaamo").await);
    books.until(sent.copies()).await;
    books.check(&sent);
    drop(books);
    fs::write(&file, format!("{old}\n")).unwrap();
    let behind = federation.client("sm", "kirjaamo").await;
    behind.send(secret()).await.unwrap();
}
