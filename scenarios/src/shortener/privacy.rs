//! What travels with a request and what does not: a tenant reaches every service, secrets stay where they were sent.

use std::time::Duration;

use probity::model::CanaryKind;
use probity::run::{Request, Running, Scenario, Stack, Stop};
use serde_json::json;

use super::traffic::{clicks_are_rows, code};
use super::{API, CONSUMER, ENDPOINTS, RPC, drive};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        name: "a_tenant_travels_and_secrets_do_not",
        family: "private",
        about: "the tenant reaches every service as an attribute; what users entrust to a request reaches nobody",
        stack: || Stack::of(&[API, RPC, CONSUMER]),
        drive: drive!(tenant_and_secrets),
    }]
}

/// What a careless client sends along.
struct Secrets {
    token: String,
    password: String,
    phone: String,
    card: String,
    email: String,
}

impl Secrets {
    fn planted(running: &mut Running) -> Secrets {
        Secrets {
            token: running.plant(CanaryKind::BearerToken, &["header `authorization`", "the query of clicks"]),
            password: running.plant(CanaryKind::Password, &["bodies of POST /api/v1/urls"]),
            phone: running
                .plant(CanaryKind::Phone, &["header `x-user-phone`", "bodies of POST /api/v1/urls"]),
            card: running
                .plant(CanaryKind::CardNumber, &["bodies of POST /api/v1/urls", "the query of clicks"]),
            email: running.plant(CanaryKind::Email, &["header `baggage`", "bodies of POST /api/v1/urls"]),
        }
    }

    fn with(&self, request: Request) -> Request {
        request
            .header("authorization", format!("Bearer {}", self.token))
            .header("x-user-phone", self.phone.clone())
            .header("baggage", format!("tenant.id=acme,user.email={}", self.email.replace('@', "%40")))
    }

    fn create(&self, url: &str) -> Request {
        let body = json!({
            "url": url, "password": self.password, "phone": self.phone, "card": self.card, "email": self.email,
        });
        self.with(Request::post(API, "/api/v1/urls", body).operation("create"))
    }

    fn get(&self, path: &str, operation: &'static str) -> Request {
        let query = format!("token={}&card={}", self.token, self.card);
        self.with(Request::get(API, format!("{path}?{query}")).operation(operation))
    }
}

async fn tenant_and_secrets(running: &mut Running) -> Result<(), Stop> {
    let secrets = Secrets::planted(running);
    let refused = running.send(secrets.create(&format!("ftp://me:{}@example.com/", secrets.password))).await;
    running.expect_status(&refused, 400);
    let created = running.send(secrets.create("https://example.com/a-long-path")).await;
    running.expect_status(&created, 201);
    let code = code(&created)?;
    let clicked = running.send(secrets.get(&format!("/{code}"), "click")).await;
    running.expect_status(&clicked, 302);
    clicks_are_rows(running, 1).await?;
    running.says(API, ENDPOINTS, Duration::from_secs(5)).await;
    let told = running.send(secrets.get(&format!("/api/v1/links/{code}"), "detail")).await;
    running.expect_status(&told, 200);
    Ok(())
}
