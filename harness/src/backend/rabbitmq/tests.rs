//! The real server; where none is installed these tests say so and look at nothing.

use lapin::BasicProperties;
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};

use super::super::tests::Place;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_tap_is_given_what_the_queues_are_and_hostile_headers_end_nothing() {
    if let Err(missing) = RabbitMq::can_serve(&Provider::Local) {
        eprintln!("IGNORED: {missing}");
        return;
    }
    let place = Place::new();
    let rabbitmq = RabbitMq::reserve(&Provider::Local, &place.0).await.unwrap();
    println!("ready after {:?}", rabbitmq.start().await.unwrap());
    assert!(rabbitmq.version().starts_with(|first: char| first.is_ascii_digit()), "{}", rabbitmq.version());
    let tap = rabbitmq.tap("transfers", "settled", &["mails"]).await.unwrap();
    assert_eq!(tap.messages().await.unwrap().len(), 0);

    // As services do: through the proxy.
    let services = connect(&rabbitmq.url()).await.unwrap();
    let channel = services.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut headers = FieldTable::default();
    headers.insert("traceparent".into(), AMQPValue::LongString("00-a-b-01".into()));
    headers.insert("broken".into(), AMQPValue::LongString(vec![0xff, 0xfe].into()));
    headers.insert("bytes".into(), AMQPValue::ByteArray(vec![0xff].into()));
    headers.insert("long".into(), AMQPValue::LongString("x".repeat(50_000).into()));
    let properties = BasicProperties::default().with_headers(headers).with_message_id("m-1".into());
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("transfers".into(), "settled".into(), options, b"{}", properties).await;
    assert!(sent.unwrap().await.unwrap().is_ack());

    let messages = tap.messages().await.unwrap();
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!(message.header("traceparent").collect::<Vec<_>>(), ["00-a-b-01"]);
    assert_eq!(message.header("broken").collect::<Vec<_>>(), ["\u{fffd}\u{fffd}"]);
    assert_eq!(message.header_types.keys().collect::<Vec<_>>(), ["bytes"]);
    assert_eq!((message.key.as_deref(), message.id.as_deref()), (Some("settled"), Some("m-1")));
    assert_eq!(message.place(), "transfers message 1");
    assert_eq!(tap.stand("mails").await.unwrap(), QueueStand { waiting: 1, consumers: 0 });
    assert!(tap.stand("nobodys").await.is_err());
    channel.basic_get("mails".into(), BasicGetOptions { no_ack: true }).await.unwrap().expect("a message");
    assert_eq!(tap.stand("mails").await.unwrap(), QueueStand { waiting: 0, consumers: 0 });
    tap.close().await;

    let workdir = place.0.path().to_owned();
    rabbitmq.finish().await;
    assert!(tap.messages().await.is_err());
    let survivors = crate::process::survivors(place.0.run(), &workdir);
    assert!(survivors.is_empty(), "{survivors:?}");
}

#[tokio::test]
async fn one_that_runs_elsewhere_and_is_not_there_is_one_message() {
    let place = Place::new();
    let external = Provider::External("amqp://guest:guest@127.0.0.1:1/%2f".to_owned());
    let rabbitmq = RabbitMq::reserve(&external, &place.0).await.unwrap();
    let error = rabbitmq.start().await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("rabbitmq (external) could not be started: "), "{text}");
    assert!(!text.contains("guest:guest"), "{text}");
}
