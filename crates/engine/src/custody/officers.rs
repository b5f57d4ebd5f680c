//! What officers do with messages that wait: see them, release them, reject them.

use kuriiri_seal::VerifiedApproval;
use kuriiri_types::{
    ApprovalAct, Code, Header, LogEvent, MessageId, Refusal, SpiffeId, limits::APPROVALS_MAX,
};

use super::holding::missing_texts;
use crate::{
    action::{HoldState, Reply, Resolution},
    case::Release,
    custody::Custody,
    event::Token,
    record::HoldNumber,
    rules::{Need, Ruling, officers_counted, officers_needed},
    stating::Failure,
    step::Work,
    view::ViewError,
    waiting::Waiting,
};

/// Holds in one list; whoever wants more asks for those after the last.
const HOLDS_LISTED_MAX: usize = 64;

impl Custody {
    /// Messages that wait, in the order of their ids.
    pub(crate) fn on_holds_asked(
        &self,
        work: &Work<'_>,
        officer: &SpiffeId,
        after: Option<MessageId>,
    ) -> Result<Reply, ViewError> {
        if let Err(refusal) = self.enrolled(officer) {
            return Ok(Reply::Refused(refusal));
        }
        let mut numbers = self.holds.after(after);
        let more = numbers.len() > HOLDS_LISTED_MAX;
        numbers.truncate(HOLDS_LISTED_MAX);
        let mut listed = Vec::with_capacity(numbers.len());
        for number in numbers {
            listed.extend(self.hold_state(work, number)?);
        }
        Ok(Reply::Holds(listed, more))
    }

    /// One of them.
    pub(crate) fn on_hold_asked(
        &self,
        work: &Work<'_>,
        officer: &SpiffeId,
        message: MessageId,
    ) -> Result<Reply, ViewError> {
        if let Err(refusal) = self.enrolled(officer) {
            return Ok(Reply::Refused(refusal));
        }
        let state = match self.find_holds(work, message)?.first() {
            Some((number, _)) => self.hold_state(work, *number)?,
            None => None,
        };
        Ok(state.map_or_else(unknown, |state| Reply::Hold(Box::new(state))))
    }

    /// Takes an officer's word on a message. When its copies wait apart, it is a word on all.
    pub(crate) fn on_approved(
        &mut self,
        work: &mut Work<'_>,
        token: Token,
        officer: &SpiffeId,
        approval: &VerifiedApproval,
    ) -> Result<(), ViewError> {
        let reply = self.approved(work, officer, approval)?;
        work.answer(token, reply);
        Ok(())
    }

    fn approved(
        &mut self,
        work: &mut Work<'_>,
        officer: &SpiffeId,
        approval: &VerifiedApproval,
    ) -> Result<Reply, ViewError> {
        let mut waiting = self.find_holds(work, approval.approval().message)?;
        waiting.retain(|(_, waiting)| self.needed(work, waiting) > 0);
        if waiting.is_empty() {
            return Ok(unknown());
        }
        let checks = waiting.iter().map(|(_, w)| self.check_approval(work, officer, approval, w));
        if let Err(refusal) = checks.collect::<Result<(), _>>() {
            return Ok(Reply::Refused(refusal));
        }
        let subject = approval.approval().subject;
        let signed = approval.clone().into_parts().1;
        work.note(LogEvent::Approved { subject, approval: signed });
        let mut told = None;
        for (number, waiting) in waiting {
            let reply = match &approval.approval().act {
                ApprovalAct::Reject { note } => self.reject(work, number, &waiting, officer, note),
                ApprovalAct::Release => self.count(work, number, waiting, approval.clone()),
            };
            told = Some(least_done(told, reply));
        }
        Ok(told.unwrap_or_else(unknown))
    }

    fn reject(
        &mut self,
        work: &mut Work<'_>,
        number: HoldNumber,
        waiting: &Waiting,
        officer: &SpiffeId,
        note: &str,
    ) -> Reply {
        let mut reasons = vec![format!("rejected by {}", officer.name())];
        reasons.extend((!note.is_empty()).then(|| note.to_owned()));
        let why = Failure::refused(Refusal { code: Code::RELEASE_REJECTED, reasons });
        self.end_hold(work, number, waiting, &why);
        Reply::Resolved(Resolution::Rejected)
    }

    fn count(
        &mut self,
        work: &mut Work<'_>,
        number: HoldNumber,
        mut waiting: Waiting,
        approval: VerifiedApproval,
    ) -> Reply {
        let release = Release::from(approval.approval());
        if !waiting.add(approval.into_parts().1, release) {
            let what =
                format!("at most {APPROVALS_MAX} officers can sign one message, and they have");
            return refused(Code::BUSY, what);
        }
        match self.settle_hold(work, number, waiting) {
            Ruling::Go(()) | Ruling::Wait(Need::Later) => Reply::Resolved(Resolution::Released),
            Ruling::Wait(Need::People(missing)) => {
                let need = officers_needed(&missing);
                let have = officers_counted(&missing).unwrap_or(need);
                Reply::Resolved(Resolution::Counted { have, need })
            }
            Ruling::End(refusal) => Reply::Refused(refusal),
        }
    }

    /// What must hold of an approval before anybody counts it.
    fn check_approval(
        &self,
        work: &Work<'_>,
        officer: &SpiffeId,
        approval: &VerifiedApproval,
        waiting: &Waiting,
    ) -> Result<(), Refusal> {
        let roles = self.enrolled(approval.officer())?;
        let given = approval.approval();
        let why = |code, what: String| Err(Refusal { code, reasons: vec![what] });
        if approval.officer() != officer {
            return why(Code::NOT_AN_OFFICER, format!("{} signed it", approval.officer()));
        }
        if let Some(role) = given.roles.iter().find(|role| !roles.contains(*role)) {
            return why(
                Code::OFFICER_UNKNOWN,
                format!("{officer} does not hold the role `{role}`"),
            );
        }
        if let Err(error) = approval.check(&waiting.header, waiting.leaf) {
            return why(Code::APPROVAL_VOID, error.to_string());
        }
        if !approval.holds_at(work.now) {
            return why(Code::APPROVAL_OVER, "its time is over".into());
        }
        if is_drafter(&waiting.header, officer) {
            return why(Code::OWN_DRAFT, "whoever drafted it does not count".into());
        }
        let needed = self.needed(work, waiting);
        if given.act == ApprovalAct::Release && given.needed != needed {
            let what = format!("{needed} officers are needed now, and it says {}", given.needed);
            return why(Code::APPROVAL_VOID, what);
        }
        Ok(())
    }

    fn enrolled(&self, officer: &SpiffeId) -> Result<&std::collections::BTreeSet<String>, Refusal> {
        self.config.officers.get(officer).ok_or_else(|| {
            let reasons = vec![format!("{officer} is not among this relay's officers")];
            Refusal { code: Code::OFFICER_UNKNOWN, reasons }
        })
    }

    /// How many officers must sign, counted as if none had yet.
    fn needed(&self, work: &Work<'_>, waiting: &Waiting) -> u32 {
        let bare = Waiting { releases: Vec::new(), ..waiting.clone() };
        match self.rule(work.now, &bare) {
            Ruling::Wait(Need::People(missing)) => officers_needed(&missing),
            Ruling::Go(_) | Ruling::Wait(Need::Later) | Ruling::End(_) => 0,
        }
    }

    /// The holds of a message.
    fn find_holds(
        &self,
        work: &Work<'_>,
        message: MessageId,
    ) -> Result<Vec<(HoldNumber, Waiting)>, ViewError> {
        let mut found = Vec::new();
        for number in self.holds.of(message) {
            found.extend(self.waiting(work, number)?.map(|waiting| (number, waiting)));
        }
        Ok(found)
    }

    fn hold_state(
        &self,
        work: &Work<'_>,
        number: HoldNumber,
    ) -> Result<Option<HoldState>, ViewError> {
        let Some(waiting) = self.waiting(work, number)? else { return Ok(None) };
        let missing = match self.rule(work.now, &waiting) {
            Ruling::Wait(need) => missing_texts(&need),
            Ruling::Go(_) => Vec::new(),
            Ruling::End(refusal) => refusal.reasons,
        };
        let needed = self.needed(work, &waiting);
        let hold = waiting.hold;
        Ok(Some(HoldState {
            envelope: hold.envelope,
            header: waiting.header,
            accepted: hold.accepted,
            expires: hold.expires,
            needed,
            approvals: hold.approvals,
            missing,
            body: hold.body,
        }))
    }
}

/// Of two outcomes the one that leaves more to do.
fn least_done(known: Option<Reply>, other: Reply) -> Reply {
    let rank = |reply: &Reply| {
        let is_counted = matches!(reply, Reply::Resolved(Resolution::Counted { .. }));
        (!matches!(reply, Reply::Refused(_)), !is_counted)
    };
    match known {
        Some(known) if rank(&known) <= rank(&other) => known,
        Some(_) | None => other,
    }
}

fn is_drafter(header: &Header, officer: &SpiffeId) -> bool {
    header.drafter.as_deref() == Some(officer.name())
}

fn unknown() -> Reply {
    refused(Code::NO_HOLD, "no such message waits here".into())
}

fn refused(code: Code, reason: String) -> Reply {
    Reply::Refused(Refusal { code, reasons: vec![reason] })
}
