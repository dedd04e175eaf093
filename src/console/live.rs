//! `GET /live?of=…`: a stream of server-sent events that says when what a page shows has moved; the page then draws its part anew.
//! One watcher a process looks for all who watch, and only while somebody does. What it says has no content: who may see what is
//! asked when the page is drawn.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use futures::stream::{self, Stream};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use uuid::Uuid;

use super::access::Staff;
use super::page::Page;
use crate::desk::Desk;
use crate::engine::store::moved;
use crate::http::Surface;
use crate::http::extract::Query;
use crate::http::problem::Problem;

/// Streams of one process. Further pages draw themselves anew once a minute, as all of them do without a stream.
const STREAMS_MAX: usize = 500;
/// How often the watcher looks.
const LOOKS_EVERY: Duration = Duration::from_secs(1);
/// How long a look may take.
const LOOK_MAX: Duration = Duration::from_secs(5);
/// How often a stream says that it is there, after a look whether its session still is.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Pages of much that moves are told no more often than this.
const CALM: Duration = Duration::from_secs(4);
/// And those that add up days of it no more often than this: they are read, not watched.
const SLOW: Duration = Duration::from_secs(30);

/// The one that is told slowly.
const FIGURES: &str = "figures";

/// Pages of many rows, and the tables whose writes move them.
const PAGES: [(&str, &[&str]); 16] = [
    ("home", &["run", "reconciliation_case", "callback", "blacklist_appeal", "destination", "bulk", "job", "outbox"]),
    ("runs", &["run"]),
    ("bulks", &["bulk"]),
    ("deadlines", &["run", "entry", "blacklist_appeal"]),
    ("queues", &["entry", "schedule", "offer", "draw", "blacklist"]),
    ("system", &["destination", "destination_event", "destination_tally", "worker"]),
    ("jobs", &["job", "run"]),
    ("callbacks", &["callback", "unmatched"]),
    ("cases", &["reconciliation", "reconciliation_case"]),
    ("letters", &["outbox"]),
    ("audit", &["audit"]),
    (
        "patient",
        &["patient", "entry", "run", "appointment", "payment", "offer", "outbox", "blacklist", "breach", "audit"],
    ),
    ("patients", &["patient", "entry"]),
    ("blacklist", &["blacklist", "blacklist_appeal", "blacklist_rule"]),
    ("day", &["entry", "appointment", "payment", "run"]),
    (FIGURES, &["schedule", "entry", "offer", "appointment", "breach"]),
];

/// What a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Topic {
    /// One run.
    Run(Uuid),
    /// A page of [`PAGES`], by its place there.
    Page(usize),
}

impl Topic {
    fn parse(text: &str) -> Option<Self> {
        if let Some(run) = text.strip_prefix("run:") {
            return run.parse().ok().map(Self::Run);
        }
        PAGES.iter().position(|(name, _)| *name == text).map(Self::Page)
    }

    /// How long a stream of it is silent after it spoke.
    fn calm(self) -> Duration {
        match self {
            Self::Run(_) => Duration::ZERO,
            Self::Page(at) if PAGES.get(at).is_some_and(|(name, _)| *name == FIGURES) => SLOW,
            Self::Page(_) => CALM,
        }
    }
}

/// A topic that somebody watches.
struct Watched {
    tells: watch::Sender<()>,
    /// As it was last seen; none: it has not been looked at.
    mark: Option<i64>,
}

#[derive(Default)]
struct Board {
    topics: HashMap<Topic, Watched>,
    is_watching: bool,
}

/// Who watches what.
pub struct Live {
    board: Mutex<Board>,
    places: Arc<Semaphore>,
    closing: watch::Sender<bool>,
    heartbeat: Duration,
}

impl Default for Live {
    fn default() -> Self {
        Self::beating(HEARTBEAT)
    }
}

impl Live {
    /// Streams that say so often that they are there.
    pub fn beating(heartbeat: Duration) -> Self {
        Self {
            board: Mutex::default(),
            places: Arc::new(Semaphore::new(STREAMS_MAX)),
            closing: watch::Sender::new(false),
            heartbeat,
        }
    }

    /// Ends every stream, and lets none begin: the process goes.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// True while the watcher looks: somebody watches, or did a moment ago.
    pub fn is_watching(&self) -> bool {
        self.board().is_watching
    }

    fn board(&self) -> std::sync::MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of a topic, at once for the first time: it may have moved while the page was on its way.
    fn watch(self: &Arc<Self>, topic: Topic, desk: &Arc<Desk>) -> watch::Receiver<()> {
        let mut board = self.board();
        let watched =
            board.topics.entry(topic).or_insert_with(|| Watched { tells: watch::Sender::new(()), mark: None });
        let mut hears = watched.tells.subscribe();
        // One that is new here is told after its first look, so that nothing falls between the two.
        if watched.mark.is_some() {
            hears.mark_changed();
        }
        if !board.is_watching {
            board.is_watching = true;
            tokio::spawn(look_on(Arc::clone(self), Arc::clone(desk)));
        }
        hears
    }

    /// What is watched still. None: nothing, and the watcher is done.
    fn wanted(&self) -> Option<Vec<Topic>> {
        let mut board = self.board();
        board.topics.retain(|_, watched| watched.tells.receiver_count() > 0);
        board.is_watching = !board.topics.is_empty() && !*self.closing.borrow();
        board.is_watching.then(|| board.topics.keys().copied().collect())
    }

    /// Tells those whose topic is not as before.
    fn tell(&self, seen: &[(Topic, i64)]) {
        let mut board = self.board();
        for (topic, mark) in seen {
            let Some(watched) = board.topics.get_mut(topic) else { continue };
            if watched.mark.replace(*mark) != Some(*mark) {
                watched.tells.send_replace(());
            }
        }
    }
}

/// The watcher: looks at what is watched until nobody watches.
async fn look_on(live: Arc<Live>, desk: Arc<Desk>) {
    while let Some(topics) = live.wanted() {
        match timeout(LOOK_MAX, look(&desk, &topics)).await {
            Ok(Ok(seen)) => live.tell(&seen),
            Ok(Err(error)) => tracing::warn!(%error, "it cannot be seen what moved; pages wait"),
            Err(_) => tracing::warn!("a look at what moved took too long; pages wait"),
        }
        sleep(LOOKS_EVERY).await;
    }
}

/// A number of each topic that is another one once it has moved.
async fn look(desk: &Desk, topics: &[Topic]) -> sqlx::Result<Vec<(Topic, i64)>> {
    let pool = &desk.engine.pool;
    let runs: Vec<Uuid> =
        topics.iter().filter_map(|one| if let Topic::Run(id) = one { Some(*id) } else { None }).collect();
    let pages: Vec<usize> =
        topics.iter().filter_map(|one| if let Topic::Page(at) = one { Some(*at) } else { None }).collect();
    let mut seen = Vec::with_capacity(topics.len());
    if !runs.is_empty() {
        let marks: HashMap<Uuid, i64> = moved::runs(pool, desk.hospital(), &runs).await?.into_iter().collect();
        // What went to the archive does not move.
        seen.extend(runs.into_iter().map(|id| (Topic::Run(id), marks.get(&id).copied().unwrap_or_default())));
    }
    if !pages.is_empty() {
        let tables_of = |at: &usize| PAGES.get(*at).map_or(&[][..], |(_, tables)| *tables);
        let watched: BTreeSet<&str> = pages.iter().flat_map(tables_of).copied().collect();
        let watched: Vec<&str> = watched.into_iter().collect();
        let written: HashMap<String, i64> = moved::tables(pool, &watched).await?.into_iter().collect();
        // Each only grows, and so does their sum.
        let sum = |at: &usize| -> i64 { tables_of(at).iter().filter_map(|name| written.get(*name)).sum() };
        seen.extend(pages.iter().map(|at| (Topic::Page(*at), sum(at))));
    }
    Ok(seen)
}

/// What is watched.
#[derive(Debug, Deserialize)]
pub(super) struct Of {
    of: String,
}

pub(super) async fn stream(State(surface): State<Arc<Surface>>, staff: Staff, Query(wanted): Query<Of>) -> Page {
    let topic = Topic::parse(&wanted.of).ok_or_else(Problem::not_found)?;
    let live = &surface.live;
    let place = Arc::clone(&live.places).try_acquire_owned().map_err(|_| Problem::unavailable())?;
    let closing = live.closing.subscribe();
    if *closing.borrow() {
        return Err(Problem::unavailable().into());
    }
    let hears = live.watch(topic, &surface.desk);
    let now = Instant::now();
    let viewer = Viewer {
        hears,
        closing,
        staff,
        topic,
        silent_until: now,
        beats_at: now + live.heartbeat,
        _place: place,
        surface,
    };
    Ok(Sse::new(events(viewer)).into_response())
}

/// One who watches.
struct Viewer {
    hears: watch::Receiver<()>,
    closing: watch::Receiver<bool>,
    staff: Staff,
    topic: Topic,
    silent_until: Instant,
    beats_at: Instant,
    _place: OwnedSemaphorePermit,
    surface: Arc<Surface>,
}

/// What a stream comes to next.
enum Next {
    End,
    Moved,
    Beat,
}

fn events(viewer: Viewer) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(viewer, |mut viewer| async move { viewer.next().await.map(|event| (Ok(event), viewer)) })
}

impl Viewer {
    /// What is said next. None: nothing more, because the process or the session ends.
    async fn next(&mut self) -> Option<Event> {
        let Self { hears, closing, silent_until, beats_at, .. } = self;
        let closed = async { drop(closing.wait_for(|closing| *closing).await) };
        let moved = async {
            sleep_until(*silent_until).await;
            hears.changed().await.is_ok()
        };
        let next = tokio::select! {
            () = closed => Next::End,
            moved = moved => if moved { Next::Moved } else { Next::End },
            () = sleep_until(*beats_at) => Next::Beat,
        };
        match next {
            Next::End => None,
            Next::Moved => {
                self.silent_until = Instant::now() + self.topic.calm();
                Some(Event::default().event("moved").data("1"))
            }
            Next::Beat => {
                self.beats_at = Instant::now() + self.surface.live.heartbeat;
                self.is_in().await.then(|| Event::default().comment("here"))
            }
        }
    }

    /// Whether the session goes on. Watching does not prolong it.
    async fn is_in(&self) -> bool {
        let (lodge, limits) = (&self.surface.desk.lodge, self.surface.console.limits);
        match lodge.who_is_in(&self.staff.token, limits, false).await {
            Ok(who) => who.is_some(),
            // The database is away for a moment: nothing is told in that time, nor is anybody sent off.
            Err(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_a_run_or_a_page() {
        let id = Uuid::now_v7();
        assert_eq!(Topic::parse(&format!("run:{id}")), Some(Topic::Run(id)));
        assert_eq!(Topic::parse("runs"), Some(Topic::Page(1)));
        assert_eq!(Topic::parse("run:1"), None);
        assert_eq!(Topic::parse("nothing"), None);
        let calm = |page| Topic::parse(page).map(Topic::calm);
        assert_eq!((calm("patients"), calm("figures")), (Some(CALM), Some(SLOW)));
    }

    #[test]
    fn whoever_watches_hears_once_of_each_move() {
        let live = Live::default();
        let tells = watch::Sender::new(());
        let mut hears = tells.subscribe();
        live.board().topics.insert(Topic::Page(0), Watched { tells, mark: None });
        let mut told = |mark| {
            live.tell(&[(Topic::Page(0), mark)]);
            let told = hears.has_changed().unwrap_or_default();
            hears.mark_unchanged();
            told
        };
        assert_eq!([told(5), told(5), told(6), told(6)], [true, false, true, false]);
        drop(hears);
        assert_eq!(live.wanted(), None, "nobody watches any more");
        assert!(!live.is_watching());
    }
}
