//! The handle of a mock cluster: its child process, and the commands that it obeys.

use std::{ffi::CString, io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    sync::Mutex,
};

use super::{Action, ActionError, Command, KafkaClientError, Kind};
use crate::{
    backend::{kafka_mock::SUBCOMMAND, server::READY_LIMIT},
    process::{Process, Program, StartError},
    proxy::{Fault, Proxy},
    workdir::Workdir,
};

/// A command is a matter of microseconds, unless the child is paused.
const COMMAND_LIMIT: Duration = Duration::from_secs(5);
const SERVING: &str = "listening ";

pub(super) struct Mock {
    workdir: Workdir,
    proxy: Proxy,
    running: Mutex<Option<Running>>,
}

struct Running {
    process: Process,
    address: SocketAddr,
    control: BufReader<UnixStream>,
}

impl Mock {
    pub(super) async fn reserve(workdir: Workdir) -> io::Result<Mock> {
        Ok(Mock { workdir, proxy: Proxy::bind().await?, running: Mutex::new(None) })
    }

    pub(super) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Where the mock itself listens; `None` before it was started.
    pub(super) async fn address(&self) -> Option<String> {
        self.running.lock().await.as_ref().map(|running| running.address.to_string())
    }

    pub(super) async fn start(&self) -> Result<(), StartError> {
        let mut running = self.running.lock().await;
        if running.as_ref().is_some_and(|running| running.process.exit().is_none()) {
            return Ok(());
        }
        let started = Running::start(&self.workdir).await?;
        self.proxy.set_target(Some(started.address));
        *running = Some(started);
        Ok(())
    }

    pub(super) async fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), KafkaClientError> {
        let name =
            CString::new(topic).map_err(|_| KafkaClientError::Refused(format!("no name: {topic:?}")))?;
        let answer = self.order(&Command::Topic { name, partitions }).await;
        match answer {
            Err(message) if message.contains("already exists") => Ok(()),
            answer => answer.map_err(|reason| {
                KafkaClientError::Refused(format!("the mock made no topic `{topic}`: {reason}"))
            }),
        }
    }

    pub(super) async fn apply(&self, action: Action) -> Result<(), ActionError> {
        let done = match action {
            Action::Start if self.running.lock().await.is_none() => {
                self.start().await.map_err(|error| error.to_string())
            }
            Action::Start => self.reopen().await,
            // A real restart would lose its records.
            Action::Stop | Action::Kill => self.close().await,
            Action::Restart => match self.close().await {
                Ok(()) => self.reopen().await,
                closed => closed,
            },
            Action::Pause | Action::Network(Fault::BlackHole) => self.signal(Process::pause).await,
            Action::Resume => self.signal(Process::resume).await,
            Action::Network(Fault::Slow(delay)) => self.round_trip(delay).await,
            Action::Network(Fault::None) => match self.signal(Process::resume).await {
                Ok(()) => self.round_trip(Duration::ZERO).await,
                resumed => resumed,
            },
            Action::RestartEmpty | Action::Network(Fault::Refuse | Fault::Cut) => {
                Err("the mock cannot".to_owned())
            }
        };
        done.map_err(|reason| ActionError::Failed { kind: Kind::Kafka, action: action.name(), reason })
    }

    pub(super) async fn lost(&self) -> Option<String> {
        let running = self.running.lock().await;
        running.as_ref()?.process.exit().map(|exit| format!("kafka ended by itself: {exit}"))
    }

    pub(super) async fn finish(&self) {
        self.proxy.set_target(None);
        if let Some(running) = self.running.lock().await.take() {
            running.process.kill().await;
        }
    }

    /// Loses the next records that are sent to it, and ends the connection that brought them.
    pub(super) async fn lose(&self) -> Result<(), String> {
        self.order(&Command::Lose).await
    }

    pub(super) async fn has_lost(&self) -> bool {
        self.order(&Command::Lost).await.is_ok()
    }

    async fn close(&self) -> Result<(), String> {
        self.order(&Command::Down).await?;
        self.proxy.set_fault(Fault::Refuse).await;
        Ok(())
    }

    async fn reopen(&self) -> Result<(), String> {
        self.order(&Command::Up).await?;
        self.proxy.set_fault(Fault::None).await;
        Ok(())
    }

    async fn round_trip(&self, delay: Duration) -> Result<(), String> {
        let millis = i32::try_from(delay.as_millis()).unwrap_or(i32::MAX);
        self.order(&Command::RoundTrip(millis)).await
    }

    async fn signal(&self, signal: impl Fn(&Process) -> bool) -> Result<(), String> {
        match self.running.lock().await.as_ref() {
            Some(running) if signal(&running.process) => Ok(()),
            _ => Err("it does not run".to_owned()),
        }
    }

    async fn order(&self, command: &Command) -> Result<(), String> {
        match self.running.lock().await.as_mut() {
            Some(running) => running.order(command).await,
            None => Err("it does not run".to_owned()),
        }
    }
}

impl Running {
    async fn start(workdir: &Workdir) -> Result<Running, StartError> {
        let failed = |reason: String| StartError::Spawn { name: "kafka".to_owned(), reason, hint: None };
        let path = workdir.socket("control").map_err(|error| failed(error.to_string()))?;
        let program = Program::hidden(SUBCOMMAND).name("kafka").arg(&path).grace(Duration::ZERO);
        let process = program.spawn(workdir)?;
        let line = process.line_with(SERVING, READY_LIMIT).await?;
        let address = line.split(SERVING).nth(1).and_then(|address| address.trim().parse().ok());
        let address = address.ok_or_else(|| process.silent("address of the mock broker", READY_LIMIT))?;
        let control = UnixStream::connect(&path).await.map_err(|error| failed(error.to_string()))?;
        Ok(Running { process, address, control: BufReader::new(control) })
    }

    async fn order(&mut self, command: &Command) -> Result<(), String> {
        let asked = async {
            self.control.get_mut().write_all(command.line().as_bytes()).await?;
            let mut answer = String::new();
            self.control.read_line(&mut answer).await?;
            Ok::<_, io::Error>(answer)
        };
        match tokio::time::timeout(COMMAND_LIMIT, asked).await {
            Ok(Ok(answer)) if answer.trim_end() == "ok" => Ok(()),
            Ok(Ok(answer)) if answer.is_empty() => Err(self.process.exit().map_or_else(
                || "it closed its control socket".to_owned(),
                |exit| self.process.exited_early(exit).to_string(),
            )),
            Ok(Ok(answer)) => Err(answer.trim_end().trim_start_matches("error ").to_owned()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", COMMAND_LIMIT.as_secs())),
        }
    }
}
