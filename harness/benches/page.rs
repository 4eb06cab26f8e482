//! How large the HTML page of a run is, how long it takes to write it, and how soon a browser shows it.
//!
//! `cargo bench -p probity --bench page [-- SPANS…]` prints, for 10 thousand and 100 thousand spans unless told otherwise: seconds
//! to render, megabytes, and, where there is a Chromium, milliseconds until the first screen and until the list of all traces.

#[path = "../tests/page/browser.rs"]
#[expect(dead_code, reason = "the tests in a browser use the rest")]
mod browser;

use std::error::Error;
use std::time::Instant;

use browser::{Browser, DESKTOP};
use probity::judge::judge;
use probity::model::build::Build;
use probity::model::{Evidence, Kind};
use probity::report::{Judged, RunReport, html};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A root, four children of it and five of those.
const SPANS_PER_TRACE: u64 = 10;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Fallible<()> {
    probity::process::serve_hidden_subcommands();
    let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let mut sizes = arguments.map(|argument| argument.parse()).collect::<Result<Vec<u64>, _>>()?;
    if sizes.is_empty() {
        sizes = vec![10_000, 100_000];
    }
    let browser = match browser::missing() {
        Some(missing) => {
            eprintln!("not opened: {missing}");
            None
        }
        None => Some(Browser::start()?),
    };
    println!("{:>10}  {:>9}  {:>7}  {:>9}  {:>9}", "spans", "render s", "MB", "open ms", "traces ms");
    let measured = sizes.into_iter().try_for_each(|spans| measure(spans, browser.as_ref()));
    browser.map_or(Ok(()), Browser::close)?;
    measured
}

fn measure(spans: u64, browser: Option<&Browser>) -> Fallible<()> {
    let evidence = evidence(spans);
    let report = judge(&evidence, None);
    let mut run = RunReport::new("bench", vec![report.clone()]);
    run.seconds = 1.0;
    let began = Instant::now();
    let page = html::render(&run, &[Judged { report: &report, evidence: &evidence, declaration: None }]);
    let rendered = began.elapsed().as_secs_f64();
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("report.html");
    std::fs::write(&file, &page)?;
    let address = format!("file://{}", file.display());
    let (mut opened, mut listed) = (f64::NAN, f64::NAN);
    if let Some(browser) = browser {
        opened = shown(browser, &address, "#wall strong")?;
        listed = shown(browser, &format!("{address}#s/built/traces"), ".trace-rows .row")?;
    }
    let megabytes = page.len() as f64 / 1e6;
    println!("{spans:>10}  {rendered:>9.2}  {megabytes:>7.1}  {opened:>9.0}  {listed:>9.0}");
    Ok(())
}

/// Milliseconds from the start of the navigation until something is drawn.
fn shown(browser: &Browser, address: &str, selector: &str) -> Fallible<f64> {
    browser.open(address, DESKTOP)?;
    browser
        .until(&format!("document.querySelector({selector:?}) && (window.drawn ??= performance.now())"))?;
    browser.run("return window.drawn;")?.as_f64().ok_or_else(|| "the page knows no time".into())
}

fn evidence(spans: u64) -> Evidence {
    let mut build = Build::new();
    let services = ["shop", "cart", "payment"].map(|service| build.process(service));
    for number in 0..spans / SPANS_PER_TRACE {
        let service = &services[(number % 3) as usize];
        let id = format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let root = build.span(service, Kind::Server, "GET /{code}").attribute("url.path", id.as_str());
        let root = root.attribute("http.route", "/{code}").attribute("http.response.status_code", 200).add();
        let mut above = root;
        for place in 1..SPANS_PER_TRACE {
            let span = build.span(service, Kind::Client, "SELECT items").child_of(above);
            let added = span
                .attribute("db.system.name", "postgresql")
                .attribute("row", (number * 10 + place) as i64)
                .add();
            above = if place % 2 == 0 { root } else { added };
        }
    }
    build.evidence()
}
