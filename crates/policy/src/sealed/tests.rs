//! A message counts as sealed to keys that the federation file lists, and to no others.

use kuriiri_merkle::digest;
use kuriiri_types::{
    Digest, MessageId, MessageType, Precedence, Recipient, Role, Timestamp,
    limits::MINISTRY_KEYS_MAX,
};

use super::*;

/// A key is one byte again and again.
fn text(byte: u8) -> String {
    format!("kuriiri-sealing-public-key-1:{}", format!("{byte:02x}").repeat(1216))
}

fn key(name: &str, byte: u8) -> SealKeyId {
    SealKeyId { ministry: ministry(name), key: digest(&[byte; 1216]) }
}

fn ministry(name: &str) -> Ministry {
    name.parse().unwrap()
}

fn nodes(nodes: &[(&str, &str)]) -> Result<Federation, String> {
    let mut file = "format='federation/1'\nserial=1\n".to_owned();
    for (id, keys) in nodes {
        file.push_str(&format!(
            "[[node]]\nid='{id}'\ndomain='{id}.example'\nname={{fi='a',sv='b',en='c'}}\ngoverning='FI'\n{keys}\n"
        ));
    }
    Federation::parse(&file).map_err(|error| error.to_string())
}

fn list(name: &str, bytes: &[u8]) -> String {
    let texts: Vec<String> = bytes.iter().map(|byte| text(*byte)).collect();
    format!("{name} = {texts:?}\n")
}

/// The sender `sm` with a key of its own, `plm` with an old and a new one, `um` without any.
fn federation() -> Federation {
    let sm = list("sealing_keys", &[10]) + &list("release_keys", &[11, 12]);
    let plm = list("sealing_keys", &[20, 21]) + &list("release_keys", &[22]);
    nodes(&[("sm", &sm), ("plm", &plm), ("um", ""), ("vm", &list("sealing_keys", &[40]))]).unwrap()
}

fn header(to: &[&str], keys: Vec<SealKeyId>) -> Header {
    let to = to.iter().map(|name| format!("kirjaamo@{name}").parse().unwrap());
    Header {
        id: MessageId::new(Timestamp::default(), [1; 10]),
        from: "kirjaamo@sm.example".parse().unwrap(),
        to: to.map(|address| Recipient { address, role: Role::Action }).collect(),
        label: None,
        precedence: Precedence::Routine,
        message_type: MessageType::Operation,
        created: Timestamp::default(),
        expires: None,
        content_type: "text/plain".into(),
        body_size: 0,
        body_commitment: Digest([0; 32]),
        subject: String::new(),
        conversation: None,
        in_reply_to: None,
        obsoletes: None,
        sealing: Some(Sealing { suite: Sealing::SUITE, keys, content: Digest([0; 32]) }),
        drafter: None,
    }
}

fn check(to: &[&str], keys: Vec<SealKeyId>) -> Result<(), Unsealed> {
    federation().check_seal(&header(to, keys), &ministry(to[0]))
}

const PLM: &str = "plm.example";
const VM: &str = "vm.example";
const SM: &str = "sm.example";

#[test]
fn old_and_new_key_count_while_both_are_listed_and_so_do_both_together() {
    for keys in [vec![20], vec![21], vec![20, 21]] {
        let keys = keys.into_iter().map(|byte| key(PLM, byte)).collect();
        assert_eq!(check(&[PLM], keys), Ok(()));
    }
    let changed = nodes(&[("sm", ""), ("plm", &list("sealing_keys", &[21]))]).unwrap();
    let sealed = |byte| header(&[PLM], vec![key(PLM, byte)]);
    assert_eq!(changed.check_seal(&sealed(21), &ministry(PLM)), Ok(()));
    let old = changed.check_seal(&sealed(20), &ministry(PLM));
    assert_eq!(old, Err(Unsealed::UnknownKey(ministry(PLM))), "taken out of the file");
}

#[test]
fn an_invented_key_does_not_count_alone_or_beside_others() {
    let unknown = Err(Unsealed::UnknownKey(ministry(PLM)));
    assert_eq!(check(&[PLM], vec![key(PLM, 99)]), unknown);
    assert_eq!(check(&[PLM], vec![key(PLM, 20), key(PLM, 99)]), unknown);
    assert_eq!(check(&[PLM], vec![key(PLM, 22)]), unknown, "its officers are none of ours");
    assert_eq!(check(&[PLM], vec![key(PLM, 40)]), unknown, "the key of another ministry");
}

#[test]
fn it_is_sealed_to_every_recipient_and_to_nobody_else() {
    assert_eq!(check(&[PLM, VM], vec![key(PLM, 20), key(VM, 40)]), Ok(()));
    assert_eq!(check(&[PLM, VM], vec![key(PLM, 20)]), Err(Unsealed::NotTo(ministry(VM))));
    let stranger = check(&[PLM], vec![key(PLM, 20), key(VM, 40)]);
    assert_eq!(stranger, Err(Unsealed::Stranger(ministry(VM))));
    let elsewhere = federation().check_seal(&header(&[PLM], vec![key(PLM, 20)]), &ministry(VM));
    assert_eq!(elsewhere, Err(Unsealed::NotTo(ministry(VM))), "a copy for whom it is not");
}

#[test]
fn without_a_listed_key_nothing_is_sealed() {
    let um = "um.example";
    assert_eq!(check(&[um], vec![key(um, 30)]), Err(Unsealed::NoKey(ministry(um))));
    let mut open = header(&[PLM], vec![key(PLM, 20)]);
    open.sealing = None;
    assert_eq!(federation().check_seal(&open, &ministry(PLM)), Err(Unsealed::Open));
    let mut other = header(&[PLM], vec![key(PLM, 20)]);
    other.sealing.as_mut().unwrap().suite = 2;
    assert_eq!(federation().check_seal(&other, &ministry(PLM)), Err(Unsealed::Suite(2)));
}

#[test]
fn the_senders_officers_read_what_is_sealed_to_one_of_their_release_keys() {
    for (own, counts, is_read) in [
        (None, Ok(()), false),
        (Some(11), Ok(()), true),
        (Some(12), Ok(()), true),
        (Some(10), Err(Unsealed::UnknownReleaseKey(ministry(SM))), false),
        (Some(99), Err(Unsealed::UnknownReleaseKey(ministry(SM))), false),
    ] {
        let own = own.map(|byte| key(SM, byte));
        let header = header(&[PLM], [key(PLM, 20)].into_iter().chain(own).collect());
        let federation = federation();
        assert_eq!(federation.check_seal(&header, &ministry(PLM)), counts, "{:?}", header.sealing);
        assert_eq!(federation.is_readable_by_officers(&header), is_read, "{:?}", header.sealing);
    }
    let both = [key(PLM, 20), key(SM, 10), key(SM, 12)];
    assert_eq!(check(&[PLM, SM], both.to_vec()), Ok(()), "the sender's ministry has a copy too");
    assert_eq!(check(&[PLM, SM], both[..2].to_vec()), Ok(()));
    let officers_alone = check(&[PLM, SM], vec![key(PLM, 20), key(SM, 11)]);
    assert_eq!(officers_alone, Err(Unsealed::NotTo(ministry(SM))));
}

#[test]
fn every_reason_says_whose_key_it_is_and_what_to_do() {
    let plm = || ministry(PLM);
    for why in [
        Unsealed::NoKey(plm()),
        Unsealed::NotTo(plm()),
        Unsealed::UnknownKey(plm()),
        Unsealed::UnknownReleaseKey(plm()),
        Unsealed::Stranger(plm()),
    ] {
        let text = why.to_string();
        assert!(text.contains(PLM) && text.contains(": "), "{text}");
        assert!(why.code().starts_with("SEAL_") && text.len() < 300, "{text}");
    }
}

#[test]
fn a_file_lists_whole_keys_each_once_and_not_too_many() {
    let one = |keys: &str| nodes(&[("plm", keys)]);
    let listed = one(&format!("sealing_key = '{}'\n{}", text(1), list("sealing_keys", &[2])));
    let listed = listed.unwrap();
    assert!(listed.has_sealing_key(&ministry(PLM)));
    let plm = listed.get(listed.by_id("plm").unwrap()).unwrap();
    assert_eq!(plm.sealing_keys().len(), 2, "one by the short name, which earlier files have");
    let many: Vec<u8> = (0..=u8::try_from(MINISTRY_KEYS_MAX).unwrap()).collect();
    for (keys, words) in [
        ("sealing_keys = ['x']".to_owned(), "a sealing key is one line"),
        ("sealing_key = ''".to_owned(), "a sealing key is one line"),
        (format!("release_keys = ['{}0']", text(1)), "a sealing key is one line"),
        (format!("release_keys = ['{}']", text(1).to_uppercase()), "a sealing key is one line"),
        (list("sealing_keys", &many), "at most 8"),
        (list("sealing_keys", &[1, 1]), "stands twice"),
        (list("sealing_keys", &[1]) + &list("release_keys", &[1]), "stands twice"),
    ] {
        let error = one(&keys).unwrap_err();
        assert!(error.contains("node `plm`") && error.contains(words), "{error}");
    }
    let two = nodes(&[("plm", &list("sealing_keys", &[1])), ("um", &list("release_keys", &[1]))]);
    assert!(two.unwrap_err().contains("node `um`"), "one key has one holder");
}

// === the vectors ===

const VECTORS: &str = include_str!("../../../../tests/vectors/seal/counted.txt");

fn listed(vectors: &str) -> Federation {
    let mut keys: std::collections::BTreeMap<&str, String> = [("um.example", String::new())].into();
    for line in vectors.lines().filter_map(|line| line.strip_prefix("listed ")) {
        let [ministry, list, byte, id] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let byte = u8::from_str_radix(byte, 16).unwrap();
        assert_eq!(digest(&[byte; 1216]).to_string(), id);
        let texts = keys.entry(ministry).or_default();
        texts.push_str(&format!("{list} {}\n", text(byte)));
    }
    let node = |(name, keys): (&str, String)| {
        let of = |list: &str| {
            let keys = keys.lines().filter_map(|line| line.strip_prefix(&format!("{list} ")));
            format!("{list} = {:?}\n", keys.collect::<Vec<_>>())
        };
        (name.split('.').next().unwrap().to_owned(), of("sealing_keys") + &of("release_keys"))
    };
    let all: Vec<_> = keys.into_iter().map(node).collect();
    let all: Vec<_> = all.iter().map(|(id, keys)| (id.as_str(), keys.as_str())).collect();
    nodes(&all).unwrap()
}

#[test]
fn the_vectors_count_as_they_say() {
    let federation = listed(VECTORS);
    let mut count = 0;
    for case in VECTORS.split("\ncase ").skip(1) {
        let all = |name: &str| {
            let line = case.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.unwrap_or_else(|| panic!("no {name} in {case}")).split(' ').collect::<Vec<_>>()
        };
        let named = |text: &str| {
            let (ministry, byte) = text.split_once(':').unwrap();
            key(ministry, u8::from_str_radix(byte, 16).unwrap())
        };
        let mut header = header(&all("to"), all("keys").into_iter().map(named).collect());
        header.sealing.as_mut().unwrap().suite = all("suite")[0].parse().unwrap();
        let found = federation.check_seal(&header, &ministry(all("dest")[0]));
        assert_eq!(
            found.as_ref().map_or_else(Unsealed::code, |()| "sealed"),
            all("semantics-3")[0],
            "{case}"
        );
        count += 1;
    }
    assert_eq!(count, 21);
}
