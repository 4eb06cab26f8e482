//! LOG: logs that find their trace.

mod busy;
pub(crate) mod cost;
pub(crate) mod entries;
pub(crate) mod line;
mod profile;
pub(crate) mod schema;
mod time;

super::family! {
    log_01,
    log_02,
    log_03,
    log_04,
    log_05,
    log_06,
    log_07,
    log_08,
    log_09,
}
