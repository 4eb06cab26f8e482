//! The rules: pure functions from a [`Case`] to a [`Judgement`], one file each, one line in the list of their family.
//!
//! No rule does I/O or reads a clock; none knows of another.

pub(crate) mod absence;
pub(crate) mod conventions;
#[cfg(test)]
mod defect_rows;
#[cfg(test)]
mod defect_rows_delivery;
#[cfg(test)]
mod defect_rows_metrics;
#[cfg(test)]
mod defect_rows_private;
#[cfg(test)]
mod defect_rows_traces;
mod degrade;
pub(crate) mod effects;
mod expect;
pub(crate) mod exporters;
pub(crate) mod exposed;
pub(crate) mod log;
mod metric;
mod msg;
pub(crate) mod outage;
pub(crate) mod picture;
pub(crate) mod private;
pub(crate) mod sampling;
mod scrape;
mod start;
pub(crate) mod tally;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod text;
mod trace;
pub(crate) mod traffic;

use crate::model::{Case, Judgement, Severity};

/// A rule of the catalogue.
pub struct Rule {
    /// Stable: `MSG-02`.
    pub id: &'static str,
    /// Of its findings, unless a finding says less.
    pub severity: Severity,
    /// One line, printed on failure.
    pub requirement: &'static str,
    /// What it reads: evidence (`spans`, `records`, `scrapes`, …) and declaration (`operations`, …). `probity rules` prints it.
    pub needs: &'static [&'static str],
    /// The page of `probity explain`, Markdown: why, how it shows, how to fix it, source.
    pub page: &'static str,
    pub judge: fn(&Case) -> Judgement,
}

pub(crate) use metric::otlp as pushed;

/// Declares the rules of a family: one line a rule, the file and its constant `RULE`.
macro_rules! family {
    ($($file:ident,)*) => {
        $(mod $file;)*
        pub(crate) static RULES: &[&super::Rule] = &[$(&$file::RULE,)*];
    };
}

use family;

/// Every rule, in the order of the catalogue.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    let families = [
        trace::RULES,
        msg::RULES,
        metric::RULES,
        scrape::RULES,
        log::RULES,
        private::RULES,
        start::RULES,
        degrade::RULES,
        expect::RULES,
    ];
    families.into_iter().flatten().copied()
}

/// The rule of that id, compared without regard to case.
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id.eq_ignore_ascii_case(id))
}
