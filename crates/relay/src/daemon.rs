//! A running relay: its parts wired to one machine, and its orderly end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use kuriiri_engine::{Certificate, Engine, Event};
use kuriiri_seal::Verifier;
use kuriiri_store::{Options, Store};
use kuriiri_transport::{Conversation, Endpoint, Handshake, IdentityError, Settings, Trust};
use kuriiri_types::Code;
use kuriiri_wire::relay::Hello;
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet, spawn_blocking},
};

use crate::{
    book::Book,
    clock,
    codec::WireCodec,
    config::Config,
    desk::Desk,
    driver::{Driver, INBOX_MAX, Spread},
    error::RelayError,
    incoming::Inbound,
    links::Links,
    outgoing::{Addresses, CONTRACT_VERSION, Dialler},
    session::Session,
};

/// How long peers are given to hear that the relay goes down.
const FAREWELL: Duration = Duration::from_secs(2);

/// How often open links are held against the clock: certificates live for days.
const EXPIRY_ROUND: Duration = Duration::from_secs(60);

/// A relay that runs. Dropped without [`Relay::stop`], it ends as if its power had failed, and
/// loses nothing that it acknowledged.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    endpoint: Arc<Endpoint>,
    trust: Arc<ArcSwap<Trust>>,
    addresses: Arc<ArcSwap<Addresses>>,
    desk: Arc<Desk>,
    store: Arc<Store>,
    stop: oneshot::Sender<()>,
    driver: JoinHandle<Result<(), RelayError>>,
    door: JoinSet<()>,
}

impl Relay {
    /// Takes up the state that was left behind, and opens the door.
    ///
    /// # Errors
    /// When the state cannot be opened or the address not be had.
    pub async fn start(config: Config) -> Result<Self, RelayError> {
        let settings = Settings {
            key_agreement: config.key_agreement,
            segmentation_offload: config.segmentation_offload,
            ..Settings::new(config.identity, config.trust.clone())
        };
        let state = config.state;
        let opened = spawn_blocking(move || Store::open(&state, Options::default())).await;
        let store = Arc::new(opened.map_err(|error| RelayError::Loop(error.to_string()))??);
        let conversations = [Conversation::Relay, Conversation::Client];
        let endpoint = Arc::new(Endpoint::listen(config.listen, settings, &conversations)?);
        let address = endpoint.local_addr().unwrap_or(config.listen);

        let mut random = Spread::new();
        let own = Certificate {
            fingerprint: config.signer.fingerprint(),
            der: config.signer.certificate().clone(),
        };
        let parts = kuriiri_engine::Config {
            ministry: config.ministry.clone(),
            signer: config.signer,
            codec: Arc::new(WireCodec),
            policy: config.policy,
            systems: config.systems,
        };
        let peers = config.peers.keys().cloned();
        let (engine, first) = Engine::restore(parts, peers, clock::now(), &mut random, &*store)?;

        let (inbox, events) = mpsc::channel(INBOX_MAX);
        let hello = Hello {
            version: CONTRACT_VERSION,
            software: concat!("kuriiri/", env!("CARGO_PKG_VERSION")).into(),
            federation_serial: config.federation_serial,
            policy_digest: None,
        };
        let verifier = Verifier::new(config.authorities);
        let book = Book::new(Arc::clone(&store), own);
        let name = format!("{}/{}", config.ministry, config.name);
        let desk = Arc::new(Desk::new(verifier, book, Arc::clone(&store), hello, name, inbox));
        let addresses = Arc::new(ArcSwap::from_pointee(config.peers));
        let dialler = Dialler {
            endpoint: Arc::clone(&endpoint),
            desk: Arc::clone(&desk),
            addresses: Arc::clone(&addresses),
        };
        let links = Links::new(dialler);
        let driver = Driver { engine, store: Arc::clone(&store), links, inbox: events, random };
        let (stop, stopped) = oneshot::channel();
        let mut door = JoinSet::new();
        door.spawn(keep_door(Arc::clone(&endpoint), Arc::clone(&desk)));
        let trust = Arc::new(ArcSwap::from_pointee(config.trust));
        door.spawn(look_for_expired(Arc::clone(&endpoint), Arc::clone(&trust)));
        #[expect(clippy::disallowed_methods, reason = "its handle is kept and awaited")]
        let driver = tokio::spawn(driver.run(first, stopped));
        tracing::info!(ministry = %config.ministry, %address, "relay started");
        Ok(Self { address, endpoint, trust, addresses, desk, store, stop, driver, door })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts a configuration that was read again in force, as far as that needs no restart: members
    /// and their CAs, revocation lists, catalogues, rules and the relay's own certificate. Links
    /// whose certificate is no longer accepted are closed; what is queued is decided again by the
    /// new rules at its next attempt.
    ///
    /// # Errors
    /// When the certificate names another relay. Nothing was changed then.
    pub async fn reload(&self, config: Config) -> Result<(), RelayError> {
        let named = |error: IdentityError| RelayError::Loop(error.to_string());
        self.endpoint.replace_identity(config.identity).map_err(named)?;
        self.trust.store(Arc::new(config.trust));
        self.addresses.store(Arc::new(config.peers));
        close_unaccepted(&self.endpoint, &self.trust);
        self.desk.replace_verifier(Verifier::new(config.authorities));
        let changed = Event::PolicyChanged(config.policy);
        self.desk.tell(changed).await.map_err(|closing| RelayError::Loop(closing.to_string()))?;
        tracing::info!("configuration reloaded");
        Ok(())
    }

    /// Waits until the relay ends by itself, which it does only when its state fails.
    pub async fn failed(&mut self) -> RelayError {
        match (&mut self.driver).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) => RelayError::Loop("it stopped by itself".into()),
            Err(error) => RelayError::Loop(error.to_string()),
        }
    }

    /// Lets nobody in, tells the peers, finishes the step in hand and closes the state.
    ///
    /// # Errors
    /// When the last step could not be made durable.
    pub async fn stop(mut self) -> Result<(), RelayError> {
        self.endpoint.shut_down(FAREWELL).await;
        // A loop that has ended already needs not be told.
        let _ = self.stop.send(());
        let ended = self.driver.await;
        self.door.shutdown().await;
        drop(self.desk);
        drop(self.endpoint);
        ended.map_err(|error| RelayError::Loop(error.to_string()))??;
        // A task that was just told to end may hold the store a moment longer; every commit is
        // durable, so closing it is only tidier.
        if let Some(store) = Arc::into_inner(self.store) {
            store.close().await?;
        }
        tracing::info!("relay stopped");
        Ok(())
    }
}

/// Links outlive their certificates unless somebody looks.
async fn look_for_expired(endpoint: Arc<Endpoint>, trust: Arc<ArcSwap<Trust>>) {
    let mut rounds = tokio::time::interval(EXPIRY_ROUND);
    loop {
        rounds.tick().await;
        close_unaccepted(&endpoint, &trust);
    }
}

fn close_unaccepted(endpoint: &Endpoint, trust: &ArcSwap<Trust>) {
    for holder in endpoint.replace_trust(Trust::clone(&trust.load())) {
        tracing::warn!(%holder, "link closed: its certificate is no longer accepted");
    }
}

/// Lets in those who knock, each in a task of its own.
async fn keep_door(endpoint: Arc<Endpoint>, desk: Arc<Desk>) {
    let mut guests = JoinSet::new();
    loop {
        tokio::select! {
            knock = endpoint.accept() => match knock {
                Some(handshake) => {
                    guests.spawn(let_in(handshake, Arc::clone(&desk)));
                }
                None => return,
            },
            Some(_) = guests.join_next() => {}
        }
    }
}

async fn let_in(handshake: Handshake, desk: Arc<Desk>) {
    let address = handshake.remote_address();
    match handshake.complete().await {
        Err(error) => {
            let code: Code = error.code();
            tracing::info!(%address, %code, %error, "turned away");
        }
        Ok(link) => match link.conversation() {
            Conversation::Relay => Inbound::new(desk, link).serve().await,
            Conversation::Client => Session::new(desk, link).serve().await,
        },
    }
}
