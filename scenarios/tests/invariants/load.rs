//! A load that goes on while services die: callers who ask again, under the same key, until they are told what became of it.
//!
//! It is not driven by the scenario, which kills meanwhile, and so leaves no stimuli in the evidence.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use probity::run::Stop;
use probity::until::{Probe, until, until_pushed};
use scenarios::ledger::traffic;
use serde_json::json;
use tokio::sync::watch;

use super::books::{Asked, Told};
use super::plan::{Ask, Plan};

/// Longer than everything that can stand in the way of one request, kills included.
const DECISION_LIMIT: Duration = Duration::from_secs(40);
const ANSWER_LIMIT: Duration = Duration::from_secs(6);
const PROGRESS_LIMIT: Duration = Duration::from_secs(30);

/// How far the load has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Requests that were decided.
    pub(crate) decisions: u64,
    /// Attempts that came to an end of any kind.
    pub(crate) attempts: u64,
}

pub(crate) struct Load {
    client: reqwest::Client,
    plan: Plan,
    accounts: Vec<String>,
    next: Cell<usize>,
    enough: Cell<bool>,
    gateway: Cell<Option<SocketAddr>>,
    progress: watch::Sender<Progress>,
    told: RefCell<Vec<Told>>,
}

impl Load {
    pub(crate) fn new(client: reqwest::Client, plan: Plan, accounts: Vec<String>) -> Load {
        Load {
            client,
            plan,
            accounts,
            next: Cell::default(),
            enough: Cell::default(),
            gateway: Cell::default(),
            progress: watch::Sender::default(),
            told: RefCell::default(),
        }
    }

    /// Where the gateway is from now on.
    pub(crate) fn gateway_is_at(&self, address: Option<SocketAddr>) {
        self.gateway.set(address);
    }

    /// Asks until [`Load::enough`] or the end of the plan; each request that was begun is brought to its end.
    pub(crate) async fn run(&self) -> Result<(), Stop> {
        let callers = join_all((0..self.plan.at_once).map(|_| self.caller())).await;
        callers.into_iter().collect()
    }

    /// No new requests.
    pub(crate) fn enough(&self) {
        self.enough.set(true);
    }

    pub(crate) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Waits until the load has come so far.
    pub(crate) async fn comes_to(&self, name: &str, far: impl Fn(Progress) -> bool) -> Result<(), Stop> {
        let mut progress = self.progress.subscribe();
        let waited = until_pushed(name, PROGRESS_LIMIT, &mut progress, |seen| {
            if far(*seen) { Probe::Ready(()) } else { Probe::NotYet(format!("{seen:?}")) }
        });
        waited.await.map_err(|error| Stop(error.to_string()))
    }

    /// What callers were told, in the order in which they were.
    pub(crate) fn told(self) -> Vec<Told> {
        self.told.into_inner()
    }

    async fn caller(&self) -> Result<(), Stop> {
        while !self.enough.get() {
            let Some(ask) = self.plan.asks.get(self.next.replace(self.next.get() + 1)) else { break };
            let name = format!("a decision on transfer {}", ask.key);
            let decided = until(&name, DECISION_LIMIT, async || self.attempt(ask).await).await;
            let told = decided.map_err(|error| Stop(error.to_string()))?;
            self.told.borrow_mut().push(told);
            self.progress.send_modify(|progress| progress.decisions += 1);
        }
        Ok(())
    }

    /// One attempt. Only what decides is an answer: everybody else is asked again.
    async fn attempt(&self, ask: &Ask) -> Result<Probe<Told>, std::convert::Infallible> {
        let Some(gateway) = self.gateway.get() else { return Ok(Probe::NotYet("no gateway".into())) };
        let asked = asked(ask, &self.accounts);
        let sent = self
            .client
            .post(format!("http://{gateway}/v1/transfers"))
            .header("idempotency-key", key(ask))
            .header("baggage", traffic::TENANT)
            .json(&json!({ "from": asked.from, "to": asked.to, "amount": asked.amount }))
            .timeout(ANSWER_LIMIT)
            .send()
            .await;
        let answer = match sent {
            Ok(response) => (response.status().as_u16(), response.text().await.unwrap_or_default()),
            Err(error) => (0, error.to_string()),
        };
        self.progress.send_modify(|progress| progress.attempts += 1);
        Ok(match answer {
            (status @ (200 | 201 | 422), body) => Probe::Ready(told(key(ask), asked, status, &body)),
            (status, body) => Probe::NotYet(format!("{status} {body}")),
        })
    }
}

pub(crate) fn key(ask: &Ask) -> String {
    format!("key-{}", ask.key)
}

pub(crate) fn asked(ask: &Ask, accounts: &[String]) -> Asked {
    Asked { from: accounts[ask.from].clone(), to: accounts[ask.to].clone(), amount: ask.amount }
}

/// What an answer says.
pub(crate) fn told(key: String, asked: Asked, status: u16, body: &str) -> Told {
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let text = |field: &str| body.get(field).and_then(|value| value.as_str()).map(str::to_owned);
    Told { key, asked, status, transfer_id: text("transfer_id"), error: text("error") }
}
