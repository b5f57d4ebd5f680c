//! Newer proofs for whoever asks: of this relay's log, or of another that is asked for them.
//!
//! A system may ask about any log of the federation; its relay asks that log's relay, or the hub on the way
//! there. A relay that a peer asks passes the question on to the relay of the log alone, so no question goes
//! farther than from hub to issuer, and none in a circle.

use std::sync::Arc;

use kuriiri_types::{Code, Ministry, Refusal};
use kuriiri_wire::{Frame, Place, Proved, relay::RelayRequest};
use tokio::{task::spawn_blocking, time::timeout};

use crate::{error::LinkError, outgoing::ANSWER_TIMEOUT, shared::Shared};

/// Proofs for one of the ministry's systems.
pub(crate) async fn of_system(
    shared: &Arc<Shared>,
    system: &str,
    issuer: &Ministry,
    places: Vec<Place>,
) -> Proved {
    if *issuer == shared.home {
        return own(shared, system, places).await;
    }
    match shared.hop_to(issuer) {
        Some(hop) => ask(shared, (system, &hop), issuer, places).await,
        None => refused(format!("no relay that this one has a link with has one with {issuer}'s")),
    }
}

/// Proofs for a peer, whose own relay is one hop away. Why there are none stays at home.
pub(crate) async fn of_peer(
    shared: &Arc<Shared>,
    peer: &Ministry,
    issuer: &Ministry,
    places: Vec<Place>,
) -> Proved {
    let proved = if *issuer == shared.home {
        own(shared, peer.as_str(), places).await
    } else {
        match shared.hop_to(issuer).filter(|hop| hop == issuer) {
            Some(hop) => ask(shared, (peer.as_str(), &hop), issuer, places).await,
            None => refused(format!("{} has no link with {issuer}", shared.home)),
        }
    };
    match proved {
        Proved::Refused(refusal) => Proved::Refused(refusal.coarse()),
        Proved::Proofs(_) => proved,
    }
}

/// Proofs of this relay's own log: the tiles that they need may be on the disk only.
async fn own(shared: &Arc<Shared>, asker: &str, places: Vec<Place>) -> Proved {
    let turn = shared.proving.turn(asker).await;
    let shared = Arc::clone(shared);
    // The thread goes on when nobody waits for it any more, and so it keeps the turn.
    let proved = spawn_blocking(move || {
        let _turn = turn;
        shared.prover.prove(&places)
    });
    let proved = proved.await;
    proved.unwrap_or_else(|error| refused(error.to_string()))
}

/// Asks the next relay on the way.
async fn ask(
    shared: &Shared,
    (asker, hop): (&str, &Ministry),
    issuer: &Ministry,
    places: Vec<Place>,
) -> Proved {
    // Each can take half a minute of another relay's time.
    let _turn = shared.asking.turn(asker).await;
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
