//! The door of a relay: who comes in, and who must leave because their certificate is over.

use std::{sync::Arc, time::Duration};

use kuriiri_transport::{Conversation, Handshake};
use kuriiri_types::Code;
use tokio::task::JoinSet;

use crate::{
    admin::AdminSession,
    clock,
    incoming::Inbound,
    lapses::Said,
    lines::network,
    reload::{Reloader, close_unaccepted},
    session::Session,
};

/// How often open links are held against the clock: certificates live for days.
const EXPIRY_ROUND: Duration = Duration::from_secs(60);

/// Links outlive their certificates unless somebody looks; and nobody else tells the operator of what will end.
pub(crate) async fn look_for_expired(reloader: Arc<Reloader>) {
    let mut rounds = tokio::time::interval(EXPIRY_ROUND);
    let mut said = Said::default();
    loop {
        rounds.tick().await;
        close_unaccepted(&reloader.endpoint, &reloader.trust);
        reloader.shared.lines.sum_up();
        let lapses = Arc::clone(&reloader.current.lock().await.lapses);
        said.tell(&lapses, clock::now());
    }
}

/// Lets in those who knock, each in a task of its own.
pub(crate) async fn keep_door(reloader: Arc<Reloader>) {
    let mut guests = JoinSet::new();
    loop {
        tokio::select! {
            knock = reloader.endpoint.accept() => match knock {
                Some(handshake) => {
                    guests.spawn(let_in(handshake, Arc::clone(&reloader)));
                }
                None => return,
            },
            Some(_) = guests.join_next() => {}
        }
    }
}

async fn let_in(handshake: Handshake, reloader: Arc<Reloader>) {
    let (address, shared) = (handshake.remote_address(), Arc::clone(&reloader.shared));
    match handshake.complete().await {
        Err(error) => {
            let code: Code = error.code();
            if shared.lines.is_first(&network(address.ip()), "turned away") {
                tracing::info!(%address, %code, %error, "turned away");
            }
        }
        Ok(link) => match link.conversation() {
            Conversation::Relay => {
                Inbound::new(shared, Arc::clone(&reloader.rollback), link).serve().await
            }
            Conversation::Client => Session::new(shared, link).serve().await,
            Conversation::Admin => AdminSession::new(shared, reloader, link).serve().await,
        },
    }
}
