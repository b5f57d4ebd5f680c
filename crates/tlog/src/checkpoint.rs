//! What a log says about itself (C2SP `tlog-checkpoint`): so many entries, with this root.

use std::fmt;

use kuriiri_merkle::SIZE_MAX;
use kuriiri_types::Digest;

use crate::{
    KeyName, NoteError,
    text::{base64, decimal, hash_from_base64},
};

/// Origin, size and root of a log at one moment. Whether the log said so, [`verify`](Self::verify)
/// tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Digest,
}

impl Checkpoint {
    /// Reads the text of a checkpoint, without signatures. Lines after the third are tolerated and
    /// forgotten: nobody can audit what stands there.
    ///
    /// # Errors
    /// When a line is missing, empty, or not what should stand there; or the size is above
    /// [`SIZE_MAX`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let lines =
            text.strip_suffix('\n').ok_or(CheckpointError::Text("its last line does not end"))?;
        let mut lines = lines.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty());
        let origin = origin.ok_or(CheckpointError::Text("it has no origin"))?.to_owned();
        let size = lines.next().and_then(decimal).filter(|size| *size <= SIZE_MAX);
        let size = size.ok_or(CheckpointError::Text("the second line is not a size"))?;
        let root = lines.next().and_then(hash_from_base64);
        let root = root.ok_or(CheckpointError::Text("the third line is not a root"))?;
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Text("it has an empty line"));
        }
        Ok(Self { origin, size, root })
    }
}

/// The text that is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, base64(self.root.as_bytes()))
    }
}

/// A checkpoint is not readable, or not that of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it is wrong.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is not origin, size and root.
    #[error("the text is not a checkpoint: {0}")]
    Text(&'static str),
    /// Signed by a key of another name.
    #[error("the checkpoint is of the log {origin}, and the key of {key}")]
    Origin {
        /// Which log it says it is of.
        origin: String,
        /// Whose key it is.
        key: KeyName,
    },
    /// A witness's key was given where a log's is needed.
    #[error("the key of {0} is a witness's, and a checkpoint is signed with a log's")]
    Kind(KeyName),
    /// Seconds that no time can have.
    #[error("{0} seconds are not a time that a witness can state")]
    Time(u64),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

    #[test]
    fn the_example_of_the_specification_is_read() {
        let text = format!("example.com/behind-the-sofa\n20852163\n{ROOT}\n");
        let checkpoint = Checkpoint::parse(&text).unwrap();
        assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.to_string(), text);
    }

    #[test]
    fn further_lines_are_tolerated_and_forgotten() {
        let checkpoint = Checkpoint::parse(&format!("a\n1\n{ROOT}\nmore\nand more\n")).unwrap();
        assert_eq!(checkpoint.to_string(), format!("a\n1\n{ROOT}\n"));
    }

    #[test]
    fn what_is_not_a_checkpoint_is_refused() {
        let root = ROOT;
        for bad in [
            "".to_owned(),
            "\n".to_owned(),
            "a\n1\n".to_owned(),
            format!("a\n1\n{root}"),
            format!("\n1\n{root}\n"),
            format!("a\n01\n{root}\n"),
            format!("a\n+1\n{root}\n"),
            format!("a\n1 \n{root}\n"),
            format!("a\n\n{root}\n"),
            format!("a\n9223372036854775808\n{root}\n"),
            format!("a\n18446744073709551616\n{root}\n"),
            format!("a\n1\n{}\n", &root[..43]),
            format!("a\n1\n{}\n", &root[..40]),
            format!("a\n1\n{root}=\n"),
            format!("a\n1\nAAAA{root}\n"),
            format!("a\n1\n{root}\n\n"),
            format!("a\n1\n{root}\n\nmore\n"),
        ] {
            let refused = Checkpoint::parse(&bad);
            assert!(matches!(refused, Err(CheckpointError::Text(_))), "{bad:?}");
        }
        let largest = format!("a\n{SIZE_MAX}\n{root}\n");
        assert_eq!(Checkpoint::parse(&largest).unwrap().size, SIZE_MAX);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a\n]{0,3}[0-9]{0,3}\n?[A-Za-z0-9+/]{43}=[\na]{0,3}") {
            if let Ok(read) = Checkpoint::parse(&text) {
                prop_assert!(text.starts_with(&read.to_string()));
            }
        }
    }
}
