//! The log level of a running service: attempts to change it, and what logging costs.

use std::time::{Duration, Instant};

use serde_json::json;

use super::running::{Running, now};
use super::stimulus::{self, Request};
use crate::model::*;
use crate::rules::log::cost::{Share, Stand};
use crate::until::{Never, Probe as Look, until};

/// Rounds of the measurement: as many as it takes to be sure, within these bounds.
const ROUNDS_MIN: usize = 11;
const ROUNDS_MAX: usize = 40;
/// Requests under way at one time in a round.
const AT_ONCE: usize = 8;

impl Running {
    /// What the admin ports of this scenario's services ask for: [`super::Wiring::admin_token`].
    pub fn admin_token(&self) -> &str {
        &self.share.admin_token
    }

    /// Asks for another log level of the newest instance of a service, and reads what it is right after. `false`: it was not
    /// answered well.
    pub async fn change_log_level(
        &mut self,
        service: &'static str,
        credentials: Credentials,
        level: &str,
        lasts: Duration,
    ) -> bool {
        let Some(process) = self.newest(service) else { return false };
        let before = self.log_level(service).await.level;
        let asked = now();
        let answer = self.put_log_level(service, credentials, level, lasts).await;
        let at = now();
        let status = answer.as_ref().map(|answer| answer.status);
        // The answer may tell the level, and nothing that is asked later is as near to the change.
        let reading = match answer.as_ref().and_then(told) {
            Some(level) => LevelReading { at: asked, level: Some(level) },
            None => self.log_level(service).await,
        };
        self.evidence.level_changes.push(LevelChange {
            process,
            service: service.into(),
            at,
            credentials,
            level: level.into(),
            lasts_ms: lasts.as_millis() as u64,
            before,
            status,
            seen: vec![reading],
        });
        status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Reads the level that was changed last until it is as before, or its time and the margin for it are over.
    pub async fn log_level_returns(&mut self, service: &'static str) -> bool {
        let margin = self.system.declaration.thresholds.log_level_margin_ms;
        let Some(mut change) = self.evidence.level_changes.pop() else { return false };
        // Past the margin, so that a level that stays is seen to stay.
        let limit = Duration::from_millis(change.lasts_ms + margin + 100);
        let this = &*self;
        let watched = until("the log level is back", limit, async || -> Result<_, Never> {
            Ok(match see(&mut change, this.log_level(service).await) {
                true => Look::Ready(()),
                false => Look::NotYet("it is not".into()),
            })
        });
        let mut is_back = watched.await.is_ok();
        if !is_back {
            // The look under way when the time was over was lost.
            is_back = see(&mut change, self.log_level(service).await);
        }
        self.evidence.level_changes.push(change);
        is_back
    }

    /// Drives rounds of so many requests with logging on and off in turn, until the ratio is clear or there are enough.
    pub async fn measure_logging(
        &mut self,
        service: &'static str,
        requests: u32,
        request: impl Fn(usize) -> Request,
        (on, off): (&str, &str),
    ) {
        let Some(process) = self.newest(service) else { return };
        let budget = self.system.declaration.thresholds.log_cost_percent;
        let mut rounds: Vec<CostRound> = Vec::new();
        let clear = |rounds: &[CostRound]| {
            rounds.len() >= ROUNDS_MIN
                && Share::of(rounds).is_some_and(|share| share.stand(budget) != Stand::Unclear)
        };
        // Connections are made and caches filled before anything is measured.
        self.round(service, requests, &request, on).await;
        while rounds.len() < ROUNDS_MAX && !clear(&rounds) {
            // Which of the two comes first changes, so that what drifts favours neither.
            let on_first = rounds.len().is_multiple_of(2);
            let first = self.round(service, requests, &request, if on_first { on } else { off }).await;
            let second = self.round(service, requests, &request, if on_first { off } else { on }).await;
            let (Some(first), Some(second)) = (first, second) else { break };
            let (on_nanos, off_nanos) = if on_first { (first, second) } else { (second, first) };
            rounds.push(CostRound { on_nanos, off_nanos });
        }
        let (on, off) = (on.into(), off.into());
        self.evidence.log_costs.push(LogCost { process, service: service.into(), on, off, requests, rounds });
    }

    /// How long one round took, at that level; `None`: the level could not be set.
    async fn round(
        &mut self,
        service: &'static str,
        requests: u32,
        request: &impl Fn(usize) -> Request,
        level: &str,
    ) -> Option<u64> {
        let lasts = Duration::from_secs(600);
        let answer = self.put_log_level(service, Credentials::Right, level, lasts).await?;
        if !(200..300).contains(&answer.status) {
            return None;
        }
        let asked = (0..requests as usize).map(request).collect();
        let began = Instant::now();
        self.send_all(asked, AT_ONCE).await;
        Some(began.elapsed().as_nanos() as u64)
    }

    fn newest(&self, service: &str) -> Option<ProcessId> {
        self.instances
            .iter()
            .rfind(|instance| instance.service == service)
            .map(|instance| instance.id.clone())
    }

    /// Where the level of a service is, as the declaration and this run say.
    fn log_level_address(&self, service: &'static str) -> Option<(String, String)> {
        let declared = self.system.declaration.service(service)?.log_level.as_ref()?;
        let address = self.address(service, &declared.port)?;
        Some((format!("http://{address}"), declared.path.clone()))
    }

    async fn put_log_level(
        &self,
        service: &'static str,
        credentials: Credentials,
        level: &str,
        lasts: Duration,
    ) -> Option<Answer> {
        let (base, path) = self.log_level_address(service)?;
        let wish = json!({ "level": level, "seconds": lasts.as_secs_f64() });
        let mut request = Request { method: "PUT", body: Some(wish), ..Request::get(service, path) };
        match credentials {
            Credentials::None => {}
            Credentials::Wrong => request = request.header("authorization", "Bearer somebody-else"),
            Credentials::Right => {
                request = request.header("authorization", format!("Bearer {}", self.share.admin_token));
            }
        }
        stimulus::send(&self.client, &base, &request).await.ok()
    }

    async fn log_level(&self, service: &'static str) -> LevelReading {
        let at = now();
        let Some((base, path)) = self.log_level_address(service) else {
            return LevelReading { at, level: None };
        };
        let answer = stimulus::send(&self.client, &base, &Request::get(service, path)).await.ok();
        LevelReading { at, level: answer.as_ref().and_then(told) }
    }
}

/// The level that an answer tells.
fn told(answer: &Answer) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
    Some(body.get("level")?.as_str()?.to_owned())
}

/// Keeps a reading; of many alike the first and the last. Whether the level is as before.
fn see(change: &mut LevelChange, reading: LevelReading) -> bool {
    let is_back = reading.level == change.before;
    let alike = change.seen.iter().rev().take_while(|known| known.level == reading.level).count();
    if alike > 1 {
        change.seen.pop();
    }
    change.seen.push(reading);
    is_back
}
