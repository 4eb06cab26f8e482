//! DEGRADE: a dependency fails, the answer and the evidence stay honest.

mod budget;
mod warnings;

super::family! {
    degrade_01,
    degrade_02,
    degrade_03,
    degrade_04,
    degrade_05,
    degrade_06,
    degrade_07,
    degrade_08,
}
