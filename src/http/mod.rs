//! Floor 5, the HTTP surface: JSON for backend services, callbacks of the outside, what operators need. One file a
//! noun. Nothing here decides: a handler takes a request in, asks the desk, and writes the answer.
//!
//! | file | |
//! |---|---|
//! | `schedules`, `waitlist`, `questions`, `appointments`, `patients` | scope `waitlist` |
//! | `departments`, `policies`, `templates`, `blacklist`, `breaches`, `persons` | scope `admin` |
//! | `runs`, `staff`, `bulks`, `audit`, `signals`, `inbox`, `letters`, `notices`, `destinations`, `jobs`, `reconciliation`, `kpis`, `health` | scope `runs` |
//! | `callbacks`, `wechat_events`, `platform_events` | by signature, not by key |
//! | `operations` | alive, ready, the figures |
//! | `addresses`, `auth`, `idempotency`, `requests`, `problem`, `extract` | what every request passes |
//! | `openapi`, `examples`, `reference` | the description, written by the same declarations; its examples; its page |
//! | `shapes` | what requests and answers look like, for `crate::client` |

// Fields are named as the wire names them.
#![allow(clippy::struct_field_names)]

pub mod addresses;
mod appointments;
mod audit;
pub mod auth;
mod blacklist;
mod breaches;
mod bulks;
mod callbacks;
mod departments;
mod destinations;
pub mod draws;
mod examples;
pub(crate) mod extract;
mod health;
mod idempotency;
mod inbox;
mod jobs;
mod kpis;
mod letters;
mod notices;
mod openapi;
mod operations;
mod patients;
mod persons;
mod platform_events;
mod policies;
pub mod problem;
mod questions;
mod reconciliation;
mod reference;
pub mod requests;
mod runs;
mod schedules;
pub mod shapes;
mod signals;
mod staff;
mod templates;
mod waitlist;
mod wechat_events;

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use secrecy::SecretString;
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::console;
use crate::desk::Desk;
use crate::desk::access::rates::Rates;
use crate::engine::sizes::INPUT_BYTES_MAX;
use crate::ports::his::PushReader;
use crate::ports::payments::Payments;
use addresses::Addresses;
use auth::{ApiKey, Scope};
use problem::Problem;

/// The largest request body: the largest input of a run, and what stands around it.
pub(crate) const BODY_BYTES_MAX: usize = INPUT_BYTES_MAX + 8 * 1024;

/// What WeChat's message events are believed by.
pub struct EventToken {
    /// They are signed with it.
    pub token: SecretString,
    /// How far their timestamps may be from our clock.
    pub skew: TimeDelta,
}

/// What the HTTP surface stands on.
pub struct Surface {
    /// Does everything.
    pub desk: Arc<Desk>,
    /// Verifies and answers what HIS pushes.
    pub his_pushes: Arc<PushReader>,
    /// Verifies payment notices.
    pub payments: Arc<dyn Payments>,
    /// Who may call.
    pub api_keys: Vec<ApiKey>,
    /// The token of WeChat's message events; none: there are none.
    pub wechat_token: Option<EventToken>,
    /// The key of the events of the hospital's own message platform; none: there are none.
    pub platform_key: Option<SecretString>,
    /// Where pushes may come from.
    pub addresses: Addresses,
    /// How often a key may ask.
    pub rates: Rates<Arc<str>>,
    /// How the console is entered.
    pub console: console::access::Settings,
    /// Tells the console's pages what has moved.
    pub live: Arc<console::live::Live>,
}

/// The whole surface, console included.
pub fn router(surface: Arc<Surface>) -> axum::Router {
    let (router, api) = described(&surface).split_for_parts();
    router
        .with_state(Arc::clone(&surface))
        .merge(reference::router(examples::complete(json!(api))))
        .merge(console::router(Arc::clone(&surface)))
        .fallback_service(console::absent(Arc::clone(&surface)))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(problem::layer))
        .layer(from_fn_with_state(surface, requests::layer))
}

/// The same for a socket, whose peers it knows.
pub fn on_socket(router: axum::Router) -> IntoMakeServiceWithConnectInfo<axum::Router, SocketAddr> {
    router.into_make_service_with_connect_info()
}

/// Every route with its description.
fn described(surface: &Arc<Surface>) -> OpenApiRouter<Arc<Surface>> {
    let waitlist = OpenApiRouter::new()
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::queue))
        .routes(routes!(schedules::release))
        .routes(routes!(draws::show))
        .routes(routes!(waitlist::apply, waitlist::list))
        .routes(routes!(waitlist::show, waitlist::withdraw))
        .routes(routes!(waitlist::confirm))
        .routes(routes!(waitlist::decline))
        .routes(routes!(questions::answer))
        .routes(routes!(notices::list))
        .routes(routes!(appointments::list))
        .routes(routes!(appointments::cancel))
        .routes(routes!(patients::put, patients::show));
    let admin = OpenApiRouter::new()
        .routes(routes!(departments::put))
        .routes(routes!(departments::list))
        .routes(routes!(persons::export))
        .routes(routes!(persons::erase))
        .routes(routes!(policies::put, policies::show))
        .routes(routes!(templates::list))
        .routes(routes!(templates::show, templates::put, templates::take_back))
        .routes(routes!(templates::versions))
        .routes(routes!(templates::preview))
        .routes(routes!(policies::carry_over))
        .routes(routes!(policies::undo))
        .routes(routes!(blacklist::put, blacklist::show, blacklist::lift))
        .routes(routes!(blacklist::lift_for))
        .routes(routes!(breaches::of_patient))
        .routes(routes!(breaches::rules))
        .routes(routes!(breaches::put_rule, breaches::remove_rule))
        .routes(routes!(breaches::appeal))
        .routes(routes!(breaches::appeals))
        .routes(routes!(breaches::decide));
    let runs = OpenApiRouter::new()
        .routes(routes!(runs::start))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show))
        .routes(routes!(runs::history))
        .routes(routes!(staff::signal))
        .routes(routes!(staff::verbs))
        .routes(routes!(staff::retry))
        .routes(routes!(staff::answer))
        .routes(routes!(staff::jump))
        .routes(routes!(staff::suspend))
        .routes(routes!(staff::resume))
        .routes(routes!(staff::cancel))
        .routes(routes!(bulks::begin, bulks::list))
        .routes(routes!(bulks::show))
        .routes(routes!(bulks::pause))
        .routes(routes!(bulks::resume))
        .routes(routes!(bulks::cancel))
        .routes(routes!(audit::list))
        .routes(routes!(health::show))
        .routes(routes!(inbox::list))
        .routes(routes!(inbox::replay))
        .routes(routes!(inbox::settle))
        .routes(routes!(letters::list))
        .routes(routes!(letters::retry))
        .routes(routes!(notices::resend))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::show))
        .routes(routes!(jobs::run))
        .routes(routes!(jobs::pause))
        .routes(routes!(jobs::resume))
        .routes(routes!(reconciliation::runs, reconciliation::begin))
        .routes(routes!(kpis::show))
        .routes(routes!(reconciliation::list))
        .routes(routes!(reconciliation::show))
        .routes(routes!(reconciliation::resolve))
        .routes(routes!(destinations::list))
        .routes(routes!(destinations::show))
        .routes(routes!(destinations::pause))
        .routes(routes!(destinations::resume))
        .routes(routes!(signals::by_key))
        .routes(routes!(signals::unmatched));
    let open = OpenApiRouter::new()
        .routes(routes!(callbacks::his))
        .routes(routes!(callbacks::his_events))
        .routes(routes!(callbacks::payments))
        .routes(routes!(callbacks::refunds))
        .routes(routes!(callbacks::pay_platform))
        .routes(routes!(wechat_events::verify, wechat_events::receive))
        .routes(routes!(platform_events::receive))
        .routes(routes!(operations::health))
        .routes(routes!(operations::ready))
        .routes(routes!(operations::metrics));
    OpenApiRouter::with_openapi(openapi::base())
        .merge(guarded(waitlist, surface, Scope::Waitlist))
        .merge(guarded(admin, surface, Scope::Admin))
        .merge(guarded(runs, surface, Scope::Runs))
        .merge(open)
}

/// Behind an API key with `scope`, and idempotent by key.
fn guarded(router: OpenApiRouter<Arc<Surface>>, surface: &Arc<Surface>, scope: Scope) -> OpenApiRouter<Arc<Surface>> {
    router
        .route_layer(from_fn_with_state(Arc::clone(surface), idempotency::layer))
        .route_layer(from_fn_with_state((Arc::clone(surface), scope), auth::layer))
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    // The panic's own message is written by its hook; it is not for the caller.
    Problem::internal().into_response()
}
