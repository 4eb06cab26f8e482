//! What a scenario can wait for: keys, records, readiness, spans, an answer that changes. Each wait has a name and a limit; one
//! that runs out is evidence (an absent effect), not an abort.

use std::time::{Duration, Instant};

use super::running::{Running, Sent, Stop, now};
use super::stimulus::Request;
use crate::model::*;
use crate::until::{Never, Probe as Look, between_looks, until};

impl Running {
    /// Creates the declared topics: for scenarios that start their services themselves.
    pub async fn create_topics(&mut self) -> Result<(), Stop> {
        self.share.create_topics().await
    }

    /// Waits until a topic holds that many records.
    pub async fn records_arrive(&mut self, topic: &str, count: i64) -> bool {
        let share = &self.share;
        share.progress.phase(&format!("waiting: {count} records in {topic}"));
        let name = format!("{count} records in {topic}");
        let waited = until(&name, Duration::from_secs(10), async || -> Result<_, Never> {
            let ends = share.end_offsets(topic).await;
            Ok(match ends {
                Ok(ends) if ends.values().sum::<i64>() >= count => Look::Ready(()),
                Ok(ends) => Look::NotYet(format!("{} records", ends.values().sum::<i64>())),
                Err(error) => Look::NotYet(error),
            })
        });
        waited.await.is_ok()
    }

    /// Waits until a key under `prefix` is there.
    pub async fn key_appears(&mut self, prefix: &str, limit: Duration) -> bool {
        self.keys_are(&format!("a key under {prefix}"), prefix, limit, true).await
    }

    /// Waits until a key under `prefix` is put anew after the newest fault began.
    pub async fn key_returns(&mut self, prefix: &str, limit: Duration) -> bool {
        let since = self.evidence.faults.last().map_or(0, |fault| fault.began);
        self.share.progress.phase(&format!("waiting: a key under {prefix} returns"));
        let keys = &self.captures.keys;
        let waited = until("a key that returns", limit, async || -> Result<_, Never> {
            let events = keys.as_ref().map(|keys| keys.events()).unwrap_or_default();
            let put = |event: &KeyEvent| event.at > since && matches!(event.change, KeyChange::Put { .. });
            let back = events.iter().any(|event| event.key.starts_with(prefix) && put(event));
            Ok(if back { Look::Ready(()) } else { Look::NotYet("not back yet".into()) })
        });
        waited.await.is_ok()
    }

    /// Waits until no key under `prefix` is left.
    pub async fn key_is_gone(&mut self, prefix: &str, limit: Duration) -> bool {
        self.keys_are(&format!("no key under {prefix}"), prefix, limit, false).await
    }

    async fn keys_are(&mut self, name: &str, prefix: &str, limit: Duration, there: bool) -> bool {
        self.share.progress.phase(&format!("waiting: {name}"));
        let keys = &self.captures.keys;
        let waited = until(name, limit, async || -> Result<_, Never> {
            let events = keys.as_ref().map(|keys| keys.events()).unwrap_or_default();
            let mut live = std::collections::BTreeSet::new();
            for event in events.iter().filter(|event| event.key.starts_with(prefix)) {
                match event.change {
                    KeyChange::Put { .. } => live.insert(event.key.as_str()),
                    KeyChange::Delete => live.remove(event.key.as_str()),
                };
            }
            Ok(if live.is_empty() != there {
                Look::Ready(())
            } else {
                Look::NotYet(format!("{} keys", live.len()))
            })
        });
        waited.await.is_ok()
    }

    /// Waits until health and readiness of a service's newest instance were looked at that many times more, whatever they
    /// said: long enough for a service to have done what it was going to do.
    pub async fn probes_say(&mut self, service: &str, times: usize) {
        let Some(number) = self.instances.iter().rposition(|instance| instance.service == service) else {
            return;
        };
        let name = format!("{times} looks at {service}");
        let waited = until(&name, Duration::from_secs(5), {
            let mut looks = 0;
            let instance = &self.instances[number];
            let client = &self.client;
            async move || -> Result<_, Never> {
                if let Some(address) = instance.addresses.get("admin") {
                    super::answers::ask(client, address, "/readyz", Some("*/*")).await;
                    looks += 1;
                }
                Ok(if looks >= 10 * times { Look::Ready(()) } else { Look::NotYet(format!("{looks} looks")) })
            }
        });
        _ = waited.await;
        self.probe_instance(number).await;
    }

    /// Waits until a service's newest instance says that it is ready, or that it is not; looks at its liveness too.
    pub async fn readiness_is(&mut self, service: &str, ready: bool, limit: Duration) -> bool {
        let Some(number) = self.instances.iter().rposition(|instance| instance.service == service) else {
            return false;
        };
        self.share
            .progress
            .phase(&format!("waiting: {service} {}", if ready { "is ready" } else { "is not ready" }));
        let instance = &self.instances[number];
        let client = &self.client;
        let name = format!("readiness of {service}");
        let waited = until(&name, limit, async || -> Result<_, Never> {
            let Some(address) = instance.addresses.get("admin") else {
                return Ok(Look::NotYet("no port yet".into()));
            };
            let status = super::answers::ask(client, address, "/readyz", Some("*/*")).await.0.status;
            let seen = status.is_some_and(|status| (200..300).contains(&status));
            Ok(if seen == ready { Look::Ready(()) } else { Look::NotYet(format!("{status:?}")) })
        });
        let is = waited.await.is_ok();
        self.probe_instance(number).await;
        is
    }

    /// Sends a request again and again until `done` accepts an answer, each a stimulus of its own. An answer that never
    /// comes is an absent effect.
    pub async fn repeat_until(
        &mut self,
        name: &str,
        request: impl Fn() -> Request,
        limit: Duration,
        done: impl Fn(&Sent) -> bool,
    ) -> bool {
        self.share.progress.phase(&format!("waiting: {name}"));
        let end = Instant::now() + limit;
        // Not `until`, which drops a look that is under way: a request given up half-way is one more thing that happened.
        let (holds, last) = loop {
            let sent = self.send(request()).await;
            if done(&sent) || Instant::now() >= end {
                break (done(&sent), sent.status());
            }
            between_looks().await;
        };
        let seen = Some(format!("answer {last}"));
        let (name, required) = (name.to_string(), "it comes".to_string());
        self.evidence.effects.push(Effect { name, required, seen, at: now(), holds });
        holds
    }

    /// Whether the first value that a query brings is the required one within its limit; unlike [`Running::effect`], its
    /// absence is the caller's to record.
    pub async fn seen(&mut self, name: &str, required: &str, limit: Duration, statement: &str) -> bool {
        self.share.progress.phase(&format!("waiting: {name}"));
        let share = &self.share;
        let waited = until(name, limit, async || -> Result<_, Never> {
            let rows = share.rows(None, statement).await.unwrap_or_default();
            Ok(match rows.into_iter().flatten().flatten().next() {
                Some(seen) if seen == required => Look::Ready(()),
                seen => Look::NotYet(seen.unwrap_or_else(|| "absent".into())),
            })
        });
        waited.await.is_ok()
    }

    /// Waits until that many spans of a service have reached the collector.
    pub async fn spans_arrive(&mut self, service: &str, count: usize, limit: Duration) -> bool {
        let ids: Vec<_> = self
            .instances
            .iter()
            .filter(|instance| instance.service == service)
            .map(|instance| instance.id.clone())
            .collect();
        self.share.progress.phase(&format!("waiting: {count} spans of {service}"));
        let mut progress = self.collector.progress();
        let collector = &self.collector;
        let name = format!("{count} spans of {service}");
        let waited = crate::until::until_pushed(&name, limit, &mut progress, |_| {
            let spans = Spans::of(&collector.requests());
            let seen = spans
                .iter()
                .filter(|span| span.process().is_some_and(|process| ids.contains(process)))
                .count();
            if seen >= count { Look::Ready(()) } else { Look::NotYet(format!("{seen} spans")) }
        });
        waited.await.is_ok()
    }

    /// Sends a request again and again until that many spans of one of them have reached the collector, each a stimulus of its
    /// own.
    pub async fn delivered(&mut self, request: impl Fn() -> Request, spans: usize, limit: Duration) -> bool {
        const PATIENCE: Duration = Duration::from_millis(150);
        let end = Instant::now() + limit;
        loop {
            let sent = self.send(request()).await;
            let came = match sent.trace {
                Some(trace) => self.trace_arrives(trace, spans, PATIENCE).await,
                None => false,
            };
            if came || Instant::now() >= end {
                return came;
            }
            between_looks().await;
        }
    }

    async fn trace_arrives(&mut self, trace: TraceId, spans: usize, limit: Duration) -> bool {
        self.share.progress.phase("waiting: spans of a request");
        let mut progress = self.collector.progress();
        let collector = &self.collector;
        let (mut looked_at, mut seen) = (0, 0);
        let waited = crate::until::until_pushed("spans of a request", limit, &mut progress, |_| {
            let new = collector.requests_from(looked_at);
            looked_at += new.len();
            seen += Spans::of(&new).trace(trace).count();
            if seen >= spans { Look::Ready(()) } else { Look::NotYet(format!("{seen} spans")) }
        });
        waited.await.is_ok()
    }

    /// Waits until the collector has refused that many requests.
    pub async fn refused_requests_arrive(&mut self, count: u64, limit: Duration) -> bool {
        let mut progress = self.collector.progress();
        let name = format!("{count} refused requests");
        let waited = crate::until::until_pushed(&name, limit, &mut progress, |progress| {
            match progress.refused_requests {
                refused if refused >= count => Look::Ready(()),
                refused => Look::NotYet(format!("{refused} refused")),
            }
        });
        waited.await.is_ok()
    }

    /// Waits until a group has committed all that its topic holds.
    pub async fn group_catches_up(&mut self, topic: &str, group: &str) {
        self.wait_for_group(topic, group, Duration::from_secs(5)).await;
    }

    /// Waits until the newest instance of a service has logged a line with that text.
    pub async fn says(&mut self, service: &str, text: &str, limit: Duration) -> bool {
        self.share.progress.phase(&format!("waiting: {service} says `{text}`"));
        let Some(instance) = self.instances.iter().rfind(|instance| instance.service == service) else {
            return false;
        };
        instance.process.line_with(text, limit).await.is_ok()
    }

    /// Sends a request and, while it is under way, SIGTERM to the service that works on it; waits for both.
    pub async fn end_with_request_under_way(&mut self, service: &'static str, request: Request) -> Sent {
        let Some(number) = self.instances.iter().rposition(|instance| instance.service == service) else {
            return self.send(request).await;
        };
        self.scrape_instance(number, ScrapeStage::Last).await;
        let before = self.share.sent_to_postgres();
        let grace = self.stack.grace;
        let id = self.instances[number].id.clone();
        let began = now();
        let base = self.address(service, request.role).map(|address| format!("http://{address}"));
        let answer = {
            let instance = &self.instances[number];
            let client = &self.client;
            let asked = request.clone();
            let sending = async {
                match base {
                    Some(base) => super::stimulus::send(client, &base, &asked).await,
                    None => Err(format!("{service} is not running")),
                }
            };
            // It is under way once its bytes reach the slowed backend; the request waits there long enough.
            let ending = async {
                let name = "the request is under way";
                let waited = until(name, Duration::from_secs(2), async || -> Result<_, Never> {
                    let moved = self.share.sent_to_postgres() != before;
                    Ok(if moved { Look::Ready(()) } else { Look::NotYet("nothing reached Postgres".into()) })
                });
                _ = waited.await;
                let asked = now();
                let exit = instance.process.stop(grace).await;
                (asked, exit)
            };
            let (answer, (asked, exit)) = tokio::join!(sending, ending);
            let at = now();
            let exit_seen = super::faults::exit_of(&exit);
            let within_grace = !exit.forced;
            let process = self.process_mut(&id);
            process.end = Some(ProcessEnd { at, exit: exit_seen, asked: Some(asked), within_grace });
            process.fence = match (exit_seen, within_grace) {
                (Exit::Code(0), true) => Fence::Exit { at },
                _ => Fence::Open { why: format!("ended with {exit_seen} after SIGTERM") },
            };
            answer
        };
        self.record_answer(&request, began, answer)
    }
}
