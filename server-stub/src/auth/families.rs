//! Refresh tokens: opaque, used once, in families (RFC 9700, 4.14.2).
//!
//! A sign-in begins a family. Each use of its token gives a new one; an older one that turns up again means
//! that two hold the family, and ends it. One exception: a player whose answer was lost tries again with the
//! token it has, and for a moment gets the same successor once more.

use crate::{
    clock::UnixTime,
    id::{AccountId, ProfileId, SessionId, hex, random},
    storage::{
        self, Sessions,
        sessions::{Expected, Versioned},
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// A family that is not used for so long (30 days) ends.
pub const IDLE: u32 = 30 * 86_400;
/// A family ends after so long (a year) however much it is used.
pub const LONGEST: u32 = 365 * 86_400;
/// The token before the current one gets the current one once more for so long.
pub const GRACE: u32 = 20;

/// What is kept of a family. No token can be made from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Family {
    account: AccountId,
    epoch: u32,
    profile: Option<ProfileId>,
    device: String,
    began_at: UnixTime,
    /// SHA-256 of the current secret.
    current: String,
    previous: Option<Previous>,
}

/// The token before the current one.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Previous {
    /// SHA-256 of its secret.
    hash: String,
    /// The current secret, readable with this one's.
    sealed: String,
    rotated_at: UnixTime,
}

/// A family as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub account: AccountId,
    /// The account's epoch when it began.
    pub epoch: u32,
    /// The profile it acts as.
    pub profile: Option<ProfileId>,
}

/// What came of presenting a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// Here is the next one, and until when it is good.
    Next(SignIn, String, UnixTime),
    /// It was used before: the family has ended.
    Reused(SignIn),
    /// There is no such family, or no longer.
    Unknown,
}

/// The families, over a storage.
#[derive(Clone)]
pub struct Families {
    sessions: Arc<dyn Sessions>,
}

type Secret = [u8; 32];

impl Families {
    /// Families in a storage.
    pub fn new(sessions: Arc<dyn Sessions>) -> Self {
        Self { sessions }
    }

    /// Begins a family and returns its id, its first token, and until when that is good.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn begin(
        &self,
        account: AccountId,
        epoch: u32,
        device: String,
        now: UnixTime,
    ) -> storage::Result<(SessionId, String, UnixTime)> {
        let secret: Secret = random();
        let family = Family {
            account,
            epoch,
            profile: None,
            device,
            began_at: now,
            current: hash(&secret),
            previous: None,
        };
        let id = SessionId::random();
        let expires = family.expires(now);
        let written = self.write(&id, Expected::Absent, &family, now).await?;
        if !written {
            let reason = "a new session's id is taken".to_owned();
            return Err(storage::Error::Unavailable { reason });
        }
        let token = token(&id, &secret);
        Ok((id, token, expires))
    }

    /// Takes a refresh token for the next.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn refresh(&self, presented: &str, now: UnixTime) -> storage::Result<Refreshed> {
        let Some((id, secret)) = parse(presented) else { return Ok(Refreshed::Unknown) };
        loop {
            let Some((version, family)) = self.read(&id, now).await? else {
                return Ok(Refreshed::Unknown);
            };
            let hashed = hash(&secret);
            if same(&hashed, &family.current) {
                let next: Secret = random();
                let sealed = BASE64URL.encode(seal(&secret, &next));
                let previous = Previous { hash: hashed, sealed, rotated_at: now };
                let family = Family { current: hash(&next), previous: Some(previous), ..family };
                let expires = family.expires(now);
                if self.write(&id, Expected::Version(version), &family, now).await? {
                    let next = token(&id, &next);
                    return Ok(Refreshed::Next(family.sign_in(id), next, expires));
                }
                continue; // somebody was faster, perhaps with the same token
            }
            if let Some(previous) = &family.previous
                && same(&hashed, &previous.hash)
                && now.since(previous.rotated_at) < u64::from(GRACE)
                && let Some(sealed) = BASE64URL.decode(&previous.sealed).ok()
                && let Ok(sealed) = Secret::try_from(sealed)
            {
                let next = token(&id, &seal(&secret, &sealed));
                let expires = family.expires(previous.rotated_at);
                return Ok(Refreshed::Next(family.sign_in(id), next, expires));
            }
            if self.sessions.remove(&key(&id), version, now).await? {
                return Ok(Refreshed::Reused(family.sign_in(id)));
            }
        }
    }

    /// A family that has not ended.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn find(&self, id: &SessionId, now: UnixTime) -> storage::Result<Option<SignIn>> {
        Ok(self.read(id, now).await?.map(|(_, family)| family.sign_in(id.clone())))
    }

    /// Has a family act as a profile from now on; false when it has ended.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn select(
        &self,
        id: &SessionId,
        profile: &ProfileId,
        now: UnixTime,
    ) -> storage::Result<bool> {
        loop {
            let Some((version, family)) = self.read(id, now).await? else { return Ok(false) };
            if family.profile.as_ref() == Some(profile) {
                return Ok(true);
            }
            let family = Family { profile: Some(profile.clone()), ..family };
            if self.write(id, Expected::Version(version), &family, now).await? {
                return Ok(true);
            }
        }
    }

    /// Ends a family.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn end(&self, id: &SessionId, now: UnixTime) -> storage::Result<()> {
        while let Some((version, _)) = self.read(id, now).await? {
            if self.sessions.remove(&key(id), version, now).await? {
                break;
            }
        }
        Ok(())
    }

    async fn read(&self, id: &SessionId, now: UnixTime) -> storage::Result<Option<(u64, Family)>> {
        let Some(Versioned { version, value }) = self.sessions.read(&key(id), now).await? else {
            return Ok(None);
        };
        match serde_json::from_slice(&value) {
            Ok(family) => Ok(Some((version, family))),
            Err(error) => {
                Err(storage::Error::Damaged { what: "session", reason: error.to_string() })
            }
        }
    }

    async fn write(
        &self,
        id: &SessionId,
        expected: Expected,
        family: &Family,
        now: UnixTime,
    ) -> storage::Result<bool> {
        let value = serde_json::to_vec(family).unwrap_or_default();
        // Whatever else changes a family does not prolong it.
        let used_at = family.previous.as_ref().map_or(family.began_at, |p| p.rotated_at);
        let expires = family.expires(used_at);
        Ok(self.sessions.write(&key(id), expected, &value, expires, now).await?.is_some())
    }
}

impl Family {
    /// When it ends if it was last refreshed then.
    fn expires(&self, used_at: UnixTime) -> UnixTime {
        used_at.plus(IDLE).min(self.began_at.plus(LONGEST))
    }

    fn sign_in(&self, id: SessionId) -> SignIn {
        let Self { account, epoch, profile, .. } = self.clone();
        SignIn { id, account, epoch, profile }
    }
}

fn key(id: &SessionId) -> String {
    format!("refresh/{id}")
}

/// A token starts with what it is, so that whoever finds one somewhere can tell.
const PREFIX: &str = "kinora_rt_";

fn token(id: &SessionId, secret: &Secret) -> String {
    format!("{PREFIX}{id}_{}", BASE64URL.encode(secret))
}

fn parse(token: &str) -> Option<(SessionId, Secret)> {
    let (id, secret) = token.strip_prefix(PREFIX)?.split_at_checked(32)?;
    let secret = BASE64URL.decode(secret.strip_prefix('_')?).ok()?;
    Some((id.parse().ok()?, secret.try_into().ok()?))
}

/// A secret is 256 random bits: nobody guesses it, so a plain hash hides it.
fn hash(secret: &Secret) -> String {
    hex(&Sha256::digest(secret))
}

fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// Hides a successor from all but the holder of the secret that it succeeds; and, done again, shows it. The
/// pad is used for this one successor only.
fn seal(secret: &Secret, successor: &Secret) -> Secret {
    let pad =
        Sha256::new().chain_update(b"kinora refresh successor").chain_update(secret).finalize();
    std::array::from_fn(|i| successor[i] ^ pad[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{
        sqlite::SqliteSessions,
        turns::{Actor, in_turns, linearises},
    };
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const NOW: UnixTime = UnixTime(1_000_000);

    struct World {
        _directory: tempfile::TempDir,
        families: Families,
    }

    async fn world() -> World {
        let directory = tempfile::tempdir().unwrap();
        let sessions = Arc::new(SqliteSessions::open(directory.path()).await.unwrap());
        World { families: Families::new(sessions), _directory: directory }
    }

    impl World {
        async fn begin(&self) -> (SessionId, String) {
            let account = AccountId::random();
            let (id, token, _) =
                self.families.begin(account, 0, "TV".to_owned(), NOW).await.unwrap();
            (id, token)
        }

        async fn next(&self, token: &str, now: UnixTime) -> String {
            match self.families.refresh(token, now).await.unwrap() {
                Refreshed::Next(_, next, _) => next,
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_lost_answer_is_given_again_for_a_moment() {
        let world = world().await;
        let (id, first) = world.begin().await;
        let second = world.next(&first, NOW).await;
        assert_ne!(first, second);
        assert_eq!(world.next(&first, NOW.plus(GRACE - 1)).await, second);
        let late = world.families.refresh(&first, NOW.plus(GRACE)).await.unwrap();
        assert!(matches!(late, Refreshed::Reused(sign_in) if sign_in.id == id));
        let after = world.families.refresh(&second, NOW.plus(GRACE)).await.unwrap();
        assert_eq!(after, Refreshed::Unknown, "the thief's token has ended too");
    }

    #[tokio::test]
    async fn once_the_successor_was_used_its_predecessor_has_no_grace() {
        let world = world().await;
        let (_, first) = world.begin().await;
        let second = world.next(&first, NOW).await;
        let third = world.next(&second, NOW).await;
        assert!(matches!(world.families.refresh(&first, NOW).await.unwrap(), Refreshed::Reused(_)));
        assert_eq!(world.families.refresh(&third, NOW).await.unwrap(), Refreshed::Unknown);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_at_once_with_one_token_all_get_the_same_successor() {
        let world = world().await;
        let (_, first) = world.begin().await;
        let tries: Vec<_> = (0..16)
            .map(|_| {
                let (families, token) = (world.families.clone(), first.clone());
                tokio::spawn(async move { families.refresh(&token, NOW).await.unwrap() })
            })
            .collect();
        let mut successors = BTreeSet::new();
        for attempt in tries {
            match attempt.await.unwrap() {
                Refreshed::Next(_, next, _) => successors.insert(next),
                other => panic!("{other:?}"),
            };
        }
        assert_eq!(successors.len(), 1);
    }

    #[tokio::test]
    async fn a_family_ends_when_idle_and_when_old() {
        let world = world().await;
        let (_, token) = world.begin().await;
        let idle = world.families.refresh(&token, NOW.plus(IDLE)).await.unwrap();
        assert_eq!(idle, Refreshed::Unknown);
        let (id, mut token) = world.begin().await;
        let mut now = NOW;
        while now.plus(IDLE - 1) < NOW.plus(LONGEST) {
            now = now.plus(IDLE - 1);
            // What is kept beside the token does not prolong it.
            assert!(world.families.select(&id, &ProfileId::random(), now).await.unwrap());
            token = world.next(&token, now).await;
        }
        let old = world.families.refresh(&token, NOW.plus(LONGEST)).await.unwrap();
        assert_eq!(old, Refreshed::Unknown);
    }

    #[tokio::test]
    async fn a_profile_stays_selected_and_does_not_prolong() {
        let world = world().await;
        let (id, token) = world.begin().await;
        let profile = ProfileId::random();
        assert!(world.families.select(&id, &profile, NOW.plus(IDLE - 1)).await.unwrap());
        assert_eq!(world.families.find(&id, NOW.plus(IDLE)).await.unwrap(), None);
        let other = world.begin().await.0;
        assert!(world.families.select(&other, &profile, NOW).await.unwrap());
        let found = world.families.find(&other, NOW).await.unwrap().unwrap();
        assert_eq!(found.profile, Some(profile));
        let ended = world.families.refresh(&token, NOW.plus(IDLE)).await.unwrap();
        assert_eq!(ended, Refreshed::Unknown);
    }

    #[tokio::test]
    async fn what_is_stored_makes_no_token() {
        let directory = tempfile::tempdir().unwrap();
        let sessions = Arc::new(SqliteSessions::open(directory.path()).await.unwrap());
        let families = Families::new(sessions.clone());
        let begun = families.begin(AccountId::random(), 0, "TV".to_owned(), NOW).await.unwrap();
        let Refreshed::Next(_, next, _) = families.refresh(&begun.1, NOW).await.unwrap() else {
            panic!("not refreshed");
        };
        let stored = sessions.read(&key(&begun.0), NOW).await.unwrap().unwrap().value;
        let stored = String::from_utf8(stored).unwrap();
        for token in [&begun.1, &next] {
            let secret = &token[PREFIX.len() + 33..];
            assert!(!stored.contains(secret));
            assert!(!stored.contains(&hex(&BASE64URL.decode(secret).unwrap())));
        }
    }

    #[test]
    fn only_a_token_is_read_as_one() {
        let good = token(&SessionId::random(), &random());
        assert!(parse(&good).is_some());
        let umlaut = format!("{PREFIX}{}ü", "a".repeat(31));
        for text in ["", PREFIX, &good[1..], &good[..good.len() - 1], &format!("{good}A"), &umlaut]
        {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    /// What happens to a family; tokens are named by their place among those ever handed out.
    #[derive(Debug, Clone)]
    enum Step {
        Refresh(prop::sample::Index),
        Forge(prop::sample::Index),
        Wait(u32),
        End,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => any::<prop::sample::Index>().prop_map(Step::Refresh),
            1 => any::<prop::sample::Index>().prop_map(Step::Forge),
            4 => (0..2 * GRACE).prop_map(Step::Wait),
            1 => Just(Step::End),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        /// Whatever is presented in whatever order: the newest token works until the family ends, the one
        /// before it gets that same newest token within the grace, and any other ends the family for good.
        #[test]
        fn rotation_keeps_its_promises(steps in prop::collection::vec(step(), 1..40)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let world = world().await;
                let (id, first) = world.begin().await;
                let mut tokens = vec![first];
                let (mut now, mut rotated_at, mut alive) = (NOW, NOW, true);
                for step in steps {
                    match step {
                        Step::Wait(seconds) => now = now.plus(seconds),
                        Step::End => {
                            world.families.end(&id, now).await.unwrap();
                            alive = false;
                        }
                        Step::Forge(place) => {
                            let token = &tokens[place.index(tokens.len())];
                            let forged = format!("{}A", &token[..token.len() - 1]);
                            if forged != *token && parse(&forged).is_some() {
                                let answer = world.families.refresh(&forged, now).await.unwrap();
                                prop_assert!(!matches!(answer, Refreshed::Next(..)));
                                alive = false;
                            }
                        }
                        Step::Refresh(place) => {
                            let place = place.index(tokens.len());
                            let answer = world.families.refresh(&tokens[place], now).await.unwrap();
                            let newest = tokens.len() - 1;
                            let graced = place + 1 == newest && now.since(rotated_at) < u64::from(GRACE);
                            match answer {
                                Refreshed::Next(_, next, _) => {
                                    prop_assert!(alive);
                                    if place == newest {
                                        prop_assert!(!tokens.contains(&next));
                                        tokens.push(next);
                                        rotated_at = now;
                                    } else {
                                        prop_assert!(graced);
                                        prop_assert_eq!(&next, &tokens[newest]);
                                    }
                                }
                                Refreshed::Reused(_) => {
                                    prop_assert!(alive && place != newest && !graced);
                                    alive = false;
                                }
                                Refreshed::Unknown => prop_assert!(!alive),
                            }
                        }
                    }
                    prop_assert_eq!(world.families.find(&id, now).await.unwrap().is_some(), alive);
                }
                Ok(())
            })?;
        }
    }

    /// What somebody does with a family while others do theirs; of three tokens the last is the current one.
    #[derive(Debug, Clone, Copy)]
    enum Doing {
        Refresh(usize),
        Select(usize),
        End,
    }

    fn doing() -> impl Strategy<Value = Doing> {
        prop_oneof![
            6 => prop::sample::select(vec![0, 1, 2, 2, 2]).prop_map(Doing::Refresh),
            3 => (0..2usize).prop_map(Doing::Select),
            1 => Just(Doing::End),
        ]
    }

    /// What came of it, with tokens and profiles by their places.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Outcome {
        Next(usize, Option<usize>),
        Reused(Option<usize>),
        Unknown,
        Selected(bool),
        Ended,
    }

    /// What is to come of it in a family that goes by its current token and its profile.
    fn expected(doing: Doing, family: &mut Option<(usize, Option<usize>)>) -> Outcome {
        match (doing, &mut *family) {
            (Doing::Refresh(_), None) => Outcome::Unknown,
            (Doing::Refresh(token), Some((current, profile))) => {
                if token == *current {
                    *current += 1;
                } else if token + 1 != *current {
                    let profile = *profile;
                    *family = None;
                    return Outcome::Reused(profile);
                }
                Outcome::Next(*current, *profile)
            }
            (Doing::Select(_), None) => Outcome::Selected(false),
            (Doing::Select(chosen), Some((_, profile))) => {
                *profile = Some(chosen);
                Outcome::Selected(true)
            }
            (Doing::End, _) => {
                *family = None;
                Outcome::Ended
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// However the steps of several that refresh, select and end fall between each other, in two processes: a token
        /// has one successor, and it is as if one had come after the other.
        #[test]
        fn at_once_is_as_good_as_one_after_the_other(
            doings in prop::collection::vec(doing(), 2..5),
            turns in prop::collection::vec(0..4usize, 0..16),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let directory = tempfile::tempdir().unwrap();
                let mut processes: Vec<Arc<dyn Sessions>> = Vec::new();
                for _ in 0..2 {
                    let sessions = SqliteSessions::open(directory.path()).await.unwrap();
                    processes.push(Arc::new(sessions));
                }
                let families = Families::new(processes[0].clone());
                let world = World { _directory: directory, families: families.clone() };
                let (id, first) = world.begin().await;
                let second = world.next(&first, NOW).await;
                let third = world.next(&second, NOW).await;
                let tokens = [first, second, third];
                let profiles = [ProfileId::random(), ProfileId::random()];
                let place_of = |profile: &Option<ProfileId>| {
                    profiles.iter().position(|one| Some(one) == profile.as_ref())
                };
                let actor = |(place, doing): (usize, &Doing)| {
                    let (id, doing, tokens, profiles) =
                        (id.clone(), *doing, tokens.clone(), profiles.clone());
                    Actor::new(processes[place % 2].clone(), move |sessions| async move {
                        let families = Families::new(sessions);
                        match doing {
                            Doing::Refresh(token) => {
                                Ok(families.refresh(&tokens[token], NOW).await.unwrap())
                            }
                            Doing::Select(profile) => {
                                let selected = families.select(&id, &profiles[profile], NOW).await;
                                Err(Outcome::Selected(selected.unwrap()))
                            }
                            Doing::End => {
                                families.end(&id, NOW).await.unwrap();
                                Err(Outcome::Ended)
                            }
                        }
                    })
                };
                let actors = doings.iter().enumerate().map(actor).collect();
                let done = in_turns(actors, &turns, async || {}).await;
                let mut successors = BTreeSet::new();
                let mut told = Vec::new();
                for one in &done {
                    told.push(match &one.outcome {
                        Ok(Refreshed::Next(sign_in, next, _)) => {
                            let known = tokens.iter().position(|token| token == next);
                            if known.is_none() {
                                successors.insert(next);
                            }
                            Outcome::Next(known.unwrap_or(3), place_of(&sign_in.profile))
                        }
                        Ok(Refreshed::Reused(sign_in)) => {
                            Outcome::Reused(place_of(&sign_in.profile))
                        }
                        Ok(Refreshed::Unknown) => Outcome::Unknown,
                        Err(outcome) => *outcome,
                    });
                }
                prop_assert!(successors.len() <= 1, "{successors:?}");
                let left = families.find(&id, NOW).await.unwrap();
                let left = left.map(|sign_in| place_of(&sign_in.profile));
                let explained = linearises(&done, |order| {
                    let mut family = Some((2, None));
                    let as_told =
                        order.iter().all(|&one| expected(doings[one], &mut family) == told[one]);
                    as_told && family.map(|(_, profile)| profile) == left
                });
                prop_assert!(explained, "no order gives {told:?} and leaves {left:?}");
                Ok(())
            })?;
        }
    }
}
