//! The HTML report in a real browser: what it shows, that hostile names do nothing, that addresses and keys lead where they say.
//!
//! Where there is no Chromium the tests are ignored, and say why.

#[path = "page/browser.rs"]
mod browser;
#[path = "page/scene.rs"]
mod scene;

use std::sync::{Arc, Mutex, PoisonError};

use browser::{Browser, DESKTOP, Window};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

const PHONE: Window = Window { width: 390, height: 844, ..DESKTOP };

type Claim = fn(&Browser) -> Result<(), Failed>;

const CLAIMS: [(&str, Claim); 12] = [
    ("the_first_screen_says_what_failed_and_why", first_screen),
    ("findings_can_be_read_without_a_script", without_a_script),
    ("hostile_names_do_nothing", hostile_names),
    ("addresses_lead_to_their_place", addresses),
    ("a_finding_is_drawn_at_its_span_and_where_it_was_expected", drawn),
    ("keys_lead_through_the_page", keys),
    ("filters_narrow_and_stand_in_the_address", filters),
    ("search_finds_scenarios_rules_findings_spans_and_ids", search),
    ("thousands_of_spans_are_a_few_rows", large),
    ("it_fits_a_phone", phone),
    ("text_has_contrast_and_controls_have_names_in_both_themes", readable),
    ("a_picture_can_be_taken", picture),
];

fn main() {
    probity::process::serve_hidden_subcommands();
    let arguments = Arguments::from_args();
    let missing = browser::missing();
    if let Some(missing) = missing {
        eprintln!("tests in a browser are ignored: {missing}");
    }
    // One browser for all: it is started by the first claim that needs it, and each claim has it alone.
    let shared: Arc<Mutex<Option<Browser>>> = Arc::default();
    let trials = CLAIMS.iter().map(|(name, claim)| {
        let (shared, claim) = (Arc::clone(&shared), *claim);
        let trial = Trial::test(*name, move || {
            let mut slot = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let started = match slot.take() {
                Some(browser) => browser,
                None => Browser::start().map_err(|error| error.to_string())?,
            };
            claim(slot.insert(started))
        });
        trial.with_ignored_flag(missing.is_some())
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let last = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(Err(error)) = last.map(Browser::close) {
        eprintln!("the browser did not end well: {error}");
    }
    conclusion.exit()
}

/// Everything a claim may fail with, as text.
fn fail(error: impl std::fmt::Display) -> Failed {
    error.to_string().into()
}

fn text(browser: &Browser, selector: &str) -> Result<String, Failed> {
    let found = browser
        .run(&format!("return document.querySelector({selector:?})?.innerText ?? null;"))
        .map_err(fail)?;
    found.as_str().map(String::from).ok_or_else(|| format!("there is no `{selector}`").into())
}

fn has(text: &str, wanted: &[&str]) -> Result<(), Failed> {
    match wanted.iter().find(|wanted| !text.contains(**wanted)) {
        Some(missing) => Err(format!("there is no {missing:?} in\n{text}").into()),
        None => Ok(()),
    }
}

/// Opens a place and waits until it is drawn.
fn open(browser: &Browser, address: &str, window: Window, drawn: &str) -> Result<(), Failed> {
    browser.open(address, window).map_err(fail)?;
    browser.until(&format!("document.querySelector({drawn:?})")).map_err(fail)
}

fn no_complaints(browser: &Browser) -> Result<(), Failed> {
    match browser.complaints().map_err(fail)?.as_slice() {
        [] => Ok(()),
        complaints => Err(format!("the page complains: {complaints:?}").into()),
    }
}

fn first_screen(browser: &Browser) -> Result<(), Failed> {
    let (scene, _, _) = scene::broken().map_err(fail)?;
    open(browser, &scene.address(""), DESKTOP, "#wall strong")?;
    has(&text(browser, ".hero")?, &["fail", "MSG-02", "process click-events", "1.7 s", "embedded kafka"])?;
    let finding = text(browser, ".finding[data-rule='MSG-02']")?;
    has(
        &finding,
        &[
            "every consumed record is joined",
            "where",
            "required",
            "seen",
            "fix",
            "expected here",
            "arrived here",
            "probity run --only",
        ],
    )?;
    has(&text(browser, "#cost")?, &["librdkafka 2.12.1", "0.05 s", "drive"])?;
    has(
        &text(browser, ".cases")?,
        &["a_click_is_one_trace", "a_create_is_traced", "needs_a_cut", "the mock cannot cut connections"],
    )?;
    let first = browser.run("return document.querySelector('.case').innerText;").map_err(fail)?;
    has(first.as_str().unwrap_or_default(), &["fail"])?;
    no_complaints(browser)
}

fn without_a_script(browser: &Browser) -> Result<(), Failed> {
    let (scene, _, _) = scene::broken().map_err(fail)?;
    browser.open(&scene.address(""), Window { scripts: false, ..DESKTOP }).map_err(fail)?;
    let shown = browser.visible_text().map_err(fail)?;
    has(
        &shown,
        &[
            "fail",
            "MSG-02",
            "every consumed record is joined",
            "required",
            "expected here",
            "a_create_is_traced",
            "librdkafka 2.12.1",
            "1.7 s",
        ],
    )?;
    // What only a script could fill is not there.
    if shown.contains("open in its trace") {
        Err("a link that needs a script is shown".into())
    } else {
        Ok(())
    }
}

fn hostile_names(browser: &Browser) -> Result<(), Failed> {
    let (scene, trace) = scene::hostile().map_err(fail)?;
    _ = browser.requests().map_err(fail)?;
    no_complaints(browser)?;
    open(browser, &scene.address(""), DESKTOP, "#wall strong")?;
    let key = browser
        .run("return JSON.parse(document.getElementById('index').textContent).scenarios[0].key;")
        .map_err(fail)?;
    let key = browser.run(&format!("return encodeURIComponent({key}).replace(/[!'()*~]/g, (letter) => '%' + letter.charCodeAt(0).toString(16).toUpperCase());")).map_err(fail)?;
    let key = key.as_str().unwrap_or_default();
    let places =
        ["", "/traces", "/records", "/metrics", "/logs", "/ledger", "/rules", &format!("/t/{trace}")];
    for place in
        places.iter().map(|place| format!("s/{key}{place}")).chain(["rules".into(), "r/MSG-01".into()])
    {
        open(browser, &scene.address(&place), DESKTOP, "#view > *")?;
        browser.press("?\u{e00c}").map_err(fail)?;
        if browser.has_dialog() {
            return Err(format!("a dialog opened at {place}").into());
        }
        let found = browser.run("return [window.hacked, document.querySelectorAll('img, iframe, object, [onload], [onerror], a[href^=\"javascript\"]').length, document.scripts.length];").map_err(fail)?;
        if found != serde_json::json!([null, 0, 5]) {
            return Err(format!("markup came to life at {place}: {found}").into());
        }
    }
    // The attribute of a megabyte is cut, and says so; what would reorder text is shown as an escape.
    browser.run(&format!("location.hash = 's/{key}/t/{trace}';")).map_err(fail)?;
    browser.until("document.querySelector('.span-rows .row')").map_err(fail)?;
    browser.run("document.querySelector('.span-rows .row').click();").map_err(fail)?;
    browser.until("document.querySelector('.details')").map_err(fail)?;
    has(&text(browser, ".details")?, &["characters more", "<b>x<b>x"])?;
    let all = browser.run("return document.documentElement.textContent;").map_err(fail)?;
    if all.as_str().is_some_and(|all| all.contains(['\u{202e}', '\u{2066}'])) {
        return Err("a character that reorders text is in the page".into());
    }
    only_the_page_was_asked_for(browser, &scene)?;
    no_complaints(browser)
}

fn only_the_page_was_asked_for(browser: &Browser, scene: &scene::Scene) -> Result<(), Failed> {
    let page = scene.address("");
    let asked = browser.requests().map_err(fail)?;
    let other = |address: &&String| {
        !address.starts_with(&page) && !address.starts_with("about:") && !address.starts_with("blob:")
    };
    match asked.iter().find(other) {
        Some(address) => Err(format!("{address} was asked for").into()),
        None if asked.iter().any(|address| address.starts_with(&page)) => Ok(()),
        None => Err("the look at requests sees none, not even the page's own".into()),
    }
}

fn addresses(browser: &Browser) -> Result<(), Failed> {
    let (scene, arrived, _) = scene::broken().map_err(fail)?;
    let base = "s/a_click_is_one_trace";
    let view = |fragment: String, drawn: &str, wanted: &[&str]| {
        open(browser, &scene.address(&fragment), DESKTOP, drawn)?;
        has(&text(browser, "#view")?, wanted)
    };
    view(
        base.into(),
        "#view .time-line",
        &["a_click_is_one_trace", "What happened", "phases", "kafka", "drained", "url-api#1 ready"],
    )?;
    view(
        format!("{base}/{arrived}"),
        "#view .details",
        &["process click-events", "CONSUMER", "messaging.kafka.offset", "MSG-02"],
    )?;
    view(
        format!("{base}/records"),
        "#view .record",
        &["click-events[0] offset 0", "tenant", "blue", "send click-events", "not joined"],
    )?;
    view(format!("{base}/metrics"), "#view .family-row", &["http_requests_total", "10 → 20, +10"])?;
    view(format!("{base}/logs"), "#view .log-rows .row", &["slow", "WARN", "its span"])?;
    view(format!("{base}/ledger"), "#view table", &["url-api#1", "Nothing was lost"])?;
    view("r/MSG-02".into(), "#view .page", &["MSG-02", "How to fix it", "a_click_is_one_trace"])?;
    view("rules".into(), "#view .matrix tbody tr", &["TRACE-01", "MSG-02"])?;
    open(browser, &scene.address(""), DESKTOP, ".finding[data-rule='MSG-02']")?;
    let id =
        browser.run("return document.querySelector(\".finding[data-rule='MSG-02']\").id;").map_err(fail)?;
    open(browser, &scene.address(id.as_str().unwrap_or_default()), DESKTOP, ".finding.is-here")?;
    let seen = browser.run("const box = document.querySelector('.finding.is-here').getBoundingClientRect(); return box.top >= 0 && box.top < innerHeight;").map_err(fail)?;
    if seen != true {
        return Err("the finding that the address names is not in sight".into());
    }
    no_complaints(browser)
}

fn drawn(browser: &Browser) -> Result<(), Failed> {
    let (scene, arrived, expected) = scene::broken().map_err(fail)?;
    let base = "s/a_click_is_one_trace";
    open(browser, &scene.address(&format!("{base}/{arrived}")), DESKTOP, ".span-rows .note")?;
    has(&text(browser, ".span-rows")?, &["MSG-02", "it was expected under"])?;
    open(browser, &scene.address(&format!("{base}/{expected}")), DESKTOP, ".span-rows .ghost")?;
    has(
        &text(browser, ".span-rows")?,
        &["send click-events", "expected here: analytics-consumer CONSUMER process click-events", "! error"],
    )?;
    browser.run("[...document.querySelectorAll('.modes button')].find((button) => button.textContent === 'outline').click();").map_err(fail)?;
    browser.until("document.querySelector('.outline')").map_err(fail)?;
    has(
        &text(browser, ".outline")?,
        &["url-api", "PRODUCER  send click-events", "expected here (MSG-02)", "!error"],
    )
}

fn keys(browser: &Browser) -> Result<(), Failed> {
    let (scene, _, _) = scene::broken().map_err(fail)?;
    open(browser, &scene.address(""), DESKTOP, "#search")?;
    let down = "\u{e015}";
    let (enter, escape) = ("\u{e007}", "\u{e00c}");
    browser.press("?").map_err(fail)?;
    browser.until("document.getElementById('help').open").map_err(fail)?;
    browser.press(escape).map_err(fail)?;
    browser.until("!document.getElementById('help').open").map_err(fail)?;
    browser.press("t").map_err(fail)?;
    browser.until("document.documentElement.dataset.theme === 'dark'").map_err(fail)?;
    browser.press("t").map_err(fail)?;
    browser.press("j").map_err(fail)?;
    browser.until("document.activeElement.matches('.finding')").map_err(fail)?;
    browser.press("/a_create").map_err(fail)?;
    browser.until("document.querySelectorAll('.results li').length").map_err(fail)?;
    browser.press(enter).map_err(fail)?;
    browser.until("location.hash === '#s/a_create_is_traced'").map_err(fail)?;
    browser.run("location.hash = 's/a_create_is_traced/traces';").map_err(fail)?;
    browser.until("document.querySelector('.trace-rows .row')").map_err(fail)?;
    browser.press(&format!("j{enter}")).map_err(fail)?;
    browser.press(&format!("{down}{enter}")).map_err(fail)?;
    browser.until("location.hash.includes('/t/')").map_err(fail)?;
    browser.until("document.querySelector('.span-rows .row')").map_err(fail)?;
    browser.press("j").map_err(fail)?;
    browser.until("document.activeElement.matches('.span-rows')").map_err(fail)?;
    browser.press(&format!("jj{enter}")).map_err(fail)?;
    browser.until("location.hash.includes('/span/') && document.querySelector('.details')").map_err(fail)?;
    browser.press(escape).map_err(fail)?;
    browser.until("!document.querySelector('.details')").map_err(fail)?;
    browser.press(escape).map_err(fail)?;
    browser.until("location.hash === '#s/a_create_is_traced/traces'").map_err(fail)?;
    no_complaints(browser)
}

fn filters(browser: &Browser) -> Result<(), Failed> {
    let (scene, _, _) = scene::broken().map_err(fail)?;
    let shown = "return [...document.querySelectorAll('.case')].filter((row) => !row.hidden).map((row) => row.querySelector('a').innerText);";
    let wanted = |wanted: Value| match browser.run(shown).map_err(fail)? {
        found if found == wanted => Ok::<_, Failed>(()),
        found => Err(format!("{found} is shown, not {wanted}").into()),
    };
    open(browser, &scene.address("scenarios?verdict=fail&text=click"), DESKTOP, "#filters button")?;
    wanted(serde_json::json!(["a_click_is_one_trace"]))?;
    open(browser, &scene.address("scenarios"), DESKTOP, "#filters button")?;
    browser.run("document.querySelector('#filters button[data-verdict=skipped]').click();").map_err(fail)?;
    wanted(serde_json::json!(["needs_a_cut"]))?;
    browser.until("location.hash === '#scenarios?verdict=skipped'").map_err(fail)?;
    open(browser, &scene.address("scenarios?rule=MSG-02"), DESKTOP, "#filters button")?;
    wanted(serde_json::json!(["a_click_is_one_trace"]))
}

fn search(browser: &Browser) -> Result<(), Failed> {
    let (scene, arrived, _) = scene::broken().map_err(fail)?;
    open(browser, &scene.address(""), DESKTOP, "#search")?;
    let span = arrived.rsplit('/').next().unwrap_or_default().to_owned();
    for (typed, kind) in [
        ("needs_a", "scenario"),
        ("TRACE-01", "rule"),
        ("msg-02 consumer", "finding"),
        ("insert clicks", "span"),
        (span.as_str(), "span"),
    ] {
        browser.run(&format!("const field = document.getElementById('search'); field.focus(); field.value = {typed:?}; field.dispatchEvent(new Event('input'));")).map_err(fail)?;
        browser.until(&format!("[...document.querySelectorAll('.results li')].some((entry) => entry.innerText.startsWith({kind:?}))")).map_err(fail)?;
    }
    browser.press("\u{e007}").map_err(fail)?;
    browser
        .until(&format!("location.hash.endsWith({span:?}) && document.querySelector('.details')"))
        .map_err(fail)
}

fn large(browser: &Browser) -> Result<(), Failed> {
    let scene = scene::large(5_000).map_err(fail)?;
    open(browser, &scene.address("s/large/traces"), DESKTOP, ".trace-rows .row")?;
    has(&text(browser, "#view")?, &["All 500 traces", "500 ×"])?;
    let rows = browser.run("return document.querySelectorAll('.trace-rows .row').length;").map_err(fail)?;
    if rows.as_u64().is_none_or(|rows| rows == 0 || rows > 60) {
        return Err(format!("{rows} rows are drawn for what is in sight").into());
    }
    browser.run("document.querySelector('.trace-rows').scrollTop = 1e9;").map_err(fail)?;
    browser.until("[...document.querySelectorAll('.trace-rows .row')].some((row) => row.getAttribute('aria-posinset') === '500')").map_err(fail)?;
    no_complaints(browser)
}

/// Every place that a test looks at as a whole.
fn places(arrived: &str, expected: &str) -> Vec<String> {
    let base = "s/a_click_is_one_trace";
    let own = ["", "/traces", "/records", "/metrics", "/logs", "/ledger", "/rules"];
    let own = own.iter().map(|place| format!("{base}{place}"));
    let more = [
        String::new(),
        format!("{base}/{arrived}"),
        format!("{base}/{expected}"),
        "rules".into(),
        "r/MSG-02".into(),
    ];
    more.into_iter().chain(own).collect()
}

fn phone(browser: &Browser) -> Result<(), Failed> {
    let (scene, arrived, expected) = scene::broken().map_err(fail)?;
    for place in places(&arrived, &expected) {
        open(
            browser,
            &scene.address(&place),
            PHONE,
            if place.is_empty() { "#wall strong" } else { "#view > *" },
        )?;
        let wide = browser.run(
            "const wide = document.scrollingElement.scrollWidth; if (wide <= innerWidth) return null;
             const all = [...document.querySelectorAll('main *')].filter((element) => element.getBoundingClientRect().right > innerWidth + 1);
             return [wide, all.slice(0, 5).map((element) => element.outerHTML.slice(0, 120))];",
        );
        let wide = wide.map_err(fail)?;
        if !wide.is_null() {
            return Err(format!("{place:?} is wider than a phone: {wide}").into());
        }
    }
    Ok(())
}

fn readable(browser: &Browser) -> Result<(), Failed> {
    let (scene, arrived, expected) = scene::broken().map_err(fail)?;
    for dark in [false, true] {
        for place in places(&arrived, &expected) {
            open(
                browser,
                &scene.address(&place),
                Window { dark, ..DESKTOP },
                if place.is_empty() { "#wall strong" } else { "#view > *" },
            )?;
            let faults = browser.run(include_str!("page/readable.js")).map_err(fail)?;
            if faults.as_array().is_none_or(|faults| !faults.is_empty()) {
                return Err(format!("{place:?}, dark: {dark}: {faults:#}").into());
            }
        }
    }
    Ok(())
}

/// Also how the picture of the README is made: see `ci/picture`.
fn picture(browser: &Browser) -> Result<(), Failed> {
    let (scene, _, _) = scene::broken().map_err(fail)?;
    let wanted = std::env::var("PROBITY_PICTURE_OF").unwrap_or_else(|_| scene.address(""));
    open(browser, &wanted, Window { height: 1230, ..DESKTOP }, "#wall strong")?;
    browser.until("document.visibilityState === 'visible'").map_err(fail)?;
    let png = browser.picture().map_err(fail)?;
    // After the signature and the head of the first chunk: width and height.
    let size = [16, 20].map(|at| {
        png.get(at..at + 4).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    });
    if size != [Some(1280), Some(1230)] {
        return Err(format!("a picture of {size:?}").into());
    }
    match std::env::var_os("PROBITY_PICTURE") {
        Some(file) => std::fs::write(file, png).map_err(fail),
        None => Ok(()),
    }
}
