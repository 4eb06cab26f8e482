//! The proof that evidence is complete: upstream first along the declared edges, each service is scraped and drained, then
//! the consumer groups of what it produced are waited for. What did not close is said, and nothing here aborts.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::running::{Running, now};
use crate::model::*;
use crate::until::{Never, Probe as Look, until};

/// How long a consumer group may need to reach the end of its topic.
const LAG_LIMIT: Duration = Duration::from_secs(5);

/// How often end offsets are read again in a cycle of services.
const CYCLES_MAX: usize = 10;

impl Running {
    /// Closes the barrier. Afterwards nothing can be sent: every process has ended.
    pub(super) async fn close(&mut self) {
        self.evidence.barrier.kind = BarrierKind::Stepped;
        let answered = self.evidence.stimuli.iter().filter(|stimulus| stimulus.answer.is_some()).count();
        let status = format!("{answered} of {} answered", self.evidence.stimuli.len());
        self.step("stimuli", true, status, Instant::now());
        if self.stack.asks_sockets {
            self.ask_sockets().await;
            self.ask_targets().await;
        }
        self.drain_all().await;
        self.read_records().await;
        self.read_effects().await;
        self.close_queue().await;
        if self.stack.asks_prometheus {
            self.ask_prometheus().await;
        }
    }

    /// Drains every running service, upstream first, waiting for consumer groups between producers and consumers.
    pub async fn drain_all(&mut self) {
        for service in upstream_first(&self.system.declaration) {
            let consumes = self.system.declaration.topics.iter().any(|topic| consumes(topic, &service));
            if consumes {
                self.wait_for_groups(&service).await;
            }
            self.drain_service(&service).await;
            self.look_at_queues(&service).await;
        }
    }

    /// Last scrape and probes, then SIGTERM, of every running instance of a service: its fence.
    pub async fn drain_service(&mut self, service: &str) {
        for number in 0..self.instances.len() {
            let instance = &self.instances[number];
            if instance.service != service || instance.process.exit().is_some() {
                continue;
            }
            self.share.progress.phase(&format!("draining {service}"));
            let began = Instant::now();
            self.rest(number).await;
            self.scrape_instance(number, ScrapeStage::Last).await;
            self.probe_instance(number).await;
            let closed = self.stop_instance(number).await;
            let (name, status) = match &closed {
                Ok(id) => (format!("fence of {id}"), "drained".to_string()),
                Err((id, why)) => (format!("fence of {id}"), why.clone()),
            };
            self.step(&name, closed.is_ok(), status, began);
        }
    }

    /// SIGTERM, and what came of it. `Err` names why the fence stayed open.
    pub(super) async fn stop_instance(&mut self, number: usize) -> Result<ProcessId, (ProcessId, String)> {
        let grace = self.stack.grace;
        let asked = now();
        let instance = &self.instances[number];
        let id = instance.id.clone();
        let exit = instance.process.stop(grace).await;
        let at = now();
        let exit = super::faults::exit_of(&exit);
        let late = Duration::from_nanos(at.saturating_sub(asked)) > grace;
        let killed = matches!(exit, Exit::Signal(9));
        let within_grace = !late && !killed;
        let process = self.process_mut(&id);
        process.end = Some(ProcessEnd { at, exit, asked: Some(asked), within_grace });
        if exit == Exit::Code(0) && within_grace {
            process.fence = Fence::Exit { at };
            return Ok(id);
        }
        let why = match within_grace {
            true => format!("ended with {exit} after SIGTERM"),
            false => format!("drain timed out after {} ms", grace.as_millis()),
        };
        if !matches!(process.fence, Fence::Marker { .. }) {
            process.fence = Fence::Open { why: why.clone() };
        }
        Err((id, why))
    }

    /// Waits until every group of a consumer has committed up to the end of its topics, or records where it is stuck.
    async fn wait_for_groups(&mut self, service: &str) {
        let declaration = self.system.declaration.clone();
        for topic in declaration.topics.iter().filter(|topic| consumes(topic, service)) {
            let started = self.evidence.processes.iter().any(|process| process.service == service);
            for group in topic.groups.iter().filter(|group| started && group.service == service) {
                self.wait_for_group(&topic.name, &group.name, LAG_LIMIT).await;
            }
        }
    }

    pub(super) async fn wait_for_group(&mut self, topic: &str, group: &str, limit: Duration) {
        let began = Instant::now();
        let name = format!("group {group} on {topic}");
        self.share.progress.phase(&format!("waiting: lag of {group}"));
        let mut stands = HashMap::new();
        let consuming = self.group_runs(topic, group);
        let share = &self.share;
        let waited = until(&name, limit, async || -> Result<_, Never> {
            let ends = match share.end_offsets(topic).await {
                Ok(ends) => ends,
                Err(error) => return Ok(Look::NotYet(error)),
            };
            let committed = share.committed(group, topic).await.unwrap_or_default();
            stands = ends
                .into_iter()
                .map(|(partition, end)| (partition, (end, committed.get(&partition).copied())))
                .collect();
            let lag: i64 = stands.values().map(|(end, committed)| end - committed.unwrap_or(0)).sum();
            // Nothing consumes any more: where the group stands now is where it stays.
            Ok(if lag <= 0 || !consuming {
                Look::Ready(())
            } else {
                Look::NotYet(format!("lag of {group} = {lag}"))
            })
        });
        let result = waited.await;
        // A group that stands still is evidence: the step closes, and says where it is stuck.
        let known = !stands.is_empty();
        let status = match &result {
            Err(error) if known => format!("stuck: {error}"),
            Ok(()) if !consuming => "nobody consumes any more".to_string(),
            Ok(()) => "lag 0".to_string(),
            Err(error) => error.to_string(),
        };
        let mut offsets: Vec<_> = stands.into_iter().collect();
        offsets.sort();
        self.evidence.offsets.retain(|known| (known.topic.as_str(), known.group.as_str()) != (topic, group));
        for (partition, (end, committed)) in offsets {
            let (group, topic) = (group.to_string(), topic.to_string());
            self.evidence.offsets.push(GroupOffset { group, topic, partition, end, committed });
        }
        self.step(&name, result.is_ok() || known, status, began);
    }

    fn group_runs(&self, topic: &str, group: &str) -> bool {
        let groups =
            self.system.declaration.topic(topic).map(|topic| topic.groups.as_slice()).unwrap_or_default();
        groups.iter().any(|known| known.name == group && self.is_running(&known.service))
    }

    async fn read_records(&mut self) {
        let began = Instant::now();
        let started =
            |service: &str| self.evidence.processes.iter().any(|process| process.service == service);
        let declared = self.system.declaration.topics.iter();
        let touched = |topic: &&Topic| {
            started(&topic.producer) || topic.groups.iter().any(|group| started(&group.service))
        };
        let topics: Vec<Topic> = declared.filter(touched).cloned().collect();
        for topic in topics {
            let closed = match self.share.records(&topic.name).await {
                Ok(records) => {
                    self.evidence.records.extend(records);
                    continue;
                }
                Err(error) => error,
            };
            self.step(&format!("records of {}", topic.name), false, closed, began);
        }
    }

    /// What each group that ran did with records, where the system says that it shows.
    async fn read_effects(&mut self) {
        let declared = self.system.declaration.topics.clone();
        let groups = declared.iter().flat_map(|topic| topic.groups.iter().map(move |group| (topic, group)));
        for (topic, group) in groups {
            let ran = self.evidence.processes.iter().any(|process| process.service == group.service);
            let Some(place) = group.effects.as_ref().filter(|_| ran) else { continue };
            let rows = self.share.rows(Some(&place.database), &place.statement).await;
            let events = rows.and_then(|rows| match rows.len() {
                ..=Applied::EVENTS_MAX => Ok(rows.into_iter().flatten().flatten().collect()),
                many => Err(format!("{many} rows, more than {}", Applied::EVENTS_MAX)),
            });
            let (topic, group) = (topic.name.clone(), group.name.clone());
            self.evidence.applied.push(Applied { topic, group, events });
        }
    }

    async fn close_queue(&mut self) {
        let began = Instant::now();
        let collector = &self.collector;
        let waited = until("the collector's queue", Duration::from_secs(5), async || -> Result<_, Never> {
            Ok(if collector.queue_is_empty() {
                Look::Ready(())
            } else {
                Look::NotYet("requests under way".into())
            })
        });
        let result = waited.await;
        let status = result.as_ref().map_or_else(ToString::to_string, |()| "empty".to_string());
        self.step("collector queue", result.is_ok(), status, began);
    }

    pub(super) fn step(&mut self, name: &str, closed: bool, status: String, began: Instant) {
        let took_ms = began.elapsed().as_millis() as u64;
        self.evidence.barrier.steps.push(BarrierStep { name: name.into(), closed, status, took_ms });
    }
}

fn consumes(topic: &Topic, service: &str) -> bool {
    topic.groups.iter().any(|group| group.service == service)
}

/// The declared services, callers before callees, producers before consumers; services of a cycle in declared order.
fn upstream_first(declaration: &Declaration) -> Vec<String> {
    let mut waiting: Vec<&str> = declaration.services.iter().map(|service| service.name.as_str()).collect();
    let mut sorted = Vec::new();
    for _ in 0..waiting.len().max(CYCLES_MAX) {
        let Some(next) = waiting.iter().position(|service| {
            let above = declaration.edges.iter().filter(|edge| edge.to == *service && edge.from != *service);
            above.into_iter().all(|edge| !waiting.contains(&edge.from.as_str()))
        }) else {
            break;
        };
        sorted.push(waiting.remove(next).to_string());
    }
    sorted.extend(waiting.into_iter().map(String::from));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn producers_and_callers_come_before_consumers_and_callees() {
        let mut declaration = crate::model::build::declaration();
        declaration.services.reverse();
        assert_eq!(upstream_first(&declaration)[0], "url-api");
        assert_eq!(upstream_first(&declaration).len(), 3);
    }

    #[test]
    fn a_cycle_still_names_every_service_once() {
        let mut declaration = crate::model::build::declaration();
        let (from, to) = ("analytics-rpc".into(), "url-api".into());
        let back = Edge { from, to, over: EdgeKind::Http, routes: Vec::new() };
        declaration.edges.push(back);
        let mut order = upstream_first(&declaration);
        order.sort();
        assert_eq!(order, ["analytics-consumer", "analytics-rpc", "url-api"]);
    }
}
