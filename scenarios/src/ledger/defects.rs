//! Every defect of the ledger, with the rules that it must turn red.

use probity::run::{Alteration, Defect};

use super::ORCHESTRATOR;
use crate::rows::rows;

const TRANSFER: &str = "a_transfer_is_one_trace";

pub(super) fn all() -> Vec<Defect> {
    rows! {
        "middle-service-mute" on ORCHESTRATOR, in TRANSFER, turns ["TRACE-01" "TRACE-03"] also [] cannot judge []: "exports nothing, and hands the trace on";
        "http-client-drops-context" on ORCHESTRATOR, in TRANSFER, turns ["TRACE-02"] also ["TRACE-04"] cannot judge []: "sends no context with its HTTP requests";
    }
    .into_iter()
    .map(|row| row.defect(Alteration::Environment))
    .collect()
}
