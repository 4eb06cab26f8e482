//! Real etcds: what they hold, each fault, each way not to start.

use std::time::Duration;

use super::*;
use crate::{
    backend::tests::Place,
    model::{KeyChange, KeyEvent},
    proxy::Fault,
    until::{Probe, until, until_pushed},
};

const LIMIT: Duration = Duration::from_secs(20);

async fn started(place: &Place) -> Etcd {
    let etcd = Etcd::reserve(&Provider::Embedded, &place.0).await.unwrap();
    etcd.start().await.unwrap();
    etcd
}

/// What a service would be answered, through the proxy.
async fn through_proxy(etcd: &Etcd) -> Result<Range, EtcdClientError> {
    EtcdClient::new(&etcd.endpoints()).range("").await
}

async fn of(provider: &Provider, program: Program, workdir: Workdir) -> Etcd {
    Etcd::of_program(provider, program, workdir, Proxy::bind().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_put_read_and_deleted_by_prefix() {
    let place = Place::new();
    let etcd = started(&place).await;
    let lease = etcd.grant(10).await.unwrap();
    etcd.put("s1/analytics-rpc/1", "127.0.0.1:1", lease).await.unwrap();
    etcd.put("s1/analytics-rpc/2", "ü \u{0} \"", 0).await.unwrap();
    etcd.put("s2/x", "other", 0).await.unwrap();
    let range = etcd.range("s1/").await.unwrap();
    let keys: Vec<_> = range.keys.iter().map(|kv| (kv.key.as_str(), kv.value.as_str(), kv.lease)).collect();
    assert_eq!(keys, [("s1/analytics-rpc/1", "127.0.0.1:1", lease), ("s1/analytics-rpc/2", "ü \u{0} \"", 0)]);
    assert_eq!(etcd.delete("s1/").await.unwrap(), 2);
    assert_eq!(etcd.range("").await.unwrap().keys.len(), 1);
    assert_eq!(through_proxy(&etcd).await.unwrap().keys.len(), 1);
    etcd.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_kill_and_restart_keep_address_and_data() {
    let place = Place::new();
    let etcd = started(&place).await;
    let address = etcd.endpoints();
    etcd.put("kept", "1", 0).await.unwrap();
    for end in [Action::Stop, Action::Kill] {
        etcd.apply(end).await.unwrap();
        let error = through_proxy(&etcd).await.unwrap_err().to_string();
        assert!(error.to_lowercase().contains("refused"), "{error}");
        assert!(etcd.apply(Action::Stop).await.unwrap_err().to_string().contains("does not run"));
        etcd.apply(Action::Start).await.unwrap();
        assert_eq!(through_proxy(&etcd).await.unwrap().keys.len(), 1);
    }
    etcd.apply(Action::Restart).await.unwrap();
    assert_eq!(through_proxy(&etcd).await.unwrap().keys[0].key, "kept");
    etcd.apply(Action::RestartEmpty).await.unwrap();
    assert_eq!(through_proxy(&etcd).await.unwrap().keys, []);
    assert_eq!(etcd.endpoints(), address);
    etcd.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn network_faults_are_between_services_and_etcd_and_do_not_blind_the_harness() {
    let place = Place::new();
    let etcd = started(&place).await;
    etcd.apply(Action::Network(Fault::Refuse)).await.unwrap();
    assert!(through_proxy(&etcd).await.is_err());
    etcd.range("").await.unwrap();
    etcd.apply(Action::Network(Fault::BlackHole)).await.unwrap();
    let asked = tokio::time::timeout(Duration::from_millis(200), through_proxy(&etcd)).await;
    assert!(asked.is_err(), "a black hole answered: {asked:?}");
    etcd.range("").await.unwrap();
    etcd.apply(Action::Network(Fault::None)).await.unwrap();
    through_proxy(&etcd).await.unwrap();
    etcd.apply(Action::Pause).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(200), etcd.range("")).await.is_err());
    etcd.apply(Action::Resume).await.unwrap();
    etcd.range("").await.unwrap();
    etcd.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_records_changes_with_leases_and_calls_over_a_restart_that_lost_all() {
    let place = Place::new();
    let etcd = started(&place).await;
    etcd.put("s1/before", "x", 0).await.unwrap();
    let call: CallAddress = std::sync::Arc::new(|value| {
        Box::pin(async move { if value == "good" { Ok(()) } else { Err(format!("{value} refused")) } })
    });
    let watch = etcd.watch("s1/", Some(call));
    let seen = async |count: usize| {
        let enough = |seen: &usize| match *seen >= count {
            true => Probe::Ready(()),
            false => Probe::NotYet(format!("{seen} of {count}")),
        };
        until_pushed("events", LIMIT, &mut watch.count(), enough).await.unwrap();
    };
    seen(1).await;
    let lease = etcd.grant(12).await.unwrap();
    etcd.put("s1/a", "good", lease).await.unwrap();
    etcd.put("s2/elsewhere", "x", 0).await.unwrap();
    etcd.delete("s1/before").await.unwrap();
    seen(3).await;
    etcd.apply(Action::RestartEmpty).await.unwrap();
    seen(4).await;
    etcd.put("s1/again", "bad", 0).await.unwrap();
    seen(5).await;
    let events = watch.events();
    let put = |value: &str, lease_ttl, serves| KeyChange::Put {
        value: value.to_owned(),
        lease_ttl,
        serves: Some(serves),
    };
    let expected = [
        ("before", put("x", None, Err("x refused".to_owned()))),
        ("a", put("good", Some(12), Ok(()))),
        ("before", KeyChange::Delete),
        ("a", KeyChange::Delete),
        ("again", put("bad", None, Err("bad refused".to_owned()))),
    ];
    let seen: Vec<_> =
        events.iter().map(|event: &KeyEvent| (event.key.as_str(), event.change.clone())).collect();
    assert_eq!(seen, expected);
    assert!(events.is_sorted_by_key(|event| event.at));
    etcd.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_that_find_an_empty_cache_at_once_all_start() {
    let place = Place::new();
    let cache = Cache::at(&place.0.path().join("cache")).unwrap();
    let starts = (0..4).map(async |number| {
        let workdir = place.0.child("etcd").unwrap();
        // The first one has none: it unpacks the program beside its data.
        let cache = Some(&cache).filter(|_| number > 0);
        let path = program::embedded(cache, &workdir).unwrap();
        let etcd = of(&Provider::Embedded, Program::new(path), workdir).await;
        etcd.start().await.unwrap();
        etcd.finish().await;
    });
    futures_util::future::join_all(starts).await;
    assert_eq!(
        std::fs::read_dir(place.0.path().join("cache")).unwrap().count(),
        1,
        "one entry, and no drafts"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_dies_while_starting_is_one_message_at_once() {
    let place = Place::new();
    // The arguments that etcd is given follow the script, and mean nothing to it.
    let broken = Program::new("sh").args(["-c", "echo boom >&2; exit 3", "etcd"]);
    let etcd = of(&Provider::Local, broken, place.0.child("etcd").unwrap()).await;
    let error = etcd.start().await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`etcd` exited with code 3 before it was ready"), "{text}");
    assert!(text.contains("boom"), "{text}");
    assert!(error.hint().unwrap().contains("etcd.stderr"), "{:?}", error.hint());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_missing_is_said_with_what_to_install() {
    let place = Place::new();
    let missing = Program::new("no-such-etcd").name("etcd");
    let etcd = of(&Provider::Local, missing, place.0.child("etcd").unwrap()).await;
    let error = etcd.start().await.unwrap_err();
    assert!(error.to_string().contains("there is no program `no-such-etcd` on PATH"), "{error}");
    assert!(error.hint().unwrap().contains("install"), "{:?}", error.hint());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_runs_elsewhere_is_reached_through_a_proxy_and_not_ended() {
    let place = Place::new();
    let etcd = started(&place).await;
    let elsewhere = Provider::External(etcd.endpoints());
    let external = Etcd::reserve(&elsewhere, &place.0).await.unwrap();
    external.start().await.unwrap();
    assert_eq!(external.version(), "3.7.2");
    assert_ne!(external.endpoints(), etcd.endpoints());
    external.put("a", "1", 0).await.unwrap();
    external.apply(Action::Network(Fault::Refuse)).await.unwrap();
    assert!(through_proxy(&external).await.is_err());
    assert!(matches!(external.apply(Action::Stop).await, Err(ActionError::Unsupported { .. })));
    external.finish().await;
    let there = until("etcd's key", LIMIT, async || match etcd.range("a").await {
        Ok(range) if range.keys.len() == 1 => Ok::<_, EtcdClientError>(Probe::Ready(())),
        other => Ok(Probe::NotYet(format!("{other:?}"))),
    });
    there.await.unwrap();
    etcd.finish().await;
}
