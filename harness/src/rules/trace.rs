//! TRACE: one request, one readable trace.

mod identifiers;
mod roots;
mod witnesses;

super::family! {
    trace_01,
    trace_02,
    trace_03,
    trace_04,
    trace_05,
    trace_06,
    trace_07,
    trace_08,
    trace_09,
    trace_10,
    trace_11,
    trace_12,
    trace_13,
    trace_14,
    trace_15,
    trace_16,
    trace_17,
    trace_18,
}
