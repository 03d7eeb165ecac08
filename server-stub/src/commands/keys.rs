//! `kinora-server keys`.

use super::DataDirectory;
use clap::{Args, Subcommand};
use kinora_server::{
    Error, Result,
    clock::Clock,
    package::protect::{Method, cpix, systems::System},
    roles::Data,
    token::{SigningKeys, cat::DeliveryKeys},
};
use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

/// Look after the keys that sign tokens, and those of encrypted films
///
/// The former are made when they are first needed, and rotate every thirty days by themselves.
#[derive(Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    data: DataDirectory,
}

#[derive(Subcommand)]
enum Action {
    /// Make a new key, which takes over ten minutes later; a running service notices within a minute
    Rotate {
        /// The old keys are known to others: end every token at once
        #[arg(long)]
        stolen: bool,
    },
    /// Write the content keys of a package into a CPIX document, in the clear, for a licence vendor's key
    /// server; only its owner can read the file
    Export {
        /// The package: `content` in its package.json
        content: String,
        /// The file to write, which must not be there
        output: PathBuf,
        /// How the package is encrypted
        #[arg(long, value_name = "HOW", default_value = "cbcs")]
        protect: Method,
        /// The key systems to write initialisation data for
        #[arg(long, value_name = "SYSTEMS", value_delimiter = ',', default_value = "common")]
        drm_systems: Vec<System>,
        /// Keys that wrap content keys, where they are not kept with the data
        #[arg(long, value_name = "FILE", env = "KINORA_CONTENT_KEKS_FILE")]
        content_keks: Option<PathBuf>,
    },
}

impl Keys {
    pub(crate) async fn run(self) -> Result<()> {
        match self.action {
            Action::Rotate { stolen } => {
                let now = Clock::default().now();
                SigningKeys::rotate(&Data::secret_keys(&self.data.path), stolen, now)?;
                let delivery = Data::secret_delivery_keys(&self.data.path);
                Ok(DeliveryKeys::rotate(&delivery, stolen, now)?)
            }
            Action::Export { content, output, protect, drm_systems, content_keks } => {
                let mut data = Data::new(&self.data.path);
                data.content_keks =
                    super::secret_text(content_keks.as_deref(), "KINORA_CONTENT_KEKS")?;
                let keys = data.vault().await?.of_content(&content).await?;
                if keys.is_empty() {
                    return Err(Error::NoKeys { content });
                }
                let document = cpix::write(&keys, protect, &drm_systems)
                    .map_err(|error| Error::Cpix { path: output.clone(), error })?;
                write_private(&output, document.as_bytes())
            }
        }
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).and_then(|mut file| file.write_all(bytes)).map_err(|error| Error::Io {
        action: "write",
        path: path.to_owned(),
        kind: error.kind(),
    })
}
