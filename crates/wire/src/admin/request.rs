//! The request and its answer.

use bytes::Bytes;
use kuriiri_types::{
    MessageId, Refusal,
    limits::{BASIS_BYTES_MAX, FRAME_BYTES_MAX},
};

use super::{
    Activation, ActiveFiles, Approve, Approved, AsideDeed, AsideMessages, AsidePlace, Budget,
    DecisionRecords, HeldMessage, Holds, Lapses, OfferedFile, aside, budgets, decisions, files,
    holds, lapses,
};
use crate::{
    error::{Flaw, WireError},
    field,
    frame::{self, Frame},
    proto::{self, admin_reply::Reply as ReplyKind, admin_request::Request as RequestKind},
    refusal,
    shape::{Field, Shape},
};

/// What an officer or operator wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminRequest {
    /// Which messages wait for people? In the order of their ids.
    HoldList {
        /// Only those whose id is above this one; none means from the first.
        after: Option<MessageId>,
    },
    /// Give me one that waits, to be read.
    HoldShow {
        /// The message.
        id: MessageId,
    },
    /// An officer's word on one that waits.
    Approve(Approve),
    /// Which signed files are in force?
    PolicyActive,
    /// Put these signed files in force, together or not at all.
    PolicyActivate {
        /// 1 to [`FILES_MAX`](crate::limits::FILES_MAX), no name twice.
        files: Vec<OfferedFile>,
    },
    /// Erase salt and body of a message, where the relay still holds them.
    Erase {
        /// The message.
        id: MessageId,
        /// The legal basis: 1 to [`BASIS_BYTES_MAX`] bytes, one line.
        basis: String,
        /// Whether the header beside the log goes too.
        header: bool,
    },
    /// Write down that entries of the log are being given to somebody.
    NoteExport {
        /// Which ones, and for whom: 1 to [`BASIS_BYTES_MAX`] bytes, one line.
        what: String,
    },
    /// Let headers leave the log whose time is over.
    Prune {
        /// The legal basis: 1 to [`BASIS_BYTES_MAX`] bytes, one line.
        basis: String,
    },
    /// What was decided of late?
    Decisions {
        /// How many; the relay gives at most
        /// [`DECISIONS_MAX`](crate::limits::DECISIONS_MAX), whatever this says.
        limit: u32,
    },
    /// Which messages are set aside? Those of mailboxes first.
    AsideList {
        /// Only those after this place; none means from the first.
        after: Option<AsidePlace>,
    },
    /// Have messages that are set aside go on or end.
    AsideAct {
        /// All copies of this message; none means all that are set aside.
        id: Option<MessageId>,
        /// What is to become of them.
        deed: AsideDeed,
    },
    /// How much is used of what others may spend of the relay?
    Budgets,
    /// What of the relay has an end.
    Lapses,
}

/// The one answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminReply {
    /// To [`AdminRequest::HoldList`].
    Holds(Holds),
    /// To [`AdminRequest::HoldShow`].
    Held(HeldMessage),
    /// To [`AdminRequest::Approve`], after the commit.
    Approved(Approved),
    /// To [`AdminRequest::PolicyActive`].
    Active(ActiveFiles),
    /// To [`AdminRequest::PolicyActivate`].
    Activation(Activation),
    /// To [`AdminRequest::Decisions`].
    Decisions(DecisionRecords),
    /// To [`AdminRequest::Erase`], after the commit.
    Erased {
        /// How many copies that waited.
        copies: u32,
        /// How many headers beside the log.
        headers: u32,
    },
    /// To [`AdminRequest::NoteExport`], after the commit.
    ExportNoted,
    /// To [`AdminRequest::Prune`], after the commit.
    Pruned {
        /// How many headers left.
        headers: u64,
    },
    /// To [`AdminRequest::AsideList`].
    Aside(AsideMessages),
    /// To [`AdminRequest::AsideAct`], after the commit.
    AsideActed {
        /// How many copies.
        messages: u32,
        /// Whether there are more, to be asked for again.
        more: bool,
    },
    /// To [`AdminRequest::Budgets`]: at most [`BUDGETS_MAX`](crate::limits::BUDGETS_MAX), those of links, memory and
    /// processors first, then those of what waits, the fullest first.
    Budgets(Vec<Budget>),
    /// To [`AdminRequest::Lapses`].
    Lapses(Lapses),
    /// The request was refused.
    Refused(Refusal),
}

impl Frame for AdminRequest {
    const NAME: &'static str = "AdminRequest";
    const BYTES_MAX: usize = FRAME_BYTES_MAX;

    /// An activation of files may be large.
    fn bytes_max(first: u8) -> usize {
        frame::large_only(5, Self::BYTES_MAX, first)
    }

    fn encode(&self) -> Bytes {
        let request = Some(write_request(self));
        frame::pack(&proto::AdminRequest { request })
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &REQUEST, read_request)
    }
}

impl Frame for AdminReply {
    const NAME: &'static str = "AdminReply";
    const BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn encode(&self) -> Bytes {
        let reply = Some(write_reply(self));
        frame::pack(&proto::AdminReply { reply })
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &REPLY, read_reply)
    }
}

static HOLD_LIST: Shape = Shape::new("HoldList", &[]);
static HOLD_SHOW: Shape = Shape::new("HoldShow", &[]);
static POLICY_ACTIVE: Shape = Shape::new("PolicyActive", &[]);
static DECISIONS: Shape = Shape::new("Decisions", &[]);
static ERASE: Shape = Shape::new("Erase", &[]);
static NOTE_EXPORT: Shape = Shape::new("NoteExport", &[]);
static EXPORT_NOTED: Shape = Shape::new("ExportNoted", &[]);
static PRUNE: Shape = Shape::new("Prune", &[]);
static PRUNED: Shape = Shape::new("PrunedHeaders", &[]);
static ASIDE_ACTED: Shape = Shape::new("AsideActed", &[]);
static ERASED: Shape = Shape::new("ErasedCopies", &[]);
pub(crate) static REQUEST: Shape = Shape::new(
    "AdminRequest",
    &[
        Field::one("hold_list", 1, &HOLD_LIST),
        Field::one("hold_show", 2, &HOLD_SHOW),
        Field::one("approve", 3, &holds::APPROVE),
        Field::one("policy_active", 4, &POLICY_ACTIVE),
        Field::one("policy_activate", 5, &files::POLICY_ACTIVATE),
        Field::one("decisions", 6, &DECISIONS),
        Field::one("erase", 7, &ERASE),
        Field::one("note_export", 8, &NOTE_EXPORT),
        Field::one("prune", 9, &PRUNE),
        Field::one("aside_list", 10, &aside::LIST),
        Field::one("aside_act", 11, &aside::ACT),
        Field::one("budgets", 12, &budgets::LIST),
        Field::one("lapses", 13, &lapses::LIST),
    ],
);
pub(crate) static REPLY: Shape = Shape::new(
    "AdminReply",
    &[
        Field::one("holds", 1, &holds::HOLDS),
        Field::one("held", 2, &holds::HELD_MESSAGE),
        Field::one("approved", 3, &holds::APPROVED),
        Field::one("active", 4, &files::ACTIVE_FILES),
        Field::one("activation", 5, &files::ACTIVATION),
        Field::one("decisions", 6, &decisions::RECORDS),
        Field::one("refused", 7, &refusal::REFUSAL),
        Field::one("erased", 8, &ERASED),
        Field::one("export_noted", 9, &EXPORT_NOTED),
        Field::one("pruned", 10, &PRUNED),
        Field::one("aside", 11, &aside::MESSAGES),
        Field::one("aside_acted", 12, &ASIDE_ACTED),
        Field::one("budgets", 13, &budgets::BUDGETS),
        Field::one("lapses", 14, &lapses::LAPSES),
    ],
);

fn write_request(request: &AdminRequest) -> RequestKind {
    let id = |id: &MessageId| Bytes::copy_from_slice(id.as_bytes());
    match request {
        AdminRequest::HoldList { after } => {
            RequestKind::HoldList(proto::HoldList { after: after.as_ref().map(id) })
        }
        AdminRequest::HoldShow { id: message } => {
            RequestKind::HoldShow(proto::HoldShow { id: id(message) })
        }
        AdminRequest::Approve(approve) => RequestKind::Approve(holds::write_approve(approve)),
        AdminRequest::PolicyActive => RequestKind::PolicyActive(proto::PolicyActive {}),
        AdminRequest::PolicyActivate { files } => {
            RequestKind::PolicyActivate(files::write_offered(files))
        }
        AdminRequest::Erase { id: message, basis, header } => {
            let (id, header) = (id(message), *header);
            RequestKind::Erase(proto::Erase { id, basis: basis.clone(), header })
        }
        AdminRequest::NoteExport { what } => {
            RequestKind::NoteExport(proto::NoteExport { what: what.clone() })
        }
        AdminRequest::Prune { basis } => RequestKind::Prune(proto::Prune { basis: basis.clone() }),
        AdminRequest::Decisions { limit } => {
            RequestKind::Decisions(proto::Decisions { limit: *limit })
        }
        AdminRequest::AsideList { after } => {
            let after = after.as_ref().map(aside::write_place);
            RequestKind::AsideList(proto::AsideList { after })
        }
        AdminRequest::AsideAct { id: message, deed } => {
            let (id, deed) = (message.as_ref().map(id), aside::write_deed(*deed).into());
            RequestKind::AsideAct(proto::AsideAct { id, deed })
        }
        AdminRequest::Budgets => RequestKind::Budgets(proto::BudgetList {}),
        AdminRequest::Lapses => RequestKind::Lapses(proto::LapseList {}),
    }
}

fn read_request(wire: proto::AdminRequest) -> Result<AdminRequest, Flaw> {
    Ok(match field::present("request", wire.request)? {
        RequestKind::HoldList(wire) => {
            let after = wire.after.map(|id| field::message_id("after", &id));
            AdminRequest::HoldList { after: after.transpose()? }
        }
        RequestKind::HoldShow(wire) => {
            AdminRequest::HoldShow { id: field::message_id("id", &wire.id)? }
        }
        RequestKind::Approve(wire) => AdminRequest::Approve(holds::read_approve(wire)?),
        RequestKind::PolicyActive(proto::PolicyActive {}) => AdminRequest::PolicyActive,
        RequestKind::PolicyActivate(wire) => {
            AdminRequest::PolicyActivate { files: files::read_offered(wire)? }
        }
        RequestKind::Erase(wire) => AdminRequest::Erase {
            id: field::message_id("id", &wire.id)?,
            basis: some_line("basis", wire.basis)?,
            header: wire.header,
        },
        RequestKind::NoteExport(wire) => {
            AdminRequest::NoteExport { what: some_line("what", wire.what)? }
        }
        RequestKind::Prune(wire) => AdminRequest::Prune { basis: some_line("basis", wire.basis)? },
        RequestKind::Decisions(wire) => AdminRequest::Decisions { limit: wire.limit },
        RequestKind::AsideList(wire) => {
            AdminRequest::AsideList { after: wire.after.map(aside::read_place).transpose()? }
        }
        RequestKind::AsideAct(wire) => {
            let id = wire.id.map(|id| field::message_id("id", &id)).transpose()?;
            AdminRequest::AsideAct { id, deed: aside::read_deed(wire.deed)? }
        }
        RequestKind::Budgets(proto::BudgetList {}) => AdminRequest::Budgets,
        RequestKind::Lapses(proto::LapseList {}) => AdminRequest::Lapses,
    })
}

fn some_line(field: field::Name, text: String) -> Result<String, Flaw> {
    field::some_at_most(field, BASIS_BYTES_MAX, text.len())?;
    field::line(field, BASIS_BYTES_MAX, text)
}

fn write_reply(reply: &AdminReply) -> ReplyKind {
    match reply {
        AdminReply::Holds(listed) => ReplyKind::Holds(holds::write(listed)),
        AdminReply::Held(held) => ReplyKind::Held(holds::write_held(held)),
        AdminReply::Approved(approved) => ReplyKind::Approved(holds::write_approved(*approved)),
        AdminReply::Active(active) => ReplyKind::Active(files::write_active(active)),
        AdminReply::Activation(done) => ReplyKind::Activation(files::write_activation(done)),
        AdminReply::Decisions(records) => ReplyKind::Decisions(decisions::write(records)),
        AdminReply::Erased { copies, headers } => {
            ReplyKind::Erased(proto::ErasedCopies { copies: *copies, headers: *headers })
        }
        AdminReply::ExportNoted => ReplyKind::ExportNoted(proto::ExportNoted {}),
        AdminReply::Pruned { headers } => {
            ReplyKind::Pruned(proto::PrunedHeaders { headers: *headers })
        }
        AdminReply::Aside(messages) => ReplyKind::Aside(aside::write(messages)),
        AdminReply::AsideActed { messages, more } => {
            ReplyKind::AsideActed(proto::AsideActed { messages: *messages, more: *more })
        }
        AdminReply::Budgets(all) => ReplyKind::Budgets(budgets::write(all)),
        AdminReply::Lapses(all) => ReplyKind::Lapses(lapses::write(all)),
        AdminReply::Refused(refusal) => ReplyKind::Refused(refusal::write(refusal)),
    }
}

fn read_reply(wire: proto::AdminReply) -> Result<AdminReply, Flaw> {
    Ok(match field::present("reply", wire.reply)? {
        ReplyKind::Holds(wire) => AdminReply::Holds(holds::read(wire)?),
        ReplyKind::Held(wire) => AdminReply::Held(holds::read_held(wire)?),
        ReplyKind::Approved(wire) => AdminReply::Approved(holds::read_approved(wire)?),
        ReplyKind::Active(wire) => AdminReply::Active(files::read_active(wire)?),
        ReplyKind::Activation(wire) => AdminReply::Activation(files::read_activation(wire)?),
        ReplyKind::Decisions(wire) => AdminReply::Decisions(decisions::read(wire)?),
        ReplyKind::Erased(wire) => {
            AdminReply::Erased { copies: wire.copies, headers: wire.headers }
        }
        ReplyKind::ExportNoted(proto::ExportNoted {}) => AdminReply::ExportNoted,
        ReplyKind::Pruned(wire) => AdminReply::Pruned { headers: wire.headers },
        ReplyKind::Aside(wire) => AdminReply::Aside(aside::read(wire)?),
        ReplyKind::AsideActed(wire) => {
            AdminReply::AsideActed { messages: wire.messages, more: wire.more }
        }
        ReplyKind::Budgets(wire) => AdminReply::Budgets(budgets::read(wire)?),
        ReplyKind::Lapses(wire) => AdminReply::Lapses(lapses::read(wire)?),
        ReplyKind::Refused(wire) => AdminReply::Refused(refusal::read(wire)?),
    })
}
