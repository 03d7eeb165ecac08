//! Rules by name, ready to play.

use kinora_abr::sim::reference::Fixed;
use kinora_abr::sim::{Options, Player, Published, Replacement};
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
    Published(Published),
    Fixed(usize),
}

/// There is no such rule.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no controller {0:?}; the names are: {names}, and fixedN for always rung N", names = Contender::names().join(", "))]
pub struct UnknownController(String);

/// Before the name of a published rule that has the name of one shipped with the player.
const PUBLISHED: &str = "published:";

impl Contender {
    /// The rule of that name: one that the player ships, with `config`, or a published one as it was
    /// evaluated.
    pub fn new(name: &str, config: &Config) -> Result<Self, UnknownController> {
        let shipped = || Rule::from_name(name).map(Kind::Shipped);
        let published = || {
            let name = name.strip_prefix(PUBLISHED).unwrap_or(name);
            Published::from_name(name).map(Kind::Published)
        };
        let fixed = || name.strip_prefix("fixed")?.parse().ok().map(Kind::Fixed);
        let kind = shipped().or_else(published).or_else(fixed);
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

    /// A player at its start, and the conditions it plays under.
    pub(super) fn player(&self, options: &Options) -> (Player, Options) {
        match self.kind {
            Kind::Shipped(rule) => {
                let config = Config { rule, ..self.config };
                let replacement =
                    if config.replace { Replacement::Rule } else { Replacement::None };
                (Player::rule(rule, &config), Options { replacement, ..*options })
            }
            Kind::Published(published) => published.player(options),
            Kind::Fixed(rung) => {
                let player = Player::new(Box::new(Fixed(rung)), &self.config);
                (player, Options { abandon: false, ..*options })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_names_something() {
        for name in Contender::names() {
            assert_eq!(Contender::new(&name, &Config::default()).unwrap().name, name);
        }
        assert!(Contender::new("fixed3", &Config::default()).is_ok());
        let unknown = Contender::new("no", &Config::default()).unwrap_err().to_string();
        assert!(unknown.contains("kinora") && unknown.contains("published:dynamic"), "{unknown}");
    }
}
