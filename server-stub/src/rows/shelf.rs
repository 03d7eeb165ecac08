//! The catalogue, as much of it as a page needs, in memory.

use super::learning::lengths_of;
use crate::storage::{
    self, Catalogue,
    catalogue::{Summary, View, Window},
};
use std::{collections::HashMap, sync::Arc};

/// Titles that are read at once.
const AT_ONCE: usize = 1000;

/// A title on the shelf.
pub(super) struct Shelved {
    pub(super) summary: Summary,
    availability: Vec<Window>,
}

/// All titles, whoever may see them.
#[derive(Default)]
pub(super) struct Shelf {
    /// The state of the catalogue that this is.
    pub(super) revision: Option<u64>,
    titles: HashMap<String, Arc<Shelved>>,
    lengths: HashMap<String, u32>,
}

impl Shelf {
    pub(super) async fn read(catalogue: &dyn Catalogue) -> storage::Result<Self> {
        // Before the titles: what is written meanwhile is read again.
        let revision = Some(catalogue.revision().await?);
        let mut shelf = Self { revision, ..Self::default() };
        let mut last: Option<String> = None;
        loop {
            let page = catalogue.drafts(last.as_deref(), AT_ONCE).await?;
            let Some(end) = page.last() else { return Ok(shelf) };
            last = Some(end.id.as_str().to_owned());
            for title in page {
                shelf.lengths.extend(lengths_of(&title));
                let availability = title.availability.clone();
                let id = title.id.as_str().to_owned();
                let shelved = Shelved { summary: title.into(), availability };
                shelf.titles.insert(id, Arc::new(shelved));
            }
        }
    }

    pub(super) fn title(&self, id: &str) -> Option<&Arc<Shelved>> {
        self.titles.get(id)
    }

    /// How many seconds an item plays.
    pub(super) fn length(&self, item: &str) -> Option<u32> {
        self.lengths.get(item).copied()
    }
}

impl Shelved {
    /// Whether a view lets it through.
    pub(super) fn is_visible(&self, view: &View) -> bool {
        self.summary.maturity <= view.maturity_limit
            && self.availability.iter().any(|window| window.includes(view))
    }
}
