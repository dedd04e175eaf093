//! Who may come in to the console and what they may do there, as a browser finds it; and what the audit knows of it.

pub(crate) mod browser;
mod coming_in;
mod keys;
mod lists;
mod places;
mod provider;
mod terminal;
mod users;

use houbu::desk::access::role::Role;
use serde_json::Value;

use crate::surface::House;
use browser::Browser;
use houbu::waitlist::policy::LevelPolicy;

pub(crate) const PASSWORD: &str = "a lamp, seven geese, rain";

/// A house with the users of a demo, all with [`PASSWORD`].
async fn staffed() -> House {
    let house = House::open(LevelPolicy::default()).await;
    house.hospital.desk.lodge.make_demo_users(&PASSWORD.into()).await.unwrap();
    house
}

/// A browser in which the demo's user of a role is logged in.
async fn logged_in(house: &House, role: Role) -> Browser<'_> {
    let mut browser = Browser::new(house);
    assert_eq!(browser.log_in(houbu::desk::access::demo_name(role), PASSWORD).await.to(), "/");
    browser
}

/// The audit's verbs with who did each, oldest first.
async fn deeds(house: &House) -> Vec<String> {
    let audit = house.get("/v1/audit").await.json();
    let items = audit["items"].as_array().unwrap().iter().rev();
    items.map(|one| format!("{} {}", one["who"].as_str().unwrap(), one["verb"].as_str().unwrap())).collect()
}

/// The last deed.
async fn last_deed(house: &House) -> Value {
    house.get("/v1/audit").await.json()["items"][0].clone()
}

/// Lets so long pass for sessions and lock-outs, which go by the server's own clock.
async fn pass(house: &House, what: &'static str, minutes: i32) {
    let by = match what {
        "idle" => "update staff_session set seen_at = seen_at - make_interval(mins => $1)",
        "since login" => "update staff_session set began_at = began_at - make_interval(mins => $1)",
        "locked" => "update staff_place set locked_until = locked_until - make_interval(mins => $1)",
        "link" => "update staff_link set ends_at = ends_at - make_interval(mins => $1)",
        _ => unreachable!("{what}"),
    };
    sqlx::query(by).bind(minutes).execute(&house.hospital.desk.engine.pool).await.unwrap();
}
