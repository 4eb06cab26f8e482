//! The table of what each defect must turn red, a row each.

use probity::run::{Alteration, Defect};

/// A row of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) carrier: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) rules: &'static [&'static str],
    pub(crate) also: &'static [&'static str],
    pub(crate) cannot_judge: &'static [&'static str],
    pub(crate) about: &'static str,
}

impl Row {
    pub(crate) fn defect(self, alteration: Alteration) -> Defect {
        let Row { name, carrier, scenario, rules, also, cannot_judge, about } = self;
        Defect { name, carrier, scenario, rules, also, cannot_judge, about, alteration }
    }
}

macro_rules! rows {
    ($($name:literal on $carrier:expr, in $scenario:expr, turns [$($rule:literal)*] also [$($also:literal)*] cannot judge [$($cannot:literal)*]: $about:literal;)*) => {
        vec![$($crate::rows::Row {
            name: $name,
            carrier: $carrier,
            scenario: $scenario,
            rules: &[$($rule),*],
            also: &[$($also),*],
            cannot_judge: &[$($cannot),*],
            about: $about,
        },)*]
    };
}
pub(crate) use rows;
