//! The changes of keys over time, for the evidence.
//!
//! Level-triggered: whenever etcd is (again) there, what it holds is compared with what was known, and the difference is
//! recorded; only then its stream of changes is followed. So an etcd that comes back empty is seen as deletions.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, task::AbortHandle};

use super::{
    GrantedTtls,
    client::{Change, EtcdClient, EtcdClientError, KeyValue, Range},
    client_of,
};
use crate::{
    model::{KeyChange, KeyEvent, UnixNanos},
    proxy::Target,
    until::{Probe, until},
};

/// A call to a registered address; `Err` holds what was seen.
pub type CallAddress =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// What is registered and does not answer must not hold up the changes after it.
const CALL_LIMIT: Duration = Duration::from_secs(3);
/// Longer than any scenario: an etcd that is stopped for good ends the watch with the scenario.
const AWAY_LIMIT: Duration = Duration::from_secs(3600);
/// Of one watch; a service that registers in a loop must not fill the memory.
const EVENTS_MAX: usize = 100_000;

/// A recording under way. It ends when dropped.
pub struct KeyWatch {
    record: Arc<Record>,
    task: AbortHandle,
}

struct Record {
    events: Mutex<Vec<KeyEvent>>,
    count: watch::Sender<usize>,
}

impl KeyWatch {
    pub(super) fn start(
        target: watch::Receiver<Option<Target>>,
        prefix: &str,
        call: Option<CallAddress>,
    ) -> KeyWatch {
        KeyWatch::spawn(prefix, call, move || client_of(target.borrow().as_ref()))
    }

    pub(super) fn start_at(endpoint: &str, prefix: &str, call: Option<CallAddress>) -> KeyWatch {
        let client = EtcdClient::new(endpoint);
        KeyWatch::spawn(prefix, call, move || client.clone())
    }

    fn spawn(
        prefix: &str,
        call: Option<CallAddress>,
        client: impl Fn() -> EtcdClient + Clone + Send + Sync + 'static,
    ) -> KeyWatch {
        let record = Arc::new(Record { events: Mutex::default(), count: watch::Sender::new(0) });
        let mut follower = Follower {
            prefix: prefix.to_owned(),
            call,
            known: BTreeMap::new(),
            ttls: GrantedTtls::new(),
            record: record.clone(),
        };
        let task = tokio::spawn(async move {
            loop {
                let Some((client, range)) = found(follower.prefix.clone(), client.clone()).await else {
                    return;
                };
                // However the stream ended, what was missed meanwhile is found by the next comparison.
                _ = follower.follow(&client, range).await;
            }
        });
        KeyWatch { record, task: task.abort_handle() }
    }

    /// All changes so far, in order. Keys are without the watched prefix.
    pub fn events(&self) -> Vec<KeyEvent> {
        self.record.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many there are, pushed with each: for waiting on what a scenario needs to see.
    pub fn count(&self) -> watch::Receiver<usize> {
        self.record.count.subscribe()
    }
}

impl Drop for KeyWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Follower {
    prefix: String,
    call: Option<CallAddress>,
    /// The revision of each key, as last seen.
    known: BTreeMap<String, KeyValue>,
    ttls: GrantedTtls,
    record: Arc<Record>,
}

impl Follower {
    async fn follow(&mut self, client: &EtcdClient, range: Range) -> Result<(), EtcdClientError> {
        let mut watch = client.watch(&self.prefix, range.revision + 1).await?;
        self.compare(client, range).await;
        while let Some(changes) = watch.next().await? {
            for change in changes {
                match change {
                    Change::Put(put) => self.put(client, put).await,
                    Change::Delete { key } => self.deleted(&key),
                }
            }
        }
        Ok(())
    }

    async fn compare(&mut self, client: &EtcdClient, range: Range) {
        let is_gone = |key: &&String| !range.keys.iter().any(|held| held.key == **key);
        let gone: Vec<String> = self.known.keys().filter(is_gone).cloned().collect();
        for key in gone {
            self.deleted(&key);
        }
        for held in range.keys {
            if self.known.get(&held.key) != Some(&held) {
                self.put(client, held).await;
            }
        }
    }

    async fn put(&mut self, client: &EtcdClient, put: KeyValue) {
        let at = now();
        let serves = match &self.call {
            None => None,
            Some(call) => match tokio::time::timeout(CALL_LIMIT, call(put.value.clone())).await {
                Ok(answer) => Some(answer),
                Err(_) => Some(Err(format!("no answer within {} ms", CALL_LIMIT.as_millis()))),
            },
        };
        let lease_ttl = self.granted_ttl(client, put.lease).await;
        let change = KeyChange::Put { value: put.value.clone(), lease_ttl, serves };
        self.note(&put.key, at, change);
        self.known.insert(put.key.clone(), put);
    }

    fn deleted(&mut self, key: &str) {
        self.known.remove(key);
        self.note(key, now(), KeyChange::Delete);
    }

    async fn granted_ttl(&mut self, client: &EtcdClient, lease: i64) -> Option<i64> {
        if lease == 0 {
            return None;
        }
        if let Some(known) = self.ttls.get(&lease) {
            return *known;
        }
        // Whoever has a lease has a TTL: 0 stands for one that could not be read.
        let granted = client.granted_ttl(lease).await.ok().flatten().or(Some(0));
        self.ttls.insert(lease, granted);
        granted
    }

    fn note(&self, key: &str, at: UnixNanos, change: KeyChange) {
        let key = key.strip_prefix(&self.prefix).unwrap_or(key).to_owned();
        let mut events = self.record.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() < EVENTS_MAX {
            events.push(KeyEvent { key, at, change });
            self.record.count.send_replace(events.len());
        }
    }
}

/// The next etcd that answers, with what it holds.
async fn found(prefix: String, client: impl Fn() -> EtcdClient) -> Option<(EtcdClient, Range)> {
    let look = async move || {
        let client = client();
        match client.range(&prefix).await {
            Ok(range) => Ok::<_, EtcdClientError>(Probe::Ready((client, range))),
            Err(error) => Ok(Probe::NotYet(error.to_string())),
        }
    };
    until("etcd's keys", AWAY_LIMIT, look).await.ok()
}

fn now() -> UnixNanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixNanos::try_from(since.as_nanos()).unwrap_or(UnixNanos::MAX)
}
