//! Named breaks of evidence, and changes that must not matter. A rule set that lets a break pass would let the same defect pass
//! in production: `prove` applies each to the evidence of a green run and judges again.
//!
//! Pure. A mutation changes what a defective system would have left behind, and nothing else: where ids move, headers and
//! log lines that repeat them move too, so that no break is caught by a trace that only the mutation left.

mod ids;
mod logging;
mod messaging;
mod metrics;
mod neutral;
mod payloads;
mod privacy;
mod scraping;
#[cfg(test)]
mod tests;
mod tracing;

use crate::model::{Case, Evidence};

pub use neutral::{NEUTRALS, Neutral, without_arrival};

/// Subjects of one mutation in one scenario; what is beyond is counted.
const SUBJECTS_MAX: usize = 60;

/// A way to break evidence.
pub struct Mutation {
    /// Stable: `drop-span`.
    pub name: &'static str,
    /// What it does to its subject, in one line.
    pub about: &'static str,
    pub mutants: for<'c> fn(&'c Case<'_>) -> Vec<Mutant>,
}

/// A mutation of one subject.
pub struct Mutant {
    /// In words that stay the same from run to run: `url-api CLIENT SELECT links`.
    pub subject: String,
    change: Box<dyn Fn(&mut Evidence) + Send + Sync>,
}

impl Mutant {
    pub(self) fn new(
        subject: impl Into<String>,
        change: impl Fn(&mut Evidence) + Send + Sync + 'static,
    ) -> Self {
        Mutant { subject: subject.into(), change: Box::new(change) }
    }

    /// The evidence as the broken system would have left it.
    pub fn of(&self, evidence: &Evidence) -> Evidence {
        let mut changed = evidence.clone();
        (self.change)(&mut changed);
        changed
    }
}

/// Every break, in the order of the pillars.
pub fn breaks() -> impl Iterator<Item = &'static Mutation> {
    let families = [
        tracing::BREAKS,
        messaging::BREAKS,
        metrics::BREAKS,
        scraping::BREAKS,
        logging::BREAKS,
        privacy::BREAKS,
    ];
    families.into_iter().flatten()
}
