//! Floor 5, the support staff's pages: server-rendered, in Chinese or English, without scripts. They only look; no
//! personal data is on them.

pub mod access;
mod runs;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::http::Surface;

/// The pages.
pub fn router(surface: Arc<Surface>) -> Router {
    let pages = Router::new()
        .route("/", get(runs::list))
        .route_layer(from_fn_with_state(Arc::clone(&surface), access::layer));
    let assets = Router::new().route("/assets/console.css", get(style));
    pages.merge(assets).layer(from_fn(access::headers)).with_state(surface)
}

async fn style() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, include_str!("console.css"))
}
