//! Kafka as services and the harness see it: the same tests on the mock and, where they are, on Apache Kafka
//! and on its image.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Failed, Trial};
use probity::{
    backend::{Action, ActionError, Kafka, Kind, Provider, doctor},
    process,
    proxy::Fault,
    workdir::{RunId, Workdir},
};
use rdkafka::{
    ClientConfig,
    consumer::{CommitMode, Consumer as _, StreamConsumer},
    message::{Header, Message as _, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};

const LIMIT: Duration = Duration::from_secs(30);

type Claim = fn(Kafka) -> Pin<Box<dyn Future<Output = ()>>>;

/// What holds for every provider that we start.
const CLAIMS: [(&str, Claim); 3] = [
    ("records_headers_groups_and_offsets_are_read_back", |kafka| Box::pin(records_are_read_back(kafka))),
    ("stop_and_kill_keep_address_and_records", |kafka| Box::pin(ends_keep_address_and_records(kafka))),
    ("a_producer_finds_it_again_after_a_restart", |kafka| Box::pin(a_producer_finds_it_again(kafka))),
];

const MOCK_CLAIMS: [(&str, Claim); 2] = [
    ("it_can_be_slow_and_a_black_hole_and_says_what_it_cannot", |kafka| Box::pin(the_mocks_faults(kafka))),
    ("one_that_runs_elsewhere_is_asked_at_its_own_address", |kafka| Box::pin(one_elsewhere(kafka))),
];

const APACHE_CLAIMS: [(&str, Claim); 3] = [
    ("network_faults_do_not_blind_the_harness", |kafka| Box::pin(network_faults(kafka))),
    ("it_pauses_and_resumes", |kafka| Box::pin(pauses(kafka))),
    ("a_restart_empty_forgets_topics_and_keeps_the_address", |kafka| Box::pin(restarts_empty(kafka))),
];

fn main() {
    process::serve_hidden_subcommands();
    let arguments = Arguments::from_args();
    let facts = doctor::facts();
    let apache = facts.iter().find(|fact| fact.backend == "kafka" && fact.provider == "local");
    let missing = apache.filter(|fact| !fact.serves);
    if let Some(missing) = missing {
        let remedy = missing.remedy.as_deref().unwrap_or_default();
        eprintln!("tests on Apache Kafka are ignored: {}; {remedy}", missing.what);
    }
    let mock = CLAIMS.iter().chain(&MOCK_CLAIMS).map(|claim| trial("mock", Provider::Embedded, *claim));
    let apache = CLAIMS
        .iter()
        .chain(&APACHE_CLAIMS)
        .map(|claim| trial("apache", Provider::Local, *claim).with_ignored_flag(missing.is_some()));
    let uncontained = doctor::container_is_here(Kind::Kafka).err();
    if let Some(reason) = &uncontained {
        eprintln!("tests on Apache Kafka in a container are ignored: {reason}; see ci/setup-images");
    }
    let container = CLAIMS.iter().chain(&APACHE_CLAIMS).map(|claim| {
        trial("container", Provider::Containers(None), *claim).with_ignored_flag(uncontained.is_some())
    });
    libtest_mimic::run(&arguments, mock.chain(apache).chain(container).collect()).exit();
}

fn trial(on: &'static str, provider: Provider, (name, claim): (&str, Claim)) -> Trial {
    Trial::test(format!("{on}::{name}"), move || {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            let workdir = Workdir::create(RunId::new())?;
            let kafka = Kafka::reserve(&provider, &workdir).await?;
            let took = kafka.start().await.map_err(|error| format!("{error}\n{:?}", error.hint()))?;
            println!("{on} {} ready after {took:?}", kafka.version());
            claim(kafka).await;
            workdir.remove().map_err(Failed::from)
        })
    })
}

fn producer(kafka: &Kafka) -> FutureProducer {
    ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .set("reconnect.backoff.max.ms", "100")
        .set("message.timeout.ms", "20000")
        .create()
        .unwrap()
}

async fn send(producer: &FutureProducer, topic: &str, partition: i32, value: &str) {
    let headers = OwnedHeaders::new().insert(Header { key: "traceparent", value: Some("00-a-b-01") });
    let record = FutureRecord::to(topic).partition(partition).key("k").payload(value).headers(headers);
    producer.send(record, LIMIT).await.map_err(|(error, _)| error).unwrap();
}

/// Consumes `count` records as a service does, and commits them.
async fn consume(kafka: &Kafka, group: &str, topic: &str, count: usize) -> Vec<String> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .set("group.id", group)
        .set("group.protocol", "consumer")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "10")
        .create()
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let mut values = Vec::new();
    while values.len() < count {
        let message = tokio::time::timeout(LIMIT, consumer.recv()).await.expect("a record in time").unwrap();
        values.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
        consumer.commit_message(&message, CommitMode::Sync).unwrap();
    }
    values.sort();
    values
}

async fn records_and_groups(kafka: &Kafka) {
    kafka.create_topic("clicks", 4).await.unwrap();
    kafka.create_topic("clicks", 4).await.unwrap();
    assert_eq!(kafka.end_offsets("clicks").await.unwrap(), [(0, 0), (1, 0), (2, 0), (3, 0)]);
    let producer = producer(kafka);
    for (partition, value) in [(0, "a"), (2, "b"), (2, "c")] {
        send(&producer, "clicks", partition, value).await;
    }
    assert_eq!(kafka.end_offsets("clicks").await.unwrap(), [(0, 1), (1, 0), (2, 2), (3, 0)]);
    let records = kafka.records("clicks").await.unwrap();
    let places: Vec<_> = records.iter().map(|it| (it.partition, it.offset, it.value.as_str())).collect();
    assert_eq!(places, [(0, 0, "a"), (2, 0, "b"), (2, 1, "c")]);
    assert_eq!(records[0].headers, [("traceparent".to_owned(), "00-a-b-01".to_owned())]);
    assert_eq!(records[0].key.as_deref(), Some("k"));
    assert!(records[0].at > 1_700_000_000_000_000_000, "{}", records[0].at);
    let stands = async || {
        let offsets = kafka.committed("analytics", "clicks").await.unwrap();
        offsets.iter().map(|it| (it.end, it.committed)).collect::<Vec<_>>()
    };
    assert_eq!(stands().await, [(1, None), (0, None), (2, None), (0, None)]);
    assert_eq!(consume(kafka, "analytics", "clicks", 3).await, ["a", "b", "c"]);
    assert_eq!(stands().await, [(1, Some(1)), (0, None), (2, Some(2)), (0, None)]);
}

async fn survives(kafka: &Kafka, end: Action) {
    let address = kafka.bootstrap();
    kafka.apply(end).await.unwrap();
    assert!(tokio::net::TcpStream::connect(&address).await.is_err(), "after {end:?} it is still there");
    kafka.apply(Action::Start).await.unwrap();
    assert_eq!(kafka.records("clicks").await.unwrap().len(), 3, "after {end:?}");
    assert_eq!(kafka.bootstrap(), address);
}

async fn records_are_read_back(kafka: Kafka) {
    assert!(!kafka.version().is_empty());
    records_and_groups(&kafka).await;
    kafka.finish().await;
}

async fn ends_keep_address_and_records(kafka: Kafka) {
    records_and_groups(&kafka).await;
    for end in [Action::Stop, Action::Kill] {
        survives(&kafka, end).await;
    }
    kafka.finish().await;
}

async fn a_producer_finds_it_again(kafka: Kafka) {
    kafka.create_topic("other", 1).await.unwrap();
    let producer = producer(&kafka);
    send(&producer, "other", 0, "before").await;
    kafka.apply(Action::Restart).await.unwrap();
    send(&producer, "other", 0, "after").await;
    assert_eq!(kafka.records("other").await.unwrap().len(), 2);
    kafka.finish().await;
}

async fn the_mocks_faults(kafka: Kafka) {
    kafka.create_topic("t", 1).await.unwrap();
    kafka.apply(Action::Network(Fault::Slow(Duration::from_millis(300)))).await.unwrap();
    let began = Instant::now();
    kafka.end_offsets("t").await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    kafka.apply(Action::Network(Fault::None)).await.unwrap();
    kafka.apply(Action::Network(Fault::BlackHole)).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), kafka.end_offsets("t")).await.is_err());
    kafka.apply(Action::Network(Fault::None)).await.unwrap();
    kafka.end_offsets("t").await.unwrap();
    for action in [Action::RestartEmpty, Action::Network(Fault::Cut), Action::Network(Fault::Refuse)] {
        let error = kafka.apply(action).await.unwrap_err();
        assert!(matches!(error, ActionError::Unsupported { .. }), "{error}");
    }
    kafka.finish().await;
}

async fn one_elsewhere(kafka: Kafka) {
    let workdir = Workdir::create(RunId::new()).unwrap();
    kafka.create_topic("t", 2).await.unwrap();
    let external = Kafka::reserve(&Provider::External(kafka.bootstrap()), &workdir).await.unwrap();
    external.start().await.unwrap();
    assert_eq!(external.bootstrap(), kafka.bootstrap());
    assert_eq!(external.end_offsets("t").await.unwrap(), [(0, 0), (1, 0)]);
    assert!(matches!(
        external.apply(Action::Network(Fault::Slow(LIMIT))).await,
        Err(ActionError::Unsupported { .. })
    ));
    external.finish().await;
    kafka.end_offsets("t").await.unwrap();
    kafka.finish().await;
    workdir.remove().unwrap();
}

async fn network_faults(kafka: Kafka) {
    kafka.create_topic("t", 1).await.unwrap();
    let producer = producer(&kafka);
    send(&producer, "t", 0, "before").await;
    for fault in [Fault::Refuse, Fault::BlackHole] {
        kafka.apply(Action::Network(fault)).await.unwrap();
        let record = FutureRecord::<str, str>::to("t").payload("during");
        let sent = tokio::time::timeout(Duration::from_millis(500), producer.send(record, LIMIT)).await;
        assert!(sent.is_err(), "{fault:?}: a record arrived: {sent:?}");
        kafka.records("t").await.unwrap();
    }
    kafka.apply(Action::Network(Fault::None)).await.unwrap();
    send(&producer, "t", 0, "after").await;
    kafka.apply(Action::Network(Fault::Cut)).await.unwrap();
    kafka.apply(Action::Network(Fault::None)).await.unwrap();
    send(&producer, "t", 0, "after the cut").await;
    assert!(kafka.records("t").await.unwrap().iter().any(|record| record.value == "after the cut"));
    kafka.finish().await;
}

async fn pauses(kafka: Kafka) {
    kafka.create_topic("t", 1).await.unwrap();
    kafka.apply(Action::Pause).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), kafka.end_offsets("t")).await.is_err());
    kafka.apply(Action::Resume).await.unwrap();
    assert_eq!(kafka.end_offsets("t").await.unwrap(), [(0, 0)]);
    kafka.finish().await;
}

async fn restarts_empty(kafka: Kafka) {
    let address = kafka.bootstrap();
    kafka.create_topic("t", 1).await.unwrap();
    kafka.apply(Action::RestartEmpty).await.unwrap();
    assert_eq!(kafka.bootstrap(), address);
    assert!(kafka.end_offsets("t").await.is_err(), "it still has its topic");
    kafka.create_topic("t", 3).await.unwrap();
    assert_eq!(kafka.end_offsets("t").await.unwrap().len(), 3);
    kafka.finish().await;
}
