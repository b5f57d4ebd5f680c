//! Where a node lives, and how long one waits for it.

use std::{
    future::Future,
    net::{Ipv4Addr, TcpListener},
    time::Duration,
};

use anyhow::Context;
use tokio::time::{Instant, sleep};

/// How long a node may take to start and to find the other.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two tries to reach it.
const PAUSE: Duration = Duration::from_millis(100);

/// TCP ports on loopback that nobody uses now.
pub fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let listeners: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<_, _>>()
        .context("no port is free")?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

/// Tries until it succeeds, or for too long.
pub async fn patiently<T, E, F>(what: &str, mut attempt: impl FnMut() -> F) -> anyhow::Result<T>
where
    E: Into<anyhow::Error>,
    F: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) if Instant::now() > end => {
                return Err(error.into()).with_context(|| format!("{what}: tried for too long"));
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}
