//! Finding a viewer's arms, and telling the event log that they had their effect.

use super::assign;
use crate::{
    clock::{Clock, UnixTime},
    events::record::{Kept, What},
    platform::Platform,
    playback::hooks::{self, Arm, Begun, Tailored},
    storage::{
        self, EventLog, Experiments,
        experiments::{AbrSettings, Experiment, Status},
    },
    web::text::{Region, Slug},
};
use async_trait::async_trait;
use std::sync::{Arc, Mutex, PoisonError};

/// Experiments that were read are used for so long, in seconds.
const FRESH: u64 = 5;

/// An arm that a viewer is in.
#[derive(Debug, Clone, PartialEq)]
pub struct Assigned {
    /// The experiment.
    pub experiment: Slug,
    /// The arm.
    pub arm: Slug,
    /// What it changes.
    pub abr: AbrSettings,
}

/// Divides viewers among the arms of the experiments that run. Clones share what was read.
#[derive(Clone)]
pub struct Assigner {
    experiments: Arc<dyn Experiments>,
    log: Arc<dyn EventLog>,
    clock: Clock,
    running: Arc<Mutex<Option<Read>>>,
}

/// The running experiments, and when they were read.
#[derive(Clone)]
struct Read {
    at: UnixTime,
    running: Arc<Vec<Experiment>>,
}

impl Assigner {
    /// Over experiments and the log that exposures go to.
    pub fn new(experiments: Arc<dyn Experiments>, log: Arc<dyn EventLog>, clock: Clock) -> Self {
        Self { experiments, log, clock, running: Arc::default() }
    }

    /// The arms that a viewer is in, by the experiments' ids.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn arms(&self, begun: &Begun) -> storage::Result<Vec<Assigned>> {
        let running = self.running().await?;
        let within = running.iter().filter(|experiment| includes(experiment, begun));
        let assigned = within.filter_map(|experiment| {
            let arm = assign::arm(experiment, begun.profile.as_str())?;
            let (experiment, arm, abr) = (experiment.id.clone(), arm.id.clone(), arm.abr.clone());
            Some(Assigned { experiment, arm, abr })
        });
        Ok(assigned.collect())
    }

    /// Tells the log that a playback is as its viewer's arms say. Each playback counts once, however often it is
    /// told.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn expose(&self, begun: &Begun, arms: &[Assigned]) -> storage::Result<()> {
        let now = self.clock.now();
        let Ok(region) = begun.region.parse::<Region>() else { return Ok(()) };
        let entry = |Assigned { experiment, arm, .. }: &Assigned| {
            let Ok(playback_id) = begun.playback.to_string().parse() else { return None };
            let what =
                What::Exposed { experiment: experiment.clone(), arm: arm.clone(), playback_id };
            let kept = Kept {
                profile: begun.profile.clone(),
                session: None,
                platform: begun.platform,
                region: region.clone(),
                at_ms: now.0.saturating_mul(1000),
                title: None,
                fraction: None,
                what,
            };
            Some(kept.keyed(&["exposed", experiment.as_str(), begun.playback.as_str()]))
        };
        self.log.append(arms.iter().filter_map(entry).collect(), now).await.map(drop)
    }

    async fn running(&self) -> storage::Result<Arc<Vec<Experiment>>> {
        let now = self.clock.now();
        let known = self.running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(Read { at, running }) = known
            && now.since(at) < FRESH
        {
            return Ok(running);
        }
        let mut running = self.experiments.all().await?;
        running.retain(|experiment| experiment.status == Status::Running);
        let running = Arc::new(running);
        let read = Read { at: now, running: running.clone() };
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
        Ok(running)
    }
}

fn includes(experiment: &Experiment, begun: &Begun) -> bool {
    let audience = &experiment.audience;
    let among =
        |platforms: &[Platform]| platforms.is_empty() || platforms.contains(&begun.platform);
    let within = |regions: &[Region]| {
        regions.is_empty() || regions.iter().any(|region| region.as_str() == begun.region)
    };
    among(&audience.platforms) && within(&audience.regions) && (audience.kids || !begun.kids)
}

#[async_trait]
impl hooks::Experiments for Assigner {
    async fn tailor(&self, begun: &Begun) -> Tailored {
        let told = async {
            let arms = self.arms(begun).await?;
            if !arms.is_empty() {
                self.expose(begun, &arms).await?;
            }
            Ok::<_, storage::Error>(arms)
        };
        // Who watches in the way of an arm without the log knowing would be missing in the report.
        let arms = told.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a playback is in no experiment");
            Vec::new()
        });
        let mut tailored = Tailored::default();
        for Assigned { experiment, arm, abr } in arms {
            if let Ok(serde_json::Value::Object(abr)) = serde_json::to_value(abr) {
                tailored.abr.extend(abr);
            }
            let (experiment, arm) = (experiment.into(), arm.into());
            tailored.arms.push(Arm { experiment, arm });
        }
        tailored
    }
}
