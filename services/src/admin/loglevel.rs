//! `GET /loglevel` tells the level, `PUT /loglevel` changes it for a while: for whoever knows the admin token.

use std::time::Duration;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::defect::Defect;
use crate::http_server::problem;
use crate::service::Service;
use crate::telemetry::{Level, LogLevel};

/// Nobody remembers a level that was changed yesterday.
const LASTS_MAX: Duration = Duration::from_secs(3_600);
const LASTS_DEFAULT_SECONDS: f64 = 300.0;

/// Who may change what.
#[derive(Debug, Clone)]
struct Control {
    level: LogLevel,
    token: Option<String>,
    defect: Option<Defect>,
}

/// What a caller asks for.
#[derive(Debug, Deserialize)]
struct Wish {
    level: String,
    /// After which the level is as before.
    seconds: Option<f64>,
}

pub(super) fn router(service: &Service) -> Router {
    let control = Control {
        level: service.telemetry.level().clone(),
        token: service.common.admin_token.clone(),
        defect: service.common.defect,
    };
    Router::new().route("/loglevel", get(tell).put(change)).with_state(control)
}

async fn tell(State(control): State<Control>) -> Response {
    control.answer()
}

async fn change(
    State(control): State<Control>,
    headers: HeaderMap,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Response {
    if control.defect != Some(Defect::LoglevelOpen)
        && let Some(refusal) = refusal(&headers, control.token.as_deref())
    {
        return refusal;
    }
    let wish = match wish {
        Ok(Json(wish)) => wish,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    let Some(level) = Level::named(&wish.level) else {
        return problem(StatusCode::BAD_REQUEST, "level is one of off, error, warn, info, debug, trace");
    };
    let Some(lasts) = duration(wish.seconds) else {
        return problem(StatusCode::BAD_REQUEST, "seconds is above 0 and at most 3600");
    };
    let changed = match control.defect {
        Some(Defect::LoglevelNeverReverts) => control.level.change(level, lasts).map(drop),
        _ => control.level.change_for(level, lasts),
    };
    match changed {
        Ok(()) => control.answer(),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

impl Control {
    fn answer(&self) -> Response {
        let (level, left) = self.level.now();
        let left = left.map(|left| left.as_secs_f64());
        Json(json!({ "level": level.name(), "seconds_left": left })).into_response()
    }
}

/// What to answer a caller who does not know the token; `None`: it does.
pub(super) fn refusal(headers: &HeaderMap, token: Option<&str>) -> Option<Response> {
    match token {
        None => Some(problem(StatusCode::FORBIDDEN, "ADMIN_TOKEN is not set")),
        Some(token) if !knows(headers, token) => {
            Some(problem(StatusCode::UNAUTHORIZED, "the admin token is wanted"))
        }
        Some(_) => None,
    }
}

/// Takes as long for a token that is nearly right as for any other.
fn knows(headers: &HeaderMap, token: &str) -> bool {
    let said = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(said) = said.and_then(|value| value.strip_prefix("Bearer ")) else { return false };
    let differing = said.bytes().zip(token.bytes()).fold(0, |all, (one, other)| all | (one ^ other));
    said.len() == token.len() && differing == 0
}

fn duration(seconds: Option<f64>) -> Option<Duration> {
    let lasts = Duration::try_from_secs_f64(seconds.unwrap_or(LASTS_DEFAULT_SECONDS)).ok()?;
    (Duration::ZERO < lasts && lasts <= LASTS_MAX).then_some(lasts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn only_the_token_itself_is_the_token() {
        assert!(knows(&headers("Bearer let-me-in"), "let-me-in"));
        for wrong in ["Bearer let-me-i", "Bearer let-me-inn", "Bearer ", "let-me-in", "Basic let-me-in"] {
            assert!(!knows(&headers(wrong), "let-me-in"), "{wrong}");
        }
        assert!(!knows(&HeaderMap::new(), "let-me-in"));
    }

    #[test]
    fn a_change_lasts_an_hour_at_most() {
        assert_eq!(duration(None), Some(Duration::from_secs(300)));
        assert_eq!(duration(Some(3_600.0)), Some(LASTS_MAX));
        for wrong in [0.0, -1.0, 3_600.1, f64::NAN, f64::INFINITY] {
            assert_eq!(duration(Some(wrong)), None, "{wrong}");
        }
    }
}
