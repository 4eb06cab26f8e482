//! Trace linkage across Kafka: one request, one readable trace, from the redirect to the row.

use std::time::Duration;

use probity::backend::Kind;
use probity::run::{Connection, Running, Scenario, Stack, Stop};

use super::traffic::{click, clicks_are_rows, detail, link};
use super::{API, CONSUMER, ENDPOINTS, RPC, drive};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "a_create_is_traced_to_postgres",
            family: "trace",
            about: "creating a link is one trace from the request to the row",
            stack: || Stack::of(&[API]).snapshot(),
            drive: drive!(create),
        },
        Scenario {
            name: "a_click_is_one_trace_across_kafka",
            family: "trace",
            about: "a click is one trace from the redirect through Kafka to the row",
            stack: || Stack::of(&[API, CONSUMER]).set("CONSUMER_JOIN", "parent").snapshot(),
            drive: drive!(one_click),
        },
        Scenario {
            name: "a_click_is_linked_across_kafka",
            family: "trace",
            about: "a consumer that processes batches links each record to the click that created it",
            stack: || Stack::of(&[API, CONSUMER]).set("CONSUMER_JOIN", "link").snapshot(),
            drive: drive!(one_click),
        },
        Scenario {
            name: "a_click_outlives_its_request",
            family: "trace",
            about: "work that goes on after the answer stays in the request's trace",
            stack: || {
                let stack = Stack::of(&[API, CONSUMER]).own(probity::run::Own::Kafka);
                // The task that publishes says when it has.
                stack.set_for(API, "LOG_LEVEL", "info,services::url_api::clicks=debug")
            },
            drive: drive!(click_outlives_its_request),
        },
        Scenario {
            name: "a_batch_of_a_hundred_clicks_is_linked",
            family: "trace",
            about: "a batch of records has one link for each, and a hundred rows are counted in one span",
            stack: || {
                let stack = Stack::of(&[API, RPC, CONSUMER]).set("CONSUMER_JOIN", "link").started_by_drive();
                stack.declares(|declaration| declaration.topics[0].groups[0].must_batch = true)
            },
            drive: drive!(a_batch),
        },
        Scenario {
            name: "a_late_consumer_sees_earlier_clicks",
            family: "trace",
            about: "a consumer that starts after a click still reads it",
            stack: || Stack::of(&[API, CONSUMER]).started_by_drive(),
            drive: drive!(late_consumer),
        },
        Scenario {
            name: "an_unknown_code_is_not_an_error_of_the_server",
            family: "trace",
            about: "a 404 leaves the server span's status unset",
            stack: || Stack::of(&[API]).snapshot(),
            drive: drive!(unknown_code),
        },
        Scenario {
            name: "a_cut_database_is_an_error_of_the_server",
            family: "trace",
            about: "with Postgres cut the answer is 500, and the spans say so",
            stack: || Stack::of(&[API]),
            drive: drive!(cut_database),
        },
        Scenario {
            name: "a_link_detail_spans_three_services",
            family: "trace",
            about: "link detail is one trace through the RPC to the analytics database",
            stack: || Stack::of(&[API, RPC, CONSUMER]).snapshot(),
            drive: drive!(link_detail),
        },
        Scenario {
            name: "a_link_without_clicks_is_not_degraded",
            family: "trace",
            about: "NOT_FOUND from the RPC is zero clicks, an error of the client span alone",
            stack: || Stack::of(&[API, RPC]).snapshot(),
            drive: drive!(detail_without_clicks),
        },
    ]
}

async fn create(running: &mut Running) -> Result<(), Stop> {
    link(running).await?;
    Ok(())
}

async fn one_click(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    let sent = running.send(click(&code)).await;
    running.expect_status(&sent, 302);
    clicks_are_rows(running, 1).await
}

async fn click_outlives_its_request(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    // The broker's answer takes longer than the redirect: the producer span ends after its parent.
    let slow = running.disturb_backend(Kind::Kafka, Connection::Slow(Duration::from_millis(100))).await?;
    let sent = running.send(click(&code)).await;
    running.expect_status(&sent, 302);
    running.heal(slow).await?;
    clicks_are_rows(running, 1).await
}

async fn a_batch(running: &mut Running) -> Result<(), Stop> {
    running.create_topics().await?;
    running.start(API).await?;
    running.ready(API, Duration::from_secs(10)).await;
    let code = link(running).await?;
    running.send_all((0..100).map(|_| click(&code)).collect(), 16).await;
    // All hundred records wait in the topic: the consumer that starts now reads them in batches.
    running.records_arrive("click-events", 100).await;
    running.start(CONSUMER).await?;
    running.start(RPC).await?;
    clicks_are_rows(running, 100).await?;
    running.ready(RPC, Duration::from_secs(10)).await;
    running.says(API, ENDPOINTS, Duration::from_secs(5)).await;
    let sent = running.send(detail(&code)).await;
    running.expect_json(&sent, "clicks", 100.into());
    Ok(())
}

async fn late_consumer(running: &mut Running) -> Result<(), Stop> {
    running.create_topics().await?;
    running.start(API).await?;
    running.ready(API, Duration::from_secs(10)).await;
    let code = link(running).await?;
    let sent = running.send(click(&code)).await;
    running.expect_status(&sent, 302);
    running.records_arrive("click-events", 1).await;
    running.start(CONSUMER).await?;
    running.ready(CONSUMER, Duration::from_secs(10)).await;
    clicks_are_rows(running, 1).await
}

async fn unknown_code(running: &mut Running) -> Result<(), Stop> {
    link(running).await?;
    let sent = running.send(click("nowhere")).await;
    running.expect_status(&sent, 404);
    Ok(())
}

async fn cut_database(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    let cut = running.disturb_backend(Kind::Postgres, Connection::Refused).await?;
    let sent = running.send(click(&code)).await;
    running.expect_status(&sent, 500);
    running
        .expect_outline(&sent, "url-api SERVER GET /{code} !error\n  url-api CLIENT SELECT links !error\n");
    running.heal(cut).await
}

async fn link_detail(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    running.send(click(&code)).await;
    clicks_are_rows(running, 1).await?;
    running.says(API, ENDPOINTS, Duration::from_secs(5)).await;
    let sent = running.send(detail(&code)).await;
    running.expect_status(&sent, 200);
    running.expect_json(&sent, "clicks", 1.into());
    running.expect_json(&sent, "degraded", false.into());
    Ok(())
}

async fn detail_without_clicks(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    running.says(API, ENDPOINTS, Duration::from_secs(5)).await;
    let sent = running.send(detail(&code)).await;
    running.expect_status(&sent, 200);
    running.expect_json(&sent, "clicks", 0.into());
    running.expect_json(&sent, "degraded", false.into());
    Ok(())
}
