//! A running relay: its parts wired to one machine, and its orderly end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use kuriiri_engine::{Certificate, Engine};
use kuriiri_seal::Verifier;
use kuriiri_store::{Options, Store};
use kuriiri_transport::{Conversation, Endpoint, Handshake, Settings};
use kuriiri_types::Code;
use kuriiri_wire::relay::Hello;
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::{JoinHandle, JoinSet, spawn_blocking},
};

use crate::{
    admin::AdminSession,
    book::Book,
    clock,
    codec::WireCodec,
    config::Config,
    desk::Desk,
    driver::{Driver, INBOX_MAX, Input, Spread},
    error::RelayError,
    incoming::Inbound,
    links::Links,
    outgoing::CONTRACT_VERSION,
    reload::{InForce, Reloader, close_unaccepted},
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
    reloader: Arc<Reloader>,
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
    pub async fn start(mut config: Config) -> Result<Self, RelayError> {
        let store = open_store(&config).await?;
        let conversations = [Conversation::Relay, Conversation::Client, Conversation::Admin];
        let settings = settings(&config);
        let endpoint = Arc::new(Endpoint::listen(config.listen, settings, &conversations)?);
        let address = endpoint.local_addr().unwrap_or(config.listen);
        let in_force = InForce::of(&config);
        in_force.take_up(&config)?;

        let mut random = Spread::new();
        let peers: Vec<_> = config.peers.keys().cloned().collect();
        let parts = parts(&config);
        let (engine, first) = Engine::restore(parts, peers, clock::now(), &mut random, &*store)?;

        let (inbox, events) = mpsc::channel(INBOX_MAX);
        let verifier = Verifier::new(std::mem::take(&mut config.authorities));
        let desk = Arc::new(desk(&config, &store, verifier, inbox));
        let (ministry, file, state) = (config.ministry, config.file, config.state);
        let addresses = Arc::new(ArcSwap::from_pointee(config.peers));
        let trust = Arc::new(ArcSwap::from_pointee(config.trust));
        let reloader = Arc::new(Reloader {
            file,
            state,
            endpoint,
            trust,
            addresses,
            desk,
            current: Mutex::new(in_force),
        });
        let links = Links::new(reloader.dialler());
        let driver = Driver { engine, store: Arc::clone(&store), links, inbox: events, random };
        let (stop, stopped) = oneshot::channel();
        let mut door = JoinSet::new();
        door.spawn(keep_door(Arc::clone(&reloader)));
        door.spawn(look_for_expired(Arc::clone(&reloader)));
        #[expect(clippy::disallowed_methods, reason = "its handle is kept and awaited")]
        let driver = tokio::spawn(driver.run(first, stopped));
        tracing::info!(%ministry, %address, "relay started");
        Ok(Self { address, reloader, store, stop, driver, door })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads the configuration again and puts it in force, as far as that needs no restart: members
    /// and their CAs, revocation lists, signed files and the relay's own certificate. Links whose
    /// certificate is no longer accepted are closed; everything that waits is decided again by the
    /// new rules.
    ///
    /// # Errors
    /// When something is wrong, or a signed file may not replace the one in force: not signed as it
    /// must be, older, of the same serial and other content, over its time, or wider and signed by
    /// one person only. Nothing was changed then.
    pub async fn reload(&self) -> Result<(), RelayError> {
        self.reloader.reload().await
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
        self.reloader.endpoint.shut_down(FAREWELL).await;
        // A loop that has ended already needs not be told.
        let _ = self.stop.send(());
        let ended = self.driver.await;
        self.door.shutdown().await;
        drop(self.reloader);
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

fn settings(config: &Config) -> Settings {
    Settings {
        key_agreement: config.key_agreement,
        segmentation_offload: config.segmentation_offload,
        ..Settings::new(config.identity.clone(), config.trust.clone())
    }
}

async fn open_store(config: &Config) -> Result<Arc<Store>, RelayError> {
    let state = config.state.clone();
    let opened = spawn_blocking(move || Store::open(&state, Options::default())).await;
    Ok(Arc::new(opened.map_err(|error| RelayError::Loop(error.to_string()))??))
}

/// What the engine is made of.
fn parts(config: &Config) -> kuriiri_engine::Config {
    kuriiri_engine::Config {
        ministry: config.ministry.clone(),
        signer: Arc::clone(&config.signer),
        codec: Arc::new(WireCodec),
        policy: Arc::clone(&config.policy),
        systems: config.systems.clone(),
        clearances: config.clearances.clone(),
        officers: config.officers.clone(),
    }
}

fn desk(
    config: &Config,
    store: &Arc<Store>,
    verifier: Verifier,
    inbox: mpsc::Sender<Input>,
) -> Desk {
    let hello = Hello {
        version: CONTRACT_VERSION,
        software: concat!("kuriiri/", env!("CARGO_PKG_VERSION")).into(),
        federation_serial: config.federation_serial,
        policy_digest: None,
    };
    let own = Certificate {
        fingerprint: config.signer.fingerprint(),
        der: config.signer.certificate().clone(),
    };
    let book = Book::new(Arc::clone(store), own);
    let name = format!("{}/{}", config.ministry, config.name);
    Desk::new(verifier, book, Arc::clone(store), hello, name, inbox)
}

/// Links outlive their certificates unless somebody looks.
async fn look_for_expired(reloader: Arc<Reloader>) {
    let mut rounds = tokio::time::interval(EXPIRY_ROUND);
    loop {
        rounds.tick().await;
        close_unaccepted(&reloader.endpoint, &reloader.trust);
    }
}

/// Lets in those who knock, each in a task of its own.
async fn keep_door(reloader: Arc<Reloader>) {
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
    let (address, desk) = (handshake.remote_address(), Arc::clone(&reloader.desk));
    match handshake.complete().await {
        Err(error) => {
            let code: Code = error.code();
            tracing::info!(%address, %code, %error, "turned away");
        }
        Ok(link) => match link.conversation() {
            Conversation::Relay => Inbound::new(desk, link).serve().await,
            Conversation::Client => Session::new(desk, link).serve().await,
            Conversation::Admin => AdminSession::new(desk, reloader, link).serve().await,
        },
    }
}
