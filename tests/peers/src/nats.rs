//! Two JetStream servers: A is a leaf node of B, and B mirrors A's stream. They sync their files every
//! two minutes, which is their default.

use std::{
    fs,
    future::IntoFuture,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use async_nats::{
    Client, ConnectOptions,
    jetstream::{
        self, Context,
        consumer::{AckPolicy, pull},
        context::PublishAckFuture,
        stream::{Config, Source, StorageType},
    },
};
use bytes::Bytes;
use futures_util::StreamExt;

use crate::{
    System,
    pki::Pki,
    place::{free_ports, patiently},
    process::Process,
    work::{Consume, Load, Publish, Way},
};

const STREAM: &str = "OUT";
const MIRROR: &str = "IN";
const SUBJECT: &str = "messages";

/// Carries the load through two fresh servers. Gives messages a second.
pub async fn measure(program: &Path, pki: &Pki, folder: &Path, load: Load) -> anyhow::Result<f64> {
    let [a, b, leaf] = free_ports()?;
    let node = Node { program, pki, folder };
    let hub = format!("leafnodes {{ listen: \"127.0.0.1:{leaf}\", tls {{ {} }} }}", node.tls(true));
    let remote = format!("url: \"tls://127.0.0.1:{leaf}\", tls {{ {} }}", node.tls(false));
    let remote = format!("leafnodes {{ remotes: [ {{ {remote} }} ] }}");
    let mut nodes = [node.start("b", b, &hub)?, node.start("a", a, &remote)?];
    let ready = streams(pki, a, b).await;
    nodes.iter_mut().try_for_each(Process::still_runs)?;
    ready?;
    Way { system: System::Nats, ports: [a, b], pki, logs: folder }.carry(load).await
}

struct Node<'a> {
    program: &'a Path,
    pki: &'a Pki,
    folder: &'a Path,
}

impl Node<'_> {
    fn tls(&self, verify: bool) -> String {
        let (certificate, key) = (self.pki.certificate("node"), self.pki.key("node"));
        let verify = if verify { ", verify: true" } else { "" };
        format!(
            "cert_file: {certificate:?}, key_file: {key:?}, ca_file: {:?}{verify}",
            self.pki.authority()
        )
    }

    fn start(&self, name: &str, port: u16, leafnodes: &str) -> anyhow::Result<Process> {
        let config = self.folder.join(format!("{name}.conf"));
        let store: PathBuf = self.folder.join(name);
        let text = format!(
            "server_name: {name}\nlisten: \"127.0.0.1:{port}\"\ntls {{ {} }}\n\
             jetstream {{ store_dir: {store:?}, domain: {name} }}\n{leafnodes}\n",
            self.tls(true)
        );
        fs::write(&config, text)?;
        let mut command = Command::new(self.program);
        command.arg("--config").arg(&config);
        Process::start(command, &self.folder.join(format!("{name}.log")))
    }
}

async fn connect(port: u16, pki: &Pki) -> anyhow::Result<Client> {
    let url = format!("tls://127.0.0.1:{port}");
    patiently("NATS", || {
        ConnectOptions::new()
            .require_tls(true)
            .add_root_certificates(pki.authority())
            .add_client_certificate(pki.certificate("client"), pki.key("client"))
            .connect(&url)
    })
    .await
}

async fn streams(pki: &Pki, a: u16, b: u16) -> anyhow::Result<()> {
    let stream = Config {
        name: STREAM.into(),
        subjects: vec![SUBJECT.into()],
        storage: StorageType::File,
        ..Config::default()
    };
    let source = Source { name: STREAM.into(), domain: Some("a".into()), ..Source::default() };
    let mirror = Config {
        name: MIRROR.into(),
        mirror: Some(source),
        storage: StorageType::File,
        ..Config::default()
    };
    for (port, config) in [(a, stream), (b, mirror)] {
        let context = jetstream::new(connect(port, pki).await?);
        patiently("a stream of NATS", || context.create_stream(config.clone())).await?;
    }
    Ok(())
}

/// Publishes to the stream of A.
pub struct Publisher(Context);

impl Publisher {
    pub async fn connect(port: u16, pki: &Pki) -> anyhow::Result<Self> {
        Ok(Self(jetstream::new(connect(port, pki).await?)))
    }
}

impl Publish for Publisher {
    type Sent = PublishAckFuture;

    async fn send(&mut self, body: Bytes) -> anyhow::Result<PublishAckFuture> {
        Ok(self.0.publish(SUBJECT, body).await?)
    }

    async fn confirm(sent: PublishAckFuture) -> anyhow::Result<()> {
        Ok(sent.into_future().await.map(drop)?)
    }
}

/// Consumes from the mirror at B, and acknowledges each message.
pub struct Consumer {
    client: Client,
    messages: pull::Stream,
}

impl Consumer {
    pub async fn connect(port: u16, pki: &Pki, load: Load) -> anyhow::Result<Self> {
        let client = connect(port, pki).await?;
        let mirror = jetstream::new(client.clone()).get_stream(MIRROR).await?;
        let config = pull::Config {
            durable_name: Some("consumer".into()),
            ack_policy: AckPolicy::Explicit,
            max_ack_pending: load.window.into(),
            ..pull::Config::default()
        };
        let consumer = mirror.create_consumer(config).await?;
        let messages =
            consumer.stream().max_messages_per_batch(load.window.into()).messages().await?;
        Ok(Self { client, messages })
    }
}

impl Consume for Consumer {
    async fn next(&mut self) -> anyhow::Result<Bytes> {
        let message = self.messages.next().await.context("NATS ended the consumer")??;
        message.ack().await.map_err(anyhow::Error::from_boxed)?;
        Ok(message.payload.clone())
    }

    async fn close(self) -> anyhow::Result<()> {
        Ok(self.client.flush().await?)
    }
}
