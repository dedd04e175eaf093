//! A backend service that waits with a patient, by the typed client: it joins the first queue that is open, waits for a place,
//! accepts it, and says what came of it.
//!
//! `HOUBU_API_KEY=… cargo run --example waiting -- http://127.0.0.1:8080 K01` asks a running Houbu, a demo's for one.

use std::time::Duration;

use anyhow::Context;
use houbu::client::shapes::{Language, NamedOffer, NewEntry, NewPatient, SchedulesWanted};
use houbu::client::{Client, Error};

/// How long the example waits for a place.
const PATIENCE: Duration = Duration::from_mins(5);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
    let department_id = arguments.next();
    let key = std::env::var("HOUBU_API_KEY").context("put an API key into HOUBU_API_KEY")?;
    let houbu = Client::new(&url, &key)?.reading(Language::En);

    let patient = NewPatient {
        name: "张三丰".to_owned(),
        id_type: "5".to_owned(),
        id_number: "E12345678".to_owned(),
        phone: "13800138000".to_owned(),
        openid: Some("o-example".to_owned()),
        guardian: None,
    };
    let known = houbu.put_patient("example", &patient).await?;
    println!("{} is known as {}", known.patient_id, known.masked);

    let schedules = houbu.schedules(&SchedulesWanted { department_id, ..SchedulesWanted::default() }).await?.body;
    let open = schedules.items.into_iter().find(|schedule| schedule.full && schedule.waitlist.open);
    let Some(schedule) = open else {
        println!("no schedule is full with an open waitlist");
        return Ok(());
    };
    let queue = houbu.queue(&schedule.schedule_id).await?;
    println!("{} waits until {}; {} wait already", schedule.schedule_id, queue.cutoff, queue.length);

    let wish =
        NewEntry { schedule_id: schedule.schedule_id.clone(), patient_id: "example".to_owned(), ..NewEntry::default() };
    // The key is the service's own number of the wish: asked again after a crash, it is the same application.
    let entry = match houbu.keyed(format!("example-{}", schedule.schedule_id)).apply(&wish).await {
        Ok(entry) => entry.body,
        Err(Error::Refused(problem)) => {
            println!("refused, {}: {}", problem.code, problem.detail);
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    println!("{:?}, {:?} in line", entry.status, entry.position);

    let waits = houbu.entry_once(entry.waitlist_id, |entry| entry.offer.is_some() || !entry.status.live());
    let Ok(entry) = tokio::time::timeout(PATIENCE, waits).await else {
        println!("still waiting; it goes on without this program");
        return Ok(());
    };
    let entry = entry?;
    if entry.status.confirmable() {
        let offer = NamedOffer { deadline: entry.offer.and_then(|offer| offer.deadline).map(|at| at.to_utc()) };
        let confirmed = houbu.confirm(entry.waitlist_id, &offer).await?;
        println!("accepted: {:?}, to pay: {}", confirmed.status, confirmed.payment.is_some());
    } else {
        println!("{:?}", entry.status);
    }
    Ok(())
}
