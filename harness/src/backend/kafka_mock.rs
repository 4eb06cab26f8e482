//! The program behind the embedded Kafka: librdkafka's mock cluster, hosted in a child process of ours (the hidden
//! subcommand [`SUBCOMMAND`]), obeying one command a line over a Unix socket.
//!
//! It prints `listening HOST:PORT` on standard output when clients may connect, and serves until it is told to quit or is
//! ended. This is the one module with unsafe code: the safe `MockCluster` cannot set the delay of the first rebalance,
//! which is 3 seconds.
#![expect(unsafe_code, reason = "librdkafka's mock cluster is reached through its C interface")]

use std::{
    ffi::{CStr, CString},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    ptr::{self, NonNull},
};

use rdkafka::bindings as c;

/// The hidden subcommand; its only argument is the path of the control socket.
pub const SUBCOMMAND: &str = "__mock-broker";

/// What the mock cannot do, line by line: for the topic `kafka-mock` of `explain`, and for `limits` in reports.
pub const LIMITS: &[&str] = &[
    "no CreateTopics or DescribeGroups: topics are made by the harness, and lag exporters fail",
    "topics that a client names first are made with 4 partitions",
    "a partition keeps 5 MiB or 100,000 batches, then drops the oldest without a word",
    "an empty fetch waits its full time: consumers need fetch.wait.max.ms around 10",
    "records are lost on a real restart, so stop and restart only close and open its port",
    "faults are down, slow, black hole and a lost record only; others are refused",
];

/// How long a group (of the protocol of Kafka 4) waits for a member that was killed, here and on Apache Kafka.
pub(super) const GROUP_SESSION_MS: i32 = 3_000;
pub(super) const GROUP_HEARTBEAT_MS: i32 = 300;
/// The one broker of the cluster.
const BROKER: i32 = 1;
/// The number of the requests that bring records, in Kafka's protocol.
const PRODUCE: i16 = 0;
/// A command is a word, a topic (at most 249 bytes) and a number.
const LINE_BYTES_MAX: u64 = 512;
const PARTITIONS_MAX: i32 = 1024;
const ROUND_TRIP_MS_MAX: i32 = 600_000;

/// Hosts the cluster until it is told to quit: the whole life of the child process.
///
/// # Errors
/// When the cluster or the control socket cannot be made.
pub fn serve(control: &Path) -> io::Result<()> {
    let cluster = Cluster::start()?;
    let listener = UnixListener::bind(control)?;
    let mut out = io::stdout().lock();
    writeln!(out, "listening {}", cluster.bootstrap())?;
    out.flush()?;
    for connection in listener.incoming() {
        // A connection that breaks is no reason to end: the harness connects again.
        if let Ok(Next::Quit) = obey(&cluster, &connection?) {
            return Ok(());
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Connection,
    Quit,
}

/// Answers `ok` or `error …` to each line.
fn obey(cluster: &Cluster, connection: &UnixStream) -> io::Result<Next> {
    let mut reader = BufReader::new(connection);
    let mut writer = connection;
    loop {
        let mut line = String::new();
        if reader.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)? == 0 {
            return Ok(Next::Connection);
        }
        let command = Command::parse(&line);
        let outcome = command.as_ref().map_err(String::clone).and_then(|command| cluster.apply(command));
        match outcome {
            Ok(()) => writeln!(writer, "ok")?,
            Err(message) => writeln!(writer, "error {message}")?,
        }
        if command == Ok(Command::Quit) {
            return Ok(Next::Quit);
        }
    }
}

/// What the harness may ask of the child. The lines are what [`Command::line`] writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Topic {
        name: CString,
        partitions: i32,
    },
    /// Connections are cut, and refused until `Up`. Records and offsets stay.
    Down,
    Up,
    /// Every answer is held back that long, in milliseconds.
    RoundTrip(i32),
    /// The next request that brings records ends its connection, and the records are gone.
    Lose,
    /// Whether that has happened; an error until then.
    Lost,
    Quit,
}

impl Command {
    pub(super) fn line(&self) -> String {
        match self {
            Command::Topic { name, partitions } => format!("topic {} {partitions}\n", name.to_string_lossy()),
            Command::Down => "down\n".to_owned(),
            Command::Up => "up\n".to_owned(),
            Command::RoundTrip(millis) => format!("rtt {millis}\n"),
            Command::Lose => "lose\n".to_owned(),
            Command::Lost => "lost\n".to_owned(),
            Command::Quit => "quit\n".to_owned(),
        }
    }

    fn parse(line: &str) -> Result<Command, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["topic", name, partitions] => Command::topic(name, partitions),
            ["down"] => Ok(Command::Down),
            ["up"] => Ok(Command::Up),
            ["rtt", millis] => match millis.parse() {
                Ok(millis @ 0..=ROUND_TRIP_MS_MAX) => Ok(Command::RoundTrip(millis)),
                _ => Err(format!("a round trip takes 0 to {ROUND_TRIP_MS_MAX} ms, not {millis}")),
            },
            ["lose"] => Ok(Command::Lose),
            ["lost"] => Ok(Command::Lost),
            ["quit"] => Ok(Command::Quit),
            _ => Err(format!("unknown command: {}", line.trim_end())),
        }
    }

    fn topic(name: &str, partitions: &str) -> Result<Command, String> {
        let partitions = match partitions.parse() {
            Ok(partitions @ 1..=PARTITIONS_MAX) => partitions,
            _ => return Err(format!("a topic has 1 to {PARTITIONS_MAX} partitions, not {partitions}")),
        };
        let is_name = name.len() <= 249
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
        match CString::new(name) {
            Ok(name) if is_name => Ok(Command::Topic { name, partitions }),
            _ => Err(format!("no name of a topic: {name}")),
        }
    }
}

/// A mock cluster of one broker on 127.0.0.1, on a port that the system chose.
struct Cluster {
    cluster: NonNull<c::rd_kafka_mock_cluster_t>,
    client: NonNull<c::rd_kafka_t>,
}

impl Cluster {
    fn start() -> io::Result<Cluster> {
        let client = client()?;
        // SAFETY: the client is a live handle; the cluster is destroyed before it (see Drop).
        let cluster = unsafe { c::rd_kafka_mock_cluster_new(client.as_ptr(), 1) };
        let Some(cluster) = NonNull::new(cluster) else {
            // SAFETY: nothing else refers to the client.
            unsafe { c::rd_kafka_destroy(client.as_ptr()) };
            return Err(io::Error::other("librdkafka could not make its mock cluster"));
        };
        // SAFETY: the cluster is live. Without this a group's first member waits 3 seconds for others, and a killed
        // member keeps its partitions for 30.
        unsafe {
            c::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster.as_ptr(), 0);
            c::rd_kafka_mock_set_group_consumer_session_timeout_ms(cluster.as_ptr(), GROUP_SESSION_MS);
            c::rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(cluster.as_ptr(), GROUP_HEARTBEAT_MS);
        }
        Ok(Cluster { cluster, client })
    }

    fn bootstrap(&self) -> String {
        // SAFETY: the cluster is live, and so is the string that it owns; it is copied at once.
        let bootstrap = unsafe { CStr::from_ptr(c::rd_kafka_mock_cluster_bootstraps(self.cluster.as_ptr())) };
        bootstrap.to_string_lossy().into_owned()
    }

    fn apply(&self, command: &Command) -> Result<(), String> {
        let cluster = self.cluster.as_ptr();
        let mut to_lose = 0;
        // SAFETY: the cluster is live, and the topic's name a C string that outlives the call. Each call hands its order
        // to the cluster's own thread and waits until it is carried out.
        let code = unsafe {
            match command {
                Command::Topic { name, partitions } => {
                    c::rd_kafka_mock_topic_create(cluster, name.as_ptr(), *partitions, 1)
                }
                Command::Down => c::rd_kafka_mock_broker_set_down(cluster, BROKER),
                Command::Up => c::rd_kafka_mock_broker_set_up(cluster, BROKER),
                Command::RoundTrip(millis) => c::rd_kafka_mock_broker_set_rtt(cluster, BROKER, *millis),
                Command::Lose => c::rd_kafka_mock_broker_push_request_error_rtts(
                    cluster,
                    BROKER,
                    PRODUCE,
                    1,
                    c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TRANSPORT,
                    0,
                ),
                Command::Lost => {
                    c::rd_kafka_mock_broker_error_stack_cnt(cluster, BROKER, PRODUCE, &mut to_lose)
                }
                Command::Quit => return Ok(()),
            }
        };
        if to_lose > 0 {
            return Err("nothing was lost yet".to_owned());
        }
        match rdkafka::types::RDKafkaErrorCode::from(code) {
            rdkafka::types::RDKafkaErrorCode::NoError => Ok(()),
            error => Err(error.to_string()),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SAFETY: both are live and referred to by nothing else; the cluster goes before the client that it runs on.
        unsafe {
            c::rd_kafka_mock_cluster_destroy(self.cluster.as_ptr());
            c::rd_kafka_destroy(self.client.as_ptr());
        }
    }
}

/// The client handle that librdkafka wants as the host of a mock cluster. It never connects to anything.
fn client() -> io::Result<NonNull<c::rd_kafka_t>> {
    let mut message = [0; 256];
    // SAFETY: a fresh configuration, which `rd_kafka_new` takes over when it succeeds, and a buffer of the length given,
    // which it ends with a zero.
    unsafe {
        let configuration = c::rd_kafka_conf_new();
        // "No bootstrap.servers configured" would be the first line of every log.
        let (key, level) = (c"log_level".as_ptr(), c"3".as_ptr());
        c::rd_kafka_conf_set(configuration, key, level, ptr::null_mut(), 0);
        let kind = c::rd_kafka_type_t::RD_KAFKA_PRODUCER;
        let client = c::rd_kafka_new(kind, configuration, message.as_mut_ptr(), message.len());
        NonNull::new(client).ok_or_else(|| {
            c::rd_kafka_conf_destroy(configuration);
            io::Error::other(CStr::from_ptr(message.as_ptr()).to_string_lossy().into_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &CStr, partitions: i32) -> Command {
        Command::Topic { name: name.to_owned(), partitions }
    }

    #[test]
    fn commands_survive_the_way_through_a_line() {
        let commands = [
            topic(c"click-events", 4),
            topic(c"a.b_c-9", PARTITIONS_MAX),
            Command::Down,
            Command::Up,
            Command::RoundTrip(0),
            Command::RoundTrip(ROUND_TRIP_MS_MAX),
            Command::Lose,
            Command::Lost,
            Command::Quit,
        ];
        for command in commands {
            assert_eq!(Command::parse(&command.line()), Ok(command));
        }
    }

    #[test]
    fn other_lines_are_refused_with_a_reason() {
        let table = [
            ("", "unknown command: "),
            ("cut", "unknown command: cut"),
            ("topic a", "unknown command: topic a"),
            ("topic a 0", "a topic has 1 to 1024 partitions, not 0"),
            ("topic a 1025", "a topic has 1 to 1024 partitions, not 1025"),
            ("topic a/b 4", "no name of a topic: a/b"),
            ("topic a\0b 4", "no name of a topic: a\0b"),
            ("rtt -1", "a round trip takes 0 to 600000 ms, not -1"),
            ("rtt 600001", "a round trip takes 0 to 600000 ms, not 600001"),
            ("down now", "unknown command: down now"),
        ];
        for (line, expected) in table {
            assert_eq!(Command::parse(line), Err(expected.to_owned()), "{line:?}");
        }
    }

    #[test]
    fn a_cluster_obeys_over_its_socket_until_it_is_told_to_quit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control");
        let listener = UnixListener::bind(&path).unwrap();
        let host = std::thread::spawn(move || {
            let cluster = Cluster::start().unwrap();
            let port = cluster.bootstrap();
            (port, obey(&cluster, &listener.accept().unwrap().0).unwrap())
        });
        let stream = UnixStream::connect(&path).unwrap();
        let mut replies = BufReader::new(&stream).lines();
        for (order, expected) in [
            ("topic click-events 4\n", "ok"),
            ("topic click-events 4\n", "error TopicAlreadyExists (Broker: Topic already exists)"),
            ("down\n", "ok"),
            ("up\n", "ok"),
            ("rtt 5\n", "ok"),
            ("lost\n", "ok"),
            ("lose\n", "ok"),
            ("lost\n", "error nothing was lost yet"),
            ("sing\n", "error unknown command: sing"),
            ("quit\n", "ok"),
        ] {
            (&stream).write_all(order.as_bytes()).unwrap();
            let reply = replies.next().unwrap().unwrap();
            assert!(reply.starts_with(expected.split(" (").next().unwrap()), "{order:?}: {reply}");
        }
        let (bootstrap, next) = host.join().unwrap();
        assert!(bootstrap.starts_with("127.0.0.1:"), "{bootstrap}");
        assert_eq!(next, Next::Quit);
    }
}
