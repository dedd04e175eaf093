//! Floor 5, the support staff's pages: server-rendered, in Chinese or English, without scripts. They only look; no
//! personal data is on them. `access` says who may.

pub mod access;
mod assets;
mod page;
mod runs;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;

use crate::http::Surface;

/// The pages.
pub fn router(surface: Arc<Surface>) -> Router {
    let pages = Router::new()
        .route("/", get(runs::list))
        .merge(access::router())
        .route_layer(from_fn_with_state(Arc::clone(&surface), access::layer));
    let open = access::open_router(&surface).route("/assets/console.css", get(assets::style));
    pages.merge(open).layer(from_fn(access::headers)).with_state(surface)
}
