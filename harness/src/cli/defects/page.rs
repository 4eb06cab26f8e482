//! The page of proof, in Markdown: for each rule the defects that turn it red and the cases of its tables; for each defect
//! everything that it turns.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::run::{Defect, System};

/// Good, bad and undecided cases by rule.
pub(super) type Cases = BTreeMap<String, [u64; 3]>;

const HEAD: &str = "\
# What proves each rule

A check that cannot fail is no check. Each rule has tables of built evidence that it must pass and fail, and a reference service (or a
broken file) that turns it red: the suite runs every scenario with and without each defect, judges all rules in both, and fails unless
exactly the rules below go red and lose their judgement. `cargo probity defects --run` proves it now.

This page is written by `ci/proof`; CI fails when it is stale.
";

pub(super) fn render(systems: &[Arc<System>], cases: &Cases) -> String {
    let mut text = HEAD.to_string();
    text.push_str("\n## Rules\n\nCases: good (it passes), bad (it finds something), open (it cannot judge, or has nothing to).\n\n");
    text.push_str(
        "| rule | turned red by | too | good | bad | open |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for rule in crate::rules::all() {
        let [good, bad, open] = cases.get(rule.id).copied().unwrap_or_default();
        let own = names(systems, |defect| defect.rules.contains(&rule.id));
        let too = names(systems, |defect| defect.also.contains(&rule.id));
        _ = writeln!(text, "| {} | {own} | {too} | {good} | {bad} | {open} |", rule.id);
    }
    for system in systems {
        _ = write!(text, "\n## Defects of the {}\n\n", system.name);
        text.push_str(
            "| defect | carried by | what it does | shows in | must fail | also | cannot judge |\n",
        );
        text.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
        for defect in &system.defects {
            text.push_str(&line(defect));
        }
    }
    text
}

fn line(defect: &Defect) -> String {
    let Defect { name, carrier, scenario, rules, also, cannot_judge, about, .. } = defect;
    let (rules, also, lost) = (rules.join(" "), also.join(" "), cannot_judge.join(" "));
    let about = about.replace('|', "\\|");
    format!("| {name} | {carrier} | {about} | {scenario} | {rules} | {also} | {lost} |\n")
}

fn names(systems: &[Arc<System>], wanted: impl Fn(&Defect) -> bool) -> String {
    let defects = systems.iter().flat_map(|system| &system.defects).filter(|defect| wanted(defect));
    defects.map(|defect| defect.name).collect::<Vec<_>>().join(", ")
}

/// The lines that the tests write: `TRACE-01 12 8 3`.
pub(super) fn counted(text: &str) -> Cases {
    text.lines().filter_map(|line| entry(&line.split(' ').collect::<Vec<_>>())).collect()
}

/// The counts that a page shows.
pub(super) fn cases_of(page: &str) -> Cases {
    let cells = page.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .filter_map(|cells| match cells.as_slice() {
            ["", rule, _, _, good, bad, open, ""] => entry(&[rule, good, bad, open]),
            _ => None,
        })
        .collect()
}

fn entry(cells: &[&str]) -> Option<(String, [u64; 3])> {
    let [rule, good, bad, open] = cells else { return None };
    Some((rule.to_string(), [good.parse().ok()?, bad.parse().ok()?, open.parse().ok()?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_a_page_are_read_back_as_the_tests_wrote_them() {
        let cases = counted("TRACE-01 12 8 3\nMSG-02 1 2 0\nnot a line\n");
        assert_eq!(cases["TRACE-01"], [12, 8, 3]);
        let page = render(&[], &cases);
        assert_eq!(cases_of(&page)["MSG-02"], [1, 2, 0]);
        assert_eq!(render(&[], &cases_of(&page)), page);
    }
}
