//! What administrators do to users, and that nobody else does it.

use houbu::desk::access::role::Role;

use super::browser::Browser;
use super::{PASSWORD, deeds, last_deed, logged_in, pass, staffed};
use crate::surface::House;

const OTHER: &str = "quiet rivers bend at noon";

/// The id of a user.
async fn id_of(house: &House, name: &str) -> String {
    let users = house.hospital.desk.lodge.users().await.unwrap();
    users.iter().find(|user| user.name == name).unwrap().id.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_administrator_looks_at_users_and_changes_them() {
    let house = staffed().await;
    let admin = id_of(&house, "admin").await;
    for role in [Role::Viewer, Role::Operator] {
        let mut browser = logged_in(&house, role).await;
        assert!(browser.get("/users").await.text.contains("This needs the role Administrator"));
        for (path, fields) in [
            ("/users".to_owned(), vec![("name", "mallory"), ("role", "administrator"), ("reason", "a reason")]),
            (format!("/users/{admin}/role"), vec![("role", "viewer"), ("reason", "a reason")]),
            (format!("/users/{admin}/deed"), vec![("deed", "disable"), ("reason", "a reason")]),
        ] {
            assert_eq!(browser.post(&path, &fields).await.status, 403, "{role:?} {path}");
        }
    }
    assert_eq!(house.hospital.desk.lodge.users().await.unwrap().len(), 3);
    let mut browser = logged_in(&house, Role::Administrator).await;
    let page = browser.get("/users").await;
    for said in ["What each role may do", "Manage users, roles and their sessions", "<b>operator</b>"] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_is_invited_chooses_a_password_and_comes_in() {
    let house = staffed().await;
    let mut admin = logged_in(&house, Role::Administrator).await;
    let page = admin.post("/users", &[("name", "Anna.Keller"), ("role", "operator"), ("reason", "a reason")]).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let link = page.between("<pre id=\"secret\">", "</pre>");
    let path = link.strip_prefix("http://houbu.test").unwrap();
    assert!(page.text.contains("Invited"), "{}", page.text);
    assert_eq!(
        admin.post("/users", &[("name", "anna.keller"), ("role", "viewer"), ("reason", "a reason")]).await.status,
        409
    );

    let mut anna = Browser::new(&house);
    assert_eq!(anna.log_in("anna.keller", "").await.status, 401, "there is no password yet");
    assert!(anna.get(path).await.text.contains("anna.keller"));
    let own_name = [("name", "admin"), ("password", "anna.keller1"), ("again", "anna.keller1")];
    let page = anna.post_bare(path, &own_name, &[]).await;
    assert!(page.text.contains("too much like the user"), "{}", page.text);
    let fields = [("name", "admin"), ("password", OTHER), ("again", OTHER)];
    assert_eq!(anna.post_bare(path, &fields, &[]).await.to(), "/");
    assert!(anna.get("/account").await.text.contains("anna.keller"), "the link says who, not the form");
    assert_eq!(anna.get(path).await.status, 410);
    assert_eq!(anna.log_in("anna.keller", OTHER).await.to(), "/");
    let deeds = deeds(&house).await;
    for deed in ["admin user.invite", "anna.keller login.failed", "anna.keller user.password", "anna.keller login"] {
        assert!(deeds.contains(&deed.to_owned()), "{deed}: {deeds:?}");
    }
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_holds_from_the_next_request_and_a_user_who_is_shut_out_is_out_at_once() {
    let house = staffed().await;
    let operator = id_of(&house, "operator").await;
    let mut admin = logged_in(&house, Role::Administrator).await;
    let mut person = logged_in(&house, Role::Operator).await;
    assert_eq!(person.get("/users").await.status, 403);
    assert_eq!(
        admin
            .post(&format!("/users/{operator}/role"), &[("role", "administrator"), ("reason", "a reason")])
            .await
            .status,
        200
    );
    assert_eq!(person.get("/users").await.status, 200);
    let deed = last_deed(&house).await;
    assert_eq!((&deed["verb"], &deed["before"]["role"]), (&"user.role".into(), &"operator".into()));
    assert_eq!((&deed["after"]["role"], &deed["reason"]), (&"administrator".into(), &"a reason".into()));

    assert_eq!(
        admin.post(&format!("/users/{operator}/deed"), &[("deed", "disable"), ("reason", "a reason")]).await.status,
        200
    );
    assert_eq!(person.get("/account").await.status, 303);
    assert_eq!(person.log_in("operator", PASSWORD).await.status, 401);
    let page = admin.post(&format!("/users/{operator}/deed"), &[("deed", "enable"), ("reason", "a reason")]).await;
    assert!(page.text.contains("Done."), "{}", page.text);
    assert_eq!(person.log_in("operator", PASSWORD).await.to(), "/");

    // A new link, and the sessions before it end once it is used.
    let page = admin.post(&format!("/users/{operator}/deed"), &[("deed", "link"), ("reason", "a reason")]).await;
    let link = page.between("<pre id=\"secret\">http://houbu.test", "</pre>");
    assert_eq!(person.get("/account").await.status, 200);
    let mut other = Browser::new(&house);
    assert_eq!(other.post_bare(&link, &[("name", ""), ("password", OTHER), ("again", OTHER)], &[]).await.to(), "/");
    assert_eq!(person.get("/account").await.status, 303);
    assert_eq!(person.log_in("operator", PASSWORD).await.status, 401);
    assert_eq!(
        admin.post(&format!("/users/{operator}/deed"), &[("deed", "sessions"), ("reason", "a reason")]).await.status,
        200
    );
    assert_eq!(other.get("/account").await.status, 303);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_locked_out_is_let_in_again_by_an_administrator() {
    let house = staffed().await;
    let viewer = id_of(&house, "viewer").await;
    let mut person = Browser::new(&house);
    for nth in 0..5 {
        person.log_in("viewer", &format!("not this one either {nth}")).await;
    }
    assert_eq!(person.log_in("viewer", PASSWORD).await.status, 401);
    let mut admin = logged_in(&house, Role::Administrator).await;
    assert!(admin.get("/users").await.text.contains("Locked out somewhere"));
    admin.post(&format!("/users/{viewer}/deed"), &[("deed", "enable"), ("reason", "a reason")]).await;
    assert_eq!(person.log_in("viewer", PASSWORD).await.to(), "/");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_always_is_an_administrator_who_can_come_in() {
    let house = staffed().await;
    let (admin, operator) = (id_of(&house, "admin").await, id_of(&house, "operator").await);
    let mut browser = logged_in(&house, Role::Administrator).await;
    // Somebody who was invited and has no password yet cannot let anybody in.
    browser.post("/users", &[("name", "bert"), ("role", "administrator"), ("reason", "a reason")]).await;
    for (path, field) in [("role", ("role", "viewer")), ("deed", ("deed", "disable"))] {
        let fields = [field, ("reason", "a reason")];
        let page = browser.post(&format!("/users/{admin}/{path}"), &fields).await;
        assert_eq!(page.status, 409);
        assert!(page.text.contains("at least one administrator"), "{}", page.text);
    }
    browser.post(&format!("/users/{operator}/role"), &[("role", "administrator"), ("reason", "a reason")]).await;
    assert_eq!(
        browser.post(&format!("/users/{admin}/role"), &[("role", "viewer"), ("reason", "a reason")]).await.status,
        200
    );
    assert_eq!(browser.get("/users").await.status, 403, "from now on");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_changed_by_whoever_knows_the_present_one() {
    let house = staffed().await;
    let mut browser = logged_in(&house, Role::Viewer).await;
    let mut elsewhere = logged_in(&house, Role::Viewer).await;
    let form = |present: &'static str, password: &'static str, again: &'static str| {
        [("present", present), ("password", password), ("again", again)]
    };
    for (fields, status) in [
        (form("not the present one", OTHER, OTHER), 401),
        (form(PASSWORD, OTHER, PASSWORD), 422),
        (form(PASSWORD, "viewerviewer1", "viewerviewer1"), 422),
    ] {
        assert_eq!(browser.post("/account/password", &fields).await.status, status);
    }
    let page = browser.post("/account/password", &form(PASSWORD, OTHER, OTHER)).await;
    assert!(page.text.contains("The password is changed"), "{}", page.text);
    assert_eq!(browser.get("/account").await.status, 200);
    assert_eq!(elsewhere.get("/account").await.status, 303);
    assert_eq!(elsewhere.log_in("viewer", PASSWORD).await.status, 401);
    assert_eq!(elsewhere.log_in("viewer", OTHER).await.to(), "/");
    // Whoever sits at a browser that was left alone guesses no faster than at the door.
    for _ in 0..5 {
        browser.post("/account/password", &form("a guess at a browser", PASSWORD, PASSWORD)).await;
    }
    assert_eq!(browser.post("/account/password", &form(OTHER, PASSWORD, PASSWORD)).await.status, 401);
    pass(&house, "locked", 1).await;
    assert_eq!(browser.post("/account/password", &form(OTHER, PASSWORD, PASSWORD)).await.status, 200);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn choosing_passwords_that_are_refused_locks_nobody_out() {
    let house = staffed().await;
    let mut browser = logged_in(&house, Role::Viewer).await;
    for weak in ["short", "password1234", "abcdefghijklmn", "viewerviewer1", "aaaaaaaaaaaa", "123456789012"] {
        let form = [("present", PASSWORD), ("password", weak), ("again", weak)];
        let page = browser.post("/account/password", &form).await;
        assert_eq!(page.status, 422, "{weak}: {}", page.text);
    }
    assert_eq!(Browser::new(&house).log_in("viewer", PASSWORD).await.to(), "/");
    let good = [("present", PASSWORD), ("password", OTHER), ("again", OTHER)];
    assert_eq!(browser.post("/account/password", &good).await.status, 200);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_good_no_more_once_the_password_is_changed_or_its_user_shut_out() {
    let house = staffed().await;
    let operator = id_of(&house, "operator").await;
    let deed = format!("/users/{operator}/deed");
    let mut admin = logged_in(&house, Role::Administrator).await;
    let mut person = logged_in(&house, Role::Operator).await;
    let mut finder = Browser::new(&house);
    let page = admin.post(&deed, &[("deed", "link"), ("reason", "a reason")]).await;
    let link = page.between("<pre id=\"secret\">http://houbu.test", "</pre>");
    assert_eq!(finder.get(&link).await.status, 200);
    let changed = [("present", PASSWORD), ("password", OTHER), ("again", OTHER)];
    assert_eq!(person.post("/account/password", &changed).await.status, 200);
    let chosen = [("name", ""), ("password", "what the finder would like"), ("again", "what the finder would like")];
    assert_eq!(finder.get(&link).await.status, 410);
    assert_eq!(finder.post_bare(&link, &chosen, &[]).await.status, 410);

    let page = admin.post(&deed, &[("deed", "link"), ("reason", "a reason")]).await;
    let link = page.between("<pre id=\"secret\">http://houbu.test", "</pre>");
    for done in ["disable", "enable"] {
        assert_eq!(admin.post(&deed, &[("deed", done), ("reason", "a reason")]).await.status, 200);
    }
    assert_eq!(finder.post_bare(&link, &chosen, &[]).await.status, 410, "let in again is the user, not the link");
    assert_eq!(person.log_in("operator", OTHER).await.to(), "/");
    house.hospital.close().await;
}

#[test]
fn the_document_shows_the_table_of_permissions() {
    use std::fmt::Write as _;

    use houbu::desk::access::role::PERMISSIONS;

    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations/access.md");
    let text = std::fs::read_to_string(page).unwrap();
    let (_, rest) = text.split_once("<!-- permissions -->\n").unwrap();
    let (stands, _) = rest.split_once("<!-- /permissions -->").unwrap();
    let names: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
    let mut table = format!("| | {} |\n|---|---|---|---|\n", names.join(" | "));
    for (_, needs, _, what) in PERMISSIONS {
        let marks = Role::ALL.map(|role| if role >= needs { "✓" } else { "" });
        writeln!(table, "| {what} | {} |", marks.join(" | ")).unwrap();
    }
    assert_eq!(stands, table);
}
