//! The gRPC protocol between `url-api` and `analytics-rpc`.

#[expect(unreachable_pub, reason = "generated, and used by this crate only")]
mod generated {
    tonic::include_proto!("analytics.v1");
}

pub(crate) use generated::analytics_client::AnalyticsClient;
pub(crate) use generated::analytics_server::{Analytics, AnalyticsServer};
pub(crate) use generated::{GetClickCountRequest, GetClickCountResponse};

/// `rpc.method`, and the name of both spans.
pub(crate) const GET_CLICK_COUNT: &str = "analytics.v1.Analytics/GetClickCount";
