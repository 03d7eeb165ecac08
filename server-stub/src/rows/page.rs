//! A profile's first page.

use super::{
    Inner,
    learning::done,
    serving::{Served, State},
};
use crate::{
    catalog::{Started, started},
    recommend::{self, Entry, Preferences, Reason, page::Options},
    storage::catalogue::{Filter, Order, Summary, View},
    token::Viewer,
    web::problem::{Code, Problem},
};
use serde::Serialize;
use std::{collections::HashSet, time::Instant};
use utoipa::ToSchema;

/// Titles of a row.
const ROW: usize = 20;
/// Rows by genre for a profile of which nothing is known yet.
const GENRE_ROWS: usize = 6;

/// A profile's first page.
#[derive(Serialize, ToSchema)]
pub(super) struct FirstPage {
    /// The version of the model that made it; none if there is no model yet.
    pub(super) model: Option<String>,
    /// The rows, in their order. None is empty.
    pub(super) rows: Vec<PageRow>,
}

/// Titles that go together, and why they are here.
#[derive(Serialize, ToSchema)]
pub(super) struct PageRow {
    /// Names the row on its page.
    pub(super) id: String,
    /// Why it is here.
    pub(super) reason: RowReason,
    /// The titles, the best first.
    pub(super) titles: Vec<Summary>,
    /// Where the profile stopped, for what it has begun; in the order of the titles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) started: Vec<Started>,
}

/// Why a row is on a page. A user interface makes a heading of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum RowReason {
    /// The profile has begun these.
    ContinueWatching,
    /// They are on its list.
    MyList,
    /// The best for this profile.
    ForYou,
    /// What those watched who watched this one.
    BecauseYouWatched {
        /// The title watched.
        title_id: String,
        /// Its name.
        title_name: String,
    },
    /// Of a genre.
    Genre {
        /// The genre.
        genre: String,
    },
    /// Hardly watched by anyone yet, and about what the profile watches.
    NewForYou,
    /// What many have watched lately.
    Trending,
    /// What came last into the catalogue.
    New,
}

impl RowReason {
    fn id(&self) -> String {
        match self {
            Self::ContinueWatching => "continue-watching".to_owned(),
            Self::MyList => "my-list".to_owned(),
            Self::ForYou => "for-you".to_owned(),
            Self::BecauseYouWatched { title_id, .. } => format!("because-{title_id}"),
            Self::Genre { genre } => format!("genre-{genre}"),
            Self::NewForYou => "new-for-you".to_owned(),
            Self::Trending => "trending".to_owned(),
            Self::New => "new".to_owned(),
        }
    }
}

/// The page of a profile as it is at this moment.
pub(super) async fn first_page(inner: &Inner, viewer: &Viewer) -> Result<FirstPage, Problem> {
    let Viewer { claims, profile } = viewer;
    let parts = &inner.parts;
    let view = View {
        maturity_limit: profile.maturity_limit,
        region: claims.region.clone(),
        now: parts.clock.now(),
    };
    let state = inner.serving.state().await?;
    let mut page = Page { rows: Vec::new(), shown: HashSet::new() };

    let begun = started(&*parts.catalogue, &*parts.history, &profile.id, &view, ROW).await?;
    let titles = begun.iter().map(|one| one.title().clone()).collect();
    page.add(RowReason::ContinueWatching, titles, begun);
    let mut listed = parts.history.listed(&profile.id).await?;
    listed.truncate(ROW);
    let listed = visible(&state, &listed, &view);
    page.add(RowReason::MyList, listed, Vec::new());

    let mut known = false;
    if let Some(served) = &state.model {
        let length = |item: &str| state.shelf.length(item);
        let interactions = done(&*parts.history, &profile.id, length).await.map_err(failed)?;
        let history = folded(served, interactions).map_err(failed)?;
        known = history.iter().any(|entry| entry.strength > 0.0);
        let began = Instant::now();
        let may = |number: u32| {
            let title = state.titles.get(number as usize).and_then(Option::as_ref);
            title.is_some_and(|title| title.is_visible(&view))
        };
        // Of few titles the first row must not take them all.
        let row_length = (served.model.titles() / 8).clamp(5, ROW);
        let options = Options { row_length, ..Options::default() };
        let rows = served.model.page(&history, &options, may);
        inner.serving.page_time.observe(began.elapsed().as_secs_f64());
        for row in rows {
            let Some(reason) = reason(&state, row.reason, &view) else { continue };
            page.add(reason, visible(&state, &row.items, &view), Vec::new());
        }
    }
    let everything = Filter::default();
    let newest = parts.catalogue.browse(&everything, Order::Newest, &view, None, ROW).await?;
    page.add_others(RowReason::New, newest.titles);
    if !known {
        for (genre, _) in parts.catalogue.genres(&view).await?.into_iter().take(GENRE_ROWS) {
            let reason = RowReason::Genre { genre: genre.as_str().to_owned() };
            let filter = Filter { genre: Some(genre), ..Filter::default() };
            let of_genre = parts.catalogue.browse(&filter, Order::Newest, &view, None, ROW).await?;
            page.add(reason, of_genre.titles, Vec::new());
        }
    }
    let model = state.model.as_ref().map(|served| served.version.clone());
    Ok(FirstPage { model, rows: page.rows })
}

struct Page {
    rows: Vec<PageRow>,
    shown: HashSet<String>,
}

impl Page {
    fn add(&mut self, reason: RowReason, titles: Vec<Summary>, started: Vec<Started>) {
        if titles.is_empty() {
            return;
        }
        self.shown.extend(titles.iter().map(|title| title.id.as_str().to_owned()));
        self.rows.push(PageRow { id: reason.id(), reason, titles, started });
    }

    /// Adds those that are in no row yet.
    fn add_others(&mut self, reason: RowReason, mut titles: Vec<Summary>) {
        titles.retain(|title| !self.shown.contains(title.id.as_str()));
        self.add(reason, titles, Vec::new());
    }
}

/// Those of the titles that may be seen.
fn visible(state: &State, ids: &[String], view: &View) -> Vec<Summary> {
    let title = |id: &String| {
        let title = state.shelf.title(id)?;
        title.is_visible(view).then(|| title.summary.clone())
    };
    ids.iter().filter_map(title).collect()
}

/// What a profile did, in the numbers of a model.
fn folded(
    served: &Served,
    interactions: Vec<recommend::Interaction>,
) -> recommend::Result<Vec<Entry>> {
    let preferences = Preferences::collect(interactions.into_iter().map(Ok), [])?;
    let known = |entry: &Entry| {
        let item = served.model.number(&preferences.items()[entry.item as usize])?;
        Some(Entry { item, ..*entry })
    };
    Ok(preferences.row(0).iter().filter_map(known).collect())
}

/// A reason for people to read; none if it names what may not be seen any more.
fn reason(state: &State, reason: Reason, view: &View) -> Option<RowReason> {
    Some(match reason {
        Reason::ForYou => RowReason::ForYou,
        Reason::BecauseYouWatched { item } => {
            let title = state.shelf.title(&item).filter(|title| title.is_visible(view))?;
            let title_name = title.summary.name.as_str().to_owned();
            RowReason::BecauseYouWatched { title_id: item, title_name }
        }
        Reason::Genre { genre } => RowReason::Genre { genre },
        Reason::NewForYou => RowReason::NewForYou,
        Reason::Trending => RowReason::Trending,
    })
}

fn failed(error: recommend::Error) -> Problem {
    match error {
        recommend::Error::Storage(error) => error.into(),
        error => {
            tracing::error!(%error, "a page");
            Problem::new(Code::Internal, "the page cannot be made")
        }
    }
}
