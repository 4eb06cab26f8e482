//! What is done to a container: its address stays, its data stays or goes, and the harness is never blind.

use std::time::Duration;

use probity::{
    backend::{Action, Etcd, EtcdClientError, Postgres, Provider, Range},
    proxy::Fault,
    workdir::{RunId, Workdir},
};
use tokio_postgres::NoTls;

/// For what must not be answered.
const MOMENT: Duration = Duration::from_millis(300);

const HERE: Provider = Provider::Containers(None);

async fn etcd(workdir: &Workdir) -> Etcd {
    let etcd = Etcd::reserve(&HERE, workdir).await.unwrap();
    let took = etcd.start().await.unwrap_or_else(|error| panic!("{error}\n{:?}", error.hint()));
    println!("etcd {} ready after {took:?}", etcd.version());
    etcd
}

async fn postgres(workdir: &Workdir) -> Postgres {
    let postgres = Postgres::reserve(&HERE, workdir, std::sync::Arc::new(|_, _| {})).await.unwrap();
    let took = postgres.start().await.unwrap_or_else(|error| panic!("{error}\n{:?}", error.hint()));
    println!("postgres {} ready after {took:?}", postgres.version());
    postgres
}

/// What a service would be answered.
async fn through_proxy(etcd: &Etcd, workdir: &Workdir) -> Result<Range, EtcdClientError> {
    Etcd::reserve(&Provider::External(etcd.endpoints()), workdir).await.unwrap().range("").await
}

pub(crate) async fn etcd_ends_keep_address_and_data() {
    let workdir = Workdir::create(RunId::new()).unwrap();
    let etcd = etcd(&workdir).await;
    let address = etcd.endpoints();
    etcd.put("kept", "1", 0).await.unwrap();
    for end in [Action::Stop, Action::Kill] {
        etcd.apply(end).await.unwrap();
        let error = through_proxy(&etcd, &workdir).await.unwrap_err().to_string();
        assert!(error.to_lowercase().contains("refused"), "{error}");
        assert!(etcd.apply(Action::Stop).await.unwrap_err().to_string().contains("does not run"));
        etcd.apply(Action::Start).await.unwrap();
        assert_eq!(through_proxy(&etcd, &workdir).await.unwrap().keys.len(), 1, "after {end:?}");
    }
    etcd.apply(Action::Restart).await.unwrap();
    assert_eq!(through_proxy(&etcd, &workdir).await.unwrap().keys[0].key, "kept");
    etcd.apply(Action::RestartEmpty).await.unwrap();
    assert_eq!(through_proxy(&etcd, &workdir).await.unwrap().keys, []);
    assert_eq!(etcd.endpoints(), address);
    etcd.finish().await;
    workdir.remove().unwrap();
}

pub(crate) async fn etcd_faults_do_not_blind_the_harness() {
    let workdir = Workdir::create(RunId::new()).unwrap();
    let etcd = etcd(&workdir).await;
    etcd.apply(Action::Network(Fault::Refuse)).await.unwrap();
    assert!(through_proxy(&etcd, &workdir).await.is_err());
    etcd.range("").await.unwrap();
    etcd.apply(Action::Network(Fault::None)).await.unwrap();
    through_proxy(&etcd, &workdir).await.unwrap();
    etcd.apply(Action::Pause).await.unwrap();
    assert!(tokio::time::timeout(MOMENT, through_proxy(&etcd, &workdir)).await.is_err());
    etcd.apply(Action::Resume).await.unwrap();
    through_proxy(&etcd, &workdir).await.unwrap();
    // One that stands still is stopped, and killed, as any other.
    for end in [Action::Stop, Action::Kill] {
        etcd.apply(Action::Pause).await.unwrap();
        etcd.apply(end).await.unwrap();
        etcd.apply(Action::Start).await.unwrap();
        etcd.range("").await.unwrap();
    }
    etcd.finish().await;
    workdir.remove().unwrap();
}

async fn query(url: &str) -> Result<(), String> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.map_err(|error| format!("{error:?}"))?;
    tokio::spawn(connection);
    let made = client.simple_query("CREATE TABLE IF NOT EXISTS seen (id int)").await;
    made.map(drop).map_err(|error| format!("{error:?}"))
}

pub(crate) async fn postgres_ends_keep_address_and_data() {
    let workdir = Workdir::create(RunId::new()).unwrap();
    let postgres = postgres(&workdir).await;
    let url = postgres.create_database("kept").await.unwrap();
    query(&url).await.unwrap();
    for end in [Action::Stop, Action::Kill] {
        let (idle, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        postgres.apply(end).await.unwrap();
        assert!(query(&url).await.unwrap_err().contains("refused"), "after {end:?}");
        assert!(idle.simple_query("SELECT 1").await.is_err());
        postgres.apply(Action::Start).await.unwrap();
        postgres.rows("kept", "SELECT * FROM seen").await.unwrap();
    }
    postgres.apply(Action::RestartEmpty).await.unwrap();
    assert!(postgres.rows("kept", "SELECT * FROM seen").await.is_err(), "emptied, it still has the table");
    query(&url).await.unwrap();
    assert_eq!(postgres.url("kept"), url);
    postgres.finish().await;
    workdir.remove().unwrap();
}

pub(crate) async fn postgres_faults_are_seen_by_services() {
    let workdir = Workdir::create(RunId::new()).unwrap();
    let postgres = postgres(&workdir).await;
    let url = postgres.create_database("x").await.unwrap();
    postgres.apply(Action::Network(Fault::Refuse)).await.unwrap();
    assert!(query(&url).await.unwrap_err().contains("refused"));
    postgres.rows("x", "SELECT 1").await.unwrap();
    postgres.apply(Action::Network(Fault::None)).await.unwrap();
    query(&url).await.unwrap();
    postgres.apply(Action::Pause).await.unwrap();
    assert!(tokio::time::timeout(MOMENT, query(&url)).await.is_err(), "a paused server answered");
    postgres.apply(Action::Resume).await.unwrap();
    query(&url).await.unwrap();
    postgres.finish().await;
    workdir.remove().unwrap();
}

pub(crate) async fn an_image_without_the_program() {
    let workdir = Workdir::create(RunId::new()).unwrap();
    // Postgres's entry point starts any other program: there is no `etcd`.
    let image = std::env::var("PROBITY_IMAGE_POSTGRES").unwrap_or_else(|_| "postgres:17.6-alpine".to_owned());
    let etcd = Etcd::reserve(&Provider::Containers(Some(image)), &workdir).await.unwrap();
    let error = etcd.start().await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("etcd (containers) could not be started: `etcd` exited with code 12"), "{text}");
    assert!(text.contains("not found"), "its last words: {text}");
    assert!(error.hint().unwrap().contains("etcd.stderr"), "{:?}", error.hint());
    etcd.finish().await;
    workdir.remove().unwrap();
}

pub(crate) async fn two_of_one_run() {
    let workdir = Workdir::create(RunId::new()).unwrap();
    let (one, two) = tokio::join!(etcd(&workdir), etcd(&workdir));
    one.put("a", "1", 0).await.unwrap();
    assert_eq!(two.range("").await.unwrap().keys, []);
    one.finish().await;
    two.range("").await.unwrap();
    assert_eq!(super::endings::containers_of(workdir.run()).await, 1);
    two.finish().await;
    assert_eq!(super::endings::containers_of(workdir.run()).await, 0);
    let left = probity::process::survivors(workdir.run(), workdir.path());
    assert_eq!(left, [], "the keeper ends with the last of them");
    workdir.remove().unwrap();
}
