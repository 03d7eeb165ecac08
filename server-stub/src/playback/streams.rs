//! How many devices of an account play at once: leases, that end when nobody says they go on.
//!
//! All leases of an account are one record, changed by compare-and-set: two devices that start at once cannot
//! both take the last one.

use crate::{
    clock::UnixTime,
    id::{AccountId, PlaybackId, SessionId},
    storage::{
        self, Sessions,
        sessions::{Expected, Versioned},
    },
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A lease that is not renewed for so long ends.
pub const LEASE: u32 = 90;
/// A player renews its lease so often; two renewals may get lost.
pub const HEARTBEAT: u32 = 30;

/// A device that plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Names it.
    pub id: PlaybackId,
    /// The device: a device plays one thing at a time.
    pub session: SessionId,
    /// What plays.
    pub item: String,
    /// From when on it has ended.
    pub expires: UnixTime,
}

/// The leases, over a storage.
#[derive(Clone)]
pub struct Streams {
    sessions: Arc<dyn Sessions>,
}

impl Streams {
    /// Leases in a storage.
    pub fn new(sessions: Arc<dyn Sessions>) -> Self {
        Self { sessions }
    }

    /// Takes a lease, in place of the one that the device had; none if `most` other devices have one.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn begin(
        &self,
        account: &AccountId,
        session: &SessionId,
        item: &str,
        most: usize,
        now: UnixTime,
    ) -> storage::Result<Option<Lease>> {
        let lease = Lease {
            id: PlaybackId::random(),
            session: session.clone(),
            item: item.to_owned(),
            expires: now.plus(LEASE),
        };
        let taken = self.change(account, now, |leases| {
            leases.retain(|other| other.session != *session);
            let free = leases.len() < most;
            if free {
                leases.push(lease.clone());
            }
            free
        });
        Ok(taken.await?.then_some(lease))
    }

    /// A device's lease; none when it has ended, or the device plays something else since.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn find(
        &self,
        account: &AccountId,
        session: &SessionId,
        id: &PlaybackId,
        now: UnixTime,
    ) -> storage::Result<Option<Lease>> {
        let leases = self.all(account, now).await?;
        Ok(leases.into_iter().find(|lease| lease.id == *id && lease.session == *session))
    }

    /// Renews a device's lease; none when it has ended, or the device plays something else since.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn renew(
        &self,
        account: &AccountId,
        session: &SessionId,
        id: &PlaybackId,
        now: UnixTime,
    ) -> storage::Result<Option<Lease>> {
        let mut renewed = None;
        self.change(account, now, |leases| {
            let mine = leases.iter_mut().find(|lease| lease.id == *id && lease.session == *session);
            renewed = mine.map(|lease| {
                // A clock that goes back takes nothing away.
                lease.expires = lease.expires.max(now.plus(LEASE));
                lease.clone()
            });
            renewed.is_some()
        })
        .await?;
        Ok(renewed)
    }

    /// Ends a lease of the account, whichever device has it; false when it has ended.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn end(
        &self,
        account: &AccountId,
        id: &PlaybackId,
        now: UnixTime,
    ) -> storage::Result<bool> {
        self.change(account, now, |leases| {
            let before = leases.len();
            leases.retain(|lease| lease.id != *id);
            leases.len() < before
        })
        .await
    }

    /// The leases that have not ended.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn all(&self, account: &AccountId, now: UnixTime) -> storage::Result<Vec<Lease>> {
        Ok(self.read(&key(account), now).await?.1)
    }

    /// Changes the leases of an account, unless `change` says that there is nothing to change; it may be asked
    /// several times.
    async fn change(
        &self,
        account: &AccountId,
        now: UnixTime,
        mut change: impl FnMut(&mut Vec<Lease>) -> bool,
    ) -> storage::Result<bool> {
        let key = key(account);
        loop {
            let (expected, mut leases) = self.read(&key, now).await?;
            if !change(&mut leases) {
                return Ok(false);
            }
            let last = leases.iter().map(|lease| lease.expires).max().unwrap_or(now.plus(1));
            let value = serde_json::to_vec(&leases).unwrap_or_default();
            if self.sessions.write(&key, expected, &value, last, now).await?.is_some() {
                return Ok(true);
            }
        }
    }

    async fn read(&self, key: &str, now: UnixTime) -> storage::Result<(Expected, Vec<Lease>)> {
        let Some(Versioned { version, value }) = self.sessions.read(key, now).await? else {
            return Ok((Expected::Absent, Vec::new()));
        };
        let mut leases: Vec<Lease> = serde_json::from_slice(&value).map_err(|error| {
            storage::Error::Damaged { what: "stream lease", reason: error.to_string() }
        })?;
        leases.retain(|lease| lease.expires > now);
        Ok((Expected::Version(version), leases))
    }
}

fn key(account: &AccountId) -> String {
    format!("streams/{account}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{
        sqlite::SqliteSessions,
        turns::{Actor, in_turns, linearises},
    };
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const NOW: UnixTime = UnixTime(1_000_000);

    async fn streams() -> (tempfile::TempDir, Streams) {
        let directory = tempfile::tempdir().unwrap();
        let sessions = SqliteSessions::open(directory.path()).await.unwrap();
        (directory, Streams::new(Arc::new(sessions)))
    }

    #[tokio::test]
    async fn a_lease_ends_unless_it_is_renewed_by_its_device() {
        let (_directory, streams) = streams().await;
        let (account, tv, phone) = (AccountId::random(), SessionId::random(), SessionId::random());
        let lease = streams.begin(&account, &tv, "film", 1, NOW).await.unwrap().unwrap();
        assert_eq!(streams.begin(&account, &phone, "film", 1, NOW).await.unwrap(), None);
        let almost = NOW.plus(LEASE - 1);
        assert_eq!(streams.renew(&account, &phone, &lease.id, almost).await.unwrap(), None);
        assert_eq!(
            streams.renew(&AccountId::random(), &tv, &lease.id, almost).await.unwrap(),
            None
        );
        assert!(streams.renew(&account, &tv, &lease.id, almost).await.unwrap().is_some());
        let then = NOW.plus(LEASE);
        assert_eq!(streams.begin(&account, &phone, "film", 1, then).await.unwrap(), None);
        let late = almost.plus(LEASE);
        assert_eq!(streams.renew(&account, &tv, &lease.id, late).await.unwrap(), None);
        assert!(streams.begin(&account, &phone, "film", 1, late).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_device_that_starts_again_takes_its_own_place() {
        let (_directory, streams) = streams().await;
        let (account, tv) = (AccountId::random(), SessionId::random());
        let first = streams.begin(&account, &tv, "a", 1, NOW).await.unwrap().unwrap();
        let second = streams.begin(&account, &tv, "b", 1, NOW).await.unwrap().unwrap();
        assert_eq!(streams.all(&account, NOW).await.unwrap(), std::slice::from_ref(&second));
        assert_eq!(streams.renew(&account, &tv, &first.id, NOW).await.unwrap(), None);
        assert!(!streams.end(&account, &first.id, NOW).await.unwrap());
        assert!(streams.end(&account, &second.id, NOW).await.unwrap());
        assert!(streams.all(&account, NOW).await.unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_that_start_at_once_as_many_as_may_do() {
        let (_directory, streams) = streams().await;
        let account = AccountId::random();
        for round in 0..4 {
            let now = NOW.plus(round * 2 * LEASE);
            let tries: Vec<_> = (0..12)
                .map(|_| {
                    let (streams, account) = (streams.clone(), account.clone());
                    tokio::spawn(async move {
                        streams.begin(&account, &SessionId::random(), "film", 3, now).await.unwrap()
                    })
                })
                .collect();
            let mut begun = 0;
            for attempt in tries {
                begun += usize::from(attempt.await.unwrap().is_some());
            }
            assert_eq!(begun, 3);
        }
    }

    /// What devices do, in any order and at any time.
    #[derive(Debug, Clone)]
    enum Step {
        Begin(usize),
        Renew(usize),
        End(usize),
        Wait(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..5usize).prop_map(Step::Begin),
            4 => (0..5usize).prop_map(Step::Renew),
            1 => (0..5usize).prop_map(Step::End),
            3 => (0..LEASE).prop_map(Step::Wait),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        /// What each device was told adds up: never more than may hold a lease that has not ended, and one that
        /// is refused is refused because so many others do.
        #[test]
        fn never_more_than_may(steps in prop::collection::vec(step(), 1..40), most in 1..4usize) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let (_directory, streams) = streams().await;
                let account = AccountId::random();
                let devices: Vec<SessionId> = (0..5).map(|_| SessionId::random()).collect();
                let mut held: Vec<Option<Lease>> = vec![None; 5];
                let mut now = NOW;
                for step in steps {
                    let live = |lease: &Option<Lease>| lease.as_ref().is_some_and(|l| l.expires > now);
                    match step {
                        Step::Wait(seconds) => now = now.plus(seconds),
                        Step::Begin(device) => {
                            let others = (0..5).filter(|i| *i != device && live(&held[*i])).count();
                            let begun = streams.begin(&account, &devices[device], "x", most, now);
                            let begun = begun.await.unwrap();
                            prop_assert_eq!(begun.is_some(), others < most);
                            if begun.is_some() {
                                held[device] = begun;
                            }
                        }
                        Step::Renew(device) => {
                            if let Some(lease) = &held[device] {
                                let renewed = streams.renew(&account, &devices[device], &lease.id, now);
                                let renewed = renewed.await.unwrap();
                                prop_assert_eq!(renewed.is_some(), live(&held[device]));
                                held[device] = renewed;
                            }
                        }
                        Step::End(device) => {
                            if let Some(lease) = held[device].take() {
                                let ended = streams.end(&account, &lease.id, now).await.unwrap();
                                prop_assert_eq!(ended, lease.expires > now);
                            }
                        }
                    }
                    let live = held.iter().flatten().filter(|lease| lease.expires > now).count();
                    prop_assert!(live <= most);
                    prop_assert_eq!(streams.all(&account, now).await.unwrap().len(), live);
                }
                Ok(())
            })?;
        }
    }

    /// What a device does while others do theirs; leases are those that were held before.
    #[derive(Debug, Clone, Copy)]
    enum Doing {
        Begin(usize),
        Renew(usize),
        End(usize),
    }

    fn doing() -> impl Strategy<Value = Doing> {
        prop_oneof![
            3 => (0..4usize).prop_map(Doing::Begin),
            1 => (0..4usize).prop_map(Doing::Renew),
            2 => (0..4usize).prop_map(Doing::End),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// However the steps of several that begin, renew and end fall between each other, in two processes: there
        /// are never more leases than may be, and it is as if one had come after the other.
        #[test]
        fn at_once_is_as_good_as_one_after_the_other(
            most in 1..4usize,
            held in prop::sample::subsequence(vec![0, 1, 2, 3], 0..4),
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
                let streams = Streams::new(processes[0].clone());
                let account = AccountId::random();
                let devices: Vec<SessionId> = (0..4).map(|_| SessionId::random()).collect();
                let mut before: BTreeMap<usize, PlaybackId> = BTreeMap::new();
                for device in held.into_iter().take(most) {
                    let lease = streams.begin(&account, &devices[device], "x", most, NOW).await;
                    before.insert(device, lease.unwrap().unwrap().id);
                }
                let nothing = PlaybackId::random();
                let actor = |(place, doing): (usize, &Doing)| {
                    let (account, doing) = (account.clone(), *doing);
                    let (Doing::Begin(device) | Doing::Renew(device) | Doing::End(device)) = doing;
                    let session = devices[device].clone();
                    let lease = before.get(&device).unwrap_or(&nothing).clone();
                    Actor::new(processes[place % 2].clone(), move |sessions| async move {
                        let streams = Streams::new(sessions);
                        match doing {
                            Doing::Begin(_) => {
                                let begun = streams.begin(&account, &session, "x", most, NOW).await;
                                begun.unwrap().map(|lease| lease.id)
                            }
                            Doing::Renew(_) => {
                                let renewed = streams.renew(&account, &session, &lease, NOW).await;
                                renewed.unwrap().map(|lease| lease.id)
                            }
                            Doing::End(_) => {
                                streams.end(&account, &lease, NOW).await.unwrap().then_some(lease)
                            }
                        }
                    })
                };
                let actors = doings.iter().enumerate().map(actor).collect();
                let mut live = 0;
                let done = in_turns(actors, &turns, async || {
                    live = live.max(streams.all(&account, NOW).await.unwrap().len());
                });
                let done = done.await;
                prop_assert!(live <= most, "{live} leases of {most}");
                let leases = streams.all(&account, NOW).await.unwrap();
                let left: BTreeSet<&PlaybackId> = leases.iter().map(|lease| &lease.id).collect();
                let explained = linearises(&done, |order| {
                    let mut leases = before.clone();
                    let as_told = order.iter().all(|&place| {
                        let told = &done[place].outcome;
                        match doings[place] {
                            Doing::Begin(device) => {
                                let others = leases.keys().filter(|other| **other != device);
                                let free = others.count() < most;
                                if let Some(id) = told {
                                    leases.insert(device, id.clone());
                                }
                                told.is_some() == free
                            }
                            Doing::Renew(device) => {
                                let mine = before.get(&device);
                                let live = mine.is_some() && leases.get(&device) == mine;
                                told.is_some() == live
                            }
                            Doing::End(device) => {
                                let mine = before.get(&device);
                                let live = mine.is_some() && leases.get(&device) == mine;
                                if live {
                                    leases.remove(&device);
                                }
                                told.is_some() == live
                            }
                        }
                    });
                    as_told && leases.values().collect::<BTreeSet<_>>() == left
                });
                prop_assert!(explained, "no order gives {done:?} and leaves {left:?}");
                Ok(())
            })?;
        }
    }
}
