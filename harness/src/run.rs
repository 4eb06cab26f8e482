//! From what a scenario asks for to evidence: start the stack, drive it, prove that what was captured is complete.
//!
//! A [`System`] is what a team hands over: its declaration, its services, its scenarios and, for the reference systems, its
//! defects. `probity run` and `cargo test` run the same list through the same [`Engine`].

mod answers;
mod barrier;
mod canaries;
mod capture;
mod defects;
mod engine;
pub mod environment;
mod exchanges;
mod faults;
mod keys;
mod log_level;
mod orders;
mod own_spans;
mod prometheus;
mod running;
mod scrapes;
mod sequence;
mod service;
mod services;
mod share;
mod stack;
mod stimulus;
mod suite;
mod system;
mod test_main;
mod waits;
mod wall_clock;

pub use defects::{DefectReport, Proven, judge_defect};
pub use engine::{Engine, EngineError, EngineOptions, Outcome};
pub use faults::{Connection, UnderWay};
pub use orders::{Item, OrderUnderWay, all_orders, ask_for_all_orders};
pub use running::{Running, Sent, Stop};
pub use service::{Listening, ServiceProgram, Wiring};
pub use stack::{Own, Stack};
pub use stimulus::Request;
pub use suite::{Suite, SuiteOutcome, jobs, run_nothing, run_suite};
pub use system::{Alteration, Defect, Drive, Proof, Scenario, System, Task, subject_of};
pub use test_main::test_main;
