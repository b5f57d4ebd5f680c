//! Who sent what, and what came where.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use kuriiri_client::{Accepted, Client, Draft, ReceiveOptions};
use kuriiri_types::{Address, MessageId};
use tokio::{sync::watch, task::JoinSet};

/// Every body that was shown for each copy of a message.
type Shown = BTreeMap<(Address, MessageId), Vec<Vec<u8>>>;

/// Everything that came into some mailboxes, each time it was shown.
pub(crate) struct Books {
    came: Arc<Mutex<Shown>>,
    count: watch::Sender<usize>,
    receivers: JoinSet<()>,
}

impl Books {
    pub(crate) fn new() -> Self {
        Self { came: Arc::default(), count: watch::Sender::new(0), receivers: JoinSet::new() }
    }

    /// Receives and confirms whatever comes for this client's own mailbox.
    pub(crate) fn receive(&mut self, client: &Client) {
        let mailbox = client.address().clone();
        let mut inbox = client.receive(ReceiveOptions::default());
        let (came, count) = (Arc::clone(&self.came), self.count.clone());
        self.receivers.spawn(async move {
            while let Some(next) = inbox.next().await {
                let message = next.expect("a message that is not what it should be");
                let shown = (mailbox.clone(), message.id());
                came.lock().unwrap().entry(shown).or_default().push(message.body().to_vec());
                count.send_modify(|count| *count += 1);
                message.confirm_later();
            }
        });
    }

    /// Waits until so many messages were shown in all.
    pub(crate) async fn until(&self, messages: usize) {
        self.count.subscribe().wait_for(|count| *count >= messages).await.unwrap();
    }

    /// Holds what came against what was sent: each copy once, and equal.
    pub(crate) fn check(&self, sent: &Sent) {
        let came = self.came.lock().unwrap();
        for (copy, body) in &sent.copies {
            let shown = came.get(copy).unwrap_or_else(|| panic!("{copy:?} is lost"));
            assert_eq!(shown.len(), 1, "{copy:?} was shown {} times", shown.len());
            assert_eq!(&shown[0], body, "{copy:?} is not what was sent");
        }
        assert_eq!(came.len(), sent.copies.len(), "something came that nobody sent");
    }
}

/// Everything that was accepted, by recipient.
#[derive(Default)]
pub(crate) struct Sent {
    copies: HashMap<(Address, MessageId), Vec<u8>>,
}

impl Sent {
    pub(crate) fn note(&mut self, accepted: &Accepted, body: &[u8]) {
        for recipient in &accepted.recipients {
            self.copies.insert((recipient.clone(), accepted.id), body.to_vec());
        }
    }

    pub(crate) fn copies(&self) -> usize {
        self.copies.len()
    }

    /// Sends documents to these recipients under this label; all must be accepted.
    pub(crate) async fn send(
        &mut self,
        client: &Client,
        to: &[&str],
        label: &str,
        documents: &[(String, Vec<u8>)],
    ) {
        let drafts: Vec<_> =
            documents.iter().map(|(name, body)| draft(to, label, name, body)).collect();
        let results = client.send_many(drafts).await;
        for (result, (_, body)) in results.into_iter().zip(documents) {
            self.note(&result.unwrap(), body);
        }
    }
}

/// A message to these addresses.
pub(crate) fn draft(to: &[&str], label: &str, subject: &str, body: &[u8]) -> Draft {
    let mut addresses = to.iter().map(|address| address.parse().unwrap());
    let first = Draft::to(addresses.next().unwrap());
    let draft = addresses.fold(first, Draft::action);
    draft.label(label.parse().unwrap()).subject(subject).body(body.to_vec())
}
