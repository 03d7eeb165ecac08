//! Rules by name, ready to play.

use kinora_abr::sim::reference::Fixed;
use kinora_abr::sim::shared::{Viewer, watch};
use kinora_abr::sim::{Movie, Options, Player, Published, Replacement, Session, Trace, play};
use kinora_abr::{Config, Rule};

/// A rule that takes part.
#[derive(Clone, Debug)]
pub struct Contender {
    /// The name it was asked for by.
    pub name: String,
    kind: Kind,
    config: Config,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Shipped(Rule),
    Engine(Rule),
    Published(Published),
    Fixed(usize),
}

/// There is no such rule.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no controller {0:?}; the names are: {names}, fixedN for always rung N, and engine:NAME for one of ours inside the engine", names = Contender::names().join(", "))]
pub struct UnknownController(String);

/// Before the name of a published rule that has the name of one shipped with the player.
const PUBLISHED: &str = "published:";
/// Before the name of a rule that plays inside the engine.
const ENGINE: &str = "engine:";

impl Contender {
    /// The rule of that name: one that the player ships, with `config`, alone or inside its engine; or
    /// a published one as it was evaluated.
    pub fn new(name: &str, config: &Config) -> Result<Self, UnknownController> {
        let shipped = || Rule::from_name(name).map(Kind::Shipped);
        let engine = || Rule::from_name(name.strip_prefix(ENGINE)?).map(Kind::Engine);
        let published = || {
            let name = name.strip_prefix(PUBLISHED).unwrap_or(name);
            Published::from_name(name).map(Kind::Published)
        };
        let fixed = || name.strip_prefix("fixed")?.parse().ok().map(Kind::Fixed);
        let kind = shipped().or_else(engine).or_else(published).or_else(fixed);
        let kind = kind.ok_or_else(|| UnknownController(name.to_owned()))?;
        Ok(Self { name: name.to_owned(), kind, config: *config })
    }

    /// Always the lowest rung.
    pub fn lowest() -> Self {
        Self { name: "lowest".into(), kind: Kind::Fixed(0), config: Config::default() }
    }

    /// Every name.
    pub fn names() -> Vec<String> {
        Rule::ALL.iter().map(|rule| rule.name().to_owned()).chain(Self::published_names()).collect()
    }

    /// Every name of a published rule.
    pub fn published_names() -> impl Iterator<Item = String> {
        Published::ALL.iter().map(|published| match Rule::from_name(published.name) {
            Some(_) => format!("{PUBLISHED}{}", published.name),
            None => published.name.to_owned(),
        })
    }

    /// Plays a title over a network.
    pub(super) fn play(&self, movie: &Movie, trace: &Trace, capacity_ms: f64) -> Session {
        let options = Options { capacity_ms, ..Options::default() };
        let (player, options) = match self.kind {
            Kind::Shipped(rule) => {
                let config = Config { rule, ..self.config };
                let replacement =
                    if config.replace { Replacement::Rule } else { Replacement::None };
                (Player::rule(rule, &config), Options { replacement, ..options })
            }
            Kind::Engine(rule) => {
                let config = Config { rule, ..self.config };
                return alone(movie, trace, capacity_ms, config);
            }
            Kind::Published(published) => published.player(&options),
            Kind::Fixed(rung) => {
                let player = Player::new(Box::new(Fixed(rung)), &self.config);
                (player, Options { abandon: false, ..options })
            }
        };
        play(movie, trace, player, &options)
    }
}

/// A whole player that has the link to itself.
fn alone(movie: &Movie, trace: &Trace, capacity_ms: f64, config: Config) -> Session {
    let viewer = Viewer {
        movie: movie.clone(),
        config,
        capacity_ms,
        joins_ms: 0.0,
        audio_kbps: None,
        live: None,
    };
    let viewings = watch(trace, &[viewer], f64::INFINITY);
    viewings.into_iter().next().map(|viewing| viewing.session).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_names_something() {
        for name in Contender::names() {
            assert_eq!(Contender::new(&name, &Config::default()).unwrap().name, name);
        }
        for name in ["fixed3", "engine:kinora"] {
            assert!(Contender::new(name, &Config::default()).is_ok());
        }
        let unknown = Contender::new("no", &Config::default()).unwrap_err().to_string();
        assert!(unknown.contains("kinora") && unknown.contains("published:dynamic"), "{unknown}");
    }
}
