//! What counted as sealed before `semantics` 3.

use kuriiri_types::{
    MessageId, MessageType, Precedence, Recipient, Role, SealKeyId, Sealing, Timestamp,
};

use super::*;

const VECTORS: &str = include_str!("../../../../tests/vectors/seal/counted.txt");

#[test]
fn the_vectors_counted_by_the_meaning_before_as_they_say() {
    let mut count = 0;
    for case in VECTORS.split("\ncase ").skip(1) {
        let all = |name: &str| {
            let line = case.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.unwrap().split(' ').collect::<Vec<_>>()
        };
        let key = |text: &str| SealKeyId {
            ministry: text.split(':').next().unwrap().parse().unwrap(),
            key: digest(text.as_bytes()),
        };
        let header = header(&all("to"), all("keys").into_iter().map(key).collect());
        let found = names_recipients_only(&header, &all("dest")[0].parse().unwrap());
        assert_eq!(if found { "sealed" } else { "open" }, all("semantics-2")[0], "{case}");
        count += 1;
    }
    assert_eq!(count, 21);
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
