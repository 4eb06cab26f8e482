//! Outlines: the one text notation of a trace tree, used to expect, to show and to review.
//!
//! An [`Outline`] is drawn from captured spans by structure and content alone: the same shape gives the same text, whatever
//! the ids, the times and the order of arrival. A [`Pattern`] is the same notation, loosened; it is read from text, matched
//! against outlines, and a mismatch is told in words. Pure: no I/O, no clock.
//!
//! ```text
//! url-api               SERVER    GET /{code}
//!   url-api             CLIENT    SELECT links
//!   url-api             PRODUCER  send click-events
//!     ⇢ analytics-consumer CONSUMER  process click-events
//!       analytics-consumer CLIENT    INSERT clicks
//! ```
//!
//! - Two spaces of indentation are parentage. `⇢` is a link to the line above it at the next lower depth.
//! - A span that links to several is drawn under each of them: a trace looks the same whether its record was consumed alone or
//!   in a batch. [`View::links`] notes `(100 links)`.
//! - Equal siblings are drawn once, with `×N`.
//! - `(parent not captured)` stands for a parent that never arrived, `(parent cycle)` for spans that are their own ancestors,
//!   `(loop)` marks a link that leads back to where it came from, `… N more` stands for what was cut.
//! - A pattern may say `?` (optional), `×2`, `×1..3`, `×1..` (repeated), `×0` (forbidden), `…` (others allowed here),
//!   `{key=value}` (attributes), `!error` (status error), `!error?` (either status).
//! - A name that could be misread stands in quotes, with Rust's escapes. Lines that begin with `#` are comments.

mod assign;
mod build;
mod diff;
mod forest;
mod matching;
mod names;
mod node;
mod parse;
mod print;
#[cfg(test)]
mod properties;
mod quote;

pub use build::View;
pub use diff::{Change, ChangeKind, Mismatch};
pub use forest::Forest;
pub use node::{Line, Mark, Node, Times, What};
pub use parse::ParseError;

use crate::model::{Case, TraceId};

/// A span's or a service's name as outlines show it: what differs from run to run is named, not shown.
pub(crate) fn shown_name(name: &str) -> String {
    names::shown(name)
}

/// Trace trees as captured: every line exact, siblings in the order of their content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    pub forest: Forest<Node>,
}

impl Outline {
    /// The trees of one trace, with what hangs under them by link in other traces.
    pub fn of_trace(case: &Case, trace: TraceId) -> Self {
        View::default().trace(case, trace)
    }

    /// The trees of a stimulus's trace; `None` when the stimulus is unknown or its trace is.
    pub fn of_stimulus(case: &Case, stimulus: u32) -> Option<Self> {
        View::default().stimulus(case, stimulus)
    }

    /// Every tree of the evidence, but for the traces that the barrier's own requests made.
    pub fn of_all(case: &Case) -> Self {
        View::default().all(case)
    }

    /// Its trees by shape: the most frequent first, then by content.
    pub fn fold(&self) -> Vec<(u64, Outline)> {
        let mut shapes: Vec<_> = self.forest.roots().map(|root| self.shape(root)).collect();
        shapes.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        shapes
    }

    fn shape(&self, root: usize) -> (u64, Outline) {
        let mut forest = self.forest.subtree(root);
        let count = forest.value_mut(0).times.min;
        forest.value_mut(0).times = Times::ONCE;
        (count, Outline { forest })
    }

    pub fn is_empty(&self) -> bool {
        self.forest.is_empty()
    }
}

/// Trees of one shape, for people to look through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    pub count: u64,
    pub outline: Outline,
    /// A trace of that shape: the one with the least id.
    pub example: TraceId,
}

/// What a trace tree should look like: an outline, possibly loosened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    pub forest: Forest<Node>,
}

impl Outline {
    /// Reads the notation.
    ///
    /// # Errors
    /// Where the text is not in the notation: line, column, what was seen, what to write instead.
    pub fn parse(text: &str) -> Result<Pattern, ParseError> {
        parse::parse(text)
    }
}

impl Pattern {
    /// The view that shows all that it asks for.
    pub fn view(&self) -> View {
        let notes_links =
            self.forest.values().any(|node| node.line().is_some_and(|line| line.links.is_some()));
        let view = View::default().attributes(self.attribute_keys());
        if notes_links { view.links() } else { view }
    }

    /// The attributes that it asks for: what [`View::attributes`] must show for it to match.
    pub fn attribute_keys(&self) -> Vec<String> {
        let lines = self.forest.values().filter_map(|node| node.line());
        let mut keys: Vec<_> =
            lines.flat_map(|line| line.attributes.iter().map(|(key, _)| key.clone())).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

impl From<Outline> for Pattern {
    fn from(outline: Outline) -> Self {
        Pattern { forest: outline.forest }
    }
}

/// A click, joined by link.
#[cfg(test)]
const CLICK: &str = "\
url-api               SERVER    GET /{code}
  url-api             CLIENT    SELECT links
  url-api             PRODUCER  send click-events
    ⇢ analytics-consumer CONSUMER  process click-events
      analytics-consumer CLIENT    INSERT clicks
";
