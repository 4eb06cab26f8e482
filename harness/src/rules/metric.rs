//! METRIC: numbers that can be trusted.

mod counted;
mod names;
pub(crate) mod otlp;
#[cfg(test)]
pub(super) mod testing;
mod values;

super::family! {
    metric_01,
    metric_02,
    metric_03,
    metric_04,
    metric_05,
    metric_06,
    metric_07,
    metric_08,
    metric_09,
    metric_10,
    metric_11,
}
