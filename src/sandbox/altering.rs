//! An answer that is altered on its way: it reads like one, and its signature does not fit.

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;

use super::faults::cut;

/// The largest answer that is altered; of a larger one nothing arrives.
const BYTES_MAX: usize = 32 << 20;
/// What 健康通 signs begins here.
const SIGNED_FROM: &[u8] = b"RETURN_CODE>";
/// What an answer without a body has that is signed.
const STAMPED: &str = "wechatpay-timestamp";

/// The answer with another figure in it. FHIR signs nothing: there TLS notices, and the connection breaks.
pub(super) async fn altered(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/fhir") {
        return cut();
    }
    let Ok(body) = axum::body::to_bytes(body, BYTES_MAX).await else { return cut() };
    if body.is_empty() {
        let stamped = parts.headers.get(STAMPED).map(|value| another_figure(value.as_bytes().to_vec(), 0));
        if let Some(value) = stamped.and_then(|value| HeaderValue::from_bytes(&value).ok()) {
            parts.headers.insert(STAMPED, value);
        }
        return Response::from_parts(parts, Body::empty());
    }
    let signed_from = body.windows(SIGNED_FROM.len()).position(|window| window == SIGNED_FROM).unwrap_or(0);
    Response::from_parts(parts, Body::from(another_figure(body.to_vec(), signed_from)))
}

/// The first figure from there on is another one; where there is none, a space more stands at the end.
fn another_figure(mut bytes: Vec<u8>, from: usize) -> Vec<u8> {
    match bytes.iter_mut().skip(from).find(|byte| byte.is_ascii_digit()) {
        Some(figure) => *figure = if *figure == b'9' { b'0' } else { *figure + 1 },
        None => bytes.push(b' '),
    }
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    async fn told(answer: Response) -> Option<String> {
        let body = axum::body::to_bytes(altered(answer).await.into_body(), BYTES_MAX).await.ok()?;
        Some(String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn an_altered_answer_can_be_read_and_says_something_else() {
        let soap = "<?xml version=\"1.0\"?><ROOT><RETURN_CODE>0</RETURN_CODE></ROOT>";
        let other = "<?xml version=\"1.0\"?><ROOT><RETURN_CODE>1</RETURN_CODE></ROOT>";
        assert_eq!(told(soap.into_response()).await.as_deref(), Some(other));
        assert_eq!(told(r#"{"total":5000}"#.into_response()).await.as_deref(), Some(r#"{"total":6000}"#));
        assert_eq!(told(r#"{"code":"OK"}"#.into_response()).await.as_deref(), Some("{\"code\":\"OK\"} "));
        let closed = altered((axum::http::StatusCode::NO_CONTENT, [(STAMPED, "1960")]).into_response()).await;
        assert_eq!(closed.headers().get(STAMPED).unwrap(), "2960");
        assert_eq!(told(([(CONTENT_TYPE, "application/fhir+json")], "{}").into_response()).await, None);
    }
}
