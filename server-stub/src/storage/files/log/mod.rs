//! A log as files of one directory.
//!
//! ```text
//! 00000000000000000000.log   records 0 … n-1       each file is named by its first record
//! 00000000000000041237.log   records n … (grows)
//! LOCK                       held by whoever writes; shared by those who read
//! ```
//!
//! One thread of each process writes. It takes all that waits and writes it at once, so that many callers share
//! one wait for the disk. What others have written meanwhile is read first: it may hold the same keys. A record
//! at the end that is not whole is what a process left behind that ended while it wrote; nobody was told of it,
//! and it is cut off. One that is not whole in the middle means that the disk lost something, and is an error.

mod read;
mod recent;
mod segment;
mod write;

use super::{
    super::{Error, Result, blocking},
    failed,
};
use crate::{
    clock::UnixTime,
    storage::event_log::{Appended, Entry, EventLog, LARGEST, Record, Retention, WINDOW},
};
use async_trait::async_trait;
use read::Cursors;
use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
};
use tokio::sync::oneshot;
use write::Writer;

/// How a log is kept.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// A file that has grown to so many bytes is followed by another.
    pub segment: u64,
    /// The latest records that are looked through for one of the same key.
    pub window: usize,
    /// Callers that may wait for the disk at once; more are sent away.
    pub waiting: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment: 8 << 20, window: WINDOW, waiting: 256 }
    }
}

/// A log in a directory. Clones share it.
#[derive(Clone)]
pub struct FileLog {
    directory: PathBuf,
    writer: SyncSender<Command>,
    cursors: Arc<Cursors>,
}

/// What the writing thread is asked for.
enum Command {
    Append { entries: Vec<Entry>, now: UnixTime, answer: oneshot::Sender<Result<Vec<Appended>>> },
    Retain { retention: Retention, answer: oneshot::Sender<Result<u64>> },
}

/// Bytes of records that are written at once.
const MOST_AT_ONCE: usize = 4 << 20;

impl FileLog {
    /// Opens the log in a directory, which is made, and cuts off what is not whole at its end.
    ///
    /// # Errors
    /// When the directory cannot be written, or a record in the middle is damaged.
    pub async fn open(directory: &Path, options: Options) -> Result<Self> {
        let opened = directory.to_owned();
        let mut writer = blocking(move || Writer::open(&opened, options)).await?;
        let (sender, receiver) = sync_channel::<Command>(options.waiting);
        // It ends when the last clone of this is gone.
        let thread = thread::Builder::new().name("event-log".to_owned()).spawn(move || {
            let mut next = None;
            while let Some(command) = next.take().or_else(|| receiver.recv().ok()) {
                match command {
                    Command::Retain { retention, answer } => {
                        let _ = answer.send(writer.retain(retention));
                    }
                    Command::Append { entries, now, answer } => {
                        let mut bytes = size(&entries);
                        let mut batch = vec![(entries, now)];
                        let mut answers = vec![answer];
                        while bytes < MOST_AT_ONCE {
                            match receiver.try_recv() {
                                Ok(Command::Append { entries, now, answer }) => {
                                    bytes += size(&entries);
                                    batch.push((entries, now));
                                    answers.push(answer);
                                }
                                other => {
                                    next = other.ok();
                                    break;
                                }
                            }
                        }
                        let outcome = writer.append(&batch);
                        for (at, answer) in answers.into_iter().enumerate() {
                            // Whoever asked may have gone away; what was written stays.
                            let _ = answer.send(match &outcome {
                                Ok(appended) => Ok(appended[at].clone()),
                                Err(error) => Err(error.clone()),
                            });
                        }
                    }
                }
            }
        });
        thread.map_err(failed("start a thread for", directory))?;
        Ok(Self { directory: directory.to_owned(), writer: sender, cursors: Arc::default() })
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T>>) -> Command,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let ended = || Error::Unavailable { reason: "the log's thread has ended".to_owned() };
        match self.writer.try_send(command(answer)) {
            Ok(()) => answered.await.map_err(|_| ended())?,
            Err(TrySendError::Full(_)) => Err(Error::Busy),
            Err(TrySendError::Disconnected(_)) => Err(ended()),
        }
    }
}

fn size(entries: &[Entry]) -> usize {
    entries.iter().map(|entry| segment::HEAD + entry.value.len()).sum()
}

#[async_trait]
impl EventLog for FileLog {
    async fn append(&self, entries: Vec<Entry>, now: UnixTime) -> Result<Vec<Appended>> {
        if let Some(entry) = entries.iter().find(|entry| entry.value.len() > LARGEST) {
            let reason = format!("{} bytes", entry.value.len());
            return Err(Error::Damaged { what: "record that is too long", reason });
        }
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(|answer| Command::Append { entries, now, answer }).await
    }

    async fn read(&self, from: u64, most: usize) -> Result<Vec<Record>> {
        let (directory, cursors) = (self.directory.clone(), self.cursors.clone());
        blocking(move || cursors.read(&directory, from, most)).await
    }

    async fn range(&self) -> Result<Range<u64>> {
        let (directory, cursors) = (self.directory.clone(), self.cursors.clone());
        blocking(move || cursors.range(&directory)).await
    }

    async fn retain(&self, retention: Retention) -> Result<u64> {
        self.ask(|answer| Command::Retain { retention, answer }).await
    }

    async fn ready(&self) -> Result<()> {
        self.range().await.map(drop)
    }
}
