//! The scenarios of the reference systems. One list serves `cargo probity run` and `cargo test --test scenarios`.

pub mod compose;
mod declare;
pub mod ledger;
mod rows;
pub mod shortener;

use std::path::PathBuf;

use probity::run::System;

/// The services' binaries, found by whoever built them: name and path.
pub type Programs<'p> = &'p dyn Fn(&str) -> PathBuf;

/// Every reference system, as Probity runs it.
pub fn systems(programs: Programs) -> Vec<System> {
    vec![shortener::system(programs), ledger::system(programs)]
}

/// Boxes a drive, so that it can stand in a list, and notes where.
macro_rules! drive {
    ($function:path) => {
        probity::run::Drive::new(|running| Box::pin($function(running)))
    };
}
pub(crate) use drive;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_proof_is_what_the_command_writes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/proof.md");
        let page = std::fs::read_to_string(path).expect("docs/proof.md is there");
        let now = probity::cli::proof_page(systems(&|_| PathBuf::new()), &page);
        assert!(page == now, "docs/proof.md is stale: run ci/proof");
    }

    #[test]
    fn names_are_unique_over_all_systems() {
        let systems = systems(&|_| PathBuf::new());
        let scenarios =
            systems.iter().flat_map(|system| system.scenarios.iter().map(|scenario| scenario.name));
        let defects = systems.iter().flat_map(|system| system.defects.iter().map(|defect| defect.name));
        let names: Vec<&str> = scenarios.chain(defects).collect();
        let unique: std::collections::BTreeSet<&&str> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
    }
}
