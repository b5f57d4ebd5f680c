//! `kuriiri relay`: runs one relay, or checks its configuration.

use std::{path::PathBuf, pin::pin};

use kuriiri_relay::{Config, Relay};
use serde::Serialize;
use tokio::{
    io::AsyncReadExt,
    signal::unix::{SignalKind, signal},
};

use crate::{
    alerts,
    exit::{DONE, Failure, Outcome},
    output::{Output, OutputError},
};

/// Run one relay until it is told to stop.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The relay's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only check everything that the configuration names, and show what of it has an end; open no socket, write nothing.
    #[arg(long)]
    check: bool,
    /// Stop when standard input is closed: for a relay that shall not outlive its parent.
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

#[derive(Serialize)]
struct Listening<'a> {
    event: &'static str,
    relay: &'a str,
    address: String,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let config = Config::load(&args.config).map_err(|e| Failure::new(e.code(), e))?;
    if args.check {
        report(&config, &config.unresolved().await, output)?;
        return Ok(DONE);
    }
    let name = config.ministry().to_string();
    let mut relay = Relay::start(config).await.map_err(|e| Failure::new(e.code(), e))?;
    let address = relay.address().to_string();
    let listening = Listening { event: "listening", relay: &name, address };
    let told = output.data(&listening, || format!("{name} listens on {}", listening.address));
    if let Err(error) = told {
        // Messages are not to wait because nobody reads that.
        tracing::warn!(%error, "nobody could be told that the relay listens");
    }
    tell_supervisor();
    serve(args, &mut relay, output).await?;
    relay.stop().await.map_err(|e| Failure::new(e.code(), e))?;
    Ok(DONE)
}

/// Until it is told to stop. A hangup reloads; a configuration that is wrong then changes nothing.
async fn serve(args: &Args, relay: &mut Relay, output: Output) -> Result<(), Failure> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut stop = pin!(told_to_stop(args.until_stdin_closes));
    loop {
        tokio::select! {
            error = relay.failed() => return Err(Failure::new(error.code(), error)),
            () = &mut stop => return Ok(()),
            _ = hangup.recv() => {}
        }
        match relay.reload().await.map_err(|error| Failure::new(error.code(), error)) {
            Ok(()) => output.note("configuration reloaded"),
            Err(failure) => drop(failure.report(output)),
        }
    }
}

fn report(config: &Config, unresolved: &[String], output: Output) -> Result<(), OutputError> {
    let peers: Vec<String> = config.peers().map(ToString::to_string).collect();
    let systems: Vec<String> = config.systems().map(ToString::to_string).collect();
    let now = config.read_at();
    let object = serde_json::json!({
        "ok": true,
        "ministry": config.ministry(),
        "listen": config.listen().to_string(),
        "state": config.state(),
        "peers": peers,
        "systems": systems,
        "unresolved": unresolved,
        "ends": config.lapses().iter().map(|lapse| alerts::object(lapse, now)).collect::<Vec<_>>(),
    });
    output.data(&object, || {
        format!(
            "{}: the configuration is good\n  listens on {}\n  state in {}\n  peers: {}\n  systems: {}\n{}",
            config.ministry(),
            config.listen(),
            config.state().display(),
            peers.join(", "),
            systems.join(", "),
            alerts::listing(config.lapses(), now),
        )
    })?;
    for peer in unresolved {
        output.note(&format!("{peer}; the relay looks it up again whenever it dials"));
    }
    Ok(())
}

/// Tells a service manager, if there is one, that the relay is ready.
fn tell_supervisor() {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::debug!(%error, "no service manager was told");
    }
}

/// Waits for an interrupt, a polite request to end, or the end of the parent.
async fn told_to_stop(until_stdin_closes: bool) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = stdin_closed(), if until_stdin_closes => {}
    }
}

async fn stdin_closed() {
    let mut rest = Vec::new();
    // Whatever it ends with, it has ended.
    let _ = tokio::io::stdin().read_to_end(&mut rest).await;
}
