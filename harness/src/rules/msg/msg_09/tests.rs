use crate::model::*;
use crate::rules::testing::announced::QUEUE;
use crate::rules::testing::{Shortener, subjects};

const RULE: &str = "MSG-09";

/// Two links with their announcements; `change` is made to the evidence of the first message.
fn with_message(change: impl FnOnce(&mut Record)) -> Judgement {
    let mut shortener = Shortener::good();
    let (message, creator) = shortener.announced();
    let records = &mut shortener.build.evidence_mut().records;
    change(records.last_mut().expect("a message"));
    shortener.take(&message, creator);
    shortener.announce();
    shortener.judge(RULE)
}

/// One announcement, whose consumer's span is made by `span` and has these attributes.
fn with_span(name: &str, attributes: &[(&str, &str)], join: Join) -> Judgement {
    let mut shortener = Shortener::good();
    let (message, creator) = shortener.announced();
    shortener.take(&message, creator);
    let consumer = shortener.consumer.clone();
    let (message, creator) = shortener.announced();
    shortener.take_nothing(&message);
    let span = shortener.build.span(&consumer, Kind::Consumer, name);
    let span = match join {
        Join::Parent => span.child_of(creator),
        Join::Link => span.link_to(creator),
    };
    attributes.iter().fold(span, |span, (key, value)| span.attribute(key, *value)).add();
    shortener.judge(RULE)
}

/// Everything that was found but the note on the joins.
fn fault(judgement: &Judgement) -> &Finding {
    judgement.findings.iter().find(|finding| finding.severity == Severity::Error).expect("a fault")
}

const PROCESS: [(&str, &str); 4] = [
    ("messaging.system", "rabbitmq"),
    ("messaging.operation.name", "process"),
    ("messaging.destination.name", "links:link.created:links.mailer"),
    ("messaging.rabbitmq.destination.routing_key", "link.created"),
];

#[test]
fn a_message_with_its_context_and_a_joined_consumer_passes() {
    let mut shortener = Shortener::good();
    shortener.announce();
    let judgement = shortener.judge(RULE);
    // The header, the join, and the attributes of either side.
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 4));
    let note = judgement.findings.iter().find(|finding| finding.severity == Severity::Note);
    assert_eq!(note.map(|note| note.seen.as_str()), Some("joined: 1 record by parent, with a link kept"));
}

#[test]
fn either_join_will_do_and_each_form_of_the_destination() {
    for join in [Join::Parent, Join::Link] {
        for destination in ["links", "links:link.created", "links:link.created:links.mailer", QUEUE] {
            let mut attributes = PROCESS;
            attributes[2].1 = destination;
            let judgement = with_span("process links", &attributes, join);
            assert_eq!(judgement.outcome(), Outcome::Pass, "{join:?} {destination}: {judgement:?}");
        }
    }
    let mut attributes = PROCESS;
    attributes[3].0 = "rabbitmq.destination.routing_key";
    assert_eq!(with_span("process links", &attributes, Join::Parent).outcome(), Outcome::Pass);
}

#[test]
fn kafkas_rules_do_not_judge_messages_nor_this_one_records() {
    let mut shortener = Shortener::good();
    shortener.click();
    assert_eq!(shortener.judge(RULE).outcome(), Outcome::NotJudged);
    let mut shortener = Shortener::with("amqp-without-headers");
    shortener.announce();
    for rule in ["MSG-01", "MSG-02", "MSG-03", "MSG-04", "MSG-05", "MSG-06", "MSG-07", "MSG-08"] {
        assert_eq!(shortener.judge(rule).outcome(), Outcome::NotJudged, "{rule}");
    }
    shortener.click();
    for rule in ["MSG-01", "MSG-02", "MSG-03", "MSG-04"] {
        assert_eq!(shortener.judge(rule).outcome(), Outcome::Pass, "{rule}");
    }
}

#[test]
fn a_message_without_headers_fails_on_both_sides() {
    let mut shortener = Shortener::with("amqp-without-headers");
    shortener.announce();
    let judgement = shortener.judge(RULE);
    assert_eq!(
        subjects(&judgement),
        ["analytics-consumer, span `process links:link.created:links.mailer`", "url-api, records of links"]
    );
    let seen: Vec<_> = judgement.findings.iter().map(|finding| finding.seen.as_str()).collect();
    assert!(seen[0].starts_with("a root span: no parent, no link."), "{seen:?}");
    assert_eq!(seen[1], "at links message 1, no header at all");
}

#[test]
fn a_header_that_is_not_a_valid_string_fails() {
    let bytes = with_message(|message| {
        message.header_types.insert("traceparent".into(), "byte array".into());
    });
    assert_eq!(bytes.outcome(), Outcome::Fail);
    assert_eq!(fault(&bytes).seen, "at links message 1, a header of type `byte array`");
    for value in ["", "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01", "7"] {
        let judgement = with_message(|message| message.headers[0].1 = value.into());
        assert_eq!(judgement.outcome(), Outcome::Fail, "{value}");
    }
    let named = with_message(|message| message.headers[0].0 = "Traceparent".into());
    assert!(named.findings.iter().any(|finding| finding.candidates.iter().any(|it| it.contains("`Traceparent`"))));
}

#[test]
fn a_consumer_that_is_not_joined_is_found_by_the_messages_id() {
    let mut shortener = Shortener::good();
    let (message, _) = shortener.announced();
    shortener.take_nothing(&message);
    let consumer = shortener.consumer.clone();
    let span = shortener.build.span(&consumer, Kind::Consumer, "process links");
    let span = PROCESS.iter().fold(span, |span, (key, value)| span.attribute(key, *value));
    span.attribute("messaging.message.id", "link-0").add();
    let judgement = shortener.judge(RULE);
    assert_eq!(subjects(&judgement), ["analytics-consumer, span `process links`"]);
    assert!(fault(&judgement).seen.contains("so the consumer dropped it"), "{judgement:?}");

    let mut shortener = Shortener::good();
    shortener.click();
    let (message, _) = shortener.announced();
    shortener.take_nothing(&message);
    let judgement = shortener.judge(RULE);
    assert_eq!(subjects(&judgement), ["analytics-consumer, records of links"], "no process span at all");
}

#[test]
fn each_missing_attribute_is_named() {
    for left_out in 0..PROCESS.len() {
        let mut attributes = PROCESS.to_vec();
        let (key, _) = attributes.remove(left_out);
        let judgement = with_span("process links", &attributes, Join::Parent);
        assert_eq!(subjects(&judgement), ["analytics-consumer, span `process links`"], "{key}");
        assert!(fault(&judgement).required.contains(key), "{key}: {judgement:?}");
    }
    let mut attributes = PROCESS;
    attributes[2].1 = "linksandmore:link.created";
    // It speaks of another exchange: then nothing stands for this message.
    let judgement = with_span("process other", &attributes, Join::Parent);
    assert_eq!(subjects(&judgement), ["analytics-consumer, records of links"]);
}

#[test]
fn what_is_left_in_the_queue_is_not_yet_anybodys() {
    let mut shortener = Shortener::good();
    shortener.announce();
    shortener.announced();
    let judgement = shortener.judge(RULE);
    assert_eq!(judgement.outcome(), Outcome::Pass, "at the edge: the second was never taken: {judgement:?}");
}

#[test]
fn hostile_headers_are_shown_harmless() {
    let huge = "\u{1b}\u{fffd}".repeat(50_000);
    let judgement = with_message(|message| {
        message.headers = vec![(huge.clone(), huge.clone()), ("traceparent".into(), huge.clone())];
        message.header_types.insert("traceparent".into(), huge.clone());
        message.header_types.insert(huge.clone(), "table".into());
        (message.key, message.id) = (Some(huge.clone()), Some(huge.clone()));
    });
    let text = format!("{judgement:?}");
    assert!(judgement.outcome() == Outcome::Fail && text.len() < 6_000 && !text.contains('\u{1b}'), "{}", text.len());
}
