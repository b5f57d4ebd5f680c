//! Many small records that are later looked at in groups. What does not fit into memory waits in
//! files, parted by group, so that each part fits by itself.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Read as _, Write as _},
    marker::PhantomData,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

/// Bytes of records that are kept in memory, of each kind; beyond that they go to files.
pub const SPILL_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Parts that the files have: a part is a 256th of all.
const PARTS: usize = 256;

/// A record of a fixed number of bytes.
pub(crate) trait Record: Sized + Ord + Clone {
    /// How many bytes.
    const BYTES: usize;

    /// Writes exactly that many.
    fn write(&self, to: &mut Vec<u8>);

    /// Reads exactly that many.
    fn read(from: &[u8]) -> Option<Self>;

    /// Which part it belongs to: that of all records of its group.
    fn part(&self) -> u8;
}

/// Records while they come in.
#[derive(Debug)]
pub(crate) struct Spill<R> {
    held: Vec<R>,
    limit: usize,
    files: Option<Files>,
    kind: PhantomData<R>,
}

#[derive(Debug)]
struct Files {
    folder: PathBuf,
    parts: Vec<BufWriter<File>>,
}

impl<R: Record> Spill<R> {
    pub(crate) fn new() -> Self {
        Self::with_limit(SPILL_BYTES_MAX / R::BYTES)
    }

    fn with_limit(limit: usize) -> Self {
        Self { held: Vec::new(), limit, files: None, kind: PhantomData }
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, record: R) -> io::Result<()> {
        self.held.push(record);
        if self.held.len() >= self.limit { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> io::Result<()> {
        let files = match &mut self.files {
            Some(files) => files,
            none => none.insert(Files::create()?),
        };
        let mut bytes = Vec::with_capacity(R::BYTES);
        for record in self.held.drain(..) {
            bytes.clear();
            record.write(&mut bytes);
            if let Some(part) = files.parts.get_mut(usize::from(record.part())) {
                part.write_all(&bytes)?;
            }
        }
        Ok(())
    }

    /// Shows all records, sorted within each part: so those of a group come one after the other.
    pub(crate) fn sorted(mut self, mut visit: impl FnMut(&[R])) -> io::Result<()> {
        if self.files.is_none() {
            self.held.sort_unstable();
            visit(&self.held);
            return Ok(());
        }
        self.write_out()?;
        let Some(files) = self.files.as_mut() else { return Ok(()) };
        for part in 0..PARTS {
            let mut records = files.read::<R>(part)?;
            records.sort_unstable();
            visit(&records);
        }
        Ok(())
    }
}

impl Files {
    fn create() -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("kuriiri-verify-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // One that is there already is somebody else's.
        fs::create_dir(&folder)?;
        let mut files = Self { folder, parts: Vec::with_capacity(PARTS) };
        for part in 0..PARTS {
            let mut options = OpenOptions::new();
            options.create_new(true).read(true).write(true);
            let file = options.open(files.folder.join(part.to_string()))?;
            files.parts.push(BufWriter::new(file));
        }
        Ok(files)
    }

    fn read<R: Record>(&mut self, part: usize) -> io::Result<Vec<R>> {
        if let Some(writer) = self.parts.get_mut(part) {
            writer.flush()?;
        }
        let mut bytes = Vec::new();
        File::open(self.folder.join(part.to_string()))?.read_to_end(&mut bytes)?;
        Ok(bytes.chunks_exact(R::BYTES).filter_map(R::read).collect())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What stays is in the folder for what may go.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Calls for each run of records that belong together.
pub(crate) fn groups<R, K: PartialEq>(
    records: &[R],
    key: impl Fn(&R) -> K,
    visit: impl FnMut(&[R]),
) {
    records.chunk_by(|a, b| key(a) == key(b)).for_each(visit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
    struct Pair(u8, u8);

    impl Record for Pair {
        const BYTES: usize = 2;

        fn write(&self, to: &mut Vec<u8>) {
            to.extend([self.0, self.1]);
        }

        fn read(from: &[u8]) -> Option<Self> {
            match from {
                [a, b] => Some(Self(*a, *b)),
                _ => None,
            }
        }

        fn part(&self) -> u8 {
            self.0
        }
    }

    #[test]
    fn groups_are_whole_whether_they_fit_or_not() {
        for limit in [3, 1000] {
            let mut spill = Spill::with_limit(limit);
            for n in 0..100_u8 {
                spill.push(Pair(n % 7, 100 - n)).unwrap();
            }
            let folder = spill.files.as_ref().map(|files| files.folder.clone());
            assert_eq!(folder.is_some(), limit == 3);
            let (mut seen, mut all) = (Vec::new(), 0);
            spill
                .sorted(|records| {
                    groups(
                        records,
                        |pair| pair.0,
                        |group| {
                            seen.push(group[0].0);
                            all += group.len();
                            assert!(group.is_sorted());
                        },
                    );
                })
                .unwrap();
            assert_eq!((seen, all), ((0..7).collect(), 100));
            assert!(folder.is_none_or(|folder| !folder.exists()));
        }
    }
}
