//! What pages load: styles, our scripts and htmx (0BSD, `assets/htmx.LICENSE`). All of it is in the program.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::header;
use axum::response::{IntoResponse, Response};

const STYLE: &str = concat!(
    include_str!("assets/ground.css"),
    include_str!("assets/parts.css"),
    include_str!("assets/pages.css"),
    include_str!("assets/access.css")
);
const SCRIPT: &str = concat!(include_str!("assets/console.js"), include_str!("assets/forms.js"));
/// htmx 2.0.6 as published on npm.
const HTMX: &str = include_str!("assets/htmx.min.js");

/// The beginning of a hash of all assets.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let hash = digest(&SHA256, [STYLE, SCRIPT, HTMX].concat().as_bytes());
    hex::encode(hash.as_ref().get(..6).unwrap_or_default())
});

/// What assets are asked for by, so that browsers keep them until there are others.
pub(super) fn version() -> &'static str {
    &VERSION
}

pub(super) async fn style() -> Response {
    kept("text/css; charset=utf-8", STYLE)
}

pub(super) async fn script() -> Response {
    kept("text/javascript; charset=utf-8", SCRIPT)
}

pub(super) async fn htmx() -> Response {
    kept("text/javascript; charset=utf-8", HTMX)
}

fn kept(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}
