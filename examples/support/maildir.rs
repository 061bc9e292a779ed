//! A Maildir, written so that a message in `new/` survives a power cut. All functions wait for the disk, except those that
//! say "in memory only".

use esmtp::{
    server::{Facts, Transaction},
    syntax::Host,
    trace::{Received, ReturnPath, Timestamp},
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    mem,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

/// The number of octets of a message that are collected in memory and written together.
const BLOCK: usize = 64 * 1024;
/// The age from which a file in `tmp/` is abandoned (the Maildir convention).
const ABANDONED: Duration = Duration::from_secs(36 * 60 * 60);

/// A folder with `tmp/`, `new/` and `cur/`.
#[derive(Debug)]
pub(crate) struct Maildir {
    root: Arc<Root>,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    /// The syncs of `new/`.
    syncs: SharedSync,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

impl Maildir {
    /// Makes the folders that are missing, readable by their owner only, and removes what earlier
    /// deliveries have abandoned in `tmp/`.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        for folder in ["tmp", "new", "cur"] {
            make_folder(&root.join(folder))?;
        }
        // An earlier start may have ended before it synced the folders that it made.
        File::open(root)?.sync_all()?;
        sweep(&root.join("tmp"), SystemTime::now())?;
        Ok(Self { root: Arc::new(Root { path: root.into(), syncs: SharedSync::default() }) })
    }

    /// Begins a message with its trace lines (RFC 5321 section 4.4), in memory only.
    pub(crate) fn begin(&self, by: &Host<'_>, facts: &Facts, envelope: &Transaction) -> Draft {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Nothing in the name comes from the peer.
        let id = format!("{}.M{}P{}Q{count}", time.as_secs(), time.subsec_micros(), process::id());
        let at = Timestamp::since_unix_epoch(time);
        let received = Received::of(facts, by, at).with_id(&id);
        let pending = format!("{}{received}", ReturnPath(&envelope.reverse_path())).into_bytes();
        Draft { root: Arc::clone(&self.root), id, octets: 0, pending, file: None }
    }
}

/// Makes a folder and its missing parents, and syncs each new folder and its parent: a message survives a
/// power cut only if the folders above it do.
fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> =
        folder.ancestors().take_while(|it| !it.as_os_str().is_empty() && !it.exists()).collect();
    // Only the owner may read the mail; a folder that exists keeps its mode.
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for made in missing {
        File::open(made)?.sync_all()?;
        let above = made.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Removes the files that have not been modified for [`ABANDONED`]. A file that cannot be removed is kept,
/// without harm.
fn sweep(folder: &Path, now: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // The metadata of a link itself, not of its target.
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

/// A message in progress. If it is dropped before it is kept, it leaves no file.
#[derive(Debug)]
pub(crate) struct Draft {
    root: Arc<Root>,
    id: String,
    octets: u64,
    /// The octets that are not yet in the file.
    pending: Vec<u8>,
    file: Option<Temporary>,
}

impl Draft {
    /// Appends octets of content, in memory only, and returns whether [`write`](Self::write) is due.
    pub(crate) fn push(&mut self, octets: &[u8]) -> bool {
        self.octets += octets.len() as u64;
        self.pending.extend_from_slice(octets);
        self.pending.len() >= BLOCK
    }

    /// Returns the octets of content so far.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// Writes the octets in memory to the file.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(Temporary::create(self.root.path.join("tmp").join(&self.id))?),
        };
        file.file.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }

    /// Moves the message into `new/`. When this returns, it survives a power cut: the file was
    /// synced before it was renamed, and the folder after.
    pub(crate) fn keep(mut self) -> io::Result<Kept> {
        self.write()?;
        let Some(Temporary { file, mut kept }) = self.file.take() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        file.sync_all()?;
        drop(file); // one descriptor at a time
        let folder = self.root.path.join("new");
        let path = folder.join(&self.id);
        fs::rename(&kept.path, &path)?;
        kept.path = path;
        self.root.syncs.run(|| File::open(folder)?.sync_all())?;
        Ok(kept)
    }
}

/// A sync that concurrent deliveries share (group commit). Each caller gets the result of a sync that has begun
/// after its call: those that call while one is under way share the next one.
#[derive(Debug, Default)]
pub(crate) struct SharedSync {
    turns: Mutex<Turns>,
    over: Condvar,
}

#[derive(Debug, Default)]
struct Turns {
    is_running: bool,
    /// The sync that begins next.
    next: Arc<Outcome>,
}

/// The result of one sync, once it is known.
type Outcome = OnceLock<Result<(), io::ErrorKind>>;

impl SharedSync {
    /// Runs `sync`, unless another caller does so after this call has begun. Returns the result of that sync.
    pub(crate) fn run(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = Arc::clone(&turns.next);
        while turns.is_running && outcome.get().is_none() {
            turns = self.over.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(result) = outcome.get() {
            return result.map_err(io::Error::from);
        }
        // Callers from here on may have changed something after the sync has begun.
        *turns = Turns { is_running: true, next: Arc::default() };
        drop(turns);
        let result = sync();
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.is_running = false;
        let _ = outcome.set(result.as_ref().copied().map_err(io::Error::kind));
        self.over.notify_all();
        result
    }
}

/// An open file in `tmp/`.
#[derive(Debug)]
struct Temporary {
    file: File,
    kept: Kept,
}

impl Temporary {
    fn create(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { file, kept: Kept { path, is_removed: true } })
    }
}

/// The file of a message. It is removed when this is dropped, unless the path was taken out: the client
/// then gets an error reply, and sends the message again.
#[derive(Debug)]
pub(crate) struct Kept {
    path: PathBuf,
    is_removed: bool,
}

impl Kept {
    /// Returns the path, in memory only. The message stays.
    pub(crate) fn into_path(mut self) -> PathBuf {
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
