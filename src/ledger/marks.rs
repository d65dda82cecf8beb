//! The file that an instance (a process that uses the ledger) holds locked while it lives, and in
//! which it marks the reservations whose request has been sent.
//!
//! The lock tells other processes that this one is alive, whatever happens to it: the kernel frees
//! it. The content is a list of 8-byte slots, each empty (0) or the number of a dispatched
//! reservation. A slot is used again only after its reservation has left the database.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

const SLOT: u64 = 8;
const OPENING: &str = "opening.lock";

/// This instance's own file.
#[derive(Debug)]
pub(super) struct Marks {
    path: PathBuf,
    slots: Mutex<Slots>,
}

#[derive(Debug)]
struct Slots {
    file: File,
    free: Vec<u32>,
    /// First slot that was never used.
    next: u32,
}

/// Another instance, as its file tells.
#[derive(Debug)]
pub(super) enum Fate {
    Alive,
    /// Its lock is ours now, for as long as this value lives.
    Dead(Remains),
}

#[derive(Debug)]
pub(super) struct Remains {
    _lock: Option<File>,
    /// `None`: the file is gone, so that nobody knows what was sent.
    dispatched: Option<HashSet<i64>>,
}

impl Remains {
    /// In doubt `true`: too much counted is safer than too little.
    pub(super) fn was_dispatched(&self, seq: i64) -> bool {
        self.dispatched.as_ref().is_none_or(|seqs| seqs.contains(&seq))
    }
}

/// The directory of the instances' files of a ledger.
pub(super) fn directory(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".instances");
    name.into()
}

/// Waits until no other process is opening the same ledger; they do so one by one.
pub(super) fn opening(directory: &Path) -> io::Result<File> {
    std::fs::create_dir_all(directory)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join(OPENING))?;
    file.lock()?;
    Ok(file)
}

fn path_of(directory: &Path, instance: i64) -> PathBuf {
    directory.join(format!("{instance:016x}"))
}

impl Marks {
    /// Makes and locks the file of `instance`, a number that nobody else uses.
    pub(super) fn claim(directory: &Path, instance: i64) -> io::Result<Self> {
        let path = path_of(directory, instance);
        let file = OpenOptions::new().create_new(true).read(true).write(true).open(&path)?;
        file.try_lock().map_err(io::Error::from)?;
        Ok(Self { path, slots: Mutex::new(Slots { file, free: Vec::new(), next: 0 }) })
    }

    /// Writes `seq` into a slot and returns it. The write is in the kernel's hands afterwards.
    pub(super) fn mark(&self, seq: i64) -> io::Result<u32> {
        let mut slots = self.slots.lock();
        let slot = slots.free.pop().unwrap_or_else(|| {
            let slot = slots.next;
            slots.next += 1;
            slot
        });
        let written = slots
            .file
            .seek(SeekFrom::Start(u64::from(slot) * SLOT))
            .and_then(|_| slots.file.write_all(&seq.to_le_bytes()));
        match written {
            Ok(()) => Ok(slot),
            Err(error) => {
                slots.free.push(slot);
                Err(error)
            }
        }
    }

    /// The slot's reservation has left the database.
    pub(super) fn free(&self, slot: u32) {
        self.slots.lock().free.push(slot);
    }

    /// For an instance without open reservations.
    pub(super) fn remove(&self) {
        forget(&self.path);
    }
}

/// What has become of `instance`.
pub(super) fn inspect(directory: &Path, instance: i64) -> io::Result<Fate> {
    let mut file =
        match OpenOptions::new().read(true).write(true).open(path_of(directory, instance)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Fate::Dead(Remains { _lock: None, dispatched: None }));
            }
            Err(error) => return Err(error),
        };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Fate::Alive),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let seqs = bytes.as_chunks::<8>().0.iter().map(|slot| i64::from_le_bytes(*slot)).collect();
    Ok(Fate::Dead(Remains { _lock: Some(file), dispatched: Some(seqs) }))
}

/// Removes the file of an instance that has nothing left in the database.
pub(super) fn remove(directory: &Path, instance: i64) {
    forget(&path_of(directory, instance));
}

/// Removes the files of all dead instances. Only while [`opening`] is held: an instance that has
/// made its file and not locked it yet looks dead.
pub(super) fn sweep(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name() == OPENING {
            continue;
        }
        let Ok(file) = File::open(entry.path()) else { continue };
        if file.try_lock().is_ok() {
            forget(&entry.path());
        }
    }
    Ok(())
}

fn forget(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(%error, "a finished instance's file stays behind");
    }
}
