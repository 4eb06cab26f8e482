//! Start orders: every backend away and every service down, then one item after the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::faults::{Connection, UnderWay};
use super::running::{Running, Stop};
use crate::backend::Kind;
use crate::model::{OrderGap, StartOrder};

/// Asked for by `probity run --all-orders`, or by this variable under `cargo test`.
const ALL_ORDERS: &str = "PROBITY_ALL_ORDERS";

static ALL: AtomicBool = AtomicBool::new(false);

/// From now on scenarios of start orders try all of them.
pub fn ask_for_all_orders() {
    ALL.store(true, Ordering::Relaxed);
}

/// Whether all orders were asked for.
pub fn all_orders() -> bool {
    ALL.load(Ordering::Relaxed) || std::env::var_os(ALL_ORDERS).is_some()
}

/// What can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    Backend(Kind),
    Service(&'static str),
}

impl Item {
    fn name(self) -> &'static str {
        match self {
            Item::Backend(kind) => kind.name(),
            Item::Service(name) => name,
        }
    }
}

/// An order that is being gone through.
pub struct OrderUnderWay {
    order: Vec<Item>,
    away: Vec<(Kind, UnderWay)>,
    started_late: Vec<String>,
    first_process: usize,
}

impl Running {
    /// Takes every backend of the order away: the real process where `really` is asked for, else the connections to it.
    pub async fn begin_order(&mut self, order: &[Item], really: bool) -> Result<OrderUnderWay, Stop> {
        let mut away = Vec::new();
        let mut started_late = Vec::new();
        for item in order {
            let Item::Backend(kind) = item else { continue };
            // The mock broker advertises its own port: there is no connection of ours to refuse.
            let fault = match (really, kind) {
                (false, Kind::Etcd | Kind::Postgres) => {
                    self.disturb_backend(*kind, Connection::Refused).await?
                }
                (true, Kind::Etcd | Kind::Postgres) => self.kill_backend(*kind).await?,
                (false, Kind::RabbitMq) => self.disturb_backend(*kind, Connection::Refused).await?,
                (_, Kind::Kafka | Kind::RabbitMq) => self.stop_backend(*kind).await?,
            };
            if really {
                started_late.push(kind.name().to_string());
            }
            away.push((*kind, fault));
        }
        Ok(OrderUnderWay {
            order: order.to_vec(),
            away,
            started_late,
            first_process: self.evidence.processes.len(),
        })
    }

    /// Starts an item, and waits until it listens. Kafka comes without topics: those are created last, as by someone who
    /// forgot.
    pub async fn start_item(&mut self, under_way: &mut OrderUnderWay, item: Item) -> Result<(), Stop> {
        match item {
            Item::Service(name) => self.start(name).await,
            Item::Backend(kind) => match under_way.away.iter().position(|(away, _)| *away == kind) {
                Some(number) => {
                    let (_, fault) = under_way.away.remove(number);
                    self.heal(fault).await
                }
                None => Ok(()),
            },
        }
    }

    /// Records what was still missing, and drains the services for the next order.
    pub async fn end_order(
        &mut self,
        under_way: OrderUnderWay,
        missing: Vec<(&'static str, String)>,
        bound: Duration,
        took: Duration,
    ) -> Result<(), Stop> {
        for number in 0..self.instances.len() {
            self.note_exit(number);
        }
        let started = &self.evidence.processes[under_way.first_process..];
        let ended =
            started.iter().filter_map(|process| Some((process.id.clone(), process.end.as_ref()?.exit)));
        let order = StartOrder {
            order: under_way.order.iter().map(|item| item.name().to_string()).collect(),
            started_late: under_way.started_late,
            healthy: missing.is_empty(),
            exited: ended.collect(),
            missing: missing
                .into_iter()
                .map(|(service, what)| OrderGap { service: service.into(), what })
                .collect(),
            bound_ms: bound.as_millis() as u64,
            took_ms: took.as_millis() as u64,
        };
        self.evidence.orders.push(order);
        self.drain_all().await;
        Ok(())
    }
}
