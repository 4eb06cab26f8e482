//! What becomes of ended spans: how many wait, how many were exported, how many were given up, and why.
//!
//! The SDK drops what its queue cannot hold and what it could not export, and says so in a log line at best. Here each such span
//! is counted where it is lost, under the names that the semantic conventions have for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};

/// The counts of one process; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Exports(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    capacity: u64,
    waiting: AtomicU64,
    queue_full: AtomicU64,
    taken: AtomicU64,
    /// By `error.type`; the empty one stands for success.
    exported: Mutex<BTreeMap<&'static str, u64>>,
}

impl Exports {
    /// Of a queue that holds so many spans, those that are on their way included.
    pub(super) fn bounded(capacity: u64) -> Self {
        let exported = Mutex::new([("", 0), ("timeout", 0)].into());
        Self(Arc::new(Inner {
            capacity,
            waiting: AtomicU64::new(0),
            queue_full: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            exported,
        }))
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.0.capacity
    }

    /// Spans that ended and are neither exported nor given up.
    pub(crate) fn waiting(&self) -> u64 {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Spans that the queue took in, and that it had no room for.
    pub(crate) fn processed(&self) -> [(&'static str, u64); 2] {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [("", of(&self.0.taken)), ("queue_full", of(&self.0.queue_full))]
    }

    /// Spans whose export has ended, by `error.type`.
    pub(crate) fn exported(&self) -> BTreeMap<&'static str, u64> {
        self.0.exported.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the place of one more span, if there is room.
    pub(super) fn take_place(&self) -> bool {
        let room = |waiting: u64| (waiting < self.0.capacity).then_some(waiting + 1);
        let taken = self.0.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_ok();
        self.0.taken.fetch_add(u64::from(taken), Ordering::Relaxed);
        taken
    }

    fn give_up(&self) {
        self.0.queue_full.fetch_add(1, Ordering::Relaxed);
    }

    fn ended(&self, spans: u64, result: &OTelSdkResult) {
        let error_type = match result {
            Ok(()) => "",
            Err(OTelSdkError::Timeout(_)) => "timeout",
            Err(OTelSdkError::AlreadyShutdown) => "already_shutdown",
            Err(OTelSdkError::InternalFailure(_)) => "export_failed",
        };
        *self.0.exported.lock().unwrap_or_else(PoisonError::into_inner).entry(error_type).or_default() +=
            spans;
        let fewer = |waiting: u64| Some(waiting.saturating_sub(spans));
        _ = self.0.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, fewer);
    }
}

/// In front of a batch processor: what finds no room is counted and given up, so that the queue behind it is never full.
#[derive(Debug)]
pub(super) struct Bounded<P> {
    pub(super) next: P,
    pub(super) exports: Exports,
}

impl<P: SpanProcessor> SpanProcessor for Bounded<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        match self.exports.take_place() {
            true => self.next.on_end(span),
            false => self.exports.give_up(),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

/// Around an exporter: what comes of each batch is counted, and its places are free again.
#[derive(Debug)]
pub(super) struct Counted<E> {
    pub(super) exporter: E,
    pub(super) exports: Exports,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let result = self.exporter.export(batch).await;
        self.exports.ended(spans, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    /// Keeps what it gets, and says that it could not.
    #[derive(Debug, Clone, Default)]
    struct Held(Arc<Mutex<Vec<SpanData>>>);

    impl SpanProcessor for Held {
        fn on_start(&self, _span: &mut Span, _context: &Context) {}

        fn on_end(&self, span: SpanData) {
            self.0.lock().unwrap().push(span);
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    #[derive(Debug)]
    struct Away;

    impl SpanExporter for Away {
        async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
            Err(OTelSdkError::InternalFailure("nobody is there".into()))
        }
    }

    fn ended(spans: usize, exports: &Exports) -> Held {
        let held = Held::default();
        let bounded = Bounded { next: held.clone(), exports: exports.clone() };
        let provider = SdkTracerProvider::builder().with_span_processor(bounded).build();
        let tracer = provider.tracer("test");
        (0..spans).for_each(|_| drop(tracer.start("work")));
        held
    }

    #[test]
    fn what_finds_no_room_is_counted_and_given_up() {
        let exports = Exports::bounded(3);
        let held = ended(8, &exports);
        assert_eq!(held.0.lock().unwrap().len(), 3);
        assert_eq!((exports.waiting(), exports.processed()), (3, [("", 3), ("queue_full", 5)]));
    }

    #[tokio::test]
    async fn a_batch_that_fails_is_counted_and_makes_room() {
        let exports = Exports::bounded(3);
        let held = ended(3, &exports);
        let batch = std::mem::take(&mut *held.0.lock().unwrap());
        let exporter = Counted { exporter: Away, exports: exports.clone() };
        assert!(exporter.export(batch).await.is_err());
        assert_eq!(exports.waiting(), 0);
        assert_eq!(exports.exported().get("export_failed"), Some(&3));
        assert!(exports.take_place());
    }
}
