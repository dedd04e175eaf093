//! The page over real HTTP: everything that the sandbox can do wrong can be switched there.

use chrono_tz::Asia::Shanghai;

use super::super::books::Store;
use super::super::faults::{Fault, PushFault};
use super::super::outside::SandboxClock;
use super::*;
use crate::ports::his::{Charset, connect};
use crate::ports::payments::{Opened, OrderRequest, PayType, connect as connect_payments};

struct Visitor {
    outside: Outside,
    at: SocketAddr,
    http: reqwest::Client,
}

impl Visitor {
    async fn come() -> Self {
        let clock = SandboxClock::at("2026-09-01T02:00:00Z".parse().unwrap());
        let outside = Outside::start(7, Level::None, Shanghai, Store::in_memory(), clock).await.unwrap();
        let at = serve(outside.clone()).await.unwrap();
        Self { outside, at, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        let request = self.http.post(format!("http://{}{path}", self.at));
        let body = encoded(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    }

    async fn get(&self, path: &str) -> String {
        self.http.get(format!("http://{}{path}", self.at)).send().await.unwrap().text().await.unwrap()
    }
}

#[tokio::test]
async fn behaviour_is_switched_on_and_off_one_by_one() {
    let visitor = Visitor::come().await;
    let faults = &visitor.outside.faults;
    assert_eq!(faults.request("2007", "a"), None);
    let (status, page) = visitor.post("/switches", &[("call", "2007"), ("fault", "cut-after"), ("times", "1")]).await;
    assert!(status == 200 && page.contains("the next one"), "{page}");
    assert_eq!(faults.request("2007", "b"), Some(Fault::CutAfter));
    assert_eq!(faults.request("2007", "c"), None, "once");
    let slow = [("call", "2007"), ("fault", "slow")];
    visitor.post("/switches", &[slow[0], slow[1], ("ofThousand", "1000")]).await;
    assert_eq!(faults.request("2007", "d"), Some(Fault::Slow));
    visitor.post("/switches", &slow).await;
    assert_eq!(faults.request("2007", "e"), None);
    for wrong in [
        [("call", "2007"), ("fault", "fire"), ("times", "1")],
        [("call", "2099"), ("fault", "slow"), ("times", "1")],
        [("call", "5007"), ("fault", "slow"), ("times", "1")],
        [("call", "2007"), ("fault", "slow"), ("times", "x")],
        [("call", "2007"), ("fault", "slow"), ("ofThousand", "1001")],
    ] {
        assert_eq!(visitor.post("/switches", &wrong).await.0, 400, "{wrong:?}");
    }
    visitor.post("/level", &[("level", "heavy")]).await;
    assert!((0..100).any(|n| faults.request("2007", &n.to_string()).is_some()));
}

/// Whatever is drawn must stand in the catalogue (`Faults` asserts it), and whatever stands there is on the page and works.
#[tokio::test]
async fn every_fault_of_every_call_is_on_the_page_and_plays_once_when_it_is_switched() {
    let visitor = Visitor::come().await;
    let (faults, page) = (&visitor.outside.faults, visitor.get("/").await);
    for of in SUBJECTS {
        let all: Vec<Wrong> = Wrong::all(of).collect();
        assert!(all.len() >= 4, "{}", of.call);
        for wrong in all {
            let shown = format!("data-of=\"{}\" value=\"{}\"", of.call, wrong.name());
            assert!(page.contains(&shown), "{} of {} is not on the page", wrong.name(), of.call);
            let form = [("call", of.call), ("fault", wrong.name()), ("how", "times 1")];
            assert_eq!(visitor.post("/switches", &form).await.0, 200);
            let drawn = |key: &str| match wrong {
                Wrong::Request(_) => faults.request(of.call, key).map(Wrong::Request),
                Wrong::Push(_) => faults.push(of.call, key).map(Wrong::Push),
                Wrong::Answer(_) => faults.answer(of.call, key).map(Wrong::Answer),
            };
            assert_eq!((drawn("k1"), drawn("k2")), (Some(wrong), None), "{} {}", of.call, wrong.name());
        }
    }
    let known = [
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::ErrorBefore,
        Fault::ErrorAfter,
        Fault::Slow,
        Fault::AnotherAmount,
        Fault::Altered,
        Fault::Status(404),
        Fault::Status(429),
        Fault::Status(503),
    ];
    let pushed = [
        PushFault::Duplicate,
        PushFault::Late,
        PushFault::Lost,
        PushFault::WrongSignature,
        PushFault::WrongAmount,
        PushFault::WrongMerchant,
        PushFault::Unknown,
        PushFault::Old,
    ];
    let offered: Vec<Wrong> = SUBJECTS.iter().flat_map(Wrong::all).collect();
    assert!(known.iter().all(|fault| offered.contains(&Wrong::Request(*fault))));
    assert!(pushed.iter().all(|fault| offered.contains(&Wrong::Push(*fault))));
}

#[tokio::test]
async fn every_deed_is_on_the_page_and_says_what_it_lacks() {
    let visitor = Visitor::come().await;
    let page = visitor.get("/").await;
    for deed in Deed::all() {
        let name = deed.name();
        assert!(page.contains(&format!("name=\"deed\" value=\"{name}\"")), "{name} is not on the page");
        assert_eq!(Deed::named(&name), Some(deed));
        let (_, about, more) = deed.told();
        let (_, said) = visitor.post("/deeds", &[("deed", &name)]).await;
        if about.or(more).is_some() {
            assert!(said.contains("is missing"), "{name}: {said}");
        } else {
            assert!(said.contains("class=\"flash\""), "{name}: {said}");
        }
    }
    let (_, said) = visitor.post("/deeds", &[("deed", "his-LostOrder"), ("about", "L1")]).await;
    assert!(said.contains("there is no such thing: L1"), "{said}");
    let (_, said) = visitor.post("/deeds", &[("deed", "GrantsAtMost"), ("more", "soon")]).await;
    assert!(said.contains("minutes is no number"), "{said}");
    let (_, said) = visitor.post("/deeds", &[("deed", "<script>")]).await;
    assert!(!said.contains("deed <script>"), "what is typed is shown as text");
}

/// The configuration that is printed follows a rotation of the platform's keys, which the page begins.
#[tokio::test]
async fn r06_a_rotation_at_the_page_is_followed() {
    let visitor = Visitor::come().await;
    let timeout = std::time::Duration::from_secs(20);
    let printed = visitor.outside.configuration("http://127.0.0.1:9", timeout).unwrap();
    assert!(printed.contains("\nplatform_certificates = true\n"), "{printed}");
    let pay = connect_payments(visitor.outside.pay_connection("http://127.0.0.1:9", timeout)).unwrap();
    for deed in ["HandsOutKey", "SignsWithKey"] {
        visitor.post("/deeds", &[("deed", deed)]).await;
        let order = OrderRequest {
            out_trade_no: "order1".to_owned(),
            description: "候补挂号费".to_owned(),
            amount_fen: 5000,
            openid: "o1".to_owned(),
            expires_at: "2026-09-01T02:15:00Z".parse().unwrap(),
            pay_type: PayType::SelfPay,
        };
        assert!(matches!(pay.open(&order).await, Ok(Opened::Ready { .. })), "{deed}");
    }
}

/// A HIS whose 健康通 is written in GBK, and a client that is configured as it is printed.
#[tokio::test]
async fn a_his_that_writes_gbk_is_understood_as_it_is_configured() {
    let Visitor { outside, .. } = Visitor::come().await;
    assert!(
        !outside.configuration("http://127.0.0.1:9", std::time::Duration::from_secs(20)).unwrap().contains("charset")
    );
    let outside = outside.writing(Charset::Gbk).unwrap();
    outside.furnish("2026-09-01".parse().unwrap()).await.unwrap();
    let printed = outside.configuration("http://127.0.0.1:9", std::time::Duration::from_secs(20)).unwrap();
    assert!(printed.contains("\ncharset = \"gbk\"\n"), "{printed}");
    let day = "2026-09-02".parse().unwrap();
    let timeout = std::time::Duration::from_secs(20);
    let asked = async |config| connect(config).unwrap().schedules("K01", None, day, day).await;
    let config = crate::ports::his::Config { timeout, ..outside.his_config() };
    let listed = asked(config.clone()).await.unwrap();
    assert!(listed.len() == 4 && listed.iter().all(|it| it.doctor_title == "主任医师"), "{listed:?}");
    let other = crate::ports::his::Config { charset: Charset::Utf8, ..config };
    assert!(asked(other).await.is_err(), "the words on the wire are GBK");
}

/// What is done at the page happens at the HIS.
#[tokio::test]
async fn acts_at_the_page_are_seen_in_the_books_of_the_his() {
    let visitor = Visitor::come().await;
    let today = "2026-09-01".parse().unwrap();
    visitor.outside.furnish(today).await.unwrap();
    let afternoon = "20260902D0012";
    let schedule = async || {
        let books = visitor.outside.his.books().await;
        books.schedules.into_iter().map(|it| it.schedule).find(|it| it.reg_id == afternoon).unwrap()
    };
    assert_eq!(schedule().await.remaining, 0);
    for (deed, more, remaining) in
        [("FreesPlace", "", 1), ("FreesSilently", "", 2), ("Grabs", "", 1), ("AddsPlaces", "3", 4)]
    {
        let (_, said) = visitor.post("/deeds", &[("deed", deed), ("about", afternoon), ("more", more)]).await;
        assert!(said.contains("role=\"status\">Done: "), "{deed}: {said}");
        assert_eq!(schedule().await.remaining, remaining, "{deed}");
    }
    visitor.post("/deeds", &[("deed", "Substitutes"), ("about", afternoon), ("more", "D002")]).await;
    visitor.post("/deeds", &[("deed", "Costs"), ("about", afternoon), ("more", "9900")]).await;
    let now = schedule().await;
    assert_eq!((now.doctor_id.as_str(), now.fee_fen), ("D002", 9_900));
    let pushed: Vec<String> = visitor.outside.his.books().await.pushes.into_iter().map(|push| push.function).collect();
    assert_eq!(pushed, ["5007", "5008"]);
}
