//! The receiving end of a measurement.

use std::time::Instant;

use kuriiri_client::{Inbox, ReceiveOptions};
use kuriiri_types::limits::CREDIT_MAX;
use serde::{Deserialize, Serialize};

use super::{cpu::CpuTime, load::WARM_UP};
use crate::{
    exit::{DONE, Failure, Outcome},
    output::Output,
    system::As,
};

/// Receive so many messages and say what it cost.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    system: As,
    #[arg(long)]
    messages: u64,
}

/// What the receiver saw.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) received: u64,
    /// From the first of them to the last.
    pub(super) seconds: f64,
    pub(super) cpu: CpuTime,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let client = args.system.connect(output).await?;
    let options = ReceiveOptions { mailbox: None, credit: CREDIT_MAX };
    let mut inbox = client.receive(options);
    take(&mut inbox, WARM_UP).await?;
    let (before, begin) = (CpuTime::own()?, Instant::now());
    take(&mut inbox, args.messages).await?;
    let seconds = begin.elapsed().as_secs_f64();
    // The inbox must live until its confirmations have gone.
    client.close().await;
    drop(inbox);
    let cpu = CpuTime::own()?.since(before);
    let told = Told { received: args.messages, seconds, cpu };
    output.data(&told, String::new)?;
    Ok(DONE)
}

/// Receives and confirms so many messages.
async fn take(inbox: &mut Inbox, messages: u64) -> Result<(), Failure> {
    for _ in 0..messages {
        match inbox.next().await {
            Some(Ok(message)) => message.confirm_later(),
            Some(Err(error)) => return Err(Failure::new(error.code(), error)),
            None => return Err(Failure::from(anyhow::anyhow!("the client has ended"))),
        }
    }
    Ok(())
}
