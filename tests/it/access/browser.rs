//! A browser: it keeps cookies, follows nothing by itself, and sends the forms of pages with what they carry.

use axum::body::Body;
use axum::http::{HeaderMap, Request};

use crate::surface::{Answer, House};

/// A browser before a house.
pub(crate) struct Browser<'a> {
    house: &'a House,
    /// The session's cookie.
    pub(crate) cookie: Option<String>,
    /// The cookie of a login at the identity provider.
    pub(crate) errand: Option<String>,
    /// The cookie by which the browser is known where somebody came in with it.
    pub(crate) known: Option<String>,
    /// What the last page's forms carry.
    pub(crate) csrf: String,
    language: &'static str,
}

/// What came back.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    /// Where it sends to.
    #[track_caller]
    pub(crate) fn to(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.text);
        self.headers["location"].to_str().unwrap()
    }

    /// What stands between `before` and `after`.
    #[track_caller]
    pub(crate) fn between(&self, before: &str, after: &str) -> String {
        let rest = self.text.split_once(before).unwrap_or_else(|| panic!("no {before} in {}", self.text)).1;
        rest.split_once(after).unwrap().0.to_owned()
    }
}

/// A form as it is sent.
fn encoded(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect::<String>()
    };
    let pairs: Vec<String> = fields.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    pairs.join("&")
}

impl<'a> Browser<'a> {
    pub(crate) fn new(house: &'a House) -> Self {
        Self { house, cookie: None, errand: None, known: None, csrf: String::new(), language: "en" }
    }

    /// One that reads Chinese.
    pub(crate) fn reading(house: &'a House, language: &'static str) -> Self {
        Self { language, ..Self::new(house) }
    }

    fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let mut request = Request::builder().method(method).uri(path).header("accept-language", self.language);
        for cookie in self.cookie.iter().chain(&self.errand).chain(&self.known) {
            request = request.header("cookie", cookie);
        }
        request
    }

    async fn send(&mut self, request: Request<Body>) -> Page {
        let Answer { status, headers, text } = self.house.send(request).await;
        for set in headers.get_all("set-cookie") {
            let (pair, _) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if name.contains("language") {
                continue;
            }
            let kept = (!value.is_empty()).then(|| pair.to_owned());
            if name.contains("errand") {
                self.errand = kept;
            } else if name.contains("browser") {
                self.known = kept;
            } else {
                self.cookie = kept;
            }
        }
        let page = Page { status: status.as_u16(), headers, text };
        if page.text.contains("name=\"csrf\" value=\"") {
            self.csrf = page.between("name=\"csrf\" value=\"", "\"");
        }
        page
    }

    /// Asks for a page.
    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let request = self.request("GET", path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    /// A page asks for a part of itself again.
    pub(crate) async fn get_by_itself(&mut self, path: &str) -> Page {
        let request = self.request("GET", path).header("hx-request", "true").header("hx-trigger", "live");
        let request = request.body(Body::empty()).unwrap();
        self.send(request).await
    }

    /// Sends a form with these fields alone, and these headers.
    pub(crate) async fn post_bare(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&'static str, &str)],
    ) -> Page {
        let mut request = self.request("POST", path).header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(encoded(fields).into()).unwrap();
        self.send(request).await
    }

    /// Sends a form of a page.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        if self.csrf.is_empty() && self.cookie.is_some() {
            self.get("/account").await;
        }
        let csrf = self.csrf.clone();
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        self.post_bare(path, &fields, &[("sec-fetch-site", "same-origin")]).await
    }

    /// Fills in the login page.
    pub(crate) async fn log_in(&mut self, name: &str, password: &str) -> Page {
        self.csrf.clear();
        self.post_bare("/login", &[("name", name), ("password", password)], &[]).await
    }
}
