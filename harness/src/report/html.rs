//! The report as one page: verdict and findings, with nothing that is loaded from elsewhere and no script.

use std::fmt::Write;

use super::escape::xml;
use super::terminal::{self, Layout};
use super::{Judged, RunReport};

/// The page. Whatever a service emits is escaped.
pub fn render(run: &RunReport, cases: &[Judged]) -> String {
    let title = xml(&format!("{}: {}", run.subject, run.verdict.word()));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"content-security-policy\" content=\"default-src 'none'\">\n<title>{title}</title>\n\
         <h1>{title}</h1>\n"
    );
    for case in cases {
        let text = terminal::scenario(case.report, &Layout::default());
        let text = anstream::adapter::strip_str(&text).to_string();
        _ = writeln!(page, "<pre>{}</pre>", xml(&text));
    }
    page.push_str("</html>\n");
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ScenarioReport;

    #[test]
    fn a_hostile_name_stays_text() {
        let report = ScenarioReport::skipped("<script>alert(1)</script>", "trace", "</pre><img src=x>");
        let run = RunReport::new("<b>", vec![report.clone()]);
        let evidence = crate::model::Evidence::default();
        let page = render(&run, &[Judged { report: &report, evidence: &evidence, declaration: None }]);
        assert!(
            page.contains("&lt;script&gt;alert(1)") && page.contains("&lt;/pre&gt;&lt;img src=x&gt;"),
            "{page}"
        );
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    }
}
