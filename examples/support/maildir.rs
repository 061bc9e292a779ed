//! A Maildir, written so that a message that is in `new/` stays there.

use esmtp::{
    server::{Facts, Transaction},
    syntax::Host,
    trace::{Received, ReturnPath, Timestamp},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

/// A folder with `tmp/`, `new/` and `cur/`.
#[derive(Debug)]
pub(crate) struct Maildir {
    root: PathBuf,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

impl Maildir {
    /// Makes the folders that are not there.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let is_made = !root.exists();
        for folder in ["tmp", "new", "cur"] {
            fs::create_dir_all(root.join(folder))?;
        }
        // What is synced in `new/` is lost all the same if a power cut takes `new/` itself.
        File::open(root)?.sync_all()?;
        if is_made {
            File::open(root.join(".."))?.sync_all()?;
        }
        Ok(Self { root: root.to_owned() })
    }

    /// Begins a message: its trace lines (RFC 5321 section 4.4) are written at once.
    pub(crate) fn begin(
        &self,
        by: &Host<'_>,
        facts: &Facts,
        envelope: &Transaction,
    ) -> io::Result<Draft> {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Nothing in the name comes from the peer.
        let id = format!("{}.M{}P{}Q{count}", time.as_secs(), time.subsec_micros(), process::id());
        let temporary = self.root.join("tmp").join(&id);
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        let mut draft = Draft {
            file: BufWriter::with_capacity(64 * 1024, file),
            temporary: Some(temporary),
            folder: self.root.join("new"),
            id,
            octets: 0,
        };
        write!(draft.file, "{}", ReturnPath(&envelope.reverse_path()))?;
        let mut received = Received::new(by, facts.protocol(), Timestamp::since_unix_epoch(time))
            .with_id(&draft.id)
            .with_recipients(envelope.recipients().map(|recipient| recipient.forward_path()));
        if let Some(name) = facts.hello_name() {
            received = received.with_from(name);
        }
        if let Some(address) = facts.peer().address() {
            received = received.with_peer(address.ip(), facts.peer().name());
        }
        write!(draft.file, "{received}")?;
        Ok(draft)
    }
}

/// A message that is being written. Dropped before [`keep`](Self::keep), it leaves nothing.
#[derive(Debug)]
pub(crate) struct Draft {
    file: BufWriter<File>,
    temporary: Option<PathBuf>,
    folder: PathBuf,
    id: String,
    octets: u64,
}

impl Draft {
    /// Content, behind what has been written.
    pub(crate) fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.octets += octets.len() as u64;
        self.file.write_all(octets)
    }

    /// Octets of content so far.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// Puts the message into `new/`. When this returns, it survives a power cut: the file was
    /// synced before it was renamed, and the folder after.
    pub(crate) fn keep(mut self) -> io::Result<PathBuf> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        let kept = self.folder.join(&self.id);
        if let Some(temporary) = &self.temporary {
            fs::rename(temporary, &kept)?;
        }
        // Should the folder not be synced, the message is refused and comes again: what lies
        // here would be its double.
        self.temporary = Some(kept.clone());
        File::open(&self.folder)?.sync_all()?;
        self.temporary = None;
        Ok(kept)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}
