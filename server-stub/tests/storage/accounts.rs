//! What every `Accounts` does.

use super::Fresh;
use kinora_server::{
    clock::UnixTime,
    id::{AccountId, ProfileId},
    storage::{
        Accounts,
        accounts::{Account, Added, Profile},
        sqlite::SqliteAccounts,
    },
    web::text::Slug,
};
use std::sync::Arc;

fn account(email: &str) -> Account {
    Account {
        id: AccountId::random(),
        email: email.to_owned(),
        password_hash: "$hash".to_owned(),
        region: "DE".to_owned(),
        admin: false,
        plan: None,
        epoch: 0,
        created_at: UnixTime(1_000_000),
    }
}

fn profile(name: &str) -> Profile {
    Profile {
        id: ProfileId::random(),
        name: name.to_owned(),
        kids: false,
        maturity_limit: 18,
        language: "de".to_owned(),
    }
}

async fn an_account_is_found_by_its_address_and_its_id(accounts: &impl Accounts) {
    let ada = account("ada@example.org");
    assert!(accounts.create(&ada, &profile("first")).await.unwrap());
    assert_eq!(accounts.by_email("ada@example.org").await.unwrap(), Some(ada.clone()));
    assert_eq!(accounts.account(&ada.id).await.unwrap(), Some(ada));
    for stranger in ["ada@example.or", "ada@example.org ", "' OR 1=1 --", "%", "*", ""] {
        assert_eq!(accounts.by_email(stranger).await.unwrap(), None, "{stranger}");
    }
    assert_eq!(accounts.account(&AccountId::random()).await.unwrap(), None);
}

async fn an_address_belongs_to_one_account(accounts: Arc<impl Accounts>) {
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let accounts = accounts.clone();
            tokio::spawn(async move {
                accounts.create(&account("one@example.org"), &profile("first")).await.unwrap()
            })
        })
        .collect();
    let mut created = 0;
    for attempt in tries {
        created += usize::from(attempt.await.unwrap());
    }
    assert_eq!(created, 1);
}

/// There is never an account without a profile, nor a profile in the wrong one.
async fn an_account_comes_with_its_first_profile_or_not_at_all(accounts: &impl Accounts) {
    let (whole, first) = (account("whole@example.org"), profile("first"));
    assert!(accounts.create(&whole, &first).await.unwrap());
    let kept = std::slice::from_ref(&first);
    assert_eq!(accounts.profiles(&whole.id).await.unwrap(), kept);
    let late = account("late@example.org");
    let same_address = account("whole@example.org");
    let same_id = Account { id: whole.id.clone(), ..account("other@example.org") };
    for (refused, profile) in
        [(&same_address, &profile("x")), (&same_id, &profile("x")), (&late, &first)]
    {
        assert!(!accounts.create(refused, profile).await.unwrap());
        let there = accounts.by_email(&refused.email).await.unwrap();
        assert_eq!(there, (refused.email == whole.email).then(|| whole.clone()));
        assert_eq!(accounts.account(&whole.id).await.unwrap().as_ref(), Some(&whole));
        assert_eq!(accounts.profiles(&whole.id).await.unwrap(), kept);
        assert!(
            accounts
                .profile(&refused.id, &profile.id)
                .await
                .unwrap()
                .is_none_or(|one| one == first)
        );
    }
    assert!(accounts.create(&late, &profile("first")).await.unwrap(), "its address is still free");
}

async fn who_departed_is_known_until_that_is_settled(accounts: &impl Accounts) {
    while let departed = accounts.departed(2).await.unwrap()
        && !departed.is_empty()
    {
        assert!(departed.len() <= 2);
        for profile in departed {
            accounts.settle(&profile).await.unwrap();
        }
    }
    let [home, other] = [account("leaving@example.org"), account("staying@example.org")];
    let profiles = [profile("a"), profile("b"), profile("c")];
    accounts.create(&home, &profiles[0]).await.unwrap();
    accounts.create(&other, &profile("stays")).await.unwrap();
    for profile in &profiles[1..] {
        accounts.add_profile(&home.id, profile, 5).await.unwrap();
    }
    let departed = async || {
        let mut departed = accounts.departed(10).await.unwrap();
        departed.sort();
        departed
    };
    let mut ids: Vec<ProfileId> = profiles.iter().map(|profile| profile.id.clone()).collect();
    assert!(!accounts.remove_profile(&other.id, &ids[1]).await.unwrap());
    assert_eq!(departed().await, [], "it is not another's to remove");
    assert!(accounts.remove_profile(&home.id, &ids[1]).await.unwrap());
    assert_eq!(departed().await, [ids[1].clone()]);
    accounts.close(&home.id).await.unwrap().unwrap();
    let removed = ids[1].clone();
    ids.sort();
    assert_eq!(departed().await, ids);
    accounts.settle(&removed).await.unwrap();
    accounts.settle(&removed).await.unwrap();
    ids.retain(|id| *id != removed);
    assert_eq!(departed().await, ids);
}

async fn a_new_password_or_an_end_of_sessions_is_a_new_epoch(accounts: &impl Accounts) {
    let eve = account("eve@example.org");
    accounts.create(&eve, &profile("first")).await.unwrap();
    assert!(accounts.set_password(&eve.id, "$new' --").await.unwrap());
    assert!(accounts.end_sessions(&eve.id).await.unwrap());
    assert!(accounts.set_admin(&eve.id, true).await.unwrap());
    let expected =
        Account { password_hash: "$new' --".to_owned(), epoch: 2, admin: true, ..eve.clone() };
    assert_eq!(accounts.account(&eve.id).await.unwrap(), Some(expected.clone()));
    let ada = accounts.by_email("ada@example.org").await.unwrap().unwrap();
    assert_eq!((ada.epoch, ada.admin), (0, false), "another's account is untouched");
    assert!(accounts.set_admin(&eve.id, false).await.unwrap());
    let plan: Slug = "premium".parse().unwrap();
    for plan in [Some(&plan), None] {
        assert!(accounts.set_plan(&eve.id, plan).await.unwrap());
        assert_eq!(accounts.account(&eve.id).await.unwrap().unwrap().plan.as_ref(), plan);
        assert_eq!(accounts.by_email("ada@example.org").await.unwrap().unwrap().plan, None);
    }
    assert!(!accounts.account(&eve.id).await.unwrap().unwrap().admin);
    let nobody = AccountId::random();
    assert!(!accounts.set_password(&nobody, "$").await.unwrap());
    assert!(!accounts.end_sessions(&nobody).await.unwrap());
    assert!(!accounts.set_admin(&nobody, true).await.unwrap());
    assert!(!accounts.set_plan(&nobody, None).await.unwrap());
}

async fn profiles_keep_their_order_and_change_in_place(accounts: &impl Accounts) {
    let home = account("home@example.org");
    let [first, mut second, third] = [profile("Ä"), profile("'; DROP TABLE"), profile("")];
    accounts.create(&home, &first).await.unwrap();
    for profile in [&second, &third] {
        assert_eq!(accounts.add_profile(&home.id, profile, 5).await.unwrap(), Added::Yes);
    }
    second = Profile { kids: true, maturity_limit: 6, name: "Bo".into(), ..second };
    assert!(accounts.update_profile(&home.id, &second).await.unwrap());
    assert!(accounts.remove_profile(&home.id, &first.id).await.unwrap());
    assert!(!accounts.remove_profile(&home.id, &first.id).await.unwrap());
    assert_eq!(accounts.profiles(&home.id).await.unwrap(), [second.clone(), third]);
    assert_eq!(accounts.profile(&home.id, &second.id).await.unwrap(), Some(second));
    assert!(!accounts.update_profile(&home.id, &first).await.unwrap());
}

async fn another_accounts_profile_does_not_exist(accounts: &impl Accounts) {
    let [mine, theirs] = [account("mine@example.org"), account("theirs@example.org")];
    accounts.create(&mine, &profile("first")).await.unwrap();
    accounts.create(&theirs, &profile("first")).await.unwrap();
    let secret = profile("secret");
    accounts.add_profile(&theirs.id, &secret, 5).await.unwrap();
    assert_eq!(accounts.profile(&mine.id, &secret.id).await.unwrap(), None);
    assert!(!accounts.update_profile(&mine.id, &secret).await.unwrap());
    assert!(!accounts.remove_profile(&mine.id, &secret.id).await.unwrap());
    assert_eq!(accounts.profiles(&mine.id).await.unwrap().len(), 1);
    assert_eq!(accounts.profiles(&theirs.id).await.unwrap()[1..], [secret]);
}

async fn an_account_never_has_more_profiles_than_it_may(accounts: Arc<impl Accounts>) {
    let crowd = account("crowd@example.org");
    accounts.create(&crowd, &profile("first")).await.unwrap();
    let tries: Vec<_> = (0..12)
        .map(|_| {
            let (accounts, id) = (accounts.clone(), crowd.id.clone());
            tokio::spawn(async move { accounts.add_profile(&id, &profile("p"), 5).await.unwrap() })
        })
        .collect();
    let mut added = Vec::new();
    for attempt in tries {
        added.push(attempt.await.unwrap());
    }
    assert_eq!(added.iter().filter(|added| **added == Added::Yes).count(), 4);
    assert_eq!(added.iter().filter(|added| **added == Added::Full).count(), 8);
    assert_eq!(accounts.profiles(&crowd.id).await.unwrap().len(), 5);
    let nobody = accounts.add_profile(&AccountId::random(), &profile("p"), 5).await.unwrap();
    assert_eq!(nobody, Added::NoAccount);
}

async fn a_closed_account_leaves_nothing(accounts: &impl Accounts) {
    let gone = account("gone@example.org");
    let [first, second] = [profile("first"), profile("second")];
    accounts.create(&gone, &first).await.unwrap();
    accounts.add_profile(&gone.id, &second, 5).await.unwrap();
    let both = vec![first.id.clone(), second.id.clone()];
    assert_eq!(accounts.close(&gone.id).await.unwrap(), Some(both));
    assert_eq!(accounts.close(&gone.id).await.unwrap(), None);
    assert_eq!(accounts.by_email("gone@example.org").await.unwrap(), None);
    assert_eq!(accounts.profile(&gone.id, &first.id).await.unwrap(), None);
    let again = accounts.create(&account("gone@example.org"), &profile("first")).await;
    assert!(again.unwrap(), "its address is free");
}

async fn suite(accounts: impl Accounts) {
    accounts.ready().await.unwrap();
    an_account_is_found_by_its_address_and_its_id(&accounts).await;
    a_new_password_or_an_end_of_sessions_is_a_new_epoch(&accounts).await;
    profiles_keep_their_order_and_change_in_place(&accounts).await;
    another_accounts_profile_does_not_exist(&accounts).await;
    a_closed_account_leaves_nothing(&accounts).await;
    an_account_comes_with_its_first_profile_or_not_at_all(&accounts).await;
    who_departed_is_known_until_that_is_settled(&accounts).await;
    let accounts = Arc::new(accounts);
    an_address_belongs_to_one_account(accounts.clone()).await;
    an_account_never_has_more_profiles_than_it_may(accounts).await;
}

async fn sqlite() -> Fresh<SqliteAccounts> {
    let directory = tempfile::tempdir().unwrap();
    Fresh { storage: SqliteAccounts::open(directory.path()).await.unwrap(), directory }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    let fresh = sqlite().await;
    suite(fresh.storage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_is_there_after_opening_again() {
    let Fresh { storage, directory } = sqlite().await;
    let kept = account("kept@example.org");
    storage.create(&kept, &profile("first")).await.unwrap();
    drop(storage);
    let storage = SqliteAccounts::open(directory.path()).await.unwrap();
    assert_eq!(storage.account(&kept.id).await.unwrap(), Some(kept));
}

/// How long it takes would tell who has an account, if of two that are asked for one had to wait for the disk.
#[tokio::test]
async fn sqlite_writes_as_much_for_an_address_that_is_taken() {
    let Fresh { storage, directory } = sqlite().await;
    let written = || {
        let log = directory.path().join("accounts.sqlite-wal");
        std::fs::metadata(log).unwrap().len()
    };
    let ask = async |address: &str| {
        let before = written();
        let opened = storage.create(&account(address), &profile("first")).await.unwrap();
        (opened, written() - before)
    };
    ask("first@example.org").await;
    for round in 0..8 {
        let address = format!("{round}@example.org");
        let (opened, free) = ask(&address).await;
        assert!(opened && free > 0);
        assert_eq!(ask(&address).await, (false, free));
    }
}
