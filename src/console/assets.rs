//! What pages load. All of it is in the program.

use axum::http::header;
use axum::response::IntoResponse;

/// What assets are asked for by.
pub(super) fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

pub(super) async fn style() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, concat!(include_str!("console.css"), include_str!("assets/access.css")))
}
