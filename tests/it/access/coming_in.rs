//! Logging in and out, how long a session lasts, wrong passwords, forms of other sites, and the first administrator.

use houbu::console::access::Settings;
use houbu::desk::access::Knock;
use houbu::desk::access::role::Role;
use houbu::waitlist::policy::LevelPolicy;

use super::browser::{Browser, Page};
use super::{PASSWORD, deeds, last_deed, logged_in, pass, staffed};
use crate::surface::House;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_in_is_sent_to_log_in_and_then_where_they_wanted_to_go() {
    let house = staffed().await;
    let mut browser = Browser::new(&house);
    assert_eq!(browser.get("/account?x=1").await.to(), "/login?next=/account%3Fx%3D1");
    assert_eq!(browser.get("/").await.to(), "/login");
    let refused = browser.post_bare("/users", &[("name", "mallory"), ("role", "administrator")], &[]).await;
    assert_eq!(refused.status, 401);
    assert!(refused.text.contains("Please log in first."), "{}", refused.text);
    let page = browser.get("/login?next=/account").await;
    assert!(page.text.contains(r#"name="next" value="/account""#), "{}", page.text);
    let fields = [("name", "VIEWER "), ("password", PASSWORD), ("next", "/account")];
    assert_eq!(browser.post_bare("/login", &fields, &[]).await.to(), "/account");
    assert_eq!(browser.get("/account").await.status, 200);
    assert_eq!(browser.get("/login").await.to(), "/", "whoever is in need not log in");
    let elsewhere = [("name", "viewer"), ("password", PASSWORD), ("next", "//example.org")];
    assert_eq!(browser.post_bare("/login", &elsewhere, &[]).await.to(), "/");
    assert_eq!(deeds(&house).await, ["viewer login", "viewer login", "viewer logout"]);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_have_headers_that_let_no_script_of_others_in() {
    let house = staffed().await;
    let mut browser = Browser::new(&house);
    for path in ["/login", "/assets/console.css", "/account"] {
        let page = browser.get(path).await;
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        assert_eq!(page.headers["referrer-policy"], "same-origin");
    }
    let page = browser.log_in("viewer", PASSWORD).await;
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
    let stored: Vec<Vec<u8>> = sqlx::query_scalar("select token_hash from staff_session")
        .fetch_all(&house.hospital.desk.engine.pool)
        .await
        .unwrap();
    assert_eq!(stored.len(), 1);
    assert!(!cookie.contains(&String::from_utf8_lossy(&stored[0]).into_owned()), "only a hash is kept");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_of_another_site_or_session_changes_nothing() {
    let house = staffed().await;
    let mut browser = logged_in(&house, Role::Administrator).await;
    browser.get("/users").await;
    let mut other = logged_in(&house, Role::Administrator).await;
    other.get("/users").await;
    assert_ne!(browser.csrf, other.csrf);
    let invite = [("name", "mallory"), ("role", "administrator"), ("reason", "a reason")];
    let with =
        |csrf: &str| [invite[0], invite[1], invite[2], ("csrf", Box::leak(csrf.to_owned().into_boxed_str()) as &str)];
    let (mine, foreign) = (browser.csrf.clone(), other.csrf.clone());
    for (fields, headers) in [
        (&invite[..], &[][..]),
        (&with(&foreign)[..], &[][..]),
        (&with("")[..], &[][..]),
        (&with(&mine)[..], &[("sec-fetch-site", "cross-site")][..]),
        (&with(&mine)[..], &[("origin", "https://example.org"), ("host", "127.0.0.1:8080")][..]),
        (&invite[..], &[("x-csrf-token", foreign.as_str())][..]),
    ] {
        let page = browser.post_bare("/users", fields, headers).await;
        assert_eq!(page.status, 403, "{fields:?} {headers:?}");
        assert!(page.text.contains("does not come from a page of your session"), "{}", page.text);
    }
    // Nor does another site log somebody in as somebody else.
    let login = [("name", "viewer"), ("password", PASSWORD)];
    assert_eq!(browser.post_bare("/login", &login, &[("sec-fetch-site", "cross-site")]).await.status, 403);
    assert!(!browser.get("/users").await.text.contains("mallory"));
    let header = browser.post_bare("/users", &invite, &[("x-csrf-token", mine.as_str())]).await;
    assert_eq!(header.status, 200, "{}", header.text);
    assert!(header.text.contains("mallory"));
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_by_itself_by_its_holder_and_by_whoever_holds_another() {
    let house = staffed().await;
    let mut browser = logged_in(&house, Role::Viewer).await;
    let former = browser.cookie.clone();
    assert_eq!(browser.get("/account").await.status, 200);
    pass(&house, "idle", 59).await;
    assert_eq!(browser.get("/account").await.status, 200, "and it was seen");
    pass(&house, "idle", 59).await;
    assert_eq!(browser.get("/account").await.status, 200);
    pass(&house, "idle", 40).await;
    assert_eq!(browser.get_by_itself("/account").await.status, 200);
    pass(&house, "idle", 21).await;
    assert_eq!(browser.get("/account").await.status, 303, "that a page renewed itself is nobody's presence");
    let script = browser.get_by_itself("/account").await;
    assert_eq!((script.status, script.headers["hx-redirect"].to_str().unwrap()), (401, "/login"));

    browser.log_in("viewer", PASSWORD).await;
    assert_ne!(browser.cookie, former, "every login has a token of its own");
    pass(&house, "since login", 12 * 60 + 1).await;
    assert_eq!(browser.get("/account").await.status, 303, "however busy");

    browser.log_in("viewer", PASSWORD).await;
    let kept = browser.cookie.clone();
    assert_eq!(browser.post("/logout", &[]).await.to(), "/login");
    assert_eq!(browser.cookie, None);
    browser.cookie = kept;
    assert_eq!(browser.get("/account").await.status, 303, "the token is no good any more");

    browser.log_in("viewer", PASSWORD).await;
    let mut elsewhere = logged_in(&house, Role::Viewer).await;
    let mut somebody = logged_in(&house, Role::Operator).await;
    assert!(browser.post("/account/sessions", &[]).await.text.contains("other sessions have ended"));
    assert_eq!(browser.get("/account").await.status, 200);
    assert_eq!(elsewhere.get("/account").await.status, 303);
    assert_eq!(somebody.get("/account").await.status, 200);
    assert_eq!(last_deed(&house).await["verb"], "logout.everywhere");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_passwords_lock_a_user_out_for_longer_and_longer_and_tell_nothing() {
    let house = staffed().await;
    let mut browser = Browser::new(&house);
    let unknown = browser.log_in("stranger", PASSWORD).await;
    assert_eq!(unknown.status, 401);
    let typed = unknown.text.replace("stranger", "operator");
    for _ in 0..5 {
        let wrong = browser.log_in("operator", "another lamp, seven geese").await;
        assert_eq!((wrong.status, &wrong.text), (401, &typed), "the same as for a name that there is not");
    }
    let locked = browser.log_in("operator", PASSWORD).await;
    assert_eq!((locked.status, &locked.text), (401, &typed), "locked out, whatever comes");
    pass(&house, "locked", 1).await;
    assert_eq!(browser.log_in("operator", "wrong once more, alas").await.status, 401);
    let locked_s: f64 = sqlx::query_scalar(
        "select extract(epoch from p.locked_until - clock_timestamp())::float8
         from staff_place p join staff_user u on u.id = p.user_id where u.name = 'operator'",
    )
    .fetch_one(&house.hospital.desk.engine.pool)
    .await
    .unwrap();
    assert!((50.0..=60.0).contains(&locked_s), "twice as long as before: {locked_s}");
    assert_eq!(browser.log_in("viewer", PASSWORD).await.to(), "/", "nobody else is locked out");
    pass(&house, "locked", 2).await;
    assert_eq!(browser.log_in("operator", PASSWORD).await.to(), "/");
    let failures: i64 = sqlx::query_scalar("select sum(failures) from staff_place")
        .fetch_one(&house.hospital.desk.engine.pool)
        .await
        .unwrap();
    assert_eq!(failures, 0);
    let deeds = deeds(&house).await;
    assert_eq!(deeds[0], "? login.failed", "what was typed for a name may be a password");
    assert_eq!(deeds.iter().filter(|deed| *deed == "operator login.failed").count(), 7);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tries_at_once_are_no_more_than_one_after_the_other() {
    let house = staffed().await;
    let tries = (0..12).map(|nth| {
        let desk = std::sync::Arc::clone(&house.hospital.desk);
        let password = if nth == 11 { PASSWORD.to_owned() } else { format!("a guess and its number {nth}") };
        tokio::spawn(async move { desk.lodge.log_in("viewer", &password.into(), Knock::default()).await.is_ok() })
    });
    futures::future::join_all(tries.collect::<Vec<_>>()).await;
    let counted: i32 = sqlx::query_scalar("select failures from staff_place")
        .fetch_one(&house.hospital.desk.engine.pool)
        .await
        .unwrap();
    assert!(counted <= 5, "after five nobody looks: {counted}");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_tries_only_so_often() {
    let house = staffed().await;
    let from = |address: &str| Knock { from: Some(address.parse().unwrap()), browser: None };
    let desk = &house.hospital.desk;
    let mut refused = None;
    for nth in 0..40 {
        let tried =
            desk.lodge.log_in(&format!("nobody{nth}"), &PASSWORD.into(), from("203.0.113.9")).await.unwrap_err();
        if tried.to_string().contains("one address") {
            refused = Some(nth);
            break;
        }
    }
    assert!(refused.is_some_and(|nth| (20..35).contains(&nth)), "{refused:?}");
    assert!(desk.lodge.log_in("viewer", &PASSWORD.into(), from("203.0.113.10")).await.is_ok());
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_addresses_of_one_network_and_those_that_nobody_can_tell_try_together() {
    let house = staffed().await;
    let lodge = &house.hospital.desk.lodge;
    let tries = |host: u32| lodge.may_try(Some(format!("2001:db8:1:2::{host:x}").parse().unwrap())).is_ok();
    assert!((1..=20).all(tries));
    assert!(!(21..=30).all(tries), "another address of the same network");
    assert!(lodge.may_try(Some("2001:db8:1:3::1".parse().unwrap())).is_ok());
    assert!((1..=20).all(|_| lodge.may_try(None).is_ok()));
    assert!(!(21..=30).all(|_| lodge.may_try(None).is_ok()));
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_before_the_login_is_a_page_that_people_read() {
    let house = staffed().await;
    let reads = |page: &Page, status: &[u16]| {
        assert!(status.contains(&page.status), "{} {}", page.status, page.text);
        assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"), "{:?}", page.headers);
        assert!(page.text.contains("<html lang=\"en\">"), "{}", page.text);
    };
    let mut browser = Browser::new(&house);
    reads(&browser.post_bare("/login", &[("name", "viewer")], &[]).await, &[422]);
    reads(&browser.post_bare("/login/demo", &[("role", "viewer")], &[]).await, &[404]);
    let mut known = logged_in(&house, Role::Viewer).await;
    house.hospital.desk.engine.pool.close().await;
    reads(&browser.log_in("viewer", PASSWORD).await, &[500, 503]);
    reads(&known.get("/account").await, &[500, 503]);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_administrator_comes_by_a_link_that_is_good_once() {
    let house = House::open(LevelPolicy::default()).await;
    let desk = &house.hospital.desk;
    let (link, second) =
        (desk.lodge.first_link().await.unwrap().unwrap(), desk.lodge.first_link().await.unwrap().unwrap());
    let path = format!("/welcome/{}", link.expose());
    let mut browser = Browser::new(&house);
    assert!(browser.get(&path).await.text.contains("You become the first administrator"));
    let form = |name: &'static str, password: &'static str, again: &'static str| {
        [("name", name), ("password", password), ("again", again)]
    };
    for (fields, said) in [
        (form("anna", PASSWORD, "another one, longer"), "The two passwords differ"),
        (form("anna", "short", "short"), "at least 12 characters"),
        (form("anna", "password1234", "password1234"), "too common"),
        (form("an na", PASSWORD, PASSWORD), "A name has 2 to 32"),
    ] {
        let page = browser.post_bare(&path, &fields, &[]).await;
        assert_eq!(page.status, 422, "{said}");
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    assert_eq!(browser.post_bare(&path, &form("Anna", PASSWORD, PASSWORD), &[]).await.to(), "/");
    let users = browser.get("/users").await;
    assert!(users.text.contains("<b>anna</b>"), "{}", users.text);
    // Neither this link nor another makes a second first one.
    for link in [&link, &second] {
        let path = format!("/welcome/{}", link.expose());
        assert_eq!(browser.get(&path).await.status, 410);
        let page = browser.post_bare(&path, &form("mallory", PASSWORD, PASSWORD), &[]).await;
        assert_eq!(page.status, 410);
        assert!(page.text.contains("was used or has ended"), "{}", page.text);
    }
    assert_eq!(desk.lodge.first_link().await.unwrap().map(|link| link.hash()), None);
    assert_eq!(browser.get("/welcome/nonsense").await.status, 410);
    assert_eq!(deeds(&house).await, ["anna user.first"]);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_want_to_be_first_one_is() {
    let house = House::open(LevelPolicy::default()).await;
    let desk = &house.hospital.desk;
    let (one, two) = (desk.lodge.first_link().await.unwrap().unwrap(), desk.lodge.first_link().await.unwrap().unwrap());
    let password = PASSWORD.into();
    let (first, second) = tokio::join!(
        desk.lodge.become_first(&one, "anna", &password),
        desk.lodge.become_first(&two, "bert", &password)
    );
    assert!(first.is_ok() != second.is_ok());
    assert_eq!(desk.lodge.users().await.unwrap().len(), 1);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_ends_after_a_day() {
    let house = House::open(LevelPolicy::default()).await;
    let link = house.hospital.desk.lodge.first_link().await.unwrap().unwrap();
    let mut browser = Browser::new(&house);
    pass(&house, "link", 24 * 60 - 1).await;
    assert_eq!(browser.get(&format!("/welcome/{}", link.expose())).await.status, 200);
    pass(&house, "link", 2).await;
    assert_eq!(browser.get(&format!("/welcome/{}", link.expose())).await.status, 410);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_demo_nobody_comes_in_by_one_click() {
    let house = staffed().await;
    let mut browser = Browser::new(&house);
    assert!(!browser.get("/login").await.text.contains("/login/demo"));
    assert_eq!(browser.post_bare("/login/demo", &[("role", "administrator")], &[]).await.status, 404);
    assert_eq!(browser.cookie, None);
    house.hospital.close().await;

    let house = House::entered(Settings { demo: true, ..Settings::default() }).await;
    house.hospital.desk.lodge.make_demo_users(&PASSWORD.into()).await.unwrap();
    let mut browser = Browser::new(&house);
    assert!(browser.get("/login").await.text.contains(r#"action="/login/demo""#));
    assert_eq!(browser.post_bare("/login/demo", &[("role", "operator")], &[]).await.to(), "/");
    assert!(browser.get("/account").await.text.contains("Operator"));
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_in_the_language_that_somebody_reads() {
    let house = staffed().await;
    let mut browser = Browser::reading(&house, "zh-CN");
    assert!(browser.get("/login").await.text.contains("用户名"));
    assert!(browser.get("/login?lang=en").await.text.contains("User name"));
    browser.log_in("viewer", PASSWORD).await;
    assert!(browser.get("/account").await.text.contains("修改密码"));
    let page = browser.post("/language", &[("language", "en")]).await;
    assert_eq!(page.to(), "/");
    assert!(page.headers["set-cookie"].to_str().unwrap().starts_with("houbu_language=en;"));
    assert!(browser.get("/account").await.text.contains("Change the password"), "in any browser of the user's");
    house.hospital.close().await;
}
