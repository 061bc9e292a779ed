//! A Maildir in which every operation of the disk happens on a thread that may wait for it.
//!
//! A disk can stop answering (a full NFS server, a frozen volume). Whatever calls it then waits, so
//! nothing here touches it on the threads that drive the sessions: up to [`BLOCK`] octets of a
//! message stay in memory, and the rest is written by jobs of tokio's blocking pool.

use esmtp::{
    server::{Facts, Transaction},
    syntax::Host,
    trace::{Received, ReturnPath, Timestamp},
};
use std::{
    any::Any,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    mem,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::{runtime::Handle, sync::oneshot, task, time::timeout};

/// Octets of a message that are kept in memory until they are written together.
const BLOCK: usize = 64 * 1024;
/// How long a session waits for one operation of the disk before it gives the message up: less than
/// the three minutes that a client waits for a block of content (RFC 5321 section 4.5.3.2.5).
const DISK: Duration = Duration::from_secs(120);
/// Age from which a file in `tmp/` belongs to no delivery (the Maildir convention).
const ABANDONED: Duration = Duration::from_secs(36 * 60 * 60);

/// A folder with `tmp/`, `new/` and `cur/`.
#[derive(Debug)]
pub(crate) struct Maildir {
    root: Arc<Path>,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

impl Maildir {
    /// Makes the folders that are missing, readable by their owner only, and removes what earlier
    /// deliveries have abandoned in `tmp/`. Waits for the disk.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        for folder in ["tmp", "new", "cur"] {
            make_folder(&root.join(folder))?;
        }
        // An earlier start may have been cut off before it synced what it made.
        File::open(root)?.sync_all()?;
        sweep(&root.join("tmp"), SystemTime::now())?;
        Ok(Self { root: root.into() })
    }

    /// Begins a message with its trace lines (RFC 5321 section 4.4). `held` is released when the
    /// message no longer holds a file, which may be long after the session.
    pub(crate) fn begin(
        &self,
        by: &Host<'_>,
        facts: &Facts,
        envelope: &Transaction,
        held: Arc<dyn Any + Send + Sync>,
    ) -> Draft {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Nothing in the name comes from the peer.
        let id = format!("{}.M{}P{}Q{count}", time.as_secs(), time.subsec_micros(), process::id());
        let mut received = Received::new(by, facts.protocol(), Timestamp::since_unix_epoch(time))
            .with_id(&id)
            .with_recipients(envelope.recipients().map(|recipient| recipient.forward_path()));
        if let Some(host) = facts.host() {
            received = received.with_from(host);
        }
        if let Some(address) = facts.peer().address() {
            received = received.with_peer(address.ip(), facts.peer().name());
        }
        let pending = format!("{}{received}", ReturnPath(&envelope.reverse_path())).into_bytes();
        Draft { root: Arc::clone(&self.root), id, octets: 0, pending, file: None, held }
    }
}

/// Makes a folder and those above it that are missing, and syncs each new one and the one that holds
/// it: a message is safe only if a power cut takes none of the folders above it.
fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> =
        folder.ancestors().take_while(|it| !it.as_os_str().is_empty() && !it.exists()).collect();
    // The owner's mail is the owner's alone; a folder that exists keeps its mode.
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for made in missing {
        File::open(made)?.sync_all()?;
        let above = made.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Removes the files that have not been modified for [`ABANDONED`]. One that cannot be removed stays:
/// it does no harm.
fn sweep(folder: &Path, now: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Of a link itself, not of what it points to.
        let is_abandoned = entry.metadata().is_ok_and(|metadata| {
            let modified = metadata.modified().unwrap_or(now);
            metadata.is_file() && now.duration_since(modified).is_ok_and(|age| age >= ABANDONED)
        });
        if is_abandoned {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// A message that is being received. Dropped before [`keep`](Self::keep) has returned, it leaves no
/// file.
#[derive(Debug)]
pub(crate) struct Draft {
    root: Arc<Path>,
    id: String,
    octets: u64,
    /// Octets after those in the file.
    pending: Vec<u8>,
    file: Option<Temporary>,
    held: Arc<dyn Any + Send + Sync>,
}

impl Draft {
    /// Appends octets of content. After an error the message is lost.
    pub(crate) async fn write(mut self, octets: &[u8]) -> io::Result<Self> {
        self.octets += octets.len() as u64;
        self.pending.extend_from_slice(octets);
        if self.pending.len() < BLOCK {
            return Ok(self);
        }
        on_disk(move || {
            self.append()?;
            Ok(self)
        })
        .await
    }

    /// Returns the octets of content so far.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// Puts the message into `new/`. When this returns, it survives a power cut: the file was
    /// synced before it was renamed, and the folder after.
    pub(crate) async fn keep(mut self) -> io::Result<PathBuf> {
        let kept = on_disk(move || {
            self.append()?;
            let file = self.file.take().ok_or(io::ErrorKind::NotFound)?;
            file.keep(&self.root.join("new"), &self.id)
        });
        Ok(kept.await?.into_path())
    }

    /// Appends what is pending to the file. Waits for the disk.
    fn append(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(Temporary::create(
                self.root.join("tmp").join(&self.id),
                Arc::clone(&self.held),
            )?),
        };
        file.file.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // To remove a file is an operation of the disk as well.
        if let Some(file) = self.file.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(file));
        }
    }
}

/// A file in `tmp/` that is open; dropped, it is removed.
#[derive(Debug)]
struct Temporary {
    file: File,
    kept: Kept,
}

impl Temporary {
    fn create(path: PathBuf, held: Arc<dyn Any + Send + Sync>) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { file, kept: Kept { path, is_removed: true, _held: held } })
    }

    fn keep(self, folder: &Path, id: &str) -> io::Result<Kept> {
        let Self { file, mut kept } = self;
        file.sync_all()?;
        drop(file); // one descriptor at a time
        let path = folder.join(id);
        fs::rename(&kept.path, &path)?;
        kept.path = path;
        File::open(folder)?.sync_all()?;
        Ok(kept)
    }
}

/// A file that is removed when it is dropped, unless the session has taken its path: the client hears
/// of an error then, and sends the message again.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    is_removed: bool,
    /// Outlives the file descriptor.
    _held: Arc<dyn Any + Send + Sync>,
}

impl Kept {
    fn into_path(mut self) -> PathBuf {
        self.is_removed = false;
        mem::take(&mut self.path)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.is_removed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Runs an operation of the disk where it may wait, and waits for it up to [`DISK`]. The result of an
/// operation that takes longer, or that no longer interests, is dropped in its own thread.
async fn on_disk<T: Send + 'static>(
    operation: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, mut result) = oneshot::channel();
    let job = task::spawn_blocking(move || done.send(operation()).map_err(drop));
    match timeout(DISK, &mut result).await {
        Ok(result) => result.unwrap_or_else(|_| Err(io::Error::other("an operation has failed"))),
        Err(_) => {
            job.abort(); // which helps as long as it has not begun
            result.close();
            let late = || Err(io::Error::new(io::ErrorKind::TimedOut, "the disk does not answer"));
            result.try_recv().unwrap_or_else(|_| late())
        }
    }
}
