//! The three requests that users make.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use opentelemetry::Context;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::UrlApi;
use crate::admin;
use crate::database::{DatabaseError, Statement};
use crate::defect::Defect;
use crate::grpc::CallFailure;
use crate::http_server::{ShortCode, problem};
use crate::metrics::Labels;

const INSERT: Statement = Statement {
    operation: "INSERT",
    table: "links",
    text: "INSERT INTO links (code, url) VALUES ($1, $2) ON CONFLICT (code) DO NOTHING RETURNING code",
};
const SELECT: Statement =
    Statement { operation: "SELECT", table: "links", text: "SELECT url FROM links WHERE code = $1" };

const CODE_LENGTH: usize = 7;
const CODE_LENGTH_MAX: usize = 32;
const URL_BYTES_MAX: usize = 2_048;
/// A code that is taken is rare; three in a row are a fault.
const CODE_ATTEMPTS: usize = 3;

#[derive(Debug, Deserialize)]
pub(super) struct NewLink {
    url: String,
}

/// `POST /api/v1/urls`
pub(super) async fn create(
    State(api): State<Arc<UrlApi>>,
    link: Result<Json<NewLink>, JsonRejection>,
) -> Response {
    let url = match link {
        Ok(Json(link)) if is_web_address(&link.url) => link.url,
        Ok(Json(link)) if api.defect() == Some(Defect::LogRequestBody) => {
            tracing::warn!(body = ?link, "request refused");
            return problem(StatusCode::BAD_REQUEST, "url must be an http or https address");
        }
        Ok(_) => return problem(StatusCode::BAD_REQUEST, "url must be an http or https address"),
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    match api.store(&Context::current(), &url).await {
        Ok(Some(code)) => {
            let short_url = format!("{}/{code}", api.public_url);
            let body = Json(json!({ "code": code, "short_url": short_url }));
            about(code, (StatusCode::CREATED, body))
        }
        Ok(None) => api.failure("no free code was found", &"every attempt was taken"),
        Err(error) => api.failure("the link could not be stored", &error),
    }
}

/// `GET /{code}`
pub(super) async fn redirect(
    State(api): State<Arc<UrlApi>>,
    method: Method,
    Path(code): Path<String>,
) -> Response {
    let context = Context::current();
    match api.find(&context, &code).await {
        Ok(Some(url)) => {
            if method == Method::GET {
                api.clicks.publish(&context, code.clone()).await;
            }
            // A browser that remembered the answer would not be counted again.
            let headers = [(LOCATION, url.as_str()), (CACHE_CONTROL, "no-store")];
            about(code, (StatusCode::FOUND, headers))
        }
        Ok(None) => unknown_code(),
        Err(error) => api.failure("the link could not be read", &error),
    }
}

/// `GET /api/v1/links/{code}`
pub(super) async fn detail(State(api): State<Arc<UrlApi>>, Path(code): Path<String>) -> Response {
    let context = Context::current();
    let url = match api.find(&context, &code).await {
        Ok(Some(url)) => url,
        Ok(None) => return unknown_code(),
        Err(error) => return api.failure("the link could not be read", &error),
    };
    match api.analytics.click_count(&context, &code).await {
        Ok(clicks) => described(code, &url, clicks, false),
        Err(reason) => api.degraded(code, &url, reason),
    }
}

/// The same metrics as on the admin port, for everyone who can reach this one.
pub(super) async fn metrics(State(api): State<Arc<UrlApi>>, headers: HeaderMap) -> Response {
    admin::scrape(&api.exposition, &headers)
}

impl UrlApi {
    /// Stores a link under a free code. None when no free code was found.
    async fn store(&self, context: &Context, url: &str) -> Result<Option<String>, DatabaseError> {
        for _ in 0..CODE_ATTEMPTS {
            let code = random_code();
            if !self.database.query(context, &INSERT, &[&code, &url]).await?.is_empty() {
                return Ok(Some(code));
            }
        }
        Ok(None)
    }

    async fn find(&self, context: &Context, code: &str) -> Result<Option<String>, DatabaseError> {
        if !is_code(code) {
            return Ok(None);
        }
        let empty = Context::new();
        let parent = match self.defect() {
            // The statement has nothing to do with any request, as far as its trace says.
            Some(Defect::ContextBackground) => &empty,
            _ => context,
        };
        let rows = self.database.query(parent, &SELECT, &[&code]).await?;
        if rows.is_empty() && self.defect() == Some(Defect::LogHighCardinalityInfo) {
            tracing::info!(code, "unknown code");
        }
        Ok(rows.first().map(|row| row.get("url")))
    }

    /// The count is missing: the answer says so, the log says why, and a counter says how often.
    fn degraded(&self, code: String, url: &str, reason: CallFailure) -> Response {
        let cause = reason.cause();
        match self.defect() {
            Some(Defect::DegradeTo500) => return self.failure("no click count", &cause),
            Some(Defect::DegradeCatchesTimeoutOnly) if cause != "deadline_exceeded" => {
                return self.failure("no click count", &cause);
            }
            Some(Defect::DegradationUncounted) => {}
            _ => self.measures.degraded.add(1, Labels::new([("reason", cause.into())])),
        }
        if self.defect() == Some(Defect::DegradeSilently) {
            return described(code, url, 0, false);
        }
        tracing::warn!(reason = cause, error = %reason, "link detail is degraded");
        described(code, url, 0, true)
    }

    /// A failure of ours: logged with its cause, answered without it.
    fn failure(&self, what: &str, cause: &dyn std::fmt::Display) -> Response {
        match self.defect() {
            Some(Defect::ErrorAtInfo) => tracing::info!(error = %cause, "{what}"),
            _ => tracing::error!(error = %cause, "{what}"),
        }
        problem(StatusCode::INTERNAL_SERVER_ERROR, what)
    }
}

fn described(code: String, url: &str, clicks: u64, degraded: bool) -> Response {
    let body = Json(json!({ "code": code, "url": url, "clicks": clicks, "degraded": degraded }));
    about(code, body)
}

fn about(code: String, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.extensions_mut().insert(ShortCode(code));
    response
}

fn unknown_code() -> Response {
    problem(StatusCode::NOT_FOUND, "no link has this code")
}

/// Seven letters and digits: 3.5 million million codes.
fn random_code() -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut random = Uuid::new_v4().as_u128();
    (0..CODE_LENGTH)
        .map(|_| {
            let index = (random % 62) as usize;
            random /= 62;
            char::from(ALPHABET[index])
        })
        .collect()
}

/// What cannot be a code is not looked up.
fn is_code(text: &str) -> bool {
    (1..=CODE_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn is_web_address(text: &str) -> bool {
    text.len() <= URL_BYTES_MAX
        && text
            .parse::<Uri>()
            .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_addresses_are_accepted_and_nothing_else() {
        for good in ["http://a.example", "https://a.example/b?c=d#e", "http://[::1]:8080/"] {
            assert!(is_web_address(good), "{good}");
        }
        for bad in ["", "a.example", "/path", "ftp://a.example", "javascript:alert(1)", "http://"] {
            assert!(!is_web_address(bad), "{bad}");
        }
        let address = |length: usize| {
            let start = "http://a.example/";
            format!("{start}{}", "x".repeat(length - start.len()))
        };
        assert!(is_web_address(&address(URL_BYTES_MAX)));
        assert!(!is_web_address(&address(URL_BYTES_MAX + 1)));
    }

    #[test]
    fn a_random_code_is_a_code_and_not_the_last_one() {
        let (one, other) = (random_code(), random_code());
        assert!(is_code(&one) && one.len() == CODE_LENGTH, "{one}");
        assert_ne!(one, other);
    }

    #[test]
    fn what_cannot_be_a_code_is_not_looked_up() {
        for bad in ["", "favicon.ico", "a b", "a\0b", "ä", &"x".repeat(CODE_LENGTH_MAX + 1)] {
            assert!(!is_code(bad), "{bad}");
        }
        assert!(is_code("metrics") && is_code(&"x".repeat(CODE_LENGTH_MAX)));
    }
}
