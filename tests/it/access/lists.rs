//! What lists of the console give away, and to whom they lead.

use houbu::desk::access::role::Role;

use super::browser::Browser;
use super::{PASSWORD, logged_in, staffed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_at_the_door_is_picked_in_the_audit_and_read_in_ones_language() {
    let house = staffed().await;
    Browser::new(&house).log_in("operator", "another lamp, seven geese").await;
    let mut english = logged_in(&house, Role::Viewer).await;
    let page = english.get("/audit").await;
    for verb in ["login.failed", "logout.everywhere", "user.role", "user.password", "key.revoke"] {
        assert!(page.text.contains(&format!("<option value=\"{verb}\"")), "{verb}: {}", page.text);
    }
    let mut chinese = Browser::reading(&house, "zh-CN");
    chinese.log_in("viewer", PASSWORD).await;
    let page = chinese.get("/audit?verb=login.failed").await;
    let row = page.between("<tr data-row>", "</tr>");
    assert!(row.contains("登录失败") && row.contains("operator") && !row.contains("login.failed"), "{row}");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_address_puts_a_sentence_into_the_word_of_what_was_done() {
    let house = staffed().await;
    let mut browser = logged_in(&house, Role::Viewer).await;
    for path in ["/runs", "/jobs"] {
        let page = browser.get(&format!("{path}?done=Call%20555%20to%20unlock%20it")).await;
        assert_eq!(page.status, 200);
        assert!(!page.text.contains("to unlock it") && !page.text.contains("class=\"flash\""), "{}", page.text);
    }
    assert!(browser.get("/jobs?done=pause").await.text.contains("class=\"flash\""));
    house.hospital.close().await;
}
