//! Programs that end when their value here is dropped, with all that they started.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{ChildStdin, ChildStdout},
};

/// The last lines of a program's log that are shown when it failed.
const TAIL: usize = 20;

/// A program in a process group of its own. What it prints goes to a file.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it. What it says goes to `log`.
    pub fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let out = create(log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        Self::spawn(command, log)
    }

    fn spawn(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        command.process_group(0);
        let program = command.get_program().display().to_string();
        let child = command.spawn().with_context(|| format!("{program} cannot be started"))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Fails when it has ended, with the end of what it said.
    pub fn still_runs(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("it ended with {status}:\n{}", self.said()),
        }
    }

    /// The end of what it said.
    fn said(&self) -> String {
        tail(&self.log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its group has its number. Nothing that it holds is worth a farewell.
        if let Ok(id) = i32::try_from(self.child.id())
            && let Some(group) = Pid::from_raw(id)
        {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// A program that is told when to go on, and says on lines how far it is.
pub struct Worker {
    process: Process,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    pub fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(create(log)?);
        let mut process = Process::spawn(command, log)?;
        let stdin = process.child.stdin.take().map(ChildStdin::from_std).transpose()?;
        let stdout = process.child.stdout.take().context("no standard output")?;
        let lines = BufReader::new(ChildStdout::from_std(stdout)?).lines();
        Ok(Self { process, stdin, lines })
    }

    /// Lets it go on.
    pub async fn tell(&mut self, word: &str) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().context("no standard input")?;
        Ok(stdin.write_all(format!("{word}\n").as_bytes()).await?)
    }

    /// Waits for one word.
    pub async fn says(&mut self, word: &str) -> anyhow::Result<()> {
        let line = self.line().await?;
        ensure!(line == word, "{line:?} instead of {word:?}");
        Ok(())
    }

    /// Reads the next line as JSON.
    pub async fn tells<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let line = self.line().await?;
        serde_json::from_str(&line).with_context(|| format!("{line:?}"))
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        match self.lines.next_line().await? {
            Some(line) => Ok(line),
            None => bail!("a client ended early:\n{}", self.process.said()),
        }
    }
}

fn create(log: &Path) -> anyhow::Result<File> {
    File::create(log).with_context(|| log.display().to_string())
}

/// The last lines of a file; nothing if it cannot be read.
pub fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n")
}
