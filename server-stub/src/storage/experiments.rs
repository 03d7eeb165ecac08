//! Experiments and how they divide viewers.

use super::Result;
use crate::{
    clock::UnixTime,
    platform::Platform,
    web::{
        text::{Line, Prose, Region, Slug},
        whole,
    },
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// The shares that a layer is divided into.
pub const SHARES: u16 = 10_000;

/// An experiment: some of the viewers are divided among arms, and each arm watches in its own way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Names it.
    pub id: Slug,
    /// What it is to find out.
    #[serde(default = "no_prose")]
    pub hypothesis: Prose,
    /// The layer it is in: no profile is in two experiments of a layer.
    pub layer: Slug,
    /// The first of the layer's 10 000 shares that it takes.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 0, maximum = 9999)]
    pub first_share: u16,
    /// How many it takes.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 1, maximum = 10000)]
    pub shares: u16,
    /// The arms, the one to compare with first.
    #[schema(min_items = 2, max_items = 16)]
    pub arms: Vec<ExperimentArm>,
    /// Who takes part.
    #[serde(default)]
    pub audience: Audience,
    /// How it stands.
    pub status: Status,
}

/// One way to watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExperimentArm {
    /// Names it in its experiment.
    pub id: Slug,
    /// Its part of the experiment's viewers, in relation to the other arms'.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 0, maximum = 65535)]
    pub weight: u16,
    /// What it changes about how qualities are chosen.
    #[serde(default)]
    pub abr: AbrSettings,
}

/// What a player's configuration has under `abr`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AbrSettings {
    /// The rule, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Line>,
    /// The throughput to reckon with before anything was measured, in bit/s.
    #[serde(
        default,
        deserialize_with = "whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 1, maximum = 100_000_000_000_u64)]
    pub initial_throughput_bps: Option<u64>,
    /// No picture is taller, in pixels.
    #[serde(
        default,
        deserialize_with = "whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 1, maximum = 65535)]
    pub max_height: Option<u16>,
    /// No bit rate is higher, in bit/s.
    #[serde(
        default,
        deserialize_with = "whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 1, maximum = 100_000_000_000_u64)]
    pub max_bandwidth_bps: Option<u64>,
}

/// Who takes part. What is left empty excludes nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Audience {
    /// Players on these.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub platforms: Vec<Platform>,
    /// Households in these regions.
    #[serde(default)]
    #[schema(max_items = 300)]
    pub regions: Vec<Region>,
    /// Children's profiles, too.
    #[serde(default)]
    pub kids: bool,
}

/// How an experiment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is being written.
    Draft,
    /// It divides viewers.
    Running,
    /// It has ended, and keeps its place for its report.
    Stopped,
}

fn no_prose() -> Prose {
    "".parse().unwrap_or_else(|_| unreachable!("no prose is prose"))
}

impl Experiment {
    /// Says what about it makes no sense: a JSON pointer, and the reason.
    ///
    /// # Errors
    /// The first such thing.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let within = (1..=SHARES).contains(&self.shares)
            && self.first_share.checked_add(self.shares).is_some_and(|end| end <= SHARES);
        if !within {
            return Err(("/shares", "a layer has 10 000 shares, from 0 on"));
        }
        if !(2..=16).contains(&self.arms.len()) {
            return Err(("/arms", "between 2 and 16"));
        }
        let ids: BTreeSet<&str> = self.arms.iter().map(|arm| arm.id.as_str()).collect();
        if ids.len() < self.arms.len() {
            return Err(("/arms", "two have the same id"));
        }
        if self.arms.iter().all(|arm| arm.weight == 0) {
            return Err(("/arms", "one must have a weight above 0"));
        }
        if self.audience.platforms.len() > 16 || self.audience.regions.len() > 300 {
            return Err(("/audience", "there are too many"));
        }
        let zero = |abr: &AbrSettings| {
            abr.initial_throughput_bps == Some(0)
                || abr.max_height == Some(0)
                || abr.max_bandwidth_bps == Some(0)
        };
        if self.arms.iter().any(|arm| zero(&arm.abr)) {
            return Err(("/arms", "nothing can be played within a limit of 0"));
        }
        Ok(())
    }

    /// Whether it takes some of the shares of the layer that another one takes.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.layer == other.layer
            && self.first_share < other.first_share.saturating_add(other.shares)
            && other.first_share < self.first_share.saturating_add(self.shares)
    }
}

/// What came of writing an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is there; whether it is new.
    Done {
        /// It was not there before.
        new: bool,
    },
    /// Nothing is changed: it would run in shares that this one runs in.
    Overlaps(Slug),
    /// Nothing is changed: who is in which arm would change while it runs, or the report afterwards.
    Fixed,
}

/// Experiments.
#[async_trait]
pub trait Experiments: Send + Sync + 'static {
    /// Writes an experiment, in place of the one of that id. While it runs, and once it has, only its status, its
    /// hypothesis and its audience can be changed. Of the running ones no two overlap, however many are written at
    /// once.
    async fn put(&self, experiment: &Experiment, now: UnixTime) -> Result<Put>;
    /// All experiments, by id.
    async fn all(&self) -> Result<Vec<Experiment>>;
    /// The experiment of that id.
    async fn experiment(&self, id: &str) -> Result<Option<Experiment>>;
    /// Removes an experiment; false when there is none.
    async fn remove(&self, id: &str) -> Result<bool>;

    /// Whether the storage answers.
    async fn ready(&self) -> Result<()>;
}

/// What of an experiment decides who is in which arm, and what that does.
pub fn fixed(experiment: &Experiment) -> (&Slug, u16, u16, &[ExperimentArm]) {
    let Experiment { layer, first_share, shares, arms, .. } = experiment;
    (layer, *first_share, *shares, arms)
}
