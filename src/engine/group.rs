//! Requests that come at the same time are done together: one flush at a time, the next one takes whoever waits by then.
//!
//! Alone on an idle system a request is done at once; under load flushes are full. No timer, no delay.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

/// A flush that takes longer has a connection that hangs.
const FLUSH_MAX: Duration = Duration::from_secs(30);

type Waiting<T, R> = (T, oneshot::Sender<R>);

/// The door to a task that does requests together.
pub struct Group<T, R> {
    door: mpsc::Sender<Waiting<T, R>>,
}

impl<T, R> Clone for Group<T, R> {
    fn clone(&self) -> Self {
        Self { door: self.door.clone() }
    }
}

impl<T: Send + 'static, R: Send + 'static> Group<T, R> {
    /// Starts the task; it ends when the last clone of the door is dropped. `flush` answers as many as it is given, in
    /// their order; at most `most` at a time.
    pub fn start(most: usize, flush: impl Fn(Vec<T>) -> BoxFuture<'static, Vec<R>> + Send + Sync + 'static) -> Self {
        let (door, queue) = mpsc::channel::<Waiting<T, R>>(most.saturating_mul(8));
        tokio::spawn(serve(most, queue, flush));
        Self { door }
    }

    /// Has one request done with whoever is there at the same time. `None` where the task ended before it answered: it
    /// may have been done or not.
    pub async fn ask(&self, one: T) -> Option<R> {
        let (answer, answered) = oneshot::channel();
        self.door.send((one, answer)).await.ok()?;
        answered.await.ok()
    }
}

/// Takes whoever waits, and does them together.
async fn serve<T, R>(
    most: usize,
    mut queue: mpsc::Receiver<Waiting<T, R>>,
    flush: impl Fn(Vec<T>) -> BoxFuture<'static, Vec<R>>,
) {
    while let Some(first) = queue.recv().await {
        // Whoever is about to ask at this moment comes along.
        tokio::task::yield_now().await;
        let mut batch = vec![first];
        while batch.len() < most
            && let Ok(one) = queue.try_recv()
        {
            batch.push(one);
        }
        let (asked, answers): (Vec<T>, Vec<_>) = batch.into_iter().unzip();
        // Whoever asked in a flush that panicked hears nothing of it; those who come later are none the worse.
        let flushed = AssertUnwindSafe(async { flush(asked).await }).catch_unwind();
        // Nor of one whose connection hangs.
        let came = match tokio::time::timeout(FLUSH_MAX, flushed).await {
            Ok(Ok(came)) => came,
            Ok(Err(_)) => {
                tracing::error!("a flush panicked");
                Vec::new()
            }
            Err(_) => {
                tracing::error!("a flush took too long and was given up");
                Vec::new()
            }
        };
        for (answer, came) in answers.into_iter().zip(came) {
            // Whoever asked may be gone; what was asked is done.
            let _ = answer.send(came);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn everybody_gets_their_own_answer_and_flushes_fill() {
        let flushes = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&flushes);
        let group = Group::start(64, move |asked: Vec<usize>| {
            count.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::task::yield_now().await;
                asked.into_iter().map(|one| one * 2).collect()
            }
            .boxed()
        });
        let answers = join_all((0..500).map(|one| group.ask(one))).await;
        assert!(answers.iter().enumerate().all(|(one, answer)| *answer == Some(one * 2)));
        assert!(flushes.load(Ordering::Relaxed) < 100, "they were done one by one");
    }

    #[tokio::test]
    async fn a_flush_that_panics_takes_nobody_with_it_who_comes_later() {
        let group = Group::start(4, |asked: Vec<u32>| {
            assert_ne!(asked, [13], "on purpose");
            async move { asked }.boxed()
        });
        assert_eq!(group.ask(13).await, None);
        assert_eq!(group.ask(7).await, Some(7));
    }
}
