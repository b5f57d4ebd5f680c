//! Nodes by number: what decisions compare.

/// A node by its place in one federation file. Means nothing in another serial of the file:
/// keep the [`Ministry`](kuriiri_types::Ministry) where something must outlast a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u16);

impl NodeId {
    /// A node that the federation does not know. Nothing is ever permitted to it or from it.
    pub const UNKNOWN: Self = Self(u16::MAX);

    /// All that a file may have, in its order.
    pub(crate) fn in_order() -> impl Iterator<Item = Self> {
        (0..).map(Self)
    }

    /// The position in the federation; beyond its end for an unknown node.
    pub(crate) fn place(self) -> usize {
        self.0.into()
    }
}
