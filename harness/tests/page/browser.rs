//! A headless Chromium, driven over WebDriver. It and all that it starts run under a supervisor that ends them however this
//! process ends.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use probity::process::{Process, Program, find};
use probity::until::{Probe, until};
use probity::workdir::{RunId, Workdir};
use serde_json::{Value, json};

/// What may fail for reasons of the machine.
pub(crate) type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How long the browser may take for anything: it may share its machine with a whole suite.
const LIMIT: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(5);

/// Debian's names first.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// What is not there, if anything: said by tests that are ignored for it.
pub(crate) fn missing() -> Option<&'static str> {
    let browser = BROWSERS.iter().any(|name| on_path(name).is_some());
    match (browser, on_path("chromedriver")) {
        (true, Some(_)) => None,
        (false, _) => Some("no Chromium on PATH; `ci/setup` installs it"),
        (true, None) => Some("no chromedriver on PATH; `ci/setup` installs it"),
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    find(name, std::env::var_os("PATH").as_deref())
}

/// What is seen through: a desktop or a phone, light or dark, with or without scripts.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
    pub(crate) scripts: bool,
}

pub(crate) const DESKTOP: Window = Window { width: 1280, height: 900, dark: false, scripts: true };

pub(crate) struct Browser {
    runtime: tokio::runtime::Runtime,
    driver: Process,
    client: reqwest::Client,
    workdir: Workdir,
    session: String,
}

impl Browser {
    /// Starts the driver and one browser with a new profile.
    pub(crate) fn start() -> Fallible<Browser> {
        let runtime = tokio::runtime::Runtime::new()?;
        let workdir = Workdir::create(RunId::new())?;
        let (driver, base) = runtime.block_on(driver(&workdir))?;
        let client = reqwest::Client::builder().no_proxy().timeout(LIMIT).build()?;
        let mut browser = Browser { runtime, driver, client, workdir, session: base.clone() };
        let created = browser.post("/session", &capabilities(&browser.workdir))?;
        let id = created["sessionId"].as_str().ok_or("the driver named no session")?;
        browser.session = format!("{base}/session/{id}");
        Ok(browser)
    }

    /// Ends the browser, then whatever is left of it.
    pub(crate) fn close(self) -> Fallible<()> {
        _ = self.request(reqwest::Method::DELETE, "", None);
        self.runtime.block_on(self.driver.stop(GRACE));
        Ok(self.workdir.remove()?)
    }

    /// Opens an address in that window, anew even where only its fragment differs.
    pub(crate) fn open(&self, address: &str, window: Window) -> Fallible<()> {
        self.post("/url", &json!({ "url": "about:blank" }))?;
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": window.width, "height": window.height, "deviceScaleFactor": 1, "mobile": false }),
        )?;
        self.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true }))?;
        let theme = if window.dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features }))?;
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !window.scripts }))?;
        self.post("/url", &json!({ "url": address }))?;
        Ok(())
    }

    /// Runs a function body in the page and returns what it returns.
    pub(crate) fn run(&self, body: &str) -> Fallible<Value> {
        self.post("/execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// Waits until an expression holds in the page.
    pub(crate) fn until(&self, expression: &str) -> Fallible<()> {
        let name = format!("`{expression}` in the page");
        let body = format!("return Boolean({expression});");
        let asked = self.runtime.block_on(until(&name, LIMIT, async || {
            match self
                .send(reqwest::Method::POST, "/execute/sync", Some(&json!({ "script": body, "args": [] })))
                .await
            {
                Ok(Value::Bool(true)) => Ok::<_, String>(Probe::Ready(())),
                Ok(other) => Ok(Probe::NotYet(other.to_string())),
                Err(error) => Err(error.to_string()),
            }
        }));
        asked.map_err(|error| format!("{error}").into())
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub(crate) fn press(&self, keys: &str) -> Fallible<()> {
        let strokes = keys.chars().flat_map(|key| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        });
        let actions = json!([{ "type": "key", "id": "keys", "actions": strokes.collect::<Vec<_>>() }]);
        self.post("/actions", &json!({ "actions": actions }))?;
        Ok(())
    }

    /// The text that is laid out, as a reader sees it; needs no script in the page.
    pub(crate) fn visible_text(&self) -> Fallible<String> {
        let shot = self.devtools("DOMSnapshot.captureSnapshot", json!({ "computedStyles": [] }))?;
        let strings = shot["strings"].as_array().cloned().unwrap_or_default();
        let laid_out = shot["documents"][0]["layout"]["text"].as_array().cloned().unwrap_or_default();
        let text =
            laid_out.iter().filter_map(|at| strings.get(usize::try_from(at.as_i64()?).ok()?)?.as_str());
        Ok(text.collect::<Vec<_>>().join(" "))
    }

    /// What the page complained of since the last look: console errors, refusals of its content security policy.
    pub(crate) fn complaints(&self) -> Fallible<Vec<String>> {
        let entries = self.post("/se/log", &json!({ "type": "browser" }))?;
        let entries = entries.as_array().cloned().unwrap_or_default();
        Ok(entries.iter().map(|entry| entry["message"].to_string()).collect())
    }

    /// The addresses that were asked for since the last look.
    pub(crate) fn requests(&self) -> Fallible<Vec<String>> {
        let entries = self.post("/se/log", &json!({ "type": "performance" }))?;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let address = |entry: &Value| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &event["message"];
            let sent = message["method"] == "Network.requestWillBeSent";
            sent.then(|| message["params"]["request"]["url"].as_str().unwrap_or("?").to_owned())
        };
        Ok(entries.iter().filter_map(address).collect())
    }

    /// Whether a dialog is open.
    pub(crate) fn has_dialog(&self) -> bool {
        self.request(reqwest::Method::GET, "/alert/text", None).is_ok()
    }

    /// A picture of what is in the window, as PNG.
    pub(crate) fn picture(&self) -> Fallible<Vec<u8>> {
        use base64::Engine as _;
        let encoded = self.request(reqwest::Method::GET, "/screenshot", None)?;
        let encoded = encoded.as_str().ok_or("the driver took no picture")?;
        Ok(base64::engine::general_purpose::STANDARD.decode(encoded)?)
    }

    fn devtools(&self, command: &str, parameters: Value) -> Fallible<Value> {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    fn post(&self, path: &str, body: &Value) -> Fallible<Value> {
        self.request(reqwest::Method::POST, path, Some(body))
    }

    fn request(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Fallible<Value> {
        self.runtime.block_on(self.send(method, path, body))
    }

    async fn send(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Fallible<Value> {
        let mut request = self.client.request(method, format!("{}{path}", self.session));
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut answer: Value = request.send().await?.json().await?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(format!("{path}: {error}: {}", value["message"]).into()),
            None => Ok(value),
        }
    }
}

async fn driver(workdir: &Workdir) -> Fallible<(Process, String)> {
    let driver = Program::new("chromedriver").arg("--port=0").spawn(workdir)?;
    let line = driver.line_with("started successfully on port", LIMIT).await?;
    let port = line.trim_end_matches('.').rsplit(' ').next().unwrap_or_default();
    Ok((driver, format!("http://127.0.0.1:{port}")))
}

/// Without what a browser does on its own: looking for updates, syncing, asking its maker's hosts.
fn capabilities(workdir: &Workdir) -> Value {
    let program = BROWSERS.iter().find_map(|name| on_path(name));
    let profile = format!("--user-data-dir={}", workdir.path().join("profile").display());
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        profile.as_str(),
    ];
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:chromeOptions": { "binary": program, "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        "unhandledPromptBehavior": "ignore",
    } } })
}
