//! The values in the middle: what was captured ([`Evidence`]), what the system says of itself ([`Declaration`]), what the
//! rules say of both ([`Judgement`], [`Finding`]).
//!
//! Nothing here does I/O or reads a clock. All times are nanoseconds since the Unix epoch ([`UnixNanos`]).

pub(crate) mod attributes;
pub mod build;
mod case;
mod date;
mod declaration;
mod evidence;
mod finding;
mod ledger;
mod logs;
mod privacy;
mod span;
mod spans;
mod thresholds;
mod work;

pub use case::Case;
pub use date::{Date, DateError};
pub use declaration::*;
pub use evidence::*;
pub use finding::*;
pub use ledger::*;
pub use logs::*;
pub use privacy::*;
pub use span::*;
pub use spans::{Resource, Span, Spans};
pub use thresholds::{Override, Thresholds};
pub use work::*;

/// Nanoseconds since the Unix epoch.
pub type UnixNanos = u64;
