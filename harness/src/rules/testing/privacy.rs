//! A click of a tenant with what a careless client sends along.

use super::Shortener;
use crate::model::build::SpanBuild;
use crate::model::{Canary, CanaryKind};

const TOKEN: &str = "tok-1a2b3c4d5e6f";
const PHONE: &str = "+9991234567890";
const PASSWORD: &str = "q7w8e9r0t1y2";

impl Shortener {
    /// A click whose request has a tenant, a token in its query and a phone number in a header.
    pub(crate) fn entrusted_click(&mut self) {
        let planted = [
            (CanaryKind::BearerToken, TOKEN, "the query"),
            (CanaryKind::Phone, PHONE, "header `x-user-phone`"),
            (CanaryKind::Credential, PASSWORD, "DATABASE_URL"),
        ];
        for (kind, value, place) in planted {
            let canary = Canary { kind, value: value.into(), planted: vec![place.into()] };
            self.build.evidence_mut().canaries.push(canary);
        }
        self.declaration.baggage = vec!["tenant.id".into()];
        self.of_tenant = true;
        self.click();
        self.of_tenant = false;
        self.last_stimulus().headers.push(("baggage".into(), "tenant.id=acme".into()));
        let api = self.api.clone();
        match self.defect {
            "log-request-body" => self.build.log(&api, &format!("refused: token={TOKEN}")),
            "dsn-logged" => self.build.log(&api, &format!("configured: postgres://u:{PASSWORD}@h/d")),
            _ => {}
        }
    }

    /// What `token-in-url-attribute` records.
    pub(super) fn query_with_token(&self) -> &'static str {
        if self.of_tenant && self.is("token-in-url-attribute") { "token=tok-1a2b3c4d5e6f" } else { "" }
    }

    /// The baggage of the record under way.
    pub(super) fn baggage(&self) -> Option<String> {
        let more = match self.defect {
            "baggage-dropped-at-kafka" => return None,
            "baggage-oversize" => format!(",debug.state={}", "x".repeat(2_000)),
            "phone-in-baggage" => format!(",user.phone={PHONE}"),
            _ => String::new(),
        };
        self.of_tenant.then(|| format!("tenant.id=acme{more}"))
    }
}

/// The tenant as an attribute, where there is one.
pub(super) fn tenant(span: SpanBuild<'_>, of_tenant: bool) -> SpanBuild<'_> {
    if of_tenant { span.attribute("tenant.id", "acme") } else { span }
}
