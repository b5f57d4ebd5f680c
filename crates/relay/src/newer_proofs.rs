//! Newer proofs for whoever asks: of this relay's log, or of another that is asked for them.
//!
//! A system may ask about any log of the federation; its relay asks that log's relay, or the hub on the way
//! there. A relay that a peer asks passes the question on to the relay of the log alone, so no question goes
//! farther than from hub to issuer, and none in a circle.

use std::sync::Arc;

use kuriiri_types::{Code, Ministry, Refusal};
use kuriiri_wire::{Frame, Place, Proved, relay::RelayRequest};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::{error::LinkError, outgoing::ANSWER_TIMEOUT, shared::Shared};

/// Questions of one link that are answered at the same time; the others wait on their streams. Each can take
/// a thread that reads tiles, or half a minute of another relay's time.
const ANSWERED_AT_ONCE: usize = 4;

/// The questions that come in on one link.
pub(crate) struct Questions {
    turns: Semaphore,
}

impl Questions {
    pub(crate) const fn new() -> Self {
        Self { turns: Semaphore::const_new(ANSWERED_AT_ONCE) }
    }

    /// Proofs for one of the ministry's systems.
    pub(crate) async fn of_system(
        &self,
        shared: &Arc<Shared>,
        issuer: &Ministry,
        places: Vec<Place>,
    ) -> Proved {
        let _turn = self.turns.acquire().await;
        if *issuer == shared.home {
            return own(shared, places).await;
        }
        match shared.hop_to(issuer) {
            Some(hop) => ask(shared, &hop, issuer, places).await,
            None => {
                refused(format!("no relay that this one has a link with has one with {issuer}'s"))
            }
        }
    }

    /// Proofs for a peer, whose own relay is one hop away. Why there are none stays at home.
    pub(crate) async fn of_peer(
        &self,
        shared: &Arc<Shared>,
        issuer: &Ministry,
        places: Vec<Place>,
    ) -> Proved {
        let _turn = self.turns.acquire().await;
        let proved = if *issuer == shared.home {
            own(shared, places).await
        } else {
            match shared.hop_to(issuer).filter(|hop| hop == issuer) {
                Some(hop) => ask(shared, &hop, issuer, places).await,
                None => refused(format!("{} has no link with {issuer}", shared.home)),
            }
        };
        match proved {
            Proved::Refused(refusal) => Proved::Refused(refusal.coarse()),
            Proved::Proofs(_) => proved,
        }
    }
}

/// Proofs of this relay's own log: the tiles that they need may be on the disk only.
async fn own(shared: &Arc<Shared>, places: Vec<Place>) -> Proved {
    let shared = Arc::clone(shared);
    let proved = spawn_blocking(move || shared.prover.prove(&places)).await;
    proved.unwrap_or_else(|error| refused(error.to_string()))
}

/// Asks the next relay on the way.
async fn ask(shared: &Shared, hop: &Ministry, issuer: &Ministry, places: Vec<Place>) -> Proved {
    let Some((_, link)) = shared.peers.link(hop) else {
        return refused(format!(
            "no link with {hop} stands now; whoever has a copy of {issuer}'s log makes the proof with \
             `kuriiri log prove`"
        ));
    };
    let question = RelayRequest::Prove { issuer: issuer.clone(), places };
    let exchange = async {
        let (mut sender, mut receiver) = link.open().await?;
        sender.send(question.encode()).await?;
        sender.finish()?;
        let frame = receiver.frame(Proved::BYTES_MAX).await?.ok_or(LinkError::Silent)?;
        Ok::<_, LinkError>(Proved::decode(frame)?)
    };
    match timeout(ANSWER_TIMEOUT, exchange).await.unwrap_or(Err(LinkError::Silent)) {
        Ok(proved) => proved,
        Err(error) => refused(format!("{hop}'s relay: {error}")),
    }
}

fn refused(why: String) -> Proved {
    Proved::Refused(Refusal { code: Code::UNREACHABLE, reasons: vec![why] })
}
