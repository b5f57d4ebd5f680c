//! Free ports for relays that are made for the moment.

use std::net::{Ipv4Addr, UdpSocket};

use anyhow::Context;

/// Ports are looked for from here on.
const PORTS_FROM: u16 = 18_100;

/// A port after which four are free now. Different processes begin at different places, so that two
/// at the same time rarely want the same.
pub(crate) fn free_ports() -> anyhow::Result<u16> {
    let free = |port: u16| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let places = u16::try_from(std::process::id() % 1000).unwrap_or(0);
    let from = PORTS_FROM + 8 * places;
    let mut bases = (from..32_000).chain(PORTS_FROM..from).step_by(8);
    let base = bases.find(|base| (base + 1..=base + 4).all(free));
    base.context("no four ports are free")
}
