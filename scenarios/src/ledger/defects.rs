//! Every defect of the ledger, with the rules that it must turn red.

use probity::run::{Alteration, Defect};

use super::{LEDGER, ORCHESTRATOR, READ_MODEL};
use crate::rows::rows;

const TRANSFER: &str = "a_transfer_is_one_trace";
const RELAY: &str = "a_transfer_outlives_a_stopped_relay";

pub(super) fn all() -> Vec<Defect> {
    rows! {
        "middle-service-mute" on ORCHESTRATOR, in TRANSFER, turns ["TRACE-01" "TRACE-03"] also [] cannot judge ["TRACE-02" "TRACE-10" "TRACE-15" "PRIVATE-02"]: "exports nothing, and hands the trace on";
        "http-client-drops-context" on ORCHESTRATOR, in TRANSFER, turns ["TRACE-02"] also ["TRACE-04"] cannot judge []: "sends no context with its HTTP requests";
        "outbox-without-context" on LEDGER, in RELAY, turns ["MSG-05"] also ["TRACE-04"] cannot judge []: "writes rows that do not say whose trace they belong to";
        "outbox-without-baggage" on LEDGER, in TRANSFER, turns ["TRACE-15"] also [] cannot judge []: "writes rows with the trace of their request and without its baggage";
        "outbox-context-shared" on LEDGER, in RELAY, turns ["MSG-05"] also [] cannot judge []: "publishes a batch of rows in the trace of the first";
        "amqp-without-headers" on ORCHESTRATOR, in "a_settled_transfer_is_announced", turns ["MSG-09"] also ["TRACE-04"] cannot judge []: "announces transfers over RabbitMQ without the context of the request";
        "poison-blocks-partition" on READ_MODEL, in "a_poison_record_goes_to_the_dead_letters", turns ["MSG-07"] also ["MSG-06" "METRIC-02"] cannot judge []: "tries a record that it cannot read for ever";
    }
    .into_iter()
    .map(|row| row.defect(Alteration::Environment))
    .collect()
}
