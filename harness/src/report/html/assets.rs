//! The page's own script and style, put together from their files when the harness is compiled.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

macro_rules! files {
    ($folder:literal: $($file:literal)*) => {
        concat!($(include_str!(concat!($folder, "/", $file))),*)
    };
}

/// One closed function; the files only divide it by topic.
pub(super) fn script() -> &'static str {
    files!("script":
        "begin.js" "dom.js" "format.js" "data.js" "route.js" "list.js" "findings.js" "overview.js" "scenario.js" "timeline.js"
        "traces.js" "waterfall.js" "span.js" "records.js" "metrics.js" "targets.js" "logs.js" "ledger.js" "markdown.js"
        "rules.js" "search.js" "keyboard.js" "end.js")
}

pub(super) fn style() -> &'static str {
    files!("style": "base.css" "overview.css" "scenario.css" "trace.css" "print.css")
}

/// What a content security policy knows an inline script or style by.
pub(super) fn digest(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// Shapes for what words say beside them; referred to by `<use>`.
pub(super) const SPRITE: &str = include_str!("sprite.svg");
