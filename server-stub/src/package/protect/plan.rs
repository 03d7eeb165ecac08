//! Which key encrypts what: one for each tier and crypto period, made when it is first asked for or taken from
//! those that are given.

use super::{Options, systems::System};
use crate::{
    Error, Result,
    id::{hex, random},
    package::presentation::{Kind, Protected, ProtectedPeriod},
    vault::{Key, KeyId, Tier},
};
use kinora_cenc::ContentKey;

/// More crypto periods than this are a mistake.
const MOST_PERIODS: u32 = 1000;

/// The keys of a package in the making.
pub(in crate::package) struct Plan<'a> {
    options: &'a Options,
    content: String,
    keys: Vec<Key>,
}

impl<'a> Plan<'a> {
    pub(in crate::package) fn new(options: &'a Options) -> Self {
        // A package that is given keys of a content is that content.
        let given = options.keys.first().map(|key| key.content.clone());
        let content = given.filter(|content| !content.is_empty());
        Self { options, content: content.unwrap_or_else(|| hex(&random::<16>())), keys: Vec::new() }
    }

    /// All keys that were used.
    pub(in crate::package) fn into_keys(self) -> Vec<Key> {
        self.keys
    }

    /// How a track of so many ticks is protected.
    pub(in crate::package) fn track(
        &mut self,
        kind: &Kind,
        timescale: u32,
        duration: u64,
    ) -> Result<(Protected, Vec<ContentKey>)> {
        let tier = match kind {
            Kind::Audio { .. } => Tier::Audio,
            Kind::Video { height, .. } => Tier::of_height(*height),
        };
        let rotation = self.options.rotation_seconds.map(|s| (s * f64::from(timescale)) as u64);
        let count = rotation.map_or(1, |ticks| duration.div_ceil(ticks.max(1)).max(1));
        let count =
            u32::try_from(count).ok().filter(|count| *count <= MOST_PERIODS).ok_or_else(|| {
                let reason = format!("the keys would change more than {MOST_PERIODS} times");
                Error::Option { flag: "--rotation-seconds", reason }
            })?;
        let (mut periods, mut secrets) = (Vec::new(), Vec::new());
        for period in 0..count {
            let key = self.key(tier, period)?;
            periods.push(ProtectedPeriod { key_id: key.id });
            secrets.push(key.key.clone());
        }
        let protected = Protected {
            method: self.options.method,
            tier,
            content: self.content.clone(),
            rotation,
            periods,
            systems: self.options.systems.clone(),
            license_url: self.options.license_url.clone(),
            key_url: self.options.key_url.clone(),
        };
        Ok((protected, secrets))
    }

    fn key(&mut self, tier: Tier, period: u32) -> Result<&Key> {
        let wanted = |key: &Key| key.tier == tier && key.period == period;
        let place = match self.keys.iter().position(wanted) {
            Some(place) => place,
            None => {
                let key = self.new_key(tier, period)?;
                self.keys.push(key);
                self.keys.len() - 1
            }
        };
        self.keys.get(place).ok_or(Error::Interrupted)
    }

    fn new_key(&self, tier: Tier, period: u32) -> Result<Key> {
        let item = self.options.item.clone();
        if self.options.keys.is_empty() {
            return Ok(Key {
                id: KeyId::random(),
                content: self.content.clone(),
                item,
                tier,
                period,
                key: ContentKey::from(random()),
            });
        }
        let given = self.options.keys.iter().find(|key| key.tier == tier && key.period == period);
        let given = given.ok_or_else(|| Error::Option {
            flag: "--cpix",
            reason: format!("it has no key for {} in crypto period {period}", tier.name()),
        })?;
        Ok(Key { content: self.content.clone(), item, ..given.clone() })
    }
}

impl Protected {
    /// The crypto period that a segment which starts at a tick belongs to.
    pub(in crate::package) fn period(&self, start: u64) -> usize {
        let last = self.periods.len().saturating_sub(1);
        self.rotation.map_or(0, |ticks| (start / ticks.max(1)) as usize).min(last)
    }

    /// The ids of all its keys.
    pub(in crate::package) fn key_ids(&self) -> Vec<KeyId> {
        self.periods.iter().map(|period| period.key_id).collect()
    }

    /// The boxes that tell key systems of its keys.
    pub(in crate::package) fn pssh(&self) -> Vec<(System, Vec<u8>)> {
        let Some(scheme) = self.method.scheme() else { return Vec::new() };
        let ids = self.key_ids();
        let boxes = self.systems.iter().map(|s| Some((*s, s.pssh(scheme, &self.content, &ids)?)));
        boxes.flatten().collect()
    }
}
