//! Two wrong ways from the end of a span to its exporter: one waits for the collector inside the request, one keeps everything
//! until the collector takes it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc as std_mpsc};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::exports::Exports;

/// Between two attempts, and between two looks for room.
const PAUSE: Duration = Duration::from_millis(10);

/// Exports each span where it ends, as a simple processor does, and as people do who flush after each request.
#[derive(Debug)]
pub(super) struct Synchronous<P>(pub(super) P);

impl<P: SpanProcessor> SpanProcessor for Synchronous<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        self.0.on_end(span);
        // Without handing its other work on, the thread would keep the runtime from sending what it waits for.
        match Handle::try_current() {
            Ok(_) => _ = tokio::task::block_in_place(|| self.0.force_flush()),
            Err(_) => _ = self.0.force_flush(),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// A queue without a bound in front of the one that has one.
#[derive(Debug)]
pub(super) struct Unbounded<P> {
    next: Arc<P>,
    exports: Exports,
    runtime: Handle,
    queue: OnceLock<Queue>,
}

#[derive(Debug)]
struct Queue {
    spans: Mutex<Option<mpsc::UnboundedSender<SpanData>>>,
    /// Ends when all that was queued has been handed on.
    handed_on: Mutex<std_mpsc::Receiver<()>>,
}

impl<P: SpanProcessor + 'static> Unbounded<P> {
    pub(super) fn before(next: P, exports: Exports) -> Self {
        Self { next: Arc::new(next), exports, runtime: Handle::current(), queue: OnceLock::new() }
    }

    /// Begins with the first span: until then the processor behind it is still being set up.
    fn begin(&self) -> Queue {
        let (spans, mut queued) = mpsc::unbounded_channel();
        let (alive, handed_on) = std_mpsc::channel();
        let (next, exports) = (Arc::clone(&self.next), self.exports.clone());
        self.runtime.spawn(async move {
            while let Some(span) = queued.recv().await {
                while !exports.take_place() {
                    tokio::time::sleep(PAUSE).await;
                }
                next.on_end(span);
            }
            drop(alive);
        });
        Queue { spans: Mutex::new(Some(spans)), handed_on: Mutex::new(handed_on) }
    }
}

impl<P: SpanProcessor + 'static> SpanProcessor for Unbounded<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let queue = self.queue.get_or_init(|| self.begin());
        if let Some(spans) = &*queue.spans.lock().unwrap_or_else(PoisonError::into_inner) {
            _ = spans.send(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        if let Some(queue) = self.queue.get() {
            drop(queue.spans.lock().unwrap_or_else(PoisonError::into_inner).take());
            _ = queue.handed_on.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(timeout);
        }
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(next) = Arc::get_mut(&mut self.next) {
            next.set_resource(resource);
        }
    }
}

/// Tries each batch until the collector takes it.
#[derive(Debug)]
pub(super) struct Stubborn<E> {
    exporter: E,
    runtime: Handle,
}

impl<E: SpanExporter> Stubborn<E> {
    pub(super) fn around(exporter: E) -> Self {
        Self { exporter, runtime: Handle::current() }
    }
}

impl<E: SpanExporter> SpanExporter for Stubborn<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        while self.exporter.export(batch.clone()).await.is_err() {
            // The thread that exports has no timer of its own.
            _ = self.runtime.spawn(async { tokio::time::sleep(PAUSE).await }).await;
        }
        Ok(())
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
