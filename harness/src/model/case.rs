//! What a rule is given: evidence and declaration, with the indexes over both.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::exposition::Exposition;

use super::{Declaration, Evidence, Process, ProcessId, Span, Spans, Stimulus, Thresholds, UnixNanos};

/// One scenario's evidence, ready to be judged.
pub struct Case<'a> {
    pub evidence: &'a Evidence,
    /// `None` for `exec`, `listen` and OTLP files: rules that need it then do not judge, or warn (`DESIGN`, Outcomes).
    pub declaration: Option<&'a Declaration>,
    pub spans: Spans,
    services: HashMap<ProcessId, &'a str>,
    thresholds: Thresholds,
    /// When spans made after the end of each fault on the collector came, by process: read once, see `rules::absence`.
    pub(crate) resumptions: OnceLock<HashMap<(ProcessId, usize), UnixNanos>>,
    /// Answers to scrapes that were read for all rules at once, by the place of the scrape: see `rules::exposed`.
    pub(crate) expositions: HashMap<usize, Arc<Result<Exposition<'a>, String>>>,
}

impl<'a> Case<'a> {
    pub fn new(evidence: &'a Evidence, declaration: Option<&'a Declaration>) -> Self {
        let services =
            evidence.processes.iter().map(|process| (process.id.clone(), process.service.as_str())).collect();
        let thresholds = declaration.map(|declaration| declaration.thresholds.clone()).unwrap_or_default();
        Case {
            evidence,
            declaration,
            spans: Spans::named(&evidence.requests, &evidence.names),
            services,
            thresholds,
            resumptions: OnceLock::new(),
            expositions: HashMap::new(),
        }
    }

    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// The service that a span belongs to: the sending process's declared name where the sender is known, else what the
    /// resource says. A resource that lies therefore hides nothing.
    pub fn service<'s>(&'s self, span: Span<'s>) -> &'s str {
        span.process().and_then(|process| self.services.get(process).copied()).unwrap_or(span.service_name())
    }

    pub fn process(&self, id: &ProcessId) -> Option<&'a Process> {
        self.evidence.processes.iter().find(|process| process.id == *id)
    }

    /// The instances of a declared service, in start order.
    pub fn processes_of(&self, service: &str) -> impl Iterator<Item = &'a Process> {
        self.evidence.processes.iter().filter(move |process| process.service == service)
    }

    pub fn spans_of(&self, process: &ProcessId) -> impl Iterator<Item = Span<'_>> {
        self.spans.iter().filter(move |span| span.process() == Some(process))
    }

    pub fn stimulus(&self, id: u32) -> Option<&'a Stimulus> {
        self.evidence.stimuli.iter().find(|stimulus| stimulus.id == id)
    }
}
