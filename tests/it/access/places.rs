//! Wrong passwords end the tries of the place where they were tried: nobody keeps a user out by knowing the name.

use std::time::Instant;

use futures::FutureExt;
use houbu::desk::access::Knock;
use houbu::desk::access::role::Role;
use houbu::desk::access::token::Token;

use super::browser::Browser;
use super::{PASSWORD, logged_in, pass, staffed};
use crate::surface::House;

const WRONG: &str = "another lamp, seven geese";
const OTHER: &str = "quiet rivers bend at noon";

fn from(address: &str) -> Knock<'_> {
    Knock { from: Some(address.parse().unwrap()), browser: None }
}

async fn comes_in(house: &House, password: &str, knock: Knock<'_>) -> Option<Token> {
    house.hospital.desk.lodge.log_in("operator", &password.into(), knock).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_passwords_from_elsewhere_keep_nobody_out() {
    let house = staffed().await;
    for _ in 0..5 {
        assert!(comes_in(&house, WRONG, from("198.51.100.7")).await.is_none());
    }
    // For as long as somebody goes on.
    for _ in 0..3 {
        assert!(comes_in(&house, PASSWORD, from("198.51.100.7")).await.is_none(), "it is locked there");
        assert!(comes_in(&house, PASSWORD, from("203.0.113.9")).await.is_some(), "and nowhere else");
        pass(&house, "locked", 15).await;
        assert!(comes_in(&house, WRONG, from("198.51.100.7")).await.is_none());
    }
    // One who has a whole network of IPv6 is at one place, however many addresses that is.
    for host in 1..=5 {
        assert!(comes_in(&house, WRONG, from(&format!("2001:db8:1:2::{host}"))).await.is_none());
    }
    assert!(comes_in(&house, PASSWORD, from("2001:db8:1:2:ffff::6")).await.is_none());
    assert!(comes_in(&house, PASSWORD, from("2001:db8:1:3::1")).await.is_some());
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_in_which_its_user_came_in_before_is_a_place_of_its_own() {
    let house = staffed().await;
    let mut person = logged_in(&house, Role::Operator).await;
    let known = person.known.clone().unwrap();
    assert!(known.starts_with("houbu_browser="), "{known}");
    person.post("/logout", &[]).await;
    assert_eq!(person.known.as_ref(), Some(&known), "the browser stays known");
    // Somebody on the same ward, behind the same address.
    let mut other = Browser::new(&house);
    for _ in 0..5 {
        assert_eq!(other.log_in("operator", WRONG).await.status, 401);
    }
    assert_eq!(other.log_in("operator", PASSWORD).await.status, 401, "locked out for all whom nobody knows there");
    assert_eq!(person.log_in("operator", PASSWORD).await.to(), "/");
    assert_eq!(person.known.as_ref(), Some(&known));
    // It is no way around the limit.
    for _ in 0..5 {
        assert_eq!(person.log_in("operator", WRONG).await.status, 401);
    }
    assert_eq!(person.log_in("operator", PASSWORD).await.status, 401);
    let stranger = Token::make().unwrap();
    let knock = Knock { from: None, browser: Some(&stranger) };
    assert!(comes_in(&house, PASSWORD, knock).await.is_none(), "what nobody gave away says nothing");

    let kept: Vec<Vec<u8>> = sqlx::query_scalar("select mark from staff_place where kind = 'browser'")
        .fetch_all(&house.hospital.desk.engine.pool)
        .await
        .unwrap();
    let secret = Token::presented(known.split_once('=').unwrap().1).unwrap();
    assert_eq!(kept, [secret.hash()], "only a hash is kept");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_is_known_to_those_alone_who_came_in_there() {
    let house = staffed().await;
    let mut person = logged_in(&house, Role::Operator).await;
    for _ in 0..5 {
        assert_eq!(Browser::new(&house).log_in("viewer", WRONG).await.status, 401);
    }
    assert_eq!(person.log_in("viewer", PASSWORD).await.status, 401, "it never was the viewer's");
    // Two who share it are both known there, by one secret.
    let known = person.known.clone();
    assert_eq!(person.log_in("admin", PASSWORD).await.to(), "/");
    assert_eq!(person.known, known);
    for _ in 0..5 {
        assert_eq!(Browser::new(&house).log_in("operator", WRONG).await.status, 401);
    }
    assert_eq!(person.log_in("operator", PASSWORD).await.to(), "/");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_browser_is_known_by_a_password_that_is_not_good_any_more() {
    let house = staffed().await;
    let mut thief = logged_in(&house, Role::Operator).await;
    let mut person = logged_in(&house, Role::Operator).await;
    let changed = [("present", PASSWORD), ("password", OTHER), ("again", OTHER)];
    assert_eq!(person.post("/account/password", &changed).await.status, 200);
    for _ in 0..5 {
        assert_eq!(Browser::new(&house).log_in("operator", WRONG).await.status, 401);
    }
    assert_eq!(thief.log_in("operator", OTHER).await.status, 401);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_networks_slow_a_name_down_for_strangers_and_lock_it_for_nobody() {
    let house = staffed().await;
    let home = Some("203.0.113.9".parse().unwrap());
    let session = comes_in(&house, PASSWORD, Knock { from: home, browser: None }).await.unwrap();
    let browser = house.hospital.desk.lodge.know_browser(&session, None).await.unwrap();
    for nth in 1..=20 {
        // Whoever tries goes away without waiting for the answer.
        let address = format!("198.51.100.{nth}");
        assert!(comes_in(&house, WRONG, from(&address)).now_or_never().is_none());
    }
    let began = Instant::now();
    assert!(comes_in(&house, PASSWORD, Knock { from: home, browser: Some(&browser) }).await.is_some());
    let of_known = began.elapsed();
    let began = Instant::now();
    assert!(comes_in(&house, PASSWORD, Knock { from: home, browser: None }).await.is_some(), "slower, and let in");
    assert!(of_known < began.elapsed(), "whoever is known waits for nobody");
    house.hospital.close().await;
}
