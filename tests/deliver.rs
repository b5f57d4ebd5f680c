//! Messages come where they should, once and unchanged, whatever is killed.

use kuriiri_types::{Code, Precedence, ReceiptKind};

use crate::{
    books::{Books, Sent, draft},
    documents::{documents, embedded},
    federation::{Federation, RELAYS},
};

/// Three ministries exchange every document there is: directly, through the hub sealed, and to two
/// ministries at once.
#[tokio::test(flavor = "multi_thread")]
async fn three_ministries_exchange_all_documents() {
    let federation = Federation::started(&RELAYS);
    let (sm, plm, um) = (
        federation.client("sm", "kirjaamo").await,
        federation.client("plm", "kirjaamo").await,
        federation.client("um", "kirjaamo").await,
    );
    let mut books = Books::new();
    for client in [&sm, &plm, &um] {
        books.receive(client);
    }
    let (all, some) = (documents(), embedded());
    let mut sent = Sent::default();
    sent.send(&sm, &["kirjaamo@plm.example"], "FI JULK", &all).await;
    sent.send(&sm, &["kirjaamo@um.example"], "FI TL4", &some).await;
    let both = ["kirjaamo@sm.example", "kirjaamo@plm.example"];
    sent.send(&um, &both, "FI SALP", &some).await;
    sent.send(&plm, &["kirjaamo@um.example"], "FI TL4 REL{PLM,UM}", &some).await;
    books.until(sent.copies()).await;
    books.check(&sent);
}

/// What was signed at once goes different ways, so each relay and each system gets a part of it.
#[tokio::test(flavor = "multi_thread")]
async fn one_signed_batch_is_divided_over_ministries() {
    let federation = Federation::started(&RELAYS);
    let sm = federation.client("sm", "kirjaamo").await;
    let mut books = Books::new();
    books.receive(&federation.client("plm", "kirjaamo").await);
    books.receive(&federation.client("um", "kirjaamo").await);
    let (plm, um) = ("kirjaamo@plm.example", "kirjaamo@um.example");
    let ways: [&[&str]; 4] = [&[plm], &[um], &[plm, um], &[um]];
    let documents = embedded();
    let drafts = documents.iter().zip(ways.iter().cycle());
    let drafts = drafts.map(|((name, body), to)| draft(to, "FI JULK", name, body));
    let mut sent = Sent::default();
    for (result, (_, body)) in sm.send_many(drafts.collect::<Vec<_>>()).await.iter().zip(&documents)
    {
        sent.note(result.as_ref().unwrap(), body);
    }
    books.until(sent.copies()).await;
    books.check(&sent);
}

/// A relay is killed again and again while all documents pass through it; nothing is lost and
/// nothing is shown twice.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_relays_are_killed_at_any_moment() {
    let mut federation = Federation::started(&RELAYS);
    let (sm, plm, um) = (
        federation.client("sm", "kirjaamo").await,
        federation.client("plm", "kirjaamo").await,
        federation.client("um", "kirjaamo").await,
    );
    let mut books = Books::new();
    books.receive(&plm);
    books.receive(&um);
    let all = documents();
    let sending = async {
        let mut sent = Sent::default();
        for part in all.chunks(all.len().div_ceil(8)) {
            sent.send(&sm, &["kirjaamo@plm.example"], "FI JULK", part).await;
            sent.send(&sm, &["kirjaamo@um.example"], "FI SALP", part.get(..8).unwrap_or(part))
                .await;
        }
        sent
    };
    let killing = async {
        // Which relay, and after how much has come: every relay on the way, at other moments.
        let share = all.len() / 8;
        for (victim, after) in [
            ("plm", share / 2),
            ("sm", share),
            ("hub", 2 * share),
            ("plm", 3 * share),
            ("um", 4 * share),
            ("sm", 5 * share),
        ] {
            books.until(after).await;
            federation.kill(victim);
            federation.start(victim);
        }
    };
    let (sent, ()) = tokio::join!(sending, killing);
    books.until(sent.copies()).await;
    books.check(&sent);
}

/// What waits for a ministry that is away is delivered when it comes back, the urgent before the
/// rest, in order within a precedence.
#[tokio::test(flavor = "multi_thread")]
async fn an_offline_ministry_gets_the_urgent_first_and_the_rest_in_order() {
    let mut federation = Federation::started(&["sm"]);
    let sm = federation.client("sm", "kirjaamo").await;
    let to = ["kirjaamo@plm.example"];
    let precedences =
        [Precedence::Deferred, Precedence::Routine, Precedence::Flash, Precedence::Override];
    for number in 0..3 {
        for precedence in precedences {
            let subject = format!("{precedence} {number}");
            let draft = draft(&to, "FI JULK", &subject, subject.as_bytes()).precedence(precedence);
            sm.send(draft).await.unwrap();
        }
    }
    federation.start("plm");
    // The mailbox fills before anybody reads it: the order of reading is the mailbox's alone.
    let mut watch = sm.receipts();
    let mut relayed = 0;
    while relayed < 12 {
        let placed = watch.next().await.unwrap().unwrap();
        assert_eq!(placed.receipt().kind, ReceiptKind::Relayed);
        relayed += placed.about().count();
    }
    let plm = federation.client("plm", "kirjaamo").await;
    let mut inbox = plm.receive(kuriiri_client::ReceiveOptions::default());
    let mut came = Vec::new();
    for _ in 0..12 {
        let message = inbox.next().await.unwrap().unwrap();
        came.push(message.header().subject.clone());
        message.confirm().await.unwrap();
    }
    let urgent = precedences.into_iter().rev();
    let expected: Vec<_> = urgent.flat_map(|p| (0..3).map(move |n| format!("{p} {n}"))).collect();
    assert_eq!(came, expected);
}

/// The whole ladder of receipts reaches the sender, also one that was away in between.
#[tokio::test(flavor = "multi_thread")]
async fn receipts_wait_for_a_sender_that_comes_back() {
    let federation = Federation::started(&["sm", "plm"]);
    let id = {
        let sm = federation.client("sm", "kirjaamo").await;
        let to = ["kirjaamo@plm.example", "nobody@plm.example"];
        let accepted = sm.send(draft(&to, "FI JULK", "", b"hello")).await.unwrap();
        assert_eq!(accepted.recipients, to.map(|to| to.parse().unwrap()));
        let kinds = accepted.receipts.iter().map(|r| r.receipt().kind);
        assert!(kinds.into_iter().all(|kind| kind == ReceiptKind::Accepted));
        sm.close().await;
        accepted.id
    };
    let plm = federation.client("plm", "kirjaamo").await;
    let mut inbox = plm.receive(kuriiri_client::ReceiveOptions::default());
    inbox.next().await.unwrap().unwrap().confirm().await.unwrap();
    let sm = federation.client("sm", "kirjaamo").await;
    let mut receipts = sm.receipts();
    let mut told = Vec::new();
    while told.len() < 4 {
        let placed = receipts.next().await.unwrap().unwrap();
        let receipt = placed.receipt();
        for (message, recipient) in placed.about() {
            assert_eq!(message, id);
            told.push((recipient.mailbox().to_owned(), receipt.kind, receipt.code));
        }
    }
    told.sort();
    let expected = [
        ("kirjaamo", ReceiptKind::Relayed, None),
        ("kirjaamo", ReceiptKind::Delivered, None),
        ("nobody", ReceiptKind::Relayed, None),
        ("nobody", ReceiptKind::Refused, Some(Code::UNKNOWN_RECIPIENT)),
    ];
    let expected = expected.map(|(mailbox, kind, code)| (mailbox.to_owned(), kind, code));
    assert_eq!(told, expected);
}

/// A message that nobody could deliver in time ends with a negative receipt, not with silence.
#[tokio::test(flavor = "multi_thread")]
async fn what_expires_in_the_outbox_is_told() {
    let federation = Federation::started(&["sm"]);
    let sm = federation.client("sm", "kirjaamo").await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let soon = i64::try_from(now.as_millis()).unwrap() + 1500;
    let expires = kuriiri_types::Timestamp::from_millis(soon);
    let draft = draft(&["kirjaamo@plm.example"], "FI JULK", "", b"soon over").expires(expires);
    let accepted = sm.send(draft).await.unwrap();
    let mut receipts = sm.receipts();
    let placed = receipts.next().await.unwrap().unwrap();
    let receipt = placed.receipt();
    assert!(placed.about().map(|(message, _)| message).eq([accepted.id]));
    assert_eq!((receipt.kind, receipt.code), (ReceiptKind::Expired, Some(Code::EXPIRED)));
}
