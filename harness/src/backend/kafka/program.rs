//! How Apache Kafka is run: one node in KRaft mode, broker and controller in one, small and quick.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{Apache, client::KafkaClient, storage};
use crate::{
    backend::{
        kafka_mock::{GROUP_HEARTBEAT_MS, GROUP_SESSION_MS},
        ports,
        server::{Launch, Running, ready},
    },
    process::{Process, Program, StartError},
    proxy::Target,
    until::Probe,
    workdir::Workdir,
};

/// Half the time to ready, and half the memory, of the defaults.
pub(super) const JVM: [&str; 4] =
    ["-Xmx192m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xlog:cds=off"];
const METADATA_LIMIT: Duration = Duration::from_secs(1);

/// Apache Kafka, with its data in `data` of its work directory.
#[derive(Debug)]
pub(super) struct KafkaProgram {
    apache: Apache,
    advertised: SocketAddr,
    /// Of its last start.
    ports: Mutex<Option<Ports>>,
    /// Where the archive of classes will be; `None` when the machine has one, or cannot keep one.
    archive: Option<PathBuf>,
}

/// The ports of one start: one for services, behind the proxy; one for the harness, past it; one for the controller within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) services: u16,
    pub(super) harness: u16,
    pub(super) controller: u16,
}

impl KafkaProgram {
    /// `advertised` is what services are told to connect to: the proxy's address.
    pub(super) fn new(apache: Apache, advertised: SocketAddr) -> KafkaProgram {
        let archive = storage::archive(&apache).filter(|archive| !archive.exists());
        KafkaProgram { apache, advertised, ports: Mutex::new(None), archive }
    }

    pub(super) fn apache(&self) -> &Apache {
        &self.apache
    }

    /// Where the harness asks it; `None` before its first start.
    pub(super) fn harness_address(&self) -> Option<String> {
        let ports = *self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.map(|ports| format!("127.0.0.1:{}", ports.harness))
    }

    /// Whether it is to end in order, so that it writes its archive.
    pub(super) fn archives_classes(&self) -> bool {
        self.archive.as_ref().is_some_and(|archive| !archive.exists())
    }

    /// After its end: what it wrote is kept for the next one.
    pub(super) fn keep_archive(&self, workdir: &Workdir) {
        let written = workdir.path().join(ARCHIVE);
        if self.archives_classes() && written.exists() {
            // Without it the next start is slower, and as good.
            _ = storage::keep_archive(&self.apache, &written);
        }
        _ = fs::remove_file(written);
    }

    fn command(&self, settings: &Path, workdir: &Workdir) -> Program {
        let archive = match (&self.archive, storage::archive(&self.apache)) {
            (None, Some(archive)) => Some(format!("-XX:SharedArchiveFile={}", archive.display())),
            (Some(_), _) => {
                Some(format!("-XX:ArchiveClassesAtExit={}", workdir.path().join(ARCHIVE).display()))
            }
            (None, None) => None,
        };
        Program::new(&self.apache.java)
            .name("kafka")
            .args(JVM)
            .args(archive)
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
            .arg(format!("-Dkafka.logs.dir={}", workdir.path().join("logs").display()))
            .args(["-cp", &self.apache.class_path(), "kafka.Kafka"])
            .arg(settings)
    }

    async fn attempt(&self, workdir: &Workdir) -> Result<(Running, Target), StartError> {
        let failed = |error: io::Error| StartError::Spawn {
            name: "kafka".to_owned(),
            reason: error.to_string(),
            hint: None,
        };
        let data = workdir.path().join("data");
        if !data.exists() {
            storage::place(&self.apache, workdir, &data).await?;
        }
        let [services, harness, controller] = ports::choose().map_err(failed)?;
        let ports = Ports { services, harness, controller };
        let settings = workdir.path().join("server.properties");
        fs::write(&settings, properties(&data, &ports, &self.advertised.to_string())).map_err(failed)?;
        let process = self.command(&settings, workdir).spawn(workdir)?;
        serving(&process, ports.harness).await?;
        *self.ports.lock().unwrap_or_else(PoisonError::into_inner) = Some(ports);
        Ok((Running::Process(process), Target::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, ports.services)))))
    }
}

const ARCHIVE: &str = "classes.jsa";

impl Launch for KafkaProgram {
    const GRACE: Duration = Duration::from_secs(15);

    async fn launch(&self, workdir: &Workdir) -> Result<(Running, Target), StartError> {
        ports::retry(async || self.attempt(workdir).await).await
    }

    async fn empty(&self, workdir: &Workdir) -> io::Result<()> {
        fs::remove_dir_all(workdir.path().join("data"))
    }
}

/// Ready is when its metadata name a broker: it has registered with itself and is let serve.
async fn serving(process: &Process, port: u16) -> Result<(), StartError> {
    let address = format!("127.0.0.1:{port}");
    ready(process, "listener of kafka", async || match tokio::net::TcpStream::connect(&address).await {
        Ok(_) => Probe::Ready(()),
        Err(error) => Probe::NotYet(format!("{address}: {error}")),
    })
    .await?;
    let client = KafkaClient::new(&address);
    ready(process, "broker in kafka's metadata", async || names_a_broker(&client).await).await
}

/// One look.
pub(super) async fn names_a_broker(client: &KafkaClient) -> Probe<()> {
    match client.brokers(METADATA_LIMIT).await {
        Ok(brokers) if brokers.is_empty() => Probe::NotYet("no broker yet".to_owned()),
        Ok(_) => Probe::Ready(()),
        Err(error) => Probe::NotYet(error.to_string()),
    }
}

pub(super) fn properties(data: &Path, ports: &Ports, advertised: &str) -> String {
    let Ports { services, harness, controller } = ports;
    let listeners = format!(
        "node.id=1
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=SERVICES://127.0.0.1:{services},HARNESS://127.0.0.1:{harness},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SERVICES://{advertised},HARNESS://127.0.0.1:{harness}
listener.security.protocol.map=SERVICES:PLAINTEXT,HARNESS:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=HARNESS
controller.listener.names=CONTROLLER
log.dirs={}
",
        data.display()
    );
    listeners + &settings()
}

/// What holds wherever it runs.
pub(super) fn settings() -> String {
    format!(
        "group.consumer.session.timeout.ms={GROUP_SESSION_MS}
group.consumer.heartbeat.interval.ms={GROUP_HEARTBEAT_MS}
{SETTINGS}"
    )
}

/// One node, quick to start, quick to notice; the buffer of the log cleaner alone saves 130 MiB.
const SETTINGS: &str = "auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=100
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1500
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=2
num.recovery.threads.per.data.dir=1
background.threads=2
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_told_the_proxys_address_and_nothing_but_loopback_is_listened_on() {
        let ports = Ports { services: 1, harness: 2, controller: 3 };
        let text = properties(Path::new("/tmp/data"), &ports, "127.0.0.1:9");
        assert!(
            text.contains("\nadvertised.listeners=SERVICES://127.0.0.1:9,HARNESS://127.0.0.1:2\n"),
            "{text}"
        );
        let listeners = text.lines().find(|line| line.starts_with("listeners=")).unwrap();
        assert_eq!(listeners.matches("://127.0.0.1:").count(), 3, "{listeners}");
        assert!(text.lines().all(|line| line.contains('=')), "each line is a setting: {text}");
    }
}
