//! `GET /docs`: the API's reference page, `GET /openapi.json` what it is drawn from. It stands at the console's address, and so no other
//! script than its own runs there, and no page of another address has it in a frame.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use serde_json::Value;
use utoipa_swagger_ui::SwaggerUi;

/// Swagger UI draws with styles in its elements and pictures in its sheets.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and the description.
pub(super) fn router<S: Clone + Send + Sync + 'static>(described: Value) -> Router<S> {
    Router::from(SwaggerUi::new("/docs").external_url_unchecked("/openapi.json", described)).layer(from_fn(guarded))
}

async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}
