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
    assert!(accounts.create(&ada).await.unwrap());
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
            tokio::spawn(async move { accounts.create(&account("one@example.org")).await.unwrap() })
        })
        .collect();
    let mut created = 0;
    for attempt in tries {
        created += usize::from(attempt.await.unwrap());
    }
    assert_eq!(created, 1);
}

async fn a_new_password_or_an_end_of_sessions_is_a_new_epoch(accounts: &impl Accounts) {
    let eve = account("eve@example.org");
    accounts.create(&eve).await.unwrap();
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
    accounts.create(&home).await.unwrap();
    let [first, mut second, third] = [profile("Ä"), profile("'; DROP TABLE"), profile("")];
    for profile in [&first, &second, &third] {
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
    accounts.create(&mine).await.unwrap();
    accounts.create(&theirs).await.unwrap();
    let secret = profile("secret");
    accounts.add_profile(&theirs.id, &secret, 5).await.unwrap();
    assert_eq!(accounts.profile(&mine.id, &secret.id).await.unwrap(), None);
    assert!(!accounts.update_profile(&mine.id, &secret).await.unwrap());
    assert!(!accounts.remove_profile(&mine.id, &secret.id).await.unwrap());
    assert!(accounts.profiles(&mine.id).await.unwrap().is_empty());
    assert_eq!(accounts.profiles(&theirs.id).await.unwrap(), [secret]);
}

async fn an_account_never_has_more_profiles_than_it_may(accounts: Arc<impl Accounts>) {
    let crowd = account("crowd@example.org");
    accounts.create(&crowd).await.unwrap();
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
    assert_eq!(added.iter().filter(|added| **added == Added::Yes).count(), 5);
    assert_eq!(added.iter().filter(|added| **added == Added::Full).count(), 7);
    assert_eq!(accounts.profiles(&crowd.id).await.unwrap().len(), 5);
    let nobody = accounts.add_profile(&AccountId::random(), &profile("p"), 5).await.unwrap();
    assert_eq!(nobody, Added::NoAccount);
}

async fn a_closed_account_leaves_nothing(accounts: &impl Accounts) {
    let gone = account("gone@example.org");
    accounts.create(&gone).await.unwrap();
    let only = profile("only");
    accounts.add_profile(&gone.id, &only, 5).await.unwrap();
    assert_eq!(accounts.close(&gone.id).await.unwrap(), Some(vec![only.id.clone()]));
    assert_eq!(accounts.close(&gone.id).await.unwrap(), None);
    assert_eq!(accounts.by_email("gone@example.org").await.unwrap(), None);
    assert_eq!(accounts.profile(&gone.id, &only.id).await.unwrap(), None);
    assert!(accounts.create(&account("gone@example.org")).await.unwrap(), "its address is free");
}

async fn suite(accounts: impl Accounts) {
    accounts.ready().await.unwrap();
    an_account_is_found_by_its_address_and_its_id(&accounts).await;
    a_new_password_or_an_end_of_sessions_is_a_new_epoch(&accounts).await;
    profiles_keep_their_order_and_change_in_place(&accounts).await;
    another_accounts_profile_does_not_exist(&accounts).await;
    a_closed_account_leaves_nothing(&accounts).await;
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
    storage.create(&kept).await.unwrap();
    drop(storage);
    let storage = SqliteAccounts::open(directory.path()).await.unwrap();
    assert_eq!(storage.account(&kept.id).await.unwrap(), Some(kept));
}
