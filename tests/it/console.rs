//! The support staff's pages over HTTP, on a real database: each is shown, in one language, without personal data, to whoever may
//! look; forms do what they say and no more.

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use houbu::desk::access::token::{Token, hash_of};
use houbu::engine::clock;
use houbu::waitlist::policy::{LevelPolicy, QueuePer, Switch};
use serde_json::json;
use uuid::Uuid;

use super::clinic::{HOSPITAL, full};
use super::console_words::english_prose;
use super::surface::{Answer, House};

/// Somebody of the staff, logged in.
pub(crate) struct Person<'a> {
    pub(crate) house: &'a House,
    token: Token,
}

impl<'a> Person<'a> {
    pub(crate) async fn with(house: &'a House, name: &str, role: &str, language: &str) -> Self {
        let id = Uuid::now_v7();
        let token = URL_SAFE_NO_PAD.encode(hash_of(name));
        sqlx::query("insert into staff_user (hospital, id, name, role, language) values ($1, $2, $3, $4, $5)")
            .bind(HOSPITAL)
            .bind(id)
            .bind(name)
            .bind(role)
            .bind(language)
            .execute(&house.hospital.pool)
            .await
            .unwrap();
        sqlx::query("insert into staff_session (hospital, token_hash, user_id) values ($1, $2, $3)")
            .bind(HOSPITAL)
            .bind(hash_of(&token).as_slice())
            .bind(id)
            .execute(&house.hospital.pool)
            .await
            .unwrap();
        Self { house, token: Token::presented(&token).unwrap() }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let cookie = format!("houbu_session={}", self.token.expose());
        Request::builder().method(method).uri(path).header("cookie", cookie)
    }

    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.house.send(self.request("GET", path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.text
    }

    /// A form with the session's own `csrf`.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = format!("csrf={}", self.token.csrf());
        for (name, value) in fields {
            write!(form, "&{name}=").unwrap();
            value.bytes().for_each(|byte| write!(form, "%{byte:02X}").unwrap());
        }
        let request = self.request("POST", path).header("content-type", "application/x-www-form-urlencoded");
        self.house.send(request.body(form.into()).unwrap()).await
    }
}

fn on() -> LevelPolicy {
    LevelPolicy { switch: Switch::On, cap: Some(5), ..LevelPolicy::default() }
}

/// A house where `p1` waits.
pub(crate) async fn house() -> (House, String) {
    let house = House::with_patients(on(), &["p1", "p2"]).await;
    let apply = json!({ "scheduleId": "S1", "patientId": "p1" });
    let applied = house.ask("POST", "/v1/waitlist", Some("k1"), Some(apply)).await;
    assert_eq!(applied.status, StatusCode::CREATED, "{}", applied.text);
    let run = applied.json()["waitlistId"].as_str().unwrap().to_owned();
    (house, run)
}

/// Every page that there is.
pub(crate) fn pages(run: &str) -> Vec<String> {
    let fixed = [
        "/",
        "/runs",
        "/runs?workflow=&status=waiting&key=1&due=1&attempts=1&created=1&last_error=1",
        "/bulks",
        "/letters",
        "/deadlines",
        "/patients",
        "/patients/p1",
        "/schedules?from=2026-03-02&to=2026-03-06",
        "/schedules/S1",
        "/policies",
        "/policies/doctor/doc1",
        "/policies/department/d1",
        "/policies/campus/c1",
        "/texts",
        "/texts/waitlist_booked",
        "/blacklist",
        "/cases",
        "/cases?state=resolved",
        "/figures",
        "/figures?by=day",
        "/audit",
        "/callbacks",
        "/callbacks?fate=unmatched",
        "/system",
        "/jobs",
        "/day/waiting",
        "/day/paid",
    ];
    fixed.into_iter().map(str::to_owned).chain([format!("/runs/{run}")]).collect()
}

fn is_chinese(letter: char) -> bool {
    ('\u{3400}'..='\u{9fff}').contains(&letter)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_shown_in_its_language_and_names_nobody() {
    let (house, run) = house().await;
    let zh = Person::with(&house, "viewer", "viewer", "zh-CN").await;
    let en = Person::with(&house, "reader", "administrator", "en").await;
    for path in pages(&run) {
        let page = zh.page(&path).await;
        assert!(page.contains("<html lang=\"zh-CN\">") && page.contains("候补挂号"), "{path}");
        assert_eq!(english_prose(&page), None, "{path} is not all Chinese");
        for personal in ["张三丰", "E12345670", "13800138000", "o-p1"] {
            assert!(!page.contains(personal), "{path} says {personal}");
        }
        // A viewer is offered nothing that changes anything but the language, the session and the team's searches.
        let offered = page.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let mut deeds = offered.filter(|action| action.starts_with("/runs/") || action.ends_with("/unmask"));
        assert_eq!(deeds.next(), None, "{path} offers it to a viewer");
        let page = en.page(&path).await;
        assert!(page.contains("<html lang=\"en\">"), "{path}");
        // The texts of messages are Chinese: they are the hospital's, not the console's.
        if !path.starts_with("/texts") {
            let own = page.replace("中文", "").replace(['张', '丰'], "");
            let at = own.char_indices().find(|(_, letter)| is_chinese(*letter)).map(|(at, _)| at);
            let around = at.map(|at| own.get(at.saturating_sub(60)..at + 30));
            assert_eq!(at, None, "{path} is not all English: {around:?}");
        }
        assert!(!page.contains("<script>") && !page.contains(" style=\"") && !page.contains(" onclick="), "{path}");
    }
    assert!(zh.page(&format!("/runs/{run}")).await.contains("张*丰"));
    let stranger = house.send(Request::get("/runs").body(Body::empty()).unwrap()).await;
    assert_eq!(stranger.status, StatusCode::SEE_OTHER, "whoever is not logged in is sent to do so");
    let gone = zh.house.send(zh.request("GET", "/runs/none-of-ours").body(Body::empty()).unwrap()).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(gone.text.contains("<h1>没有找到</h1>"), "a problem is a page: {}", gone.text);
    assert!(!gone.text.contains("操作未完成") && !gone.text.contains("未作任何更改"), "nothing was to be done");
    assert!(gone.text.contains("id=\"find\"") && gone.text.contains("href=\"/runs\""), "within the frame");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_is_found_by_whichever_number_somebody_has() {
    let (house, run) = house().await;
    let staff = Person::with(&house, "desk", "viewer", "en").await;
    let shown = |page: &str| page.contains(&format!("/runs/{run}"));
    for (q, finds) in [
        (run.as_str(), true),
        ("p1", true),
        ("8000", true),
        ("138 0013 8000", true),
        ("139 0013 8000", false),
        ("p2", false),
        ("9999", false),
        ("E12345670", false),
    ] {
        let found = staff.form("/runs", &[("q", q)]).await;
        let address = found.headers["location"].to_str().unwrap();
        assert_eq!(shown(&staff.page(address).await), finds, "{q}");
    }
    assert!(!shown(&staff.page("/runs?workflow=waitlist_application&still=1").await), "it has just moved");
    let csv = staff.page("/runs.csv?status=waiting").await;
    assert!(csv.starts_with('\u{feff}') && csv.contains(&run) && csv.contains("张*丰"), "{csv}");
    let by_document = staff.form("/patients", &[("q", "E12345671")]).await;
    assert!(
        by_document.text.contains("/patients/p2") && !by_document.text.contains("/patients/p1"),
        "{}",
        by_document.text
    );
    // Nobody is found by a name, which stands in no address, and the page says why.
    let found = staff.form("/runs", &[("q", "张三丰")]).await;
    let address = found.headers["location"].to_str().unwrap();
    assert!(!address.contains('%'), "{address}");
    let page = staff.page(address).await;
    assert!(!shown(&page) && page.contains("Names are kept sealed"), "{page}");
    let typed =
        staff.house.send(staff.request("GET", "/runs?q=%E5%BC%A0&status=waiting").body(Body::empty()).unwrap()).await;
    assert_eq!(typed.headers["location"], "/runs?workflow=&status=waiting&named=1");
    assert!(staff.form("/patients", &[("q", "张三丰")]).await.text.contains("Names are kept sealed"));
    // A search is the team's: whoever comes next finds it.
    let query = "?workflow=waitlist_application&status=waiting";
    let kept = staff.form("/views", &[("name", "My <b>queue</b>"), ("query", query)]).await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER, "{}", kept.text);
    let viewer = Person::with(&house, "viewer", "viewer", "en").await;
    let page = viewer.page(&format!("/runs{query}")).await;
    assert!(page.contains("My &#60;b&#62;queue&#60;/b&#62;") && shown(&page) && !page.contains("/remove"), "{page}");
    // A viewer keeps searches too, but under no name that somebody else keeps.
    let mine = |name: &'static str| [("name", name), ("query", "?status=waiting")];
    assert!(viewer.form("/views", &mine("Mine")).await.status.is_redirection());
    let taken = viewer.form("/views", &mine("My <b>queue</b>")).await;
    assert_eq!(taken.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(taken.text.contains("Somebody else keeps a view of this name"), "{}", taken.text);
    let other = Person::with(&house, "other", "operator", "en").await;
    let page = other.page(&format!("/runs{query}")).await;
    // Whoever removes it can put it back, and both stand in the audit.
    let id = page.split("/views/").nth(1).and_then(|rest| rest.split('/').next()).unwrap().to_owned();
    let removal = format!("/views/{id}/remove");
    assert_eq!(viewer.form(&removal, &[]).await.status, StatusCode::FORBIDDEN, "it is another's");
    let removed = other.form(&removal, &[]).await;
    let back = other.page(removed.headers["location"].to_str().unwrap()).await;
    assert!(back.contains(r#"<form class="undo" method="post" action="/views""#), "{back}");
    assert!(back.contains(r#"name="name" value="My &#60;b&#62;queue&#60;/b&#62;""#), "{back}");
    let audit = staff.page("/audit?verb=view.remove").await;
    assert!(audit.contains("My &#60;b&#62;queue&#60;/b&#62;") && audit.contains("other"), "{audit}");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_staff_do_has_a_reason_a_role_and_a_place_in_the_audit() {
    let (house, run) = house().await;
    let operator = Person::with(&house, "operator", "operator", "en").await;
    let viewer = Person::with(&house, "viewer", "viewer", "en").await;
    let (path, why) = (format!("/runs/{run}/suspend"), [("reason", "HIS <i>moves</i>")]);
    assert_eq!(viewer.form(&path, &why).await.status, StatusCode::FORBIDDEN);
    assert_eq!(viewer.form("/patients/p1/unmask", &why).await.status, StatusCode::FORBIDDEN);
    let foreign = operator.request("POST", &path).header("content-type", "application/x-www-form-urlencoded");
    let foreign = house.send(foreign.body("reason=x".into()).unwrap()).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "a form without the session's own csrf");
    assert_eq!(operator.form(&path, &[("reason", " ")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let personal = operator.form(&path, &[("reason", "13800138000 called")]).await;
    assert_eq!(personal.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(personal.text.contains("name no phone or ID number"), "{}", personal.text);
    assert_eq!(operator.form(&path, &why).await.status, StatusCode::SEE_OTHER);
    let page = operator.page(&format!("/runs/{run}?done=suspend")).await;
    assert!(page.contains("Suspend: Done") && page.contains("HIS &#60;i&#62;moves&#60;/i&#62;"), "{page}");
    assert!(
        page.contains(&format!("action=\"/runs/{run}/resume\"")) && page.contains("Undo what was just done"),
        "{page}"
    );
    assert!(!viewer.page(&format!("/runs/{run}?done=suspend")).await.contains("Undo what"), "not to a viewer");
    assert!(operator.page("/").await.contains(&run), "a run that stands still is on the first page");
    let again = operator.form(&path, &why).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.text.contains("The run is suspended already."), "{}", again.text);
    // The dry run says what the bulk then does.
    let bulk =
        [("workflow", "waitlist_application"), ("status", "suspended"), ("verb", "resume"), ("reason", "HIS is back")];
    let preview = operator.form("/bulks/preview", &bulk).await;
    assert!(preview.text.contains(&run) && preview.text.contains("Begin the bulk"), "{}", preview.text);
    assert!(preview.text.contains("<td data-label=\"Would change\">1</td>"), "by step: {}", preview.text);
    assert!(preview.text.contains("张*丰 p1 · "), "whose, masked, of which doctor: {}", preview.text);
    assert!(preview.text.contains("Listed 1 / 1"), "{}", preview.text);
    let retry = [bulk[0], bulk[1], ("verb", "retry"), bulk[3]];
    let refusing = operator.form("/bulks/preview", &retry).await;
    assert!(refusing.text.contains("<b>A person suspended the run"), "each with why it refuses: {}", refusing.text);
    assert!(!refusing.text.contains("Begin the bulk"), "{}", refusing.text);
    assert_eq!(house.hospital.count("select count(*) from bulk").await, 0, "a preview begins nothing");
    // What the page held is what begins; the form of another one is refused.
    let held = preview.text.split_once("name=\"preview\" value=\"").unwrap().1[..36].to_owned();
    let mut begin = bulk.to_vec();
    begin.push(("preview", &held));
    let mut other = retry.to_vec();
    other.push(("preview", &held));
    let refused = operator.form("/bulks", &other).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert_eq!(operator.form("/bulks", &begin).await.status, StatusCode::SEE_OTHER);
    assert_eq!(operator.form("/bulks", &begin).await.status, StatusCode::SEE_OTHER, "a second press begins nothing");
    assert_eq!(house.hospital.count("select count(*) from bulk").await, 1);
    assert!(operator.page("/bulks").await.contains("HIS is back"));
    // Ticked rows are the same for those alone; nobody means every run by ticking none.
    let (page, verb) = (operator.page("/runs").await, [("verb", "resume"), ("reason", "HIS is back")]);
    assert!(page.contains(&format!("form=\"bulk\" name=\"id\" value=\"{run}\"")), "{page}");
    let ticked = [verb[0], verb[1], ("id", run.as_str())];
    let preview = operator.form("/bulks/preview", &ticked).await;
    assert!(preview.text.contains("Ticked runs") && preview.text.contains("Begin the bulk"), "{}", preview.text);
    let another = Uuid::now_v7().to_string();
    let preview = operator.form("/bulks/preview", &[verb[0], verb[1], ("id", another.as_str())]).await;
    assert!(!preview.text.contains(&run) && !preview.text.contains("Begin the bulk"), "{}", preview.text);
    assert_eq!(operator.form("/bulks/preview", &verb).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let seen = operator.form("/patients/p1/unmask", &[("reason", "asked by telephone")]).await;
    assert!(seen.text.contains("张三丰") && seen.text.contains("13800138000"), "{}", seen.text);
    let audit = operator.page("/audit?verb=patient.unmask").await;
    assert!(audit.contains("asked by telephone") && audit.contains("/patients/p1") && !audit.contains("13800138000"));
    // Who looked at this patient, and what was done to the patient's application.
    for page in ["/audit?patient=p1", "/patients/p1", "/audit?patient=p1&from=2026-01-01&to=2099-01-01"] {
        let page = operator.page(page).await;
        assert!(page.contains("asked by telephone") && page.contains("moves&#60;/i&#62;"), "{page}");
    }
    for nothing in ["/audit?patient=p2", "/audit?from=2099-01-01", "/audit?patient=p1&to=2020-01-01"] {
        let page = operator.page(nothing).await;
        assert!(page.contains("Nothing matches") && !page.contains("asked by telephone"), "{page}");
    }
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_a_setting_says_where_it_comes_from_and_who_changed_it() {
    let (house, run) = house().await;
    let chief = Person::with(&house, "chief", "administrator", "en").await;
    let operator = Person::with(&house, "operator", "operator", "en").await;
    let change =
        [("offerWindowMinutes", "45"), ("cutoff.daysBefore", "2"), ("cutoff.at", "17:00"), ("reason", "a test")];
    assert_eq!(operator.form("/policies/department/d1", &change).await.status, StatusCode::FORBIDDEN);
    assert_eq!(chief.form("/policies/department/d1", &change).await.status, StatusCode::SEE_OTHER);
    let queue = house.get("/v1/schedules/S2/waitlist").await.json();
    assert_eq!(queue["cutoff"], "2026-03-03T17:00:00+08:00", "what is saved is in effect");
    let page = chief.page("/policies/doctor/doc1").await;
    let row = page.split("for=\"offerWindowMinutes\"").nth(1).and_then(|rest| rest.split("</tr>").next()).unwrap();
    assert!(row.contains(">45<") && row.contains("Department Eyes"), "inherited, and from where: {row}");
    let wrong = chief.form("/policies/doctor/doc1", &[("offerWindowMinutes", "0"), ("reason", "x")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let audit = chief.page("/audit?verb=policy.put").await;
    assert!(audit.contains("Offer window minutes:  → 45") && audit.contains("chief"), "{audit}");
    // Whoever waits is so many in the queue; somebody who is on the blacklist is passed over, and the queue says so.
    let page = operator.page(&format!("/runs/{run}")).await;
    assert!(page.contains("Number 1 in the queue; no place is free for it yet."), "{page}");
    let banned = operator.form("/patients/p1/ban", &[("reason", "did not come"), ("until", "2026-12-31")]).await;
    assert_eq!(banned.status, StatusCode::SEE_OTHER);
    assert!(operator.page("/schedules/S1").await.contains("On the blacklist: passed over"));
    let page = operator.page(&format!("/runs/{run}")).await;
    assert!(page.contains("The patient is on the blacklist, and is passed over when a place is free."), "{page}");
    assert!(operator.page("/blacklist").await.contains("did not come"));
    let now = clock::now(&house.hospital.pool).await.unwrap();
    let due = operator.page("/deadlines").await;
    assert!(due.contains("Queue closes") && due.contains("/schedules/S1"), "at {now}: {due}");
    // A question to a patient falls due as well.
    sqlx::query("update entry set question = $2 where id = $1::uuid")
        .bind(&run)
        .bind(json!({ "id": "change:1", "about": "change", "until": "2026-03-02T12:00:00Z" }))
        .execute(&house.hospital.pool)
        .await
        .unwrap();
    let due = operator.page("/deadlines").await;
    assert!(due.contains("Answer to a question") && due.contains(&format!("/runs/{run}")), "{due}");
    let page = operator.page(&format!("/runs/{run}")).await;
    assert!(page.contains("The patient was asked a question and has until 2026-03-02 20:00 to answer."), "{page}");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_a_change_of_settings_is_undone_from_the_page_and_not_over_a_later_one() {
    let (house, _) = house().await;
    let chief = Person::with(&house, "chief", "administrator", "en").await;
    let operator = Person::with(&house, "operator", "operator", "en").await;
    let (path, undo) = ("/policies/department/d1", "/policies/department/d1/undo");
    let saved = async |cap: &str| {
        let saved = chief.form(path, &[("switch", "on"), ("cap", cap), ("reason", "more rooms")]).await;
        saved.headers["location"].to_str().unwrap().to_owned()
    };
    let change_of = |address: &str| address.split_once("&change=").unwrap().1.to_owned();
    let first = saved("61").await;
    let page = chief.page(&first).await;
    assert!(page.contains("Undo what was just done") && page.contains(&format!("action=\"{undo}\"")), "{page}");
    assert!(page.contains("more rooms") && page.contains("→ 61"), "who changed what, and why: {page}");
    let seen = operator.page(&first).await;
    assert!(seen.contains("more rooms") && !seen.contains(undo), "an operator only sees it");
    let change = change_of(&first);
    let fields = [("change", change.as_str()), ("reason", "for another department")];
    assert_eq!(operator.form(undo, &fields).await.status, StatusCode::FORBIDDEN);
    let second = saved("62").await;
    let late = chief.form(undo, &fields).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.text.contains("changed again since"), "{}", late.text);
    // Nor does a form that was opened before take away what was saved meanwhile.
    let stale = chief.form(path, &[("cap", "63"), ("since", &change), ("reason", "x")]).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "{}", stale.text);
    let change = change_of(&second);
    let fields = [("change", change.as_str()), ("reason", "for another department")];
    assert_eq!(chief.form(undo, &fields).await.status, StatusCode::SEE_OTHER);
    let page = chief.page(&format!("{path}?done=undone")).await;
    assert!(page.contains("value=\"61\"") && page.contains("62 → 61"), "{page}");
    assert!(chief.page("/audit?verb=policy.undo").await.contains("for another department"));
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campus_has_texts_of_its_own_and_a_former_one_comes_back() {
    let (house, _) = house().await;
    let chief = Person::with(&house, "chief", "administrator", "en").await;
    let path = "/texts/waitlist_booked";
    let shown = chief.page(path).await;
    let begins = shown.split("name=\"fields\"").nth(1).and_then(|rest| rest.split_once('>')).unwrap().1;
    let fields = begins.split_once("</textarea>").unwrap().0.replace("&#60;", "<").replace("&#62;", ">");
    let change = |id: &'static str, replaces: &'static str| {
        [
            ("template_id", id),
            ("replaces", replaces),
            ("campus", "c1"),
            ("what", "save"),
            ("reason", "the platform asks"),
        ]
    };
    for (id, replaces) in [("first", "0"), ("second", "1")] {
        let stored = chief.form(path, &[&change(id, replaces)[..], &[("fields", fields.as_str())]].concat()).await;
        assert_eq!(stored.status, StatusCode::SEE_OTHER, "{}", stored.text);
    }
    let first = fields.lines().find(|line| line.contains('=')).unwrap();
    let twice = format!("{fields}\n{}= {{remark}}", first.split_once('=').unwrap().0);
    let twice = chief.form(path, &[&change("third", "2")[..], &[("fields", twice.as_str())]].concat()).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(twice.text.contains("There are two lines for"), "{}", twice.text);
    let campus = chief.page("/texts/waitlist_booked?campus=c1&done=1").await;
    assert!(campus.contains("value=\"second\"") && campus.contains("Undo what was just done"), "{campus}");
    assert!(!chief.page(path).await.contains("second"), "the hospital's own is as it was");
    let undone = [("version", "1"), ("campus", "c1"), ("reason", "Undone right away")];
    assert_eq!(chief.form("/texts/waitlist_booked/restore", &undone).await.status, StatusCode::SEE_OTHER);
    assert!(chief.page("/texts/waitlist_booked?campus=c1").await.contains("value=\"first\""));
    let audit = chief.page("/audit").await;
    assert!(audit.contains("Undone right away"), "an act of its own: {audit}");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_the_page_of_each_half_day_shows_the_one_line_of_the_day() {
    let policy = LevelPolicy { queue_per: Some(QueuePer::Day), ..on() };
    let house = House::with_patients(policy, &["p1", "p2", "p3"]).await;
    house.hospital.told(&[full("S3", "2026-03-04".parse().unwrap())]).await;
    for (patient, schedule) in [("p1", "S3"), ("p2", "S1"), ("p3", "S3")] {
        let apply = json!({ "scheduleId": schedule, "patientId": patient });
        let applied = house.ask("POST", "/v1/waitlist", Some(patient), Some(apply)).await;
        assert_eq!(applied.status, StatusCode::CREATED, "{}", applied.text);
    }
    let staff = Person::with(&house, "telephone", "viewer", "en").await;
    for schedule in ["S1", "S3"] {
        let page = staff.page(&format!("/schedules/{schedule}")).await;
        let rows: Vec<&str> = page.split("<tr data-row").skip(1).collect();
        assert_eq!(rows.len(), 3, "{schedule}: {page}");
        for (nth, row) in (1..).zip(rows) {
            assert!(row.contains(&format!("class=\"order\">{nth}<")), "{schedule}: {row}");
            assert!(row.contains(&format!("/patients/p{nth}\"")), "{schedule}: {row}");
            assert_eq!(row.starts_with(" class=\"mine\""), nth == 1, "next is the first of the day: {row}");
        }
    }
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r32_a_rule_of_the_blacklist_is_looked_at_before_it_is_stored() {
    let (house, _) = house().await;
    let chief = Person::with(&house, "chief", "administrator", "en").await;
    let operator = Person::with(&house, "operator", "operator", "en").await;
    sqlx::query(
        "insert into breach (hospital, his_order_id, visit_date, id_hash, department_id, channel_id, event, seen_by)
         select hospital, 'O1', engine_now()::date - 1, id_hash, 'd1', '', 'noShow', gen_random_uuid()
         from patient where hospital = $1 and id = 'p2'",
    )
    .bind(HOSPITAL)
    .execute(&house.hospital.pool)
    .await
    .unwrap();
    let rule = |threshold: &'static str, what: &'static str| {
        [
            ("id", "noshow"),
            ("event", "noShow"),
            ("window_days", "365"),
            ("threshold", threshold),
            ("penalty_days", "90"),
            ("scope", "hospital"),
            ("reason", "the directors decided"),
            ("what", what),
        ]
    };
    let looked = chief.form("/blacklist/rules", &rule("1", "look")).await;
    assert!(
        looked.text.contains("bar as of today: <b>1</b>") && looked.text.contains("/patients/p2"),
        "{}",
        looked.text
    );
    let looked = chief.form("/blacklist/rules", &rule("2", "look")).await;
    assert!(looked.text.contains("bar as of today: <b>0</b>"), "{}", looked.text);
    assert_eq!(house.hospital.count("select count(*) from blacklist_rule where id = 'noshow'").await, 0);
    assert_eq!(operator.form("/blacklist/rules", &rule("2", "save")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(chief.form("/blacklist/rules", &rule("2", "save")).await.status, StatusCode::SEE_OTHER);
    assert!(chief.page("/blacklist?rule=noshow").await.contains("name=\"threshold\" value=\"2\""));
    assert!(chief.page("/audit").await.contains("the directors decided"));
    assert_eq!(chief.form("/blacklist/rules", &rule("2", "remove")).await.status, StatusCode::SEE_OTHER);
    assert_eq!(house.hospital.count("select count(*) from blacklist_rule where id = 'noshow'").await, 0);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_of_one_instant_are_each_on_one_page() {
    let (house, _) = house().await;
    // More than two pages, from two senders, all of one instant.
    let told = "insert into callback (hospital, source, event_id, kind, subject, body, received_at, fate)
                select $1, case when n % 2 = 0 then 'his' else 'wechat-pay' end, 'a~b&' || n, '5007', 'told-' || n || '.', '{}',
                       timestamptz '2026-03-02T01:02:03.456789Z', 'ignored'
                from generate_series(1, 120) n";
    sqlx::query(told).bind(HOSPITAL).execute(&house.hospital.pool).await.unwrap();
    let reader = Person::with(&house, "reader", "viewer", "en").await;
    let mut path = "/callbacks?fate=ignored".to_owned();
    let mut shown = vec![0; 121];
    for _ in 0..4 {
        let page = reader.page(&path).await;
        for part in page.split(">told-").skip(1) {
            shown[part.split('.').next().unwrap().parse::<usize>().unwrap()] += 1;
        }
        let older = page.split("href=\"").find(|part| part.starts_with("/callbacks?") && part.contains("before="));
        let Some(older) = older.and_then(|part| part.split('"').next()) else { break };
        path = older.replace("&amp;", "&").replace("&#38;", "&");
    }
    assert!(shown[1..].iter().all(|times| *times == 1), "{shown:?}");
    house.hospital.close().await;
}
