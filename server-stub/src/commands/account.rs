//! `kinora-server account`.

use super::DataDirectory;
use clap::{Args, Subcommand};
use kinora_server::{
    Error, Result,
    storage::{Accounts, sqlite::SqliteAccounts},
    web::text::Slug,
};

/// Look after accounts, beside a running service or without one
#[derive(Args)]
pub(crate) struct Account {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    data: DataDirectory,
}

#[derive(Subcommand)]
enum Action {
    /// Let an account edit the catalogue, from its next access token on
    Admin {
        /// The address it signs in with
        email: String,
        /// No longer
        #[arg(long)]
        revoke: bool,
    },
    /// Give an account a plan, from its next access token on
    Plan {
        /// The address it signs in with
        email: String,
        /// The plan, as `serve --plans` names it; the usual one if there is none
        plan: Option<Slug>,
    },
    /// Sign every device of an account out
    SignOut {
        /// The address it signs in with
        email: String,
    },
}

impl Account {
    pub(crate) async fn run(self) -> Result<()> {
        let accounts = SqliteAccounts::open(&self.data.path).await?;
        let (Action::Admin { email, .. } | Action::Plan { email, .. } | Action::SignOut { email }) =
            &self.action;
        let email = email.to_ascii_lowercase();
        let Some(account) = accounts.by_email(&email).await? else {
            return Err(Error::NoAccount { email });
        };
        match self.action {
            Action::Admin { revoke, .. } => accounts.set_admin(&account.id, !revoke).await?,
            Action::Plan { plan, .. } => accounts.set_plan(&account.id, plan.as_ref()).await?,
            Action::SignOut { .. } => accounts.end_sessions(&account.id).await?,
        };
        Ok(())
    }
}
