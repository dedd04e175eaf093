//! What the desk's pages say of a schedule's places and of the day: who got which place and why, and as many lines behind a number as
//! it says.

use axum::http::StatusCode;
use houbu::waitlist::policy::PaymentMode;
use serde_json::json;

use super::clinic::HOSPITAL;
use super::console::{Person, house};
use super::surface::{House, on};

/// The rows of the table of places.
fn rows(page: &str) -> Vec<&str> {
    let table = page.split("class=\"fold slots\"").nth(1).and_then(|rest| rest.split("</table>").next());
    table.unwrap_or_default().split("<tr class=").skip(1).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_shows_who_got_which_place_when_and_why() {
    let house = House::with_patients(on(PaymentMode::None), &["p1", "p2"]).await;
    let viewer = Person::with(&house, "telephone", "viewer", "en").await;
    let page = viewer.page("/schedules/S1").await;
    assert!(rows(&page).is_empty() && page.contains("No place was handed out yet"), "{page}");
    let mut ids = Vec::new();
    for patient in ["p1", "p2"] {
        let apply = json!({ "scheduleId": "S1", "patientId": patient });
        let applied = house.ask("POST", "/v1/waitlist", Some(patient), Some(apply)).await;
        ids.push(applied.json()["waitlistId"].as_str().unwrap().to_owned());
    }
    let worker = house.work().await;
    let freed = house.ask("POST", "/v1/schedules/S1/releases", Some("r1"), Some(json!({ "eventId": "r1" }))).await;
    assert_eq!(freed.status, StatusCode::ACCEPTED, "{}", freed.text);
    let booked = house.until(&ids[0], "booked").await;
    let appointment = booked["appointmentId"].as_str().unwrap().to_owned();
    let page = viewer.page("/schedules/S1").await;
    let place = rows(&page)[0];
    for said in
        ["08:30–09:00", "Booked", "张*丰", &ids[0], "/patients/p1", "First in line", "Offered", "Heard that it is free"]
    {
        assert!(place.contains(said), "{said}: {place}");
    }
    let others = page.split("id=\"others\"").nth(1).unwrap();
    assert!(!others.contains(&ids[0]), "nobody is told of twice: {others}");
    assert!(page.contains("data-live=\"queues\"") && page.contains("id=\"places\""), "it is drawn anew as the rest is");
    house.ask("DELETE", &format!("/v1/appointments/{appointment}"), None, None).await;
    house.until(&ids[0], "visitCancelled").await;
    let page = viewer.page("/schedules/S1").await;
    let gone = rows(&page).into_iter().find(|row| row.contains("/patients/p1\"")).unwrap();
    assert!(gone.contains("Released") && gone.contains("The visit was cancelled"), "{gone}");
    worker.stop().await;
    house.hospital.close().await;
}

/// How many lines the page behind a number has, all its parts together, and the number that it repeats.
async fn lines(person: &Person<'_>, href: &str) -> (usize, String) {
    let (mut next, mut n, mut number) = (Some(href.to_owned()), 0, String::new());
    while let Some(path) = next {
        let page = person.page(&path).await;
        n += page.matches("<tr data-row>").count();
        page.split("id=\"number\">")
            .nth(1)
            .and_then(|rest| rest.split('<').next())
            .unwrap_or_default()
            .clone_into(&mut number);
        let older = page.split("href=\"").find(|part| part.starts_with(href) && part.contains("at="));
        next = older.and_then(|part| part.split('"').next()).map(|part| part.replace("&#38;", "&"));
        assert!(n < 1_000, "it never ends");
    }
    (n, number)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_number_of_the_first_page_leads_to_as_many_lines() {
    let (house, run) = house().await;
    let reader = Person::with(&house, "reader", "viewer", "en").await;
    // Some of each; more of those that were paid than a page holds, many of one instant.
    for statement in [
        "insert into entry (hospital, id, idempotency_key, schedule_id, doctor_id, department_id, campus_id, patient_id, status, live,
                            payment_mode, fee_fen, cutoff, created_at)
         select hospital, gen_random_uuid(), 'more-' || n, schedule_id, doctor_id, department_id, campus_id, 'x' || n,
                (array['offered', 'awaitingPayment', 'waiting', 'settling', 'booked'])[1 + n % 5], n % 5 < 3, payment_mode, fee_fen,
                cutoff, created_at - case when n % 7 = 0 then interval '2 days' else interval '0' end
         from entry cross join generate_series(1, 160) n where hospital = $1",
        "insert into payment (hospital, out_trade_no, entry_id, amount_fen, status, paid_at, refunded_fen, settled_at)
         select hospital, 'T' || row_number() over (), id, 5000, (array['paid', 'refunding', 'refunded'])[1 + row_number() over () % 3],
                engine_now(), case when row_number() over () % 3 = 2 then 1500 else 0 end,
                case when row_number() over () % 3 = 2 then engine_now() end
         from entry where hospital = $1 and idempotency_key like 'more-%'",
        "insert into appointment (hospital, id, entry_id, patient_id, schedule_id, slot, his_order_id, serial, place, status, booked_at,
                                  cancelled_at)
         select hospital, 'V' || row_number() over (), id, patient_id, schedule_id, '{}', 'H' || id, '1', 'Room', 'booked', engine_now(),
                case when row_number() over () % 2 = 0 then engine_now() end
         from entry where hospital = $1 and status = 'booked'",
    ] {
        sqlx::query(statement).bind(HOSPITAL).execute(&house.hospital.pool).await.unwrap();
    }
    sqlx::query(
        "update run set status = 'suspended', step = 'RefundWait', due_at = null where tenant = $1 and id = $2::uuid",
    )
    .bind(HOSPITAL)
    .bind(&run)
    .execute(&house.hospital.pool)
    .await
    .unwrap();
    let home = reader.page("/").await;
    let tiles: Vec<(String, String)> = home
        .split("<a class=\"tile\" href=\"")
        .skip(1)
        .map(|tile| {
            let (href, rest) = tile.split_once('"').unwrap();
            let number = rest.split("<b>").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
            (href.to_owned(), number.to_owned())
        })
        .collect();
    assert_eq!(tiles.len(), 8);
    for (href, number) in tiles {
        let (n, repeated) = lines(&reader, &href).await;
        assert_eq!(repeated, number, "{href}");
        assert!(n > 0, "{href} has lines to be counted");
        match number.split_once('.') {
            Some((yuan, _)) => {
                assert_eq!(yuan.parse::<usize>().unwrap(), n * if href.ends_with("paid") { 50 } else { 15 }, "{href}");
            }
            None => assert_eq!(number.parse::<usize>().unwrap(), n, "{href}"),
        }
    }
    // Another day has its own.
    let page = reader.page("/day/applied?day=2026-01-15").await;
    assert!(page.contains("2026-01-15") && page.matches("<tr data-row>").count() == 0, "{page}");
    // A refund that stands still leads to that one, not to whatever stands still.
    assert!(home.contains("1 refund that the payment provider"), "{home}");
    let (n, _) = lines(&reader, "/day/stuck-refunds").await;
    assert_eq!((n, home.contains("href=\"/day/stuck-refunds\"")), (1, true));
    house.hospital.close().await;
}

/// What waits for a person is as many lines of its list as the first page says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_person_is_counted_as_its_list_has_it() {
    let (house, _) = house().await;
    for statement in [
        "insert into reconciliation_case (hospital, id, kind, subject, entry_id, day, ours, theirs, state, resolved_at)
         select $1, gen_random_uuid(), 'missing', 'x' || nth, gen_random_uuid(), '2026-03-01', 'paid', 'none', state,
                case state when 'resolved' then engine_now() end
         from unnest(array['open', 'open', 'suspect', 'open', 'resolved']) with ordinality as known (state, nth)",
        "insert into blacklist_appeal (hospital, id, patient_id, said, state, decided_at)
         select $1, gen_random_uuid(), 'p' || nth, 'x', state, case state when 'refused' then engine_now() end
         from unnest(array['open', 'open', 'refused', 'open', 'open']) with ordinality as known (state, nth)",
        "insert into callback (hospital, source, event_id, kind, subject, body, fate)
         select $1, 'platform', fate || n, 'delivered', 'x', '{}', fate
         from generate_series(1, 3) n, unnest(array['no-run', 'received', 'refused', 'for-staff', 'delivered', 'settled', 'ignored']) fate",
    ] {
        sqlx::query(statement).bind(HOSPITAL).execute(&house.hospital.pool).await.unwrap();
    }
    let staff = Person::with(&house, "operator", "operator", "en").await;
    let home = staff.page("/").await;
    let said = |href: &str| -> usize {
        let links = (1..9).map(|n| format!("id=\"matter-{n}\" href=\"{href}\""));
        let before =
            links.into_iter().find_map(|link| home.split_once(&link)).unwrap_or_else(|| panic!("{href} in {home}")).0;
        let number = before.rsplit_once("<strong>").unwrap().1.split(' ').next().unwrap();
        number.parse().unwrap()
    };
    for (href, list, row) in [
        ("/cases", "/cases", "<tr data-row"),
        ("/blacklist", "/blacklist", "<li class=\"warning\" data-row"),
        ("/callbacks?fate=unmatched", "/callbacks?fate=unmatched", "<tr data-row"),
    ] {
        let page = staff.page(list).await;
        // What waits for nobody can be done again, and is not put forward.
        if list.starts_with("/callbacks") {
            let all = staff.page("/callbacks").await;
            assert_eq!(all.matches("<b>See to it</b>").count(), page.matches("<b>See to it</b>").count(), "{all}");
            assert!(all.contains(">Do again</summary>") && !page.contains(">Do again</summary>"), "{page}");
        }
        let lines = page.split_once("id=\"signals\"").map_or(page.as_str(), |(list, _)| list).matches(row).count();
        assert!(lines > 0, "{list} has lines to be counted: {page}");
        assert_eq!(said(href), lines, "{list}");
    }
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_lets_somebody_in_or_makes_a_key_says_why() {
    let (house, _) = house().await;
    let chief = Person::with(&house, "chief", "administrator", "en").await;
    let id = sqlx::query_scalar::<_, uuid::Uuid>("select id from staff_user where name = 'chief'");
    let id = id.fetch_one(&house.hospital.pool).await.unwrap();
    for (path, fields) in [
        ("/users".to_owned(), vec![("name", "anna"), ("role", "viewer")]),
        (format!("/users/{id}/role"), vec![("role", "viewer")]),
        (format!("/users/{id}/deed"), vec![("deed", "sessions")]),
        ("/keys".to_owned(), vec![("name", "kiosk"), ("runs", "on")]),
    ] {
        assert_eq!(chief.form(&path, &fields).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    }
    assert_eq!(house.hospital.count("select count(*) from staff_user").await, 1, "nothing was done");
    let anna = [("name", "anna"), ("role", "viewer"), ("reason", "telephone desk")];
    assert_eq!(chief.form("/users", &anna).await.status, StatusCode::OK);
    let kiosk = [("name", "kiosk"), ("runs", "on"), ("reason", "hall two")];
    assert_eq!(chief.form("/keys", &kiosk).await.status, StatusCode::OK);
    let audit = chief.page("/audit").await;
    assert!(audit.contains("telephone desk") && audit.contains("hall two"), "{audit}");
    // Instants are as everywhere: in the hospital's zone, with how long ago.
    for page in ["/account", "/keys", "/users"] {
        let page = chief.page(page).await;
        assert!(!page.contains("2026-03-02 0"), "a bare instant: {page}");
    }
    assert!(chief.page("/keys").await.contains("<time datetime=\""));
    assert!(chief.page("/account").await.contains("<span class=\"age\">"));
    house.hospital.close().await;
}
