//! The rules of others, set up as they were evaluated by their authors: what a simulation of theirs is
//! compared with.

use crate::sim::reference::{BolaBasic, DynamicBasic, Fixed};
use crate::sim::{Options, Player, Replacement};
use crate::{Config, Rule};

/// A published rule by its customary name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The name. `-ao`: climbing is held to what the throughput sustains (BOLA-O). `-FS`: queued
    /// segments are fetched again in a higher rung (fast switching).
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    rule: Family,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Lowest,
    BolaBasic,
    DynamicBasic,
    BuiltIn(Rule),
}

impl Published {
    /// All there are.
    pub const ALL: &[Self] = &[
        new("fixed0", "always the lowest rung", Family::Lowest),
        new("tput", "the highest rung the throughput sustains", Family::BuiltIn(Rule::Throughput)),
        new("bola-basic", "BOLA as first published", Family::BolaBasic),
        new("bola-basic-ao", "the same, climbing held", Family::BolaBasic),
        new("bolae", "BOLA with a placeholder buffer", Family::BuiltIn(Rule::Bola)),
        new("bolae-ao", "the same, climbing held", Family::BuiltIn(Rule::Bola)),
        new("bolae-FS", "BOLA-E with fast switching", Family::BuiltIn(Rule::Bola)),
        new("dynamic", "throughput and BOLA, handing over at 10 s", Family::DynamicBasic),
        new("dynamicdash", "DYNAMIC as in dash.js", Family::BuiltIn(Rule::Dynamic)),
        new("dynamicdash-ao", "the same, climbing held", Family::BuiltIn(Rule::Dynamic)),
        new("dynamicdash-FS", "DYNAMIC with fast switching", Family::BuiltIn(Rule::Dynamic)),
    ];

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|published| published.name == name)
    }

    /// The player and what it changes in the conditions of a session.
    pub fn player(&self, options: &Options) -> (Player, Options) {
        let climb_held = self.name.ends_with("-ao");
        let config = Config {
            dynamic_threshold_s: Some(10.0),
            bola_avoid_oscillation: climb_held,
            min_sample_bytes: 0,
            ..Config::default()
        };
        let player = match self.rule {
            Family::Lowest => Player::new(Box::new(Fixed(0)), &config),
            Family::BolaBasic => Player::new(Box::new(BolaBasic::new(climb_held)), &config),
            Family::DynamicBasic => Player::new(Box::new(DynamicBasic::new(&config)), &config),
            Family::BuiltIn(rule) => Player::rule(rule, &config),
        };
        let fast_switching = self.name.ends_with("-FS");
        let options = Options {
            replacement: if fast_switching { Replacement::Soonest } else { Replacement::None },
            abandon: self.rule != Family::Lowest,
            learn_from_abandoned: false,
            ..*options
        };
        (player, options)
    }
}

const fn new(name: &'static str, about: &'static str, rule: Family) -> Published {
    Published { name, about, rule }
}
