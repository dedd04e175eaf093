//! The keys in force, as this process knows them: a request asks the memory, and the database is asked every few seconds by one
//! of those who come then. When a secret was used is written down now and then, for all together.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sqlx::PgPool;

use crate::records::api_keys::{self, Live};

/// What is known is looked at again after so long: a key that another process revoked is good for no longer.
const KNOWN_FOR: Duration = Duration::from_secs(3);
/// Where the database does not answer, what was known is believed for so long.
const BELIEVED_FOR: Duration = Duration::from_mins(1);
/// When secrets were used is written down after so long.
const WRITTEN_AFTER: Duration = Duration::from_secs(30);

/// Who a secret belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The key's name.
    pub name: Arc<str>,
    /// waitlist, runs, admin.
    pub scopes: Arc<[String]>,
}

struct Known {
    holder: Holder,
    ends: Option<Instant>,
}

#[derive(Default)]
struct View {
    at: Option<Instant>,
    keys: HashMap<[u8; 32], Known>,
}

impl View {
    fn is_fresh(&self, within: Duration) -> bool {
        self.at.is_some_and(|at| at.elapsed() < within)
    }

    fn find(&self, hash: &[u8; 32]) -> Option<Holder> {
        let known = self.keys.get(hash)?;
        known.ends.is_none_or(|ends| Instant::now() < ends).then(|| known.holder.clone())
    }
}

/// The keys in force.
#[derive(Default)]
pub struct KnownKeys {
    view: RwLock<View>,
    /// Whoever asks the database; the others wait for it.
    asking: tokio::sync::Mutex<()>,
    used: Mutex<HashMap<[u8; 32], Instant>>,
    is_writing: AtomicBool,
    reserved: BTreeSet<String>,
}

impl KnownKeys {
    /// With names that no key made here may have: the configuration's.
    pub(super) fn reserving(names: impl IntoIterator<Item = String>) -> Self {
        Self { reserved: names.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn is_reserved(&self, name: &str) -> bool {
        self.reserved.contains(name)
    }

    /// The next request looks at the database.
    pub(super) fn look_again(&self) {
        self.view.write().unwrap_or_else(PoisonError::into_inner).at = None;
    }

    /// Who the secret of this hash belongs to, where it opens something. A secret by chance cannot be found by how long it takes
    /// to compare its hash.
    pub(super) async fn holder(
        self: &Arc<Self>,
        pool: &PgPool,
        hospital: &str,
        hash: [u8; 32],
    ) -> sqlx::Result<Option<Holder>> {
        if !self.is_fresh(KNOWN_FOR) {
            let _asking = self.asking.lock().await;
            // Somebody may have asked meanwhile.
            if !self.is_fresh(KNOWN_FOR) {
                match api_keys::live(pool, hospital).await {
                    Ok(live) => self.know(live),
                    Err(error) if self.is_fresh(BELIEVED_FOR) => {
                        tracing::warn!(%error, "the API keys could not be looked at; those that were known are believed");
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        let holder = self.view.read().unwrap_or_else(PoisonError::into_inner).find(&hash);
        if holder.is_some() {
            self.note(pool, hospital, hash);
        }
        Ok(holder)
    }

    fn is_fresh(&self, within: Duration) -> bool {
        self.view.read().unwrap_or_else(PoisonError::into_inner).is_fresh(within)
    }

    fn know(&self, live: Vec<Live>) {
        let now = Instant::now();
        let keys = live.into_iter().filter_map(|live| {
            let ends = live.lasts_s.map(|lasts_s| now + Duration::try_from_secs_f64(lasts_s).unwrap_or_default());
            let holder = Holder { name: live.name.into(), scopes: live.scopes.into() };
            Some((<[u8; 32]>::try_from(live.hash).ok()?, Known { holder, ends }))
        });
        let view = View { at: Some(now), keys: keys.collect() };
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
    }

    /// A secret was used; the first of a while has it written down at its end, for all that come meanwhile.
    fn note(self: &Arc<Self>, pool: &PgPool, hospital: &str, hash: [u8; 32]) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(hash, Instant::now());
        if !self.is_writing.swap(true, Ordering::Relaxed) {
            let (keys, pool, hospital) = (Arc::clone(self), pool.clone(), hospital.to_owned());
            tokio::spawn(async move {
                tokio::time::sleep(WRITTEN_AFTER).await;
                keys.write_down(&pool, &hospital).await;
            });
        }
    }

    /// Writes down when secrets were used.
    pub(super) async fn write_down(&self, pool: &PgPool, hospital: &str) {
        self.is_writing.store(false, Ordering::Relaxed);
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        let (hashes, ago_s): (Vec<_>, Vec<_>) =
            used.into_iter().map(|(hash, at)| (hash.to_vec(), at.elapsed().as_secs_f64())).unzip();
        if hashes.is_empty() || pool.is_closed() {
            return;
        }
        if let Err(error) = api_keys::used(pool, hospital, &hashes, &ago_s).await {
            tracing::warn!(%error, "when API keys were used last could not be written down");
        }
    }
}
