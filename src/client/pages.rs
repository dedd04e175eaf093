//! Lists that go on, as streams; and waiting for a change of an application without asking often.

use std::fmt::Display;

use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use reqwest::{Method, Request, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::asking::{Asked, copy};
use super::shapes::{
    Appeal, Appeals, AppealsWanted, Audit, AuditWanted, Bulks, BulksWanted, Callback, Callbacks, CallbacksWanted, Case,
    Cases, CasesWanted, Deed, Entries, EntriesWanted, Entry, History, HistoryLine, HistoryWanted, Letter, Letters,
    LettersWanted, Patience, Run, Runs, RunsWanted, ShownBulk, Stored, TemplateName, Unmatched, UnmatchedSignals,
    UnmatchedWanted, Versions, VersionsWanted,
};
use super::{Client, Error};

/// How long one question for a change waits.
const WAIT: &str = "30s";

/// A page of a list.
pub trait Page: DeserializeOwned {
    /// What is listed.
    type Item;

    /// What is on it, and where the next one begins.
    fn turned(self) -> (Vec<Self::Item>, Option<String>);
}

/// A question that is answered by pages.
pub trait Paged: Serialize {
    /// Its pages.
    type Page: Page;
    /// Where they are asked for.
    const PATH: &'static str;
}

macro_rules! pages {
    ($($page:ident of $item:ident;)*) => {$(
        impl Page for $page {
            type Item = $item;

            fn turned(self) -> (Vec<$item>, Option<String>) {
                (self.items, self.next_cursor.as_ref().map(text))
            }
        }
    )*};
}

macro_rules! paged {
    ($($path:literal $query:ident $page:ident of $item:ident;)*) => {$(
        pages! { $page of $item; }

        impl Paged for $query {
            type Page = $page;
            const PATH: &'static str = $path;
        }
    )*};
}

paged! {
    "/v1/waitlist" EntriesWanted Entries of Entry;
    "/v1/blacklist-appeals" AppealsWanted Appeals of Appeal;
    "/v1/runs" RunsWanted Runs of Run;
    "/v1/runs/bulk" BulksWanted Bulks of ShownBulk;
    "/v1/audit" AuditWanted Audit of Deed;
    "/v1/callbacks" CallbacksWanted Callbacks of Callback;
    "/v1/letters" LettersWanted Letters of Letter;
    "/v1/signals/unmatched" UnmatchedWanted UnmatchedSignals of Unmatched;
    "/v1/reconciliation/cases" CasesWanted Cases of Case;
}

pages! {
    History of HistoryLine;
    Versions of Stored;
}

fn text(cursor: &impl Display) -> String {
    cursor.to_string()
}

/// `url` with another cursor.
fn onwards(url: &Url, cursor: &str) -> Url {
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "cursor")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let mut next = url.clone();
    next.query_pairs_mut().clear().extend_pairs(kept).append_pair("cursor", cursor);
    next
}

impl Client {
    /// Everything that a list holds, from the query's cursor on; the next page is asked for when it is needed.
    ///
    /// ```no_run
    /// # use futures::TryStreamExt;
    /// # use houbu::client::{Client, Error, shapes::RunsWanted};
    /// # async fn count(houbu: Client) -> Result<usize, Error> {
    /// let suspended = RunsWanted { status: Some("suspended".into()), ..RunsWanted::default() };
    /// let runs: Vec<_> = houbu.every(&suspended).try_collect().await?;
    /// # Ok(runs.len()) }
    /// ```
    pub fn every<Q: Paged>(&self, query: &Q) -> impl Stream<Item = Result<<Q::Page as Page>::Item, Error>> + use<Q> {
        self.pages::<Q::Page>(self.look(Asked { method: Method::GET, path: Q::PATH, parts: Vec::new() }, query))
    }

    /// The whole history of a run, oldest first.
    pub fn every_line(&self, run_id: Uuid) -> impl Stream<Item = Result<HistoryLine, Error>> + use<> {
        let asked = Asked { method: Method::GET, path: "/v1/runs/{runId}/history", parts: vec![run_id.to_string()] };
        self.pages::<History>(self.look(asked, &HistoryWanted::default()))
    }

    /// All versions of a text, newest first.
    pub fn every_version(
        &self,
        name: TemplateName,
        query: &VersionsWanted,
    ) -> impl Stream<Item = Result<Stored, Error>> + use<> {
        let parts = vec![name.as_str().to_owned()];
        self.pages::<Versions>(
            self.look(Asked { method: Method::GET, path: "/v1/templates/{name}/versions", parts }, query),
        )
    }

    /// Page after page of what `first` asks for.
    fn pages<P: Page>(&self, first: Result<Request, Error>) -> impl Stream<Item = Result<P::Item, Error>> + use<P> {
        let client = self.clone();
        let pages = stream::try_unfold(Some(first), move |asked| {
            let client = client.clone();
            async move {
                let Some(request) = asked.transpose()? else { return Ok(None) };
                let mut further = copy(&request)?;
                let page: P = client.send(request).await?.body;
                let (items, next) = page.turned();
                let next = next.map(|cursor| {
                    *further.url_mut() = onwards(further.url(), &cursor);
                    Ok(further)
                });
                Ok::<_, Error>(Some((stream::iter(items).map(Ok), next)))
            }
        });
        pages.try_flatten()
    }

    /// The application as soon as `fits` says so: the server is asked, and answers once something has changed. Wrap it into
    /// `tokio::time::timeout` where there is an end to the patience.
    pub async fn entry_once(&self, id: Uuid, fits: impl Fn(&Entry) -> bool) -> Result<Entry, Error> {
        let mut entry = self.entry(id, &Patience::default()).await?.body;
        while !fits(&entry) {
            let patience = Patience { wait: Some(WAIT.to_owned()), version: Some(entry.version) };
            entry = self.entry(id, &patience).await?.body;
        }
        Ok(entry)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_of_the_same_question() {
        let url: Url = "http://h/v1/letters?topic=a%26b&cursor=old&error=x".parse().unwrap();
        assert_eq!(onwards(&url, "n:1&2").as_str(), "http://h/v1/letters?topic=a%26b&error=x&cursor=n%3A1%262");
    }
}
