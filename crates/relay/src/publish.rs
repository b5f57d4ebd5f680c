//! Shows the log to the world, at most once a second, and has peers witness it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use kuriiri_engine::LinkId;
use kuriiri_merkle::consistency;
use kuriiri_store::{CommitError, Published, Store};
use kuriiri_tlog::{KeyKind, Note, Signature, VerifierKey, add_signature};
use kuriiri_transport::Link;
use kuriiri_types::Ministry;
use kuriiri_wire::{
    Frame,
    relay::{RelayRequest, WitnessRequest, Witnessed},
};
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::{error::LinkError, proving::Cosigned, rollback::Rollback, shared::Shared};

/// How often the log is shown anew when it has grown: each time costs a sync of the checkpoint.
const PERIOD: Duration = Duration::from_secs(1);
/// How long a witness may take; the next checkpoint waits for it.
const WITNESS_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a witness that did not cosign is left alone, unless it comes on another link.
const WITNESS_REST: Duration = Duration::from_secs(10);

/// Shows the log, and asks witnesses.
pub(crate) struct Publisher {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Arc<Store>,
    /// The keys of those who may be asked.
    pub(crate) witnesses: BTreeMap<Ministry, VerifierKey>,
    pub(crate) rollback: Arc<Rollback>,
    /// The checkpoint that is shown.
    shown: Cosigned,
    asked: HashMap<Ministry, Asked>,
}

/// How it stands with one witness.
#[derive(Default)]
struct Asked {
    /// What it cosigned last.
    size: u64,
    /// On which link it was asked last without success, and until when it is left alone there.
    rests: Option<(LinkId, Instant)>,
}

impl Publisher {
    pub(crate) fn new(
        shared: Arc<Shared>,
        store: Arc<Store>,
        witnesses: BTreeMap<Ministry, VerifierKey>,
        rollback: Arc<Rollback>,
    ) -> Self {
        let (shown, asked) = (Cosigned::default(), HashMap::new());
        Self { shared, store, witnesses, rollback, shown, asked }
    }

    /// Works until it is told to stop, and then once more: what is left behind should be witnessed.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut rounds = interval(PERIOD);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut goes_on = true;
        while goes_on {
            goes_on = tokio::select! {
                _ = &mut stop => false,
                _ = rounds.tick() => true,
            };
            self.show().await;
            self.ask_witnesses().await;
        }
    }

    async fn show(&mut self) {
        match self.store.publish().await {
            Ok(Some(Published { size, note })) => {
                self.shown = Cosigned { size, note, witnesses: 0 };
            }
            Ok(None) => {}
            Err(error) => self.cannot_show(&error),
        }
    }

    /// Says so, once a minute while it lasts: the log is shown every second.
    fn cannot_show(&self, error: &CommitError) {
        if self.shared.lines.is_first(self.shared.home.as_str(), "the log cannot be shown") {
            tracing::error!(%error, code = %error.code(), "the log cannot be shown");
        }
    }

    /// Asks those who are linked and have not cosigned what is shown. Nothing new is shown when a log
    /// grew only because it witnessed others: else two idle relays would keep each other busy.
    async fn ask_witnesses(&mut self) {
        let now = Instant::now();
        let mut asking = JoinSet::new();
        for (peer, key) in &self.witnesses {
            let asked = self.asked.entry(peer.clone()).or_default();
            let Some((id, link)) = self.shared.peers.link(peer) else { continue };
            let rests = asked.rests.is_some_and(|(on, until)| on == id && until > now);
            if asked.size >= self.shown.size || rests {
                continue;
            }
            asked.rests = Some((id, now + WITNESS_REST));
            let question = Question {
                link,
                key: key.clone(),
                store: Arc::clone(&self.store),
                rollback: Arc::clone(&self.rollback),
                note: self.shown.note.clone(),
                size: self.shown.size,
            };
            let (peer, old) = (peer.clone(), asked.size);
            asking.spawn(async move { (peer, timeout(WITNESS_TIMEOUT, question.ask(old)).await) });
        }
        let mut has_more = false;
        while let Some(Ok((peer, answer))) = asking.join_next().await {
            match answer {
                Ok(Ok(signature)) => has_more |= self.add(&peer, signature),
                // A witness whose disk is full says so for as long as it is.
                Ok(Err(error @ LinkError::Witness(_))) => {
                    if self.shared.lines.is_first(peer.as_str(), "the log was not witnessed") {
                        tracing::warn!(%peer, %error, "the log was not witnessed");
                    }
                }
                // It comes back, and is asked again.
                Ok(Err(error)) => tracing::debug!(%peer, %error, "the log was not witnessed"),
                Err(_) => tracing::debug!(%peer, "the log was not witnessed in time"),
            }
        }
        if !has_more {
            return;
        }
        self.shared.prover.note(self.shown.clone());
        if let Err(error) = self.store.put_checkpoint(self.shown.note.clone()).await {
            self.cannot_show(&error);
        }
    }

    fn add(&mut self, peer: &Ministry, signature: Signature) -> bool {
        let Ok(note) = add_signature(&self.shown.note, signature) else { return false };
        self.shown.note = note;
        self.shown.witnesses = self.shown.witnesses.saturating_add(1);
        let asked = Asked { size: self.shown.size, rests: None };
        self.asked.insert(peer.clone(), asked);
        true
    }
}

/// One witness that is asked for one checkpoint.
struct Question {
    link: Link,
    key: VerifierKey,
    store: Arc<Store>,
    rollback: Arc<Rollback>,
    note: Bytes,
    size: u64,
}

impl Question {
    async fn ask(self, old: u64) -> Result<Signature, LinkError> {
        let mut old = old;
        // Once more if the witness holds another size than we thought.
        for _ in 0..2 {
            match self.exchange(old).await? {
                Witnessed::Cosigned(line) => return self.check(&line),
                Witnessed::Refused(refusal) => {
                    return Err(LinkError::Witness(refusal.code.title().into()));
                }
                Witnessed::Holds(note) if note.is_empty() => old = 0,
                Witnessed::Holds(note) => {
                    let held = self.rollback.held_by_witness(&self.store, &note)?;
                    old = held.map_or(0, |held| held.size);
                }
            }
        }
        Err(LinkError::Witness("it says something else each time".into()))
    }

    async fn exchange(&self, old: u64) -> Result<Witnessed, LinkError> {
        let proof = if old == 0 {
            Vec::new()
        } else {
            consistency(&*self.store, old, self.size)
                .map_err(|error| LinkError::Witness(error.to_string()))?
        };
        let request = WitnessRequest { old, proof, checkpoint: self.note.clone() };
        let (mut sender, mut receiver) = self.link.open().await?;
        sender.send(RelayRequest::Witness(request).encode()).await?;
        sender.finish()?;
        let answer = receiver.frame(Witnessed::BYTES_MAX).await?.ok_or(LinkError::Silent)?;
        Ok(Witnessed::decode(answer)?)
    }

    /// The cosignature, if it is that of the witness over this very checkpoint.
    fn check(&self, line: &str) -> Result<Signature, LinkError> {
        let forged = || LinkError::Witness("its cosignature is not genuine".into());
        let signature = Signature::parse(line).ok_or_else(forged)?;
        let note = add_signature(&self.note, signature.clone()).map_err(|_| forged())?;
        let note = Note::parse(&note).map_err(|_| forged())?;
        match note.verify(&self.key) {
            Ok(Some(_)) if self.key.kind() == KeyKind::Cosignature => Ok(signature),
            _ => Err(forged()),
        }
    }
}

/// Shows the log as it is. A failure is the operator's matter, and a start tries again: the entries are
/// durable all the same.
pub(crate) async fn publish(store: &Store) {
    if let Err(error) = store.publish().await {
        tracing::error!(%error, code = %error.code(), "the log cannot be shown");
    }
}
