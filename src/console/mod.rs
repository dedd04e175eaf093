//! Floor 5, the support staff's pages: server-rendered, in Chinese or English. Every one works without its scripts, which only
//! redraw what has changed, know the keyboard and say within a form why it was refused. What a page shows the desk has told; what a form asks for the desk decides.
//! Personal data is masked.
//!
//! | file | |
//! |---|---|
//! | `access` | who may come in and do what |
//! | `live` | tells pages that what they show has moved |
//! | `page`, `assets` | the frame and headers of pages, what they load, what goes wrong |
//! | `asked` | what a form is asked with, and word of what was done |
//! | `when`, `row`, `words` | instants, lines of lists and names, in the reader's language |
//! | `home`, `matters`, `day` | what needs a person now, and where it is done; the lines behind a number |
//! | `run` | one run: where it stands, the way it came, what can be done |
//! | `patients`, `patient` | finding a patient; what is kept of one |
//! | `schedules`, `slots`, `deadlines` | queues in their order; who got which place; what falls due when |
//! | `policies`, `settings` | settings, what is inherited and from where |
//! | `cases`, `figures`, `plot` | differences between the books; figures and their pictures |
//! | `jobs`, `system`, `callbacks`, `letters` | what starts runs by the clock; systems outside; what they told; what they refused |
//! | `texts`, `blacklist` | what patients are told; who may not join a queue, and appeals |
//! | `audit`, `changed` | what staff did, and what that changed |
//! | `runs`, `views`, `bulks` | finding runs, searches that the team keeps, one verb for many |

pub mod access;
mod asked;
mod assets;
mod audit;
mod blacklist;
mod bulks;
mod callbacks;
mod cases;
mod changed;
mod day;
mod deadlines;
mod figures;
mod home;
mod jobs;
mod letters;
pub mod live;
mod matters;
mod page;
mod patient;
mod patients;
mod plot;
mod policies;
mod row;
mod run;
mod runs;
mod schedules;
mod settings;
mod slots;
mod system;
mod texts;
mod views;
mod when;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::http::Surface;
use crate::http::problem::Problem;

/// The pages.
pub fn router(surface: Arc<Surface>) -> Router {
    let pages = Router::new()
        .route("/", get(home::home))
        .route("/day/{what}", get(day::list))
        .route("/live", get(live::stream))
        .route("/runs", get(runs::list).post(runs::find))
        .route("/runs.csv", get(runs::file))
        .route("/runs/{id}", get(run::show_run))
        .route("/runs/{id}/unmask", get(run::content::over).post(run::content::unmask))
        .route("/runs/{id}/{verb}", post(run::verbs::perform))
        .route("/runs/{id}/letters/{letter}", post(run::resend))
        .route("/patients", get(patients::list).post(patients::find))
        .route("/patients/{id}", get(patient::one))
        .route("/patients/{id}/unmask", get(patient::over).post(patient::unmask))
        .route("/patients/{id}/ban", post(patient::ban))
        .route("/patients/{id}/lift", post(patient::lift))
        .route("/schedules", get(schedules::list))
        .route("/schedules/{id}", get(schedules::one))
        .route("/deadlines", get(deadlines::list))
        .route("/policies", get(policies::list))
        .route("/policies/{level}/{id}", get(policies::one).post(policies::put))
        .route("/policies/{level}/{id}/carry", post(policies::carry))
        .route("/policies/{level}/{id}/undo", post(policies::undo))
        .route("/cases", get(cases::list))
        .route("/cases/days", post(cases::reconcile))
        .route("/cases/{id}/resolve", post(cases::resolve))
        .route("/figures", get(figures::show_figures))
        .route("/figures.csv", get(figures::file))
        .route("/callbacks", get(callbacks::list).post(callbacks::turn))
        .route("/system", get(system::list))
        .route("/system/{destination}/{switch}", post(system::switch))
        .route("/jobs", get(jobs::list))
        .route("/jobs/{job}/{verb}", post(jobs::turn))
        .route("/letters", get(letters::list).post(letters::retry))
        .route("/texts", get(texts::list))
        .route("/texts/{name}", get(texts::one).post(texts::put))
        .route("/texts/{name}/back", post(texts::take_back))
        .route("/texts/{name}/restore", post(texts::restore))
        .route("/blacklist", get(blacklist::list))
        .route("/blacklist/rules", post(blacklist::put_rule))
        .route("/appeals/{id}/{decision}", post(blacklist::decide))
        .route("/audit", get(audit::list))
        .route("/audit.csv", get(audit::file))
        .route("/views", post(views::put))
        .route("/views/{id}/remove", post(views::remove))
        .route("/bulks", get(bulks::list).post(bulks::begin))
        .route("/bulks/preview", post(bulks::preview))
        .route("/bulks/{id}/{turn}", post(bulks::turn))
        .merge(access::router())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .route_layer(from_fn(page::wrong))
        .route_layer(from_fn_with_state(Arc::clone(&surface), access::layer));
    let assets = access::open_router(&surface)
        .route("/assets/console.css", get(assets::style))
        .route("/assets/console.js", get(assets::script))
        .route("/assets/htmx.js", get(assets::htmx));
    // What goes wrong before anybody is known, or at the door, is a page too.
    let all = pages.merge(assets).route_layer(from_fn(page::wrong));
    all.layer(from_fn(access::headers)).with_state(surface)
}

/// What is at no address: for a browser a page, for a program a problem.
pub fn absent(surface: Arc<Surface>) -> Router {
    let page = Router::new().fallback(async || Problem::not_found()).layer(from_fn(page::wrong));
    let page = page.layer(from_fn_with_state(Arc::clone(&surface), access::open_layer));
    page.layer(from_fn(access::headers)).layer(from_fn(for_browsers)).with_state(surface)
}

async fn for_browsers(request: Request, next: Next) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok());
    let reads = accepts.is_some_and(|accepts| accepts.contains("text/html"));
    if reads && request.method() == Method::GET && !request.uri().path().starts_with("/v1/") {
        return next.run(request).await;
    }
    Problem::not_found().into_response()
}
