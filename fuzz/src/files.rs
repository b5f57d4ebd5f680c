//! Files that people write, and the names in them.

use kuriiri_policy::{Catalogue, Federation, Rules, Translation, Trials};
use kuriiri_types::{Address, MessageId, Ministry, SpiffeId, WireLabel};

use crate::{Parser, text};

pub(crate) const PARSERS: &[Parser] = &[
    Parser { name: "catalogue", read: |bytes| Catalogue::parse(&text(bytes)).is_ok() },
    Parser { name: "federation", read: |bytes| Federation::parse(&text(bytes)).is_ok() },
    Parser { name: "rules", read: |bytes| Rules::parse(&text(bytes)).is_ok() },
    Parser { name: "translation", read: |bytes| Translation::parse(&text(bytes)).is_ok() },
    Parser { name: "trials", read: |bytes| toml::from_str::<Trials>(&text(bytes)).is_ok() },
    Parser { name: "label", read: label },
    Parser { name: "names", read: names },
];

fn label(bytes: &[u8]) -> bool {
    text(bytes).parse::<WireLabel>().is_ok_and(|read| {
        assert_eq!(read.to_string().parse::<WireLabel>().as_ref(), Ok(&read));
        true
    })
}

/// Whatever name is read is written as it stood.
fn names(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let written = [
        text.parse::<Ministry>().map(|name| name.to_string()).ok(),
        text.parse::<Address>().map(|name| name.to_string()).ok(),
        text.parse::<SpiffeId>().map(|name| name.to_string()).ok(),
    ];
    for written in written.iter().flatten() {
        assert_eq!(*written, text);
    }
    let id = text.parse::<MessageId>();
    if let Ok(id) = &id {
        assert_eq!(id.to_string().parse::<MessageId>().as_ref(), Ok(id));
    }
    id.is_ok() || written.iter().any(Option::is_some)
}
