//! MSG-09: what holds for records of Kafka holds for messages of RabbitMQ: context in the headers, a joined process span,
//! attributes that say where the message went.

use std::collections::HashSet;

use crate::model::attributes::{Attributes, Key};
use crate::model::{Broker, Case, Declaration, Judgement, Kind, Record, Severity, Span, Topic};
use crate::rules::Rule;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, shown, span_subject};

use super::msg_01::{self, Fixes};
use super::msg_02::{self, Words};
use super::subscription::{
    Context, Subscription, creation_context, speaks_of_another_broker, subscriptions_to,
};

pub(crate) static RULE: Rule = Rule {
    id: "MSG-09",
    severity: Severity::Error,
    requirement: "over AMQP too: each message's headers carry the context of its producer span, its consumer is joined to it, \
                  and both say system, destination and routing key",
    needs: &["records", "offsets", "spans", "processes", "topics", "groups"],
    page: include_str!("../pages/MSG-09.md"),
    judge,
};

const FIXES: Fixes = Fixes {
    inject: "inject the send span's context into the message's headers, as strings under lower-case names, where its properties \
             are made; probity explain MSG-09",
    export: "end and export the span whose context is injected; probity explain MSG-09",
};
const WORDS: Words = Words {
    fix: "extract the context from the delivery's headers before the process span is started, and give it as parent or as \
          link; probity explain MSG-09",
    headers: "see the finding on its headers",
};
const FIX_ATTRIBUTE: &str = "set it on the span; probity explain MSG-09";

/// What the registry of the conventions calls the routing key since it has a group of its own.
const ROUTING_KEY_OF_TODAY: &str = "rabbitmq.destination.routing_key";

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    let exchanges = || case.declaration.into_iter().flat_map(Declaration::exchanges);
    for exchange in exchanges() {
        msg_01::judge_topic(case, exchange, &FIXES, &mut judgement, &mut tally);
        judge_header_types(case, exchange, &mut tally);
    }
    let subscriptions = subscriptions_to(case, exchanges());
    for subscription in &subscriptions {
        msg_02::judge_subscription(case, subscription, &WORDS, &mut judgement, &mut tally);
    }
    judge_attributes(case, exchanges().collect(), &subscriptions, &mut judgement, &mut tally);
    tally.put_into(&mut judgement);
    judgement
}

/// A context that is no string is read by clients that look at its bytes, and by no others.
fn judge_header_types(case: &Case, exchange: &Topic, tally: &mut Tally) {
    for record in case.evidence.records.iter().filter(|record| record.topic == exchange.name) {
        let Some(kind) = record.header_types.get("traceparent") else { continue };
        let subject = format!("{}, records of {}", shown(&exchange.producer), shown(&exchange.name));
        tally.add(subject, "no string", None, || Fault {
            required: "a `traceparent` header that is a string".into(),
            seen: format!("at {}, a header of type {}", record.place(), quoted(kind)),
            fix: FIXES.inject.into(),
            ..Fault::default()
        });
    }
}

fn judge_attributes(
    case: &Case,
    exchanges: Vec<&Topic>,
    subscriptions: &[Subscription<'_>],
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    if exchanges.is_empty() {
        return;
    }
    let of_exchanges =
        |record: &&Record| exchanges.iter().any(|exchange| exchange.name == record.topic);
    let creators: HashSet<Context> =
        case.evidence.records.iter().filter(of_exchanges).filter_map(creation_context).collect();
    for span in case.spans.iter().filter(|span| matches!(span.kind(), Kind::Producer | Kind::Client)) {
        let attributes = Attributes::of(span);
        let mut mine = exchanges.iter().filter(|exchange| exchange.producer == case.service(span));
        if let Some(exchange) = mine.find(|exchange| sends_to(span, &attributes, exchange, &creators)) {
            judgement.judged();
            judge_span(case, span, &attributes, exchange, tally);
        }
    }
    for subscription in subscriptions {
        for processing in &subscription.spans {
            judgement.judged();
            judge_span(case, processing.span, &Attributes::of(processing.span), subscription.topic, tally);
        }
    }
}

/// Whether a span of the exchange's publisher sent a message to it: a message says so, or the span itself.
fn sends_to(span: Span<'_>, attributes: &Attributes<'_>, exchange: &Topic, creators: &HashSet<Context>) -> bool {
    let speaks = attributes.any(&[Key::MessagingSystem, Key::MessagingOperation, Key::MessagingDestination]);
    if speaks && creators.contains(&(span.trace(), span.id())) {
        return true;
    }
    let sends = span.kind() == Kind::Producer
        || matches!(attributes.str(Key::MessagingType), Some("send" | "create"));
    let there = match attributes.str(Key::MessagingDestination) {
        Some(destination) => exchange.is_destination(destination),
        None => attributes.str(Key::MessagingSystem) == Some("rabbitmq"),
    };
    sends && there && !speaks_of_another_broker(attributes, exchange)
}

/// System, operation, destination, and the routing key where the exchange has one.
fn judge_span(case: &Case, span: Span<'_>, attributes: &Attributes<'_>, exchange: &Topic, tally: &mut Tally) {
    let mut require = |key: &'static str, required: String, seen: Option<String>| {
        tally.add(span_subject(case, span), key, Some(span), || Fault {
            required: format!("the attribute {}{required}", quoted(key)),
            seen: seen.map_or_else(|| "no such attribute".into(), |seen| quoted(&seen)),
            fix: FIX_ATTRIBUTE.into(),
            ..Fault::default()
        });
    };
    let text = |key: Key| attributes.str(key).map(str::to_owned);
    let system = text(Key::MessagingSystem);
    if system.as_deref() != Some("rabbitmq") {
        require(Key::MessagingSystem.text(), ": `rabbitmq`".into(), system);
    }
    if !attributes.has(Key::MessagingOperation) {
        require(Key::MessagingOperation.text(), String::new(), None);
    }
    let destination = text(Key::MessagingDestination);
    if !destination.as_deref().is_some_and(|destination| exchange.is_destination(destination)) {
        require(Key::MessagingDestination.text(), format!(" with the exchange {}", quoted(&exchange.name)), destination);
    }
    if let Broker::Rabbitmq { routing_key } = &exchange.on
        && !routing_key.is_empty()
        && !attributes.has(Key::MessagingRouting)
        && span.str(ROUTING_KEY_OF_TODAY).is_none()
    {
        require(Key::MessagingRouting.text(), String::new(), None);
    }
}

#[cfg(test)]
mod tests;
