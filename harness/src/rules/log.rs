//! LOG: logs that find their trace.

mod busy;
mod entries;
mod line;
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
    log_09,
}
