//! A collector that goes away, refuses, hangs, is slow, breaks connections off: requests are answered as if nothing were, what
//! waits is bounded, what is lost is counted, and delivery resumes.

use std::time::{Duration, Instant};

use probity::collector::Behaviour;
use probity::run::{Running, Scenario, Stack, Stop, UnderWay};

use super::traffic::{click, link};
use super::{API, drive};

/// Spans that may wait in url-api in that scenario, and how many go in one batch.
const QUEUE: u64 = 32;
const BATCH: u32 = 8;
/// Requests in each fault: each ends three spans, and more of them than may wait.
const CLICKS: usize = 48;
/// What a click may take, and when we give one up. Generous: a busy machine is no fault of the exporter's.
const BUDGET: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_millis(2_500);
/// An exporter comes back at its next attempt; one that does not is given longer than the rule gives it.
const RETURN: Duration = Duration::from_secs(12);
/// Of a click: the request, its SELECT, its record.
const SPANS: usize = 3;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        name: "redirects_survive_any_collector",
        family: "degrade",
        about: "the collector is down, slow, refuses, hangs, breaks off: redirects go on, and so do traces when it is back",
        stack: || {
            Stack::of(&[API])
                .collector_can_leave()
                .span_batch(BATCH)
                .set("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE.to_string())
                .long()
                .declares(|declaration| {
                    let thresholds = &mut declaration.thresholds;
                    thresholds.spans_waiting_max = QUEUE + u64::from(BATCH);
                    thresholds
                        .reasons
                        .insert("spans_waiting_max".into(), "a short queue, so that it fills".into());
                    let click = declaration.operations.iter_mut().find(|operation| operation.name == "click");
                    click.expect("it is declared").budget_ms = Some(BUDGET.as_millis() as u64);
                })
        },
        drive: drive!(any_collector),
    }]
}

async fn any_collector(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    running.phase("before");
    running.delivered(|| click(&code), SPANS, RETURN).await;
    // First what hurts most: whoever waits for a collector that says nothing has shown what there is to see.
    let hangs = running.disturb_collector(Behaviour::Hang);
    if !clicks_during(running, &code, hangs).await? {
        return Ok(());
    }
    let down = running.stop_collector().await?;
    clicks_during(running, &code, down).await?;
    for behaviour in [Behaviour::Delay(Duration::from_millis(100)), Behaviour::Refuse, Behaviour::Reset] {
        let fault = running.disturb_collector(behaviour);
        clicks_during(running, &code, fault).await?;
    }
    Ok(())
}

/// Clicks while the fault lies there, then until their traces come again. Whether the first was answered in time: more of
/// them are asked only then, since each would wait.
async fn clicks_during(running: &mut Running, code: &str, fault: UnderWay) -> Result<bool, Stop> {
    running.phase("during");
    let patient = || click(code).timeout(PATIENCE);
    let asked = Instant::now();
    let first = running.send(patient()).await;
    let in_time = first.answer.is_some() && asked.elapsed() < BUDGET;
    if in_time {
        running.send_all((0..CLICKS).map(|_| patient()).collect(), 4).await;
    }
    running.heal(fault).await?;
    running.phase("after");
    running.delivered(patient, SPANS, RETURN).await;
    Ok(in_time)
}
