//! Faults that a scenario injects: services stopped, killed, paused; backends away, cut, slow; the collector itself. Each is
//! recorded with its begin and end, so that what is lost inside it is explained.

use std::time::Duration;

use super::running::{Running, Sent, Stop, now};
use super::stimulus::Request;
use crate::backend::{Action, Kind};
use crate::collector::Behaviour;
use crate::model::*;
use crate::process;
use crate::proxy;
use crate::until::{Never, Probe as Look, until};

/// How long a record may take from its request to the broker.
const LOST_LIMIT: Duration = Duration::from_secs(10);

/// A fault under way: give it back to [`Running::heal`].
#[derive(Debug)]
#[must_use = "a fault lasts until it is healed"]
pub struct UnderWay(usize);

/// What happens to the connections between services and a backend, or to a service's advertised port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Refused, and those that there are are reset.
    Refused,
    /// Open, and every byte is swallowed; healed, what it held is closed and lost.
    BlackHole,
    /// Each chunk waits that long, each way.
    Slow(Duration),
}

impl Connection {
    fn proxy_fault(self) -> proxy::Fault {
        match self {
            Connection::Refused => proxy::Fault::Refuse,
            Connection::BlackHole => proxy::Fault::BlackHole,
            Connection::Slow(delay) => proxy::Fault::Slow(delay),
        }
    }

    fn kind(self) -> FaultKind {
        match self {
            Connection::Refused => FaultKind::Refuse,
            Connection::BlackHole => FaultKind::BlackHole,
            Connection::Slow(_) => FaultKind::Slow,
        }
    }
}

pub(super) fn exit_of(exit: &process::Exit) -> Exit {
    match exit.status {
        process::Status::Code(code) => Exit::Code(code),
        process::Status::Signal(signal) => Exit::Signal(signal),
        process::Status::Unknown => Exit::Code(-1),
    }
}

impl Running {
    /// Ends a fault.
    pub async fn heal(&mut self, fault: UnderWay) -> Result<(), Stop> {
        let Fault { kind, on, .. } = self.evidence.faults[fault.0].clone();
        match &on {
            FaultTarget::Backend(name) => {
                self.look_at_offsets(name).await;
                self.heal_backend(name, kind).await?;
            }
            FaultTarget::Service(name) => match kind {
                FaultKind::Pause => {
                    self.instances.iter().filter(|known| known.service == name).for_each(|known| {
                        known.process.resume();
                    })
                }
                _ => {
                    if let Some((_, proxy)) = self.share.advertised(name) {
                        proxy.set_fault(proxy::Fault::None).await;
                    }
                }
            },
            FaultTarget::Collector => {
                self.collector.behave(Behaviour::Accept);
                if let Some(proxy) = &self.collector_proxy {
                    proxy.set_fault(proxy::Fault::None).await;
                }
            }
        }
        self.evidence.faults[fault.0].ended = Some(now());
        Ok(())
    }

    /// Where the groups stand whose services had to do without that backend.
    async fn look_at_offsets(&mut self, backend: &str) {
        if self.is_away(Kind::Kafka) {
            // Who could say so is asked in vain, for as long as a question may take.
            return;
        }
        let declaration = self.system.declaration.clone();
        let groups =
            declaration.topics.iter().flat_map(|topic| topic.groups.iter().map(move |group| (topic, group)));
        for (topic, group) in groups {
            let needs = declaration
                .service(&group.service)
                .is_some_and(|service| service.needs.iter().any(|it| it == backend));
            let started = self.evidence.processes.iter().any(|process| process.service == group.service);
            if !needs || !started {
                continue;
            }
            let committed = self.share.committed(&group.name, &topic.name).await.unwrap_or_default();
            let at = now();
            self.evidence.offset_looks.extend(committed.into_iter().map(|(partition, committed)| {
                OffsetLook {
                    group: group.name.clone(),
                    topic: topic.name.clone(),
                    partition,
                    committed: Some(committed),
                    at,
                }
            }));
        }
    }

    /// Whether a fault of this scenario lies on a backend now.
    fn is_away(&self, backend: Kind) -> bool {
        let on = FaultTarget::Backend(backend.name().into());
        self.evidence.faults.iter().any(|fault| fault.on == on && fault.ended.is_none())
    }

    async fn heal_backend(&self, name: &str, kind: FaultKind) -> Result<(), Stop> {
        let Some(backend) = Kind::ALL.into_iter().find(|kind| kind.name() == name) else { return Ok(()) };
        match kind {
            FaultKind::Stop | FaultKind::Kill => self.share.apply(backend, Action::Start).await,
            _ => self.share.disturb_backend(backend, proxy::Fault::None).await,
        }
    }

    fn begin(&mut self, kind: FaultKind, on: FaultTarget, fenced: bool) -> UnderWay {
        self.evidence.faults.push(Fault { kind, on, began: now(), ended: None, fenced });
        UnderWay(self.evidence.faults.len() - 1)
    }

    /// Spoils the connections between this scenario's services and a backend; the backend itself goes on.
    pub async fn disturb_backend(&mut self, backend: Kind, how: Connection) -> Result<UnderWay, Stop> {
        let fault = self.begin(how.kind(), FaultTarget::Backend(backend.name().into()), false);
        self.share.disturb_backend(backend, how.proxy_fault()).await?;
        Ok(fault)
    }

    /// Spoils the connections to a service's advertised port.
    pub async fn disturb_service(
        &mut self,
        service: &'static str,
        how: Connection,
    ) -> Result<UnderWay, Stop> {
        let Some((_, proxy)) = self.share.advertised(service) else {
            return Err(Stop(format!("{service} advertises no port")));
        };
        let fault = self.begin(how.kind(), FaultTarget::Service(service.into()), false);
        proxy.set_fault(how.proxy_fault()).await;
        Ok(fault)
    }

    /// Stops a backend of the scenario's own; [`Running::heal`] starts it again.
    pub async fn stop_backend(&mut self, backend: Kind) -> Result<UnderWay, Stop> {
        let fault = self.begin(FaultKind::Stop, FaultTarget::Backend(backend.name().into()), false);
        self.share.apply(backend, Action::Stop).await?;
        Ok(fault)
    }

    /// Kills a backend of the scenario's own: at once, where a stop waits for its clients. Its data stays.
    pub async fn kill_backend(&mut self, backend: Kind) -> Result<UnderWay, Stop> {
        let fault = self.begin(FaultKind::Kill, FaultTarget::Backend(backend.name().into()), false);
        self.share.apply(backend, Action::Kill).await?;
        Ok(fault)
    }

    /// Restarts an etcd of the scenario's own with nothing in it.
    pub async fn restart_etcd_empty(&mut self) -> Result<(), Stop> {
        let fault = self.begin(FaultKind::RestartEmpty, FaultTarget::Backend("etcd".into()), false);
        self.share.apply(Kind::Etcd, Action::RestartEmpty).await?;
        self.evidence.faults[fault.0].ended = Some(now());
        Ok(())
    }

    /// Sends a request whose record gets lost on its way, as when the broker dies with it in hand. Waits until the bytes of the
    /// record have left the service; then its connection is reset. The broker must be the scenario's own, and nothing but
    /// the service connected to it.
    pub async fn lose_record_of(&mut self, request: Request) -> Result<Sent, Stop> {
        let cannot = |error| Stop::because("kafka", error);
        let fault = self.begin(FaultKind::Cut, FaultTarget::Backend(Kind::Kafka.name().into()), false);
        let kafka = self.share.kafka();
        let losing = kafka.lose().await.map_err(cannot)?;
        let sent = self.send(request).await;
        let waited = until("a lost record", LOST_LIMIT, async || -> Result<_, Never> {
            Ok(if kafka.has_lost(&losing).await {
                Look::Ready(())
            } else {
                Look::NotYet("nothing was lost yet".into())
            })
        });
        waited.await.map_err(|error| Stop(error.to_string()))?;
        kafka.found().await.map_err(cannot)?;
        self.evidence.faults[fault.0].ended = Some(now());
        Ok(sent)
    }

    /// What a collector does that is there and does not do its work.
    pub fn disturb_collector(&mut self, behaviour: Behaviour) -> UnderWay {
        let kind = match behaviour {
            Behaviour::Hang => FaultKind::BlackHole,
            Behaviour::Delay(_) => FaultKind::Slow,
            Behaviour::Reset => FaultKind::Cut,
            Behaviour::Refuse | Behaviour::Accept => FaultKind::Refuse,
        };
        let fault = self.begin(kind, FaultTarget::Collector, false);
        self.collector.behave(behaviour);
        fault
    }

    /// Takes the collector away: connections are refused, and those that there are are reset. The stack must have been
    /// asked for with [`super::Stack::collector_can_leave`].
    pub async fn stop_collector(&mut self) -> Result<UnderWay, Stop> {
        if self.collector_proxy.is_none() {
            return Err(Stop(
                "the collector of this stack cannot leave: ask for `collector_can_leave`".into(),
            ));
        }
        let fault = self.begin(FaultKind::Stop, FaultTarget::Collector, false);
        if let Some(proxy) = &self.collector_proxy {
            proxy.set_fault(proxy::Fault::Refuse).await;
        }
        Ok(fault)
    }

    /// The late collector of [`super::Stack::collector_late`]: away from the start, until it is healed.
    pub(super) async fn hide_collector(&mut self) -> Result<(), Stop> {
        if let (Some(proxy), true) = (&self.collector_proxy, self.stack.collector_late) {
            proxy.set_fault(proxy::Fault::Refuse).await;
            self.evidence.faults.push(Fault {
                kind: FaultKind::Late,
                on: FaultTarget::Collector,
                began: now(),
                ended: None,
                fenced: false,
            });
        }
        Ok(())
    }

    /// Lets the late collector in.
    pub async fn let_collector_in(&mut self) -> Result<(), Stop> {
        let late = |fault: &Fault| fault.on == FaultTarget::Collector && fault.kind == FaultKind::Late;
        match self.evidence.faults.iter().position(late) {
            Some(number) => self.heal(UnderWay(number)).await,
            None => Ok(()),
        }
    }

    /// `kill -9` of the newest instance. A marker fence that closed on it before explains what it loses.
    pub async fn kill(&mut self, service: &'static str) -> Result<(), Stop> {
        let Some(number) = self.instances.iter().rposition(|instance| instance.service == service) else {
            return Err(Stop(format!("{service} is not running")));
        };
        let id = self.instances[number].id.clone();
        let fenced = matches!(self.process_mut(&id).fence, Fence::Marker { .. });
        let fault = self.begin(FaultKind::Kill, FaultTarget::Service(service.into()), fenced);
        let exit = exit_of(&self.instances[number].process.kill().await);
        let at = now();
        let process = self.process_mut(&id);
        process.end = Some(ProcessEnd { at, exit, asked: None, within_grace: false });
        if !fenced {
            process.fence = Fence::Open { why: format!("killed ({exit})") };
        }
        _ = fault;
        Ok(())
    }

    /// SIGTERM to the newest instance, while the scenario goes on; waits for its end. Its fence closes by exit.
    pub async fn stop(&mut self, service: &'static str) -> Result<bool, Stop> {
        let Some(number) = self.instances.iter().rposition(|instance| instance.service == service) else {
            return Err(Stop(format!("{service} is not running")));
        };
        self.scrape_instance(number, ScrapeStage::Last).await;
        Ok(self.stop_instance(number).await.is_ok())
    }

    /// Sends SIGTERM and does not wait: for work in flight.
    pub fn ask_to_end(&mut self, service: &'static str) {
        if let Some(instance) = self.instances.iter().rfind(|instance| instance.service == service) {
            instance.process.signal(process::Signal::TERM);
            let id = instance.id.clone();
            self.asked.push((id, now()));
        }
    }

    /// Stops the newest instance from running until it is healed (SIGSTOP).
    pub fn pause(&mut self, service: &'static str) -> UnderWay {
        if let Some(instance) = self.instances.iter().rfind(|instance| instance.service == service) {
            instance.process.pause();
        }
        self.begin(FaultKind::Pause, FaultTarget::Service(service.into()), false)
    }
}
