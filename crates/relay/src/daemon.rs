//! A running relay: its parts wired to one machine, and its orderly end.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::Bytes;
use kuriiri_engine::{Engine, LogConfig};
use kuriiri_seal::{Verifier, random_secret};
use kuriiri_store::{LogBegun, OpenError, Store};
use kuriiri_tlog::ReceiptVerifier;
use kuriiri_transport::{Conversation, Endpoint, Figure, Settings};
use kuriiri_types::limits::{CONNECTIONS_MAX, PROOFS_AT_ONCE_MAX, PROOFS_AT_ONCE_PER_GIVER_MAX};
use kuriiri_wire::relay::Hello;
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::{JoinHandle, JoinSet, spawn_blocking},
    time::Instant,
};

use crate::{
    certificates::Certificates,
    checks::Checks,
    clock,
    config::Config,
    dispatch::Dispatcher,
    door::{keep_door, look_for_expired},
    driver::{Driver, Spread},
    error::RelayError,
    fixed::Fixed,
    in_force::InForce,
    inbox::Inbox,
    lines::Lines,
    messages::{INBOX_MAX, Input},
    names::Names,
    outgoing::CONTRACT_VERSION,
    peers::Peers,
    proving::Prover,
    publish::{Publisher, publish},
    reload::Reloader,
    rollback::{Rollback, WITNESSED, keep},
    room::KnownRoom,
    shared::Shared,
    state::store_options,
    turns::Turns,
};

/// How long peers are given to hear that the relay goes down.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a relay that starts waits for its peers to say what they saw of its log.
const WITNESS_PATIENCE: Duration = Duration::from_secs(2);
/// The same when its log is empty: it is most likely new, and may have lost its state.
const FIRST_PATIENCE: Duration = Duration::from_millis(500);

/// What this program calls itself to others.
const SOFTWARE: &str = concat!("kuriiri/", env!("CARGO_PKG_VERSION"));

/// A relay that runs. Dropped without [`Relay::stop`], it ends as if its power had failed, and
/// loses nothing that it acknowledged.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    reloader: Arc<Reloader>,
    store: Arc<Store>,
    stop: oneshot::Sender<()>,
    driver: JoinHandle<Result<(), RelayError>>,
    last_round: oneshot::Sender<()>,
    publisher: JoinSet<()>,
    door: JoinSet<()>,
}

impl Relay {
    /// Takes up the state that was left behind, and opens the door. A relay that ran before first asks
    /// its peers what they saw of its log.
    ///
    /// # Errors
    /// When the state cannot be opened, the address not be had, or a peer proves that the log has lost
    /// entries.
    pub async fn start(mut config: Config) -> Result<Self, RelayError> {
        let store = open_store(&config).await?;
        let restored = take_up_log(&mut config, &store)?;
        let conversations = [Conversation::Relay, Conversation::Client, Conversation::Admin];
        let settings = settings(&config);
        let endpoint = Arc::new(Endpoint::listen(config.listen, settings, &conversations)?);
        let address = endpoint.local_addr().unwrap_or(config.listen);
        let in_force = InForce::of(&config);
        in_force.take_up(&config)?;

        let parts = parts(&config, restored)?;
        let (inbox, events) = mpsc::channel(INBOX_MAX);
        let verifier = Verifier::new(std::mem::take(&mut config.authorities));
        let receipts = ReceiptVerifier::new(config.logs.keys.clone());
        let shared = Arc::new(shared(&config, &store, (verifier, receipts), inbox));
        let witnesses = std::mem::take(&mut config.logs.witnesses);
        let peers: Vec<_> = config.peers.keys().cloned().collect();
        let ministry = config.ministry.clone();
        let reloader = Arc::new(reloader(config, endpoint, Arc::clone(&shared), in_force));
        let mut door = JoinSet::new();
        door.spawn(keep_door(Arc::clone(&reloader)));
        ask_witnesses(&reloader, &store).await?;

        let mut random = Spread::new();
        let (engine, first) = Engine::restore(parts, peers, clock::now(), &mut random, &*store)?;
        let dispatcher = Dispatcher::new(reloader.dialler());
        let rollback = Arc::clone(&reloader.rollback);
        let publisher =
            Publisher::new(shared, Arc::clone(&store), witnesses, Arc::clone(&rollback));
        door.spawn(look_for_expired(Arc::clone(&reloader)));
        let (last_round, told) = oneshot::channel();
        let mut publishing = JoinSet::new();
        publishing.spawn(publisher.run(told));
        let inbox = events;
        let store_of_loop = Arc::clone(&store);
        let room = KnownRoom::new(Instant::now());
        let driver =
            Driver { engine, store: store_of_loop, dispatcher, inbox, random, rollback, room };
        let (stop, stopped) = oneshot::channel();
        #[expect(clippy::disallowed_methods, reason = "its handle is kept and awaited")]
        let driver = tokio::spawn(driver.run(first, stopped));
        tracing::info!(%ministry, %address, "relay started");
        let publisher = publishing;
        Ok(Self { address, reloader, store, stop, driver, last_round, publisher, door })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How much of what others may take of this relay is taken: places, room, turns.
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = self.reloader.endpoint.figures();
        figures.extend(self.reloader.shared.figures());
        figures
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
        // While peers can still be asked. One that has ended already needs not be told.
        let _ = self.last_round.send(());
        while self.publisher.join_next().await.is_some() {}
        self.reloader.endpoint.shut_down(FAREWELL).await;
        // A loop that has ended already needs not be told.
        let _ = self.stop.send(());
        let ended = self.driver.await;
        self.door.shutdown().await;
        drop(self.reloader);
        publish(&self.store).await;
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

/// What can put another configuration in force later.
fn reloader(
    config: Config,
    endpoint: Arc<Endpoint>,
    shared: Arc<Shared>,
    in_force: InForce,
) -> Reloader {
    let rollback = Rollback::new(config.logs.signer.verifier_key().clone(), &config.state);
    Reloader {
        fixed: Fixed::of(&config),
        file: config.file,
        state: config.state,
        endpoint,
        trust: Arc::new(ArcSwap::from_pointee(config.trust)),
        addresses: Arc::new(ArcSwap::from_pointee(config.peers)),
        shared,
        rollback: Arc::new(rollback),
        pruning: Mutex::new(()),
        retention: ArcSwap::from_pointee(config.retention),
        current: Mutex::new(in_force),
    }
}

/// A relay asks its peers what they saw of its log, before it writes on. Nobody is waited for longer
/// than a moment: whoever comes later says so then.
async fn ask_witnesses(reloader: &Reloader, store: &Store) -> Result<(), RelayError> {
    let patience = if store.log_size() == 0 { FIRST_PATIENCE } else { WITNESS_PATIENCE };
    reloader.dialler().ask_all(patience).await;
    match reloader.rollback.is_found() {
        Some(behind) => {
            reloader.endpoint.shut_down(FAREWELL).await;
            Err(behind.into())
        }
        None => Ok(()),
    }
}

/// Signs as the log that the state has. Gives the last checkpoint of the one before, if that ended.
fn take_up_log(config: &mut Config, store: &Store) -> Result<Option<Bytes>, RelayError> {
    let LogBegun { number, last } = store.log_begun()?;
    config.logs.signer = Arc::new(config.log_signer(number)?);
    Ok(last)
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
    let options = store_options(&config.logs.dir);
    let shown = config.logs.dir.join("checkpoint");
    let open = move || {
        let opened = Store::open(&state, options);
        if let Err(OpenError::Behind { .. }) = &opened {
            // The best proof there is, for whoever begins a new log.
            let kept = fs::read(shown).and_then(|note| keep(&state.join(WITNESSED), &note));
            if let Err(error) = kept {
                tracing::error!(%error, "what the log shows cannot be kept");
            }
        }
        opened
    };
    let opened = spawn_blocking(open).await;
    Ok(Arc::new(opened.map_err(|error| RelayError::Loop(error.to_string()))??))
}

/// What the engine is made of.
fn parts(config: &Config, restored: Option<Bytes>) -> Result<kuriiri_engine::Config, RelayError> {
    let secret = random_secret().map_err(|error| RelayError::Loop(error.to_string()))?;
    let log = LogConfig {
        signer: Arc::clone(&config.logs.signer),
        cosigner: Arc::clone(&config.logs.cosigner),
        secret,
        software: SOFTWARE.into(),
        restored,
    };
    Ok(kuriiri_engine::Config {
        ministry: config.ministry.clone(),
        log,
        retention: config.retention.clone(),
        files: config.signed_set(),
        codec: Arc::new(kuriiri_wire::WireCodec),
        policy: Arc::clone(&config.policy),
        systems: config.systems.clone(),
        clearances: config.clearances.clone(),
        officers: config.officers.clone(),
    })
}

fn shared(
    config: &Config,
    store: &Arc<Store>,
    (verifier, receipts): (Verifier, ReceiptVerifier),
    inbox: mpsc::Sender<Input>,
) -> Shared {
    let certificates = Arc::new(Certificates::new(Arc::clone(store)));
    Shared {
        checks: Checks::new(verifier, receipts, Arc::clone(&certificates)),
        certificates,
        inbox: Inbox::new(inbox),
        peers: Peers::default(),
        store: Arc::clone(store),
        prover: Prover::new(Arc::clone(store)),
        checking: Turns::for_processors("checks of signatures"),
        proving: Turns::new(
            "proofs from the log",
            PROOFS_AT_ONCE_MAX,
            PROOFS_AT_ONCE_PER_GIVER_MAX,
        ),
        asking: Turns::new(
            "proofs from other relays",
            CONNECTIONS_MAX,
            PROOFS_AT_ONCE_PER_GIVER_MAX,
        ),
        names: Names::new(),
        lines: Lines::default(),
        hello: Hello {
            version: CONTRACT_VERSION,
            software: SOFTWARE.into(),
            federation_serial: config.federation_serial,
            policy_digest: None,
            witnessed: None,
        },
        home: config.ministry.clone(),
        policy: ArcSwap::new(Arc::clone(&config.policy)),
        relay: format!("{}/{}", config.ministry, config.name),
    }
}
