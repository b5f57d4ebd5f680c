//! The handle of an officer's or operator's program.

mod profile;
mod shown;

use std::{fmt, sync::Arc};

use kuriiri_merkle::leaf;
use kuriiri_seal::{Purpose, SealingKey, Signer, Verifier};
use kuriiri_types::{
    Approval, ApprovalAct, MessageId, SignedApproval, SpiffeId, Timestamp, limits::HOLDS_MAX,
};
use kuriiri_wire::{
    Frame,
    admin::{
        Activation, ActiveFiles, AdminReply, AdminRequest, Approve, Approved, AsideDeed,
        AsideMessage, Budget, DecisionRecords, HeldMessage, Hold, Holds, Lapses, OfferedFile,
    },
    approval,
};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    dial::{Caller, Dialler},
    error::{CallError, ConnectError, OfficerError, Unacceptable},
    limits::ASIDES_SHOWN_MAX,
    link::Standing,
    redial::{farewell, redial},
};
pub use profile::{OfficerProfile, OfficerProfileBuilder};
pub use shown::Shown;

/// An officer's link to the own ministry's relay: what waits for officers, and what they say of it.
///
/// An operator has one too, and with it may ask about rules and decisions, not about messages.
///
/// It keeps one connection and makes it anew by itself. Nothing is tried again: a question whose
/// answer was lost is asked again by the person, and approving twice counts once.
pub struct Officer {
    id: SpiffeId,
    signer: Option<Signer>,
    release_key: Option<Box<SealingKey>>,
    roles: Vec<String>,
    verifier: Verifier,
    dialler: Arc<Dialler>,
    standing: Arc<watch::Sender<Standing>>,
    running: JoinSet<()>,
}

impl Officer {
    /// Connects to the relay and waits until it has accepted this person.
    ///
    /// # Errors
    /// When it does not answer, is not who it should be, or does not accept this person. Nothing is
    /// tried again: only a link that stood is made anew.
    pub async fn connect(profile: OfficerProfile) -> Result<Self, ConnectError> {
        let OfficerProfile { party, signer, release_key, roles } = profile;
        let dialler = Dialler::new(&party, Caller::Person)?;
        let line = Box::pin(dialler.dial(0)).await?;
        let standing = Arc::new(watch::Sender::new(Standing::Up(line.clone())));
        let mut running = JoinSet::new();
        running.spawn(redial(Arc::clone(&dialler), line, Arc::clone(&standing)));
        let verifier = Verifier::new(party.authorities);
        Ok(Self { id: party.id, signer, release_key, roles, verifier, dialler, standing, running })
    }

    /// Who this person is.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    // === messages that wait ===

    /// All messages that wait for officers, in the order of their ids.
    ///
    /// It is what the relay says of them. What a message itself says, and who signed it, is known
    /// when it is [shown](Self::show).
    ///
    /// # Errors
    /// When the relay refuses, or no answer can be had.
    pub async fn holds(&self) -> Result<Vec<Hold>, CallError> {
        let mut holds: Vec<Hold> = Vec::new();
        while let Some(page) = self.page(holds.last().map(|hold| hold.id)).await? {
            holds.extend(page.holds);
            if !page.more {
                break;
            }
            if holds.len() > HOLDS_MAX {
                return Err(CallError::Misfit);
            }
        }
        Ok(holds)
    }

    /// A message that waits, whole: its header checked against the sender's signature and the
    /// authorities that this side trusts, its body against the header, opened if it is sealed, and
    /// all that the relay says of it compared with what is signed. One that does not open is shown without
    /// its body: whoever cannot read it may still reject it.
    ///
    /// # Errors
    /// When no such message waits, the relay refuses, or something about the message is not what it
    /// should be.
    pub async fn show(&self, id: MessageId) -> Result<Shown, OfficerError> {
        let held = self.held(id).await?;
        let listed = self.listed(id).await?;
        let key = || self.release_key.as_deref().ok_or(Unacceptable::NoReleaseKey);
        Shown::read(&self.verifier, &self.id, key, id, held, listed)
            .map_err(|source| OfficerError::Unacceptable { id, source })
    }

    /// Signs that a message may go, exactly as it was shown, and hands that in. It counts up to and
    /// with `until`; without it, as long as the message lives.
    ///
    /// # Errors
    /// When the relay does not take it: because the message is no longer there, or is another now;
    /// because the officer wrote it, or is not enrolled; or because more or fewer officers are needed
    /// than when it was shown. When the officer could not read it.
    pub async fn release(
        &self,
        shown: &Shown,
        until: Option<Timestamp>,
    ) -> Result<Approved, OfficerError> {
        if shown.body().is_err() {
            return Err(OfficerError::Unread(shown.id()));
        }
        if shown.needed() == 0 {
            return Err(OfficerError::NeedsNobody(shown.id()));
        }
        self.hand_in(shown, ApprovalAct::Release, until).await
    }

    /// Signs that a message may not go, with a note for whoever wrote it, and hands that in. The
    /// sender gets a receipt with the note.
    ///
    /// # Errors
    /// As [`release`](Self::release); and when the note is too long or not one paragraph.
    pub async fn reject(&self, shown: &Shown, note: &str) -> Result<Approved, OfficerError> {
        self.hand_in(shown, ApprovalAct::Reject { note: note.into() }, None).await
    }

    // === messages that are set aside ===

    /// All messages that are set aside, those of mailboxes first. For operators too.
    ///
    /// # Errors
    /// When the relay refuses, or no answer can be had.
    pub async fn asides(&self) -> Result<Vec<AsideMessage>, CallError> {
        let mut asides: Vec<AsideMessage> = Vec::new();
        loop {
            let after = asides.last().map(|last| last.place.clone());
            let AdminReply::Aside(page) = self.ask(&AdminRequest::AsideList { after }).await?
            else {
                return Err(CallError::Misfit);
            };
            let is_last = !page.more || page.messages.is_empty();
            asides.extend(page.messages);
            if is_last || asides.len() > ASIDES_SHOWN_MAX {
                return Ok(asides);
            }
        }
    }

    /// Has all copies of a message that are set aside, or all that are, tried again or refused. Gives how many
    /// copies. The log keeps who did it.
    ///
    /// # Errors
    /// When the relay refuses, such as for a queue that is full, or no answer can be had: some may then be done.
    pub async fn act_on_asides(
        &self,
        message: Option<MessageId>,
        deed: AsideDeed,
    ) -> Result<u64, CallError> {
        let mut copies: u64 = 0;
        loop {
            let request = AdminRequest::AsideAct { id: message, deed };
            let AdminReply::AsideActed { messages, more } = self.ask(&request).await? else {
                return Err(CallError::Misfit);
            };
            copies = copies.saturating_add(messages.into());
            if !more {
                return Ok(copies);
            }
        }
    }

    /// How much is used of what others may spend of the relay: links, memory and processors first, then what
    /// waits, the fullest first. For operators too.
    ///
    /// # Errors
    /// When the relay refuses, or no answer can be had.
    pub async fn budgets(&self) -> Result<Vec<Budget>, CallError> {
        let reply = self.ask(&AdminRequest::Budgets).await?;
        let AdminReply::Budgets(budgets) = reply else { return Err(CallError::Misfit) };
        Ok(budgets)
    }

    /// What of the relay has an end, by its clock: certificates, authorities, revocation lists, signed files and who
    /// signed them, those that end first first. For operators too.
    ///
    /// # Errors
    /// When the relay refuses, or no answer can be had.
    pub async fn lapses(&self) -> Result<Lapses, CallError> {
        let reply = self.ask(&AdminRequest::Lapses).await?;
        let AdminReply::Lapses(lapses) = reply else { return Err(CallError::Misfit) };
        Ok(lapses)
    }

    // === rules and decisions ===

    /// The signed files that the relay works by.
    ///
    /// # Errors
    /// When the relay refuses, or no answer can be had.
    pub async fn active(&self) -> Result<ActiveFiles, CallError> {
        let reply = self.ask(&AdminRequest::PolicyActive).await?;
        let AdminReply::Active(active) = reply else { return Err(CallError::Misfit) };
        Ok(active)
    }

    /// Hands in signed files to be put in force, together or not at all. The relay judges them by
    /// their signatures, and says of each what became of it and what all of them change.
    ///
    /// # Errors
    /// When the relay refuses, or no answer can be had.
    pub async fn activate(&self, files: Vec<OfferedFile>) -> Result<Activation, CallError> {
        let reply = self.ask(&AdminRequest::PolicyActivate { files }).await?;
        let AdminReply::Activation(activation) = reply else { return Err(CallError::Misfit) };
        Ok(activation)
    }

    /// The last decisions, newest first, as the relay recorded them; `limit` at most.
    ///
    /// # Errors
    /// When the relay refuses, or no answer can be had.
    pub async fn decisions(&self, limit: u32) -> Result<DecisionRecords, CallError> {
        let reply = self.ask(&AdminRequest::Decisions { limit }).await?;
        let AdminReply::Decisions(records) = reply else { return Err(CallError::Misfit) };
        Ok(records)
    }

    /// Has salt and body of a message erased where they still wait at the relay, and with `header` its
    /// header beside the log too, on this legal basis, which the log keeps. Gives how many copies were
    /// erased, and how many headers.
    ///
    /// # Errors
    /// When the relay refuses, for one because a copy is under way to a peer at this moment, or waits and still
    /// needs its header; or no answer can be had.
    pub async fn erase(
        &self,
        id: MessageId,
        basis: &str,
        header: bool,
    ) -> Result<(u32, u32), CallError> {
        let reply = self.ask(&AdminRequest::Erase { id, basis: basis.into(), header }).await?;
        let AdminReply::Erased { copies, headers } = reply else { return Err(CallError::Misfit) };
        Ok((copies, headers))
    }

    /// Has the relay's log say that entries of it are being given to somebody: which, and for whom.
    ///
    /// # Errors
    /// When the relay refuses, or no answer can be had.
    pub async fn note_export(&self, what: &str) -> Result<(), CallError> {
        let reply = self.ask(&AdminRequest::NoteExport { what: what.into() }).await?;
        let AdminReply::ExportNoted = reply else { return Err(CallError::Misfit) };
        Ok(())
    }

    /// Has headers leave the relay's log whose time is over, on this legal basis, which the log keeps.
    /// Entries remain. Gives how many headers left.
    ///
    /// # Errors
    /// When the relay refuses, for one because nothing may leave yet; or no answer can be had.
    pub async fn prune(&self, basis: &str) -> Result<u64, CallError> {
        let reply = self.ask(&AdminRequest::Prune { basis: basis.into() }).await?;
        let AdminReply::Pruned { headers } = reply else { return Err(CallError::Misfit) };
        Ok(headers)
    }

    // === the rest ===

    /// Says farewell to the relay.
    pub async fn close(mut self) {
        self.running.abort_all();
        farewell(&self.dialler, &self.standing).await;
    }

    async fn ask(&self, request: &AdminRequest) -> Result<AdminReply, CallError> {
        let line = self.standing.borrow().line()?;
        match line.call_encoded(request.encode(), 0).await? {
            AdminReply::Refused(refusal) => Err(CallError::Refused(refusal)),
            reply @ (AdminReply::Holds(_)
            | AdminReply::Held(_)
            | AdminReply::Approved(_)
            | AdminReply::Active(_)
            | AdminReply::Activation(_)
            | AdminReply::Decisions(_)
            | AdminReply::Erased { .. }
            | AdminReply::ExportNoted
            | AdminReply::Aside(_)
            | AdminReply::AsideActed { .. }
            | AdminReply::Budgets(_)
            | AdminReply::Lapses(_)
            | AdminReply::Pruned { .. }) => Ok(reply),
        }
    }

    async fn held(&self, id: MessageId) -> Result<HeldMessage, CallError> {
        let reply = self.ask(&AdminRequest::HoldShow { id }).await?;
        let AdminReply::Held(held) = reply else { return Err(CallError::Misfit) };
        Ok(held)
    }

    /// What the list says of a message. Nothing if it has just gone.
    async fn listed(&self, id: MessageId) -> Result<Option<Hold>, CallError> {
        let mut after = None;
        while let Some(page) = self.page(after).await? {
            after = page.holds.last().map(|hold| hold.id);
            if let Some(hold) = page.holds.into_iter().find(|hold| hold.id == id) {
                return Ok(Some(hold));
            }
            if !page.more || after >= Some(id) {
                break;
            }
        }
        Ok(None)
    }

    /// The part of the list after an id; nothing when there is no more. It always goes on, so that
    /// no relay can keep anybody turning pages.
    async fn page(&self, after: Option<MessageId>) -> Result<Option<Holds>, CallError> {
        let reply = self.ask(&AdminRequest::HoldList { after }).await?;
        let AdminReply::Holds(page) = reply else { return Err(CallError::Misfit) };
        let goes_on = page.holds.is_sorted_by_key(|hold| hold.id)
            && page.holds.first().is_none_or(|first| Some(first.id) > after);
        match (goes_on, page.holds.is_empty()) {
            (true, false) => Ok(Some(page)),
            (true, true) if !page.more => Ok(None),
            (true, true) | (false, _) => Err(CallError::Misfit),
        }
    }

    async fn hand_in(
        &self,
        shown: &Shown,
        act: ApprovalAct,
        until: Option<Timestamp>,
    ) -> Result<Approved, OfficerError> {
        let signer = self.signer.as_ref().ok_or(OfficerError::NotAnOfficer)?;
        let approval = sign(signer, &shown.approval(&self.id, &self.roles, act, until))?;
        let certificate = signer.certificate().clone();
        let reply = self.ask(&AdminRequest::Approve(Approve { approval, certificate })).await?;
        let AdminReply::Approved(approved) = reply else { return Err(CallError::Misfit.into()) };
        Ok(approved)
    }
}

/// Who, as the relay says, has approved a message that waits. Nothing of it is verified; for that the
/// message must be [shown](Officer::show).
pub fn approved_by(hold: &Hold) -> Vec<SpiffeId> {
    let officer = |signed: &SignedApproval| Some(approval::decode(&signed.approval).ok()?.officer);
    hold.approvals.iter().filter_map(officer).collect()
}

fn sign(signer: &Signer, approval: &Approval) -> Result<SignedApproval, OfficerError> {
    let bytes = approval::encode(approval);
    approval::decode(&bytes).map_err(OfficerError::Malformed)?;
    let proof = signer.sign(Purpose::Approvals, &[leaf(&bytes)]).pop();
    let proof = proof.ok_or(OfficerError::Internal("a signature has no proof"))?;
    Ok(SignedApproval { approval: bytes, proof })
}

impl fmt::Debug for Officer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Officer").field("id", &self.id).finish_non_exhaustive()
    }
}
