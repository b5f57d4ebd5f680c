//! Rounds in which each system carries the load once, one after the other.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{
    System, kuriiri, nats,
    pki::Pki,
    process::tail,
    rabbitmq,
    table::Table,
    work::{BODY_BYTES_MIN, Load},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    load: Load,
    /// How often each system is measured.
    #[arg(long, default_value_t = 3, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Seconds after which a system that is not done is given up, with all that was measured.
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    limit: u64,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// The program `kuriiri`.
    #[arg(long, value_name = "PATH")]
    kuriiri: PathBuf,
    /// The program `nats-server`; NATS is left out without.
    #[arg(long, value_name = "PATH")]
    nats_server: Option<PathBuf>,
    /// The program `rabbitmq-server` (its script, not the wrapper that wants root); RabbitMQ is left
    /// out without.
    #[arg(long, value_name = "PATH")]
    rabbitmq_server: Option<PathBuf>,
}

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(args.load.size >= BODY_BYTES_MIN, "a body has at least {BODY_BYTES_MIN} bytes");
    let dir = TempDir::with_prefix("kuriiri-peers-")?;
    let pki = Pki::make(&dir.path().join("pki"))?;
    let mut table = Table::default();
    for round in 1..=args.rounds {
        for system in args.systems() {
            let name = format!("{system:?}-{round}").to_lowercase();
            let folder = dir.path().join(name);
            fs::create_dir(&folder)?;
            eprintln!("round {round} of {}: {}", args.rounds, system.name());
            let measured = args.measure(system, &pki, &folder, &mut table);
            let late = || format!("it was not done after {} s", args.limit);
            let done = timeout(Duration::from_secs(args.limit), measured).await;
            match done.with_context(late).flatten() {
                Ok(rate) => table.add(system, rate),
                Err(error) => {
                    show_logs(&folder)?;
                    return Err(error.context(system.name()));
                }
            }
            fs::remove_dir_all(&folder)?;
        }
    }
    if args.json {
        println!("{}", table.json(args.load)?);
    } else {
        println!("{}", table.text(args.load));
    }
    Ok(())
}

impl Args {
    /// Those whose programs are there.
    fn systems(&self) -> impl Iterator<Item = System> {
        let nats = self.nats_server.is_some().then_some(System::Nats);
        let rabbitmq = self.rabbitmq_server.is_some().then_some(System::Rabbitmq);
        [Some(System::Kuriiri), nats, rabbitmq].into_iter().flatten()
    }

    async fn measure(
        &self,
        system: System,
        pki: &Pki,
        folder: &Path,
        table: &mut Table,
    ) -> anyhow::Result<f64> {
        match (system, &self.nats_server, &self.rabbitmq_server) {
            (System::Nats, Some(program), _) => {
                nats::measure(program, pki, folder, self.load).await
            }
            (System::Rabbitmq, _, Some(program)) => {
                rabbitmq::measure(program, pki, folder, self.load).await
            }
            (System::Kuriiri, ..) => {
                let measured = kuriiri::measure(&self.kuriiri, folder, self.load).await?;
                table.add_fdatasync(measured.fdatasync);
                Ok(measured.rate)
            }
            (System::Nats, None, _) | (System::Rabbitmq, _, None) => bail!("it is not there"),
        }
    }
}

/// Shows what everybody in a folder said last.
fn show_logs(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            eprintln!("--- {}\n{}", path.display(), tail(&path));
        }
    }
    Ok(())
}
