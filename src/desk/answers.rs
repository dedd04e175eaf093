//! Answers already given, by caller and `Idempotency-Key`: whoever asks at the same time is looked up together, and what
//! they were answered is written together.

use std::collections::HashSet;
use std::sync::Arc;

use futures::FutureExt;

use super::{Answer, DeskError, together};
use crate::engine::Engine;
use crate::engine::group::Group;
use crate::records::answers::{self, Claim, Ended, Key};

/// The most keys of one statement.
const TOGETHER_MAX: usize = 256;
/// A claim without an answer for so long was left by a process that died. Whoever is held in the slow lane is decided by then.
pub const STALE_S: f64 = 30.0;

/// The doors.
pub struct Answers {
    claims: Group<Key, Answer<Claim>>,
    ends: Group<Ended, Answer<()>>,
}

impl Answers {
    pub(super) fn open(engine: &Arc<Engine>) -> Self {
        let of = Arc::clone(engine);
        let claims = Group::start(TOGETHER_MAX, move |keys| {
            let engine = Arc::clone(&of);
            async move { together(&engine, &keys, |engine, some| claim(engine, some).boxed()).await }.boxed()
        });
        let of = Arc::clone(engine);
        let ends = Group::start(TOGETHER_MAX, move |ended: Vec<Ended>| {
            let engine = Arc::clone(&of);
            async move { together(&engine, &ended, |engine, some| end(engine, some).boxed()).await }.boxed()
        });
        Self { claims, ends }
    }

    /// Claims a key and answers what it stands for.
    pub async fn claim(&self, key: Key) -> Answer<Claim> {
        self.claims.ask(key).await.unwrap_or_else(|| Err(DeskError::Broken("the claims have ended".to_owned())))
    }

    /// Writes down how a claimed key ended.
    pub async fn end(&self, ended: Ended) -> Answer<()> {
        self.ends.ask(ended).await.unwrap_or_else(|| Err(DeskError::Broken("the answers have ended".to_owned())))
    }
}

/// Of those that ask under one key at the same time the first has it; the others look again.
async fn claim(engine: &Engine, keys: &[Key]) -> sqlx::Result<Vec<Answer<Claim>>> {
    let mut seen = HashSet::new();
    let firsts: Vec<&Key> = keys.iter().filter(|key| seen.insert((&key.caller, &key.key))).collect();
    let claims = engine.call(async |conn| answers::claim(conn, &engine.tenant, &firsts, STALE_S).await).await?;
    let mut claims = firsts.iter().zip(claims).peekable();
    let came = |key: &Key| {
        let own = claims.next_if(|(first, _)| std::ptr::eq(**first, key));
        Ok(own.map_or(Claim::InProgress, |(_, claim)| claim))
    };
    Ok(keys.iter().map(came).collect())
}

async fn end(engine: &Engine, ended: &[Ended]) -> sqlx::Result<Vec<Answer<()>>> {
    engine.call(async |conn| answers::end(conn, &engine.tenant, ended).await).await?;
    Ok(ended.iter().map(|_| Ok(())).collect())
}
