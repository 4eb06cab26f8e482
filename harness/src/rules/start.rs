//! START: any order, no human.

mod keys;

super::family! {
    start_01,
    start_02,
    start_03,
    start_04,
    start_05,
    start_06,
}
