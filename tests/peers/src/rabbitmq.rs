//! Two RabbitMQ nodes that are no cluster: a shovel at A moves what is in its quorum queue to one at B.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, PublisherConfirm,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions, QueueDeclareOptions,
    },
    tcp::{OwnedIdentity, OwnedTLSConfig},
    types::{AMQPValue, FieldTable},
};

use crate::{
    System,
    pki::Pki,
    place::{free_ports, patiently},
    process::Process,
    work::{Consume, Load, Publish, Way},
};

const OUTBOX: &str = "outbox";
const INBOX: &str = "inbox";
/// AMQP's word for a message that outlives its node.
const PERSISTENT: u8 = 2;

/// Carries the load through two fresh nodes. Gives messages a second.
pub async fn measure(program: &Path, pki: &Pki, folder: &Path, load: Load) -> anyhow::Result<f64> {
    let [a, b, epmd, at_a, at_b] = free_ports()?;
    let node = Node { program, pki, folder, epmd };
    // Without one of ours a node would start one that outlives it.
    let mut mapper = Command::new("epmd");
    mapper.args(["-address", "127.0.0.1", "-port", &epmd.to_string()]);
    let mapper = Process::start(mapper, &folder.join("epmd.log"))?;
    let shovel = shovel(pki, b, load);
    let mut all = [mapper, node.start("b", b, at_b, "")?, node.start("a", a, at_a, &shovel)?];
    let ready = queues(pki, a, b).await;
    all.iter_mut().try_for_each(Process::still_runs)?;
    ready?;
    Way { system: System::Rabbitmq, ports: [a, b], pki, logs: folder }.carry(load).await
}

struct Node<'a> {
    program: &'a Path,
    pki: &'a Pki,
    folder: &'a Path,
    epmd: u16,
}

impl Node<'_> {
    fn start(&self, name: &str, port: u16, internal: u16, more: &str) -> anyhow::Result<Process> {
        let folder: PathBuf = self.folder.join(name);
        fs::create_dir(&folder)?;
        let config = folder.join("advanced.config");
        fs::write(&config, format!("[{}{more}].\n", self.rabbit(port)))?;
        let plugins = folder.join("enabled_plugins");
        fs::write(&plugins, "[rabbitmq_shovel].\n")?;
        let mut command = Command::new(self.program);
        // Nothing of a node that this machine may have otherwise.
        command.env_clear().envs(std::env::vars().filter(|(name, _)| name == "PATH"));
        for (name, path) in [
            ("HOME", folder.clone()),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", config),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", plugins),
            ("RABBITMQ_CONF_ENV_FILE", folder.join("none.conf")),
            ("RABBITMQ_CONFIG_FILE", folder.join("none")),
            ("RABBITMQ_MNESIA_BASE", folder.join("data")),
            ("RABBITMQ_LOG_BASE", folder.join("log")),
            ("RABBITMQ_PID_FILE", folder.join("pid")),
        ] {
            command.env(name, path);
        }
        // Together: its script becomes the node and does not wait beside it.
        command.env("RABBITMQ_ALLOW_INPUT", "yes").env("RABBITMQ_SERVER_START_ARGS", "-noinput");
        command.env("RABBITMQ_NODENAME", format!("{name}@localhost"));
        command.env("RABBITMQ_DIST_PORT", internal.to_string());
        command.env("ERL_EPMD_PORT", self.epmd.to_string());
        command.env("ERL_EPMD_ADDRESS", "127.0.0.1");
        command.env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1}",
        );
        // Its manual's advice for two nodes on one machine: else both bind to the same cores.
        command.env("RABBITMQ_SCHEDULER_BIND_TYPE", "u");
        command.current_dir(&folder);
        Process::start(command, &self.folder.join(format!("{name}.log")))
    }

    fn rabbit(&self, port: u16) -> String {
        let (certificate, key) = (self.pki.certificate("node"), self.pki.key("node"));
        format!(
            "{{rabbit, [{{tcp_listeners, []}}, {{ssl_listeners, [{{\"127.0.0.1\", {port}}}]}}, \
             {{ssl_options, [{{cacertfile, {:?}}}, {{certfile, {certificate:?}}}, \
             {{keyfile, {key:?}}}, {{verify, verify_peer}}, {{fail_if_no_peer_cert, true}}]}}]}}",
            self.pki.authority()
        )
    }
}

/// The configuration of the shovel at A. It takes from its own node without a socket, and gives to B.
fn shovel(pki: &Pki, b: u16, load: Load) -> String {
    let queue = |name: &str| {
        format!(
            "{{declarations, [{{'queue.declare', [{{queue, <<\"{name}\">>}}, durable, {{arguments, \
             [{{<<\"x-queue-type\">>, longstr, <<\"quorum\">>}}]}}]}}]}}"
        )
    };
    let uri = format!(
        "amqps://guest:guest@localhost:{b}?cacertfile={}&certfile={}&keyfile={}&verify=verify_peer\
         &server_name_indication=localhost",
        pki.authority().display(),
        pki.certificate("node").display(),
        pki.key("node").display(),
    );
    format!(
        ", {{rabbitmq_shovel, [{{shovels, [{{forward, [\
         {{source, [{{protocol, amqp091}}, {{uris, [\"amqp://\"]}}, {}, {{queue, <<\"{OUTBOX}\">>}}, \
         {{prefetch_count, {}}}]}}, \
         {{destination, [{{protocol, amqp091}}, {{uris, [{uri:?}]}}, {}, \
         {{publish_properties, [{{delivery_mode, {PERSISTENT}}}]}}, \
         {{publish_fields, [{{exchange, <<>>}}, {{routing_key, <<\"{INBOX}\">>}}]}}]}}, \
         {{ack_mode, on_confirm}}, {{reconnect_delay, 1}}]}}]}}]}}",
        queue(OUTBOX),
        load.window,
        queue(INBOX),
    )
}

async fn connect(port: u16, pki: &Pki) -> anyhow::Result<(Connection, Channel)> {
    let tls = OwnedTLSConfig {
        identity: Some(OwnedIdentity::PKCS8 {
            pem: fs::read(pki.certificate("client"))?,
            key: fs::read(pki.key("client"))?,
        }),
        cert_chain: Some(fs::read_to_string(pki.authority())?),
    };
    let uri = format!("amqps://guest:guest@localhost:{port}/%2f");
    let runtime = lapin::runtime::default_runtime()?;
    let connection = patiently("RabbitMQ", || {
        let properties = ConnectionProperties::default();
        Connection::connect_with_config(&uri, properties, tls.clone(), runtime.clone())
    })
    .await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

async fn queues(pki: &Pki, a: u16, b: u16) -> anyhow::Result<()> {
    for (port, queue) in [(a, OUTBOX), (b, INBOX)] {
        let (connection, channel) = connect(port, pki).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments).await?;
        connection.close(200, "done".into()).await?;
    }
    Ok(())
}

/// Publishes to the queue of A.
pub struct Publisher {
    _connection: Connection,
    channel: Channel,
}

impl Publisher {
    pub async fn connect(port: u16, pki: &Pki) -> anyhow::Result<Self> {
        let (connection, channel) = connect(port, pki).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { _connection: connection, channel })
    }
}

impl Publish for Publisher {
    type Sent = PublisherConfirm;

    async fn send(&mut self, body: Bytes) -> anyhow::Result<PublisherConfirm> {
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let options = BasicPublishOptions::default();
        let sent = self.channel.basic_publish("".into(), OUTBOX.into(), options, &body, properties);
        Ok(sent.await?)
    }

    async fn confirm(sent: PublisherConfirm) -> anyhow::Result<()> {
        ensure!(sent.await?.is_ack(), "RabbitMQ did not confirm a message");
        Ok(())
    }
}

/// Consumes from the queue of B, and acknowledges each message.
pub struct Consumer {
    connection: Connection,
    messages: lapin::Consumer,
}

impl Consumer {
    pub async fn connect(port: u16, pki: &Pki, load: Load) -> anyhow::Result<Self> {
        let (connection, channel) = connect(port, pki).await?;
        channel.basic_qos(load.window, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let arguments = FieldTable::default();
        let messages =
            channel.basic_consume(INBOX.into(), "consumer".into(), options, arguments).await?;
        Ok(Self { connection, messages })
    }
}

impl Consume for Consumer {
    async fn next(&mut self) -> anyhow::Result<Bytes> {
        let message = self.messages.next().await.context("RabbitMQ ended the consumer")??;
        message.ack(BasicAckOptions::default()).await?;
        Ok(message.data.into())
    }

    async fn close(self) -> anyhow::Result<()> {
        Ok(self.connection.close(200, "done".into()).await?)
    }
}
