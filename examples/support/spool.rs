//! Messages on their way to a disk that may stop answering (a full NFS server, a frozen volume).
//!
//! A thread that uses such a disk may wait without end, so no thread that drives sessions uses it: every operation runs on
//! tokio's blocking pool.

use crate::maildir::Draft;
use std::{any::Any, io, path::PathBuf, sync::Arc, time::Duration};
use tokio::{runtime::Handle, sync::oneshot, task, time::timeout};

/// The time for which a session waits for one operation of the disk before it rejects the message: less than
/// the three minutes that a client waits for a block of content (RFC 5321 section 4.5.3.2.5).
const PATIENCE: Duration = Duration::from_secs(120);

/// A message in progress.
#[derive(Debug)]
pub(crate) struct Message(Option<Parts>);

#[derive(Debug)]
struct Parts {
    draft: Draft,
    /// Is kept as long as the message may hold a file, which may be longer than its session.
    held: Arc<dyn Any + Send + Sync>,
}

impl Message {
    pub(crate) fn new(draft: Draft, held: Arc<dyn Any + Send + Sync>) -> Self {
        Self(Some(Parts { draft, held }))
    }

    /// Appends octets of content. After an error the message is lost.
    pub(crate) async fn write(mut self, octets: &[u8]) -> io::Result<Self> {
        let is_due = self.0.as_mut().is_some_and(|parts| parts.draft.push(octets));
        if !is_due {
            return Ok(self);
        }
        on_disk(move || {
            if let Some(parts) = &mut self.0 {
                parts.draft.write()?;
            }
            Ok(self)
        })
        .await
    }

    /// Returns the octets of content so far.
    pub(crate) fn octets(&self) -> u64 {
        self.0.as_ref().map_or(0, |parts| parts.draft.octets())
    }

    /// Stores the message durably, and returns its path.
    pub(crate) async fn keep(mut self) -> io::Result<PathBuf> {
        let Some(Parts { draft, held }) = self.0.take() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let (kept, _held) = on_disk(move || Ok((draft.keep()?, held))).await?;
        Ok(kept.into_path())
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // Removing a file is an operation of the disk as well.
        if let Some(parts) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(parts));
        }
    }
}

/// Runs an operation of the disk on a thread that may wait, and waits for it up to [`PATIENCE`]. A
/// result that comes later, or that is no longer waited for, is dropped on that thread.
async fn on_disk<T: Send + 'static>(
    operation: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, mut result) = oneshot::channel();
    let job = task::spawn_blocking(move || done.send(operation()).map_err(drop));
    match timeout(PATIENCE, &mut result).await {
        Ok(result) => result.unwrap_or_else(|_| Err(io::Error::other("the disk operation failed"))),
        Err(_) => {
            job.abort(); // which helps as long as it has not begun
            result.close();
            let late = || Err(io::Error::new(io::ErrorKind::TimedOut, "the disk does not answer"));
            result.try_recv().unwrap_or_else(|_| late())
        }
    }
}
