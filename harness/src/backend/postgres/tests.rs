//! Real Postgres servers: databases, each fault, each way not to start. They need the server of this machine.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{backend::tests::Place, proxy::Fault};

async fn reserved(place: &Place) -> Postgres {
    Postgres::reserve(&Provider::Embedded, &place.0, Arc::new(|_, _| {})).await.unwrap()
}

async fn started(place: &Place) -> Postgres {
    let postgres = reserved(place).await;
    postgres.start().await.unwrap();
    postgres
}

/// What a service would see: a connection by the URL that it is given.
async fn through_proxy(url: &str) -> Result<(), String> {
    let client = connect(&url.parse().unwrap()).await.map_err(|error| cause(&error))?;
    client
        .simple_query("CREATE TABLE IF NOT EXISTS seen (id int)")
        .await
        .map(drop)
        .map_err(|error| cause(&error))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_database_is_its_own_and_services_reach_it_by_url() {
    let place = Place::new();
    let postgres = started(&place).await;
    assert!(postgres.version().starts_with(|first: char| first.is_ascii_digit()), "{}", postgres.version());
    let (one, two) = tokio::join!(postgres.create_database("one"), postgres.create_database("two"));
    through_proxy(&one.unwrap()).await.unwrap();
    assert_eq!(
        postgres.rows("one", "SELECT count(*), NULL FROM seen").await.unwrap(),
        [[Some("0".to_owned()), None]]
    );
    let error = postgres.rows("two", "SELECT * FROM seen").await.unwrap_err().to_string();
    assert!(error.contains("relation \"seen\" does not exist"), "{error}");
    postgres.drop_database("one").await.unwrap();
    assert!(through_proxy(&postgres.url("one")).await.unwrap_err().contains("does not exist"));
    through_proxy(&two.unwrap()).await.unwrap();
    postgres.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_given_out_again_only_when_nothing_tells_it_from_a_new_one() {
    let place = Place::new();
    let postgres = started(&place).await;
    let marks = [
        ("", true),
        ("CREATE TABLE a (id serial PRIMARY KEY, t text); CREATE TABLE b (a int REFERENCES a)", true),
        (
            "CREATE TABLE p (d int) PARTITION BY RANGE (d); CREATE TABLE q PARTITION OF p DEFAULT; INSERT INTO p VALUES (1)",
            true,
        ),
        (
            "CREATE TABLE \"Odd \"\"name\" (i int); CREATE VIEW v AS SELECT i FROM \"Odd \"\"name\"; CREATE SEQUENCE s",
            true,
        ),
        ("CREATE SCHEMA other; CREATE TABLE other.t (i int)", false),
        ("CREATE TYPE mood AS ENUM ('sad')", false),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", false),
        ("ALTER DATABASE given SET work_mem = '1MB'", false),
        ("REVOKE USAGE ON SCHEMA public FROM public", false),
        ("SELECT lo_create(0)", false),
        ("COMMENT ON SCHEMA public IS 'mine'; COMMENT ON FUNCTION now() IS NULL", false),
    ];
    for (made, again) in marks {
        postgres.create_database("given").await.unwrap();
        let oid = async || {
            postgres.rows("given", "SELECT oid FROM pg_database WHERE datname = 'given'").await.unwrap()
        };
        let first = oid().await;
        postgres.rows("given", made).await.unwrap();
        postgres.drop_database("given").await.unwrap();
        postgres.create_database("given").await.unwrap();
        assert_eq!(oid().await == first, again, "{made}");
        let tables =
            postgres.rows("given", "SELECT count(*) FROM pg_class WHERE oid >= 16384").await.unwrap();
        assert_eq!(tables, [[Some("0".to_owned())]], "{made}");
        postgres.drop_database("given").await.unwrap();
    }
    postgres.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_still_connected_when_a_database_is_given_back_is_sent_away() {
    let place = Place::new();
    let postgres = started(&place).await;
    let url = postgres.create_database("stayed").await.unwrap();
    let client = connect(&url.parse().unwrap()).await.unwrap();
    client.simple_query("CREATE TABLE t (i int); BEGIN; LOCK TABLE t").await.unwrap();
    postgres.drop_database("stayed").await.unwrap();
    assert!(client.simple_query("SELECT 1").await.is_err());
    assert!(through_proxy(&url).await.unwrap_err().contains("does not exist"));
    postgres.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_no_names_are_refused() {
    let place = Place::new();
    let postgres = reserved(&place).await;
    for name in ["", "1a", "a-b", "a;drop", "A", &"a".repeat(64)] {
        assert!(matches!(postgres.create_database(name).await, Err(PostgresError::Name(_))), "{name:?}");
    }
    postgres.create_database(&"a".repeat(63)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_asked_for_before_the_start_is_there_for_the_first_connection() {
    let place = Place::new();
    let postgres = reserved(&place).await;
    let url = postgres.create_database("early").await.unwrap();
    assert!(through_proxy(&url).await.unwrap_err().contains("refused"));
    postgres.start().await.unwrap();
    through_proxy(&url).await.unwrap();
    postgres.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_kill_and_restart_keep_address_and_data_although_clients_are_connected() {
    let place = Place::new();
    let postgres = started(&place).await;
    let url = postgres.create_database("kept").await.unwrap();
    through_proxy(&url).await.unwrap();
    for end in [Action::Stop, Action::Kill] {
        let idle = connect(&url.parse().unwrap()).await.unwrap();
        postgres.apply(end).await.unwrap();
        assert!(through_proxy(&url).await.unwrap_err().contains("refused"));
        assert!(idle.simple_query("SELECT 1").await.is_err());
        assert!(matches!(postgres.rows("kept", "SELECT 1").await, Err(PostgresError::Connect(_))));
        postgres.apply(Action::Start).await.unwrap();
        postgres.rows("kept", "SELECT * FROM seen").await.unwrap();
    }
    postgres.apply(Action::RestartEmpty).await.unwrap();
    assert!(postgres.rows("kept", "SELECT * FROM seen").await.is_err(), "emptied, it still has the table");
    through_proxy(&url).await.unwrap();
    assert_eq!(postgres.url("kept"), url);
    postgres.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn network_faults_and_a_pause_are_seen_by_services() {
    let place = Place::new();
    let postgres = started(&place).await;
    let url = postgres.create_database("x").await.unwrap();
    postgres.apply(Action::Network(Fault::Refuse)).await.unwrap();
    assert!(through_proxy(&url).await.unwrap_err().contains("refused"));
    postgres.rows("x", "SELECT 1").await.unwrap();
    postgres.apply(Action::Network(Fault::None)).await.unwrap();
    let open = connect(&url.parse().unwrap()).await.unwrap();
    postgres.apply(Action::Network(Fault::Cut)).await.unwrap();
    assert!(open.simple_query("SELECT 1").await.is_err());
    through_proxy(&url).await.unwrap();
    postgres.apply(Action::Network(Fault::None)).await.unwrap();
    let open = connect(&url.parse().unwrap()).await.unwrap();
    postgres.apply(Action::Pause).await.unwrap();
    let asked = tokio::time::timeout(Duration::from_millis(200), through_proxy(&url)).await;
    assert!(asked.is_err(), "a paused server answered: {asked:?}");
    postgres.apply(Action::Resume).await.unwrap();
    open.simple_query("SELECT 1").await.unwrap();
    postgres.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_runs_elsewhere_serves_with_databases_that_go_in_the_end() {
    let place = Place::new();
    let postgres = started(&place).await;
    let elsewhere = Provider::External(postgres.url("postgres"));
    let external = Postgres::reserve(&elsewhere, &place.0, Arc::new(|_, _| {})).await.unwrap();
    external.start().await.unwrap();
    assert_eq!(external.version(), postgres.version());
    let url = external.create_database("guest").await.unwrap();
    through_proxy(&url).await.unwrap();
    external.apply(Action::Network(Fault::Refuse)).await.unwrap();
    assert!(through_proxy(&url).await.unwrap_err().contains("refused"));
    assert!(matches!(external.apply(Action::Kill).await, Err(ActionError::Unsupported { .. })));
    external.finish().await;
    assert!(postgres.rows("guest", "SELECT 1").await.unwrap_err().to_string().contains("does not exist"));
    postgres.finish().await;
}

/// A server in `place`, with a cache of its own, that is not started.
async fn server_of(programs: Programs, cache: Option<Cache>, workdir: &Workdir) -> Server<PostgresProgram> {
    let launch = PostgresProgram::new(programs, cache, workdir).unwrap();
    Server::new(Kind::Postgres, launch, workdir.clone(), Proxy::bind().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_server_of_a_machine_leaves_a_template_and_others_copy_it() {
    let place = Place::new();
    let cache = Cache::at(&place.0.path().join("cache")).unwrap();
    // Two at once, then one more: only those that found no template ran initdb.
    let mut ran_initdb = Vec::new();
    let workdirs = ["one", "two", "three"].map(|name| place.0.child(name).unwrap());
    let programs = Programs::find().unwrap();
    let mut servers = Vec::new();
    for workdir in &workdirs {
        servers.push(server_of(programs.clone(), Some(cache.clone()), workdir).await);
    }
    let (one, two) = tokio::join!(servers[0].start(), servers[1].start());
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    servers[2].start().await.unwrap();
    for (server, workdir) in servers.iter().zip(&workdirs) {
        ran_initdb.push(workdir.path().join("logs/initdb.stdout").exists());
        server.end(Some(Duration::from_secs(5))).await.unwrap();
    }
    assert_eq!(ran_initdb, [true, true, false]);
    let kept = std::fs::read_dir(place.0.path().join("cache")).unwrap().count();
    assert_eq!(kept, 1, "one template, and no drafts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_while_starting_is_one_message_at_once() {
    let place = Place::new();
    let (directory, workdir) = (place.0.path().join("bin"), place.0.child("postgres").unwrap());
    std::fs::create_dir(&directory).unwrap();
    for (name, script) in [("postgres", "echo 'FATAL: no space' >&2; exit 3"), ("initdb", "exit 0")] {
        let path = directory.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let server = server_of(Programs::at(&directory).unwrap(), None, &workdir).await;
    let error = server.start().await.unwrap_err();
    let error = StartError::process(Kind::Postgres, &Provider::Local, error);
    let text = error.to_string();
    assert!(text.contains("`postgres` exited with code 3 before it was ready"), "{text}");
    assert!(text.contains("FATAL: no space"), "{text}");
    assert!(error.hint().unwrap().contains("postgres.stderr"), "{:?}", error.hint());
}

/// An archive as the network has it, whose programs are this machine's.
#[cfg(feature = "postgres-download")]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_downloaded_serves() {
    let place = Place::new();
    let real = Programs::find().unwrap();
    let script = |program: &std::path::Path| format!("#!/bin/sh\nexec {} \"$@\"\n", program.display());
    let (postgres, initdb) = (script(&real.postgres()), script(&real.initdb()));
    let archive = download::tests::packed(&[("x/bin/postgres", &postgres), ("x/bin/initdb", &initdb)]);
    let cache = Cache::at(&place.0.path().join("cache")).unwrap();
    let base = download::tests::serve_archive(&archive);
    let into = cache.clone();
    let programs = tokio::task::spawn_blocking(move || download::download_from(&base, &into, &|_, _| {}));
    let programs = programs.await.unwrap().unwrap();
    let server = server_of(programs, Some(cache), &place.0.child("postgres").unwrap()).await;
    server.start().await.unwrap();
    server.end(Some(Duration::from_secs(5))).await.unwrap();
}
