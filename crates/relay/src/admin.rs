//! Links of the ministry's officers and operators: what waits for people, and what is in force.

mod aside;

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_engine::{Event, Filled, HoldState, LogDeed, PersonRequest, Reply, Resolution};
use kuriiri_transport::{Figure, Frame as Came, Link, Receiver, Sender};
use kuriiri_types::{Code, MessageId, Refusal, SpiffeId, SpiffeRole};
use kuriiri_wire::{
    Frame,
    admin::{
        Activation, ActiveFile, ActiveFiles, AdminReply, AdminRequest, Approve, Approved,
        AsideMessages, Budget, DecisionRecords, FileVerdict, HeldMessage, Hold, Holds, Lapses,
        OfferedFile,
    },
    limits::{ASIDE_PAGE, DECISION_BYTES_MAX, DECISIONS_MAX},
};
use tokio::task::{JoinSet, spawn_blocking};

use crate::{
    clock,
    error::{LinkError, RelayError},
    handing_out,
    in_force::InForce,
    judgement::{self, Judgement},
    reload::Reloader,
    shared::Shared,
};

/// One link of an officer or operator.
pub(crate) struct AdminSession {
    shared: Arc<Shared>,
    reloader: Arc<Reloader>,
    person: SpiffeId,
    link: Link,
}

impl AdminSession {
    pub(crate) fn new(shared: Arc<Shared>, reloader: Arc<Reloader>, link: Link) -> Self {
        let person = link.peer().id().clone();
        Self { shared, reloader, person, link }
    }

    /// Serves the link until it ends: one request a stream.
    pub(crate) async fn serve(self) {
        let is_told = self.shared.lines.is_first(&self.person.to_string(), "a person came in");
        if is_told {
            tracing::info!(person = %self.person, "an officer or operator came in");
        }
        let session = Arc::new(self);
        let mut requests = JoinSet::new();
        let error = loop {
            tokio::select! {
                stream = session.link.accept() => match stream {
                    Ok((sender, receiver)) => {
                        requests.spawn(Arc::clone(&session).take_request(sender, receiver));
                    }
                    Err(closed) => break closed.into(),
                },
                Some(done) = requests.join_next() => match done {
                    Ok(Err(error)) if error.ends_the_link() => break error,
                    Ok(Ok(()) | Err(_)) => {}
                    Err(error) => break LinkError::Task(error.to_string()),
                },
            }
        };
        error.close(&session.link);
        if is_told {
            tracing::info!(person = %session.person, %error, "an officer or operator left");
        }
    }

    async fn take_request(
        self: Arc<Self>,
        mut sender: Sender,
        mut receiver: Receiver,
    ) -> Result<(), LinkError> {
        receiver.is_due();
        let frame = receiver.next_frame_by(AdminRequest::bytes_max).await?;
        // Its room is taken until it has been answered.
        let Came { bytes, held: _held } = frame.ok_or(LinkError::Silent)?;
        let reply = self.answer(AdminRequest::decode(bytes)?).await?;
        sender.send(reply.encode()).await?;
        sender.finish()?;
        Ok(())
    }

    async fn answer(&self, request: AdminRequest) -> Result<AdminReply, LinkError> {
        if let Some(refusal) = self.may_not(&request) {
            return Ok(AdminReply::Refused(refusal));
        }
        match request {
            AdminRequest::HoldList { after } => self.ask(PersonRequest::Holds { after }).await,
            AdminRequest::HoldShow { id } => self.ask(PersonRequest::Hold { message: id }).await,
            AdminRequest::Approve(approve) => self.approve(approve).await,
            AdminRequest::PolicyActive => Ok(active(&self.reloader.in_force().await)),
            AdminRequest::PolicyActivate { files } => Ok(self.activate(files).await),
            AdminRequest::Erase { id, basis, header } => self.erase(id, basis, header).await,
            AdminRequest::NoteExport { what } => {
                self.ask(PersonRequest::LogDeed { deed: LogDeed::Export { what } }).await
            }
            AdminRequest::Prune { basis } => self.prune(basis).await,
            AdminRequest::Decisions { limit } => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(DECISIONS_MAX);
                self.ask(PersonRequest::Decisions { limit }).await
            }
            AdminRequest::AsideList { after } => {
                let after = after.map(aside::from_wire);
                self.ask(PersonRequest::Asides { after, limit: ASIDE_PAGE }).await
            }
            AdminRequest::Budgets => self.ask(PersonRequest::Fill).await,
            AdminRequest::Lapses => Ok(lapses(&self.reloader.in_force().await)),
            AdminRequest::AsideAct { id: message, deed } => {
                self.ask(PersonRequest::AsideAct { message, deed: aside::deed(deed) }).await
            }
        }
    }

    /// Only officers say whether a message may go. The files in force are everybody's matter, and what is
    /// offered is judged by who signed it, not by who brings it. What is set aside is a matter of running the
    /// relay: nobody is shown what a message says.
    fn may_not(&self, request: &AdminRequest) -> Option<Refusal> {
        let for_officers = match request {
            AdminRequest::HoldList { .. }
            | AdminRequest::HoldShow { .. }
            | AdminRequest::Approve(_) => true,
            AdminRequest::PolicyActive
            | AdminRequest::Erase { .. }
            | AdminRequest::NoteExport { .. }
            | AdminRequest::Prune { .. }
            | AdminRequest::PolicyActivate { .. }
            | AdminRequest::AsideList { .. }
            | AdminRequest::AsideAct { .. }
            | AdminRequest::Budgets
            | AdminRequest::Lapses
            | AdminRequest::Decisions { .. } => false,
        };
        let refused = for_officers && self.person.role() != SpiffeRole::Officer;
        refused.then_some(Refusal::bare(Code::NOT_AN_OFFICER))
    }

    async fn ask(&self, request: PersonRequest) -> Result<AdminReply, LinkError> {
        let person = self.person.clone();
        let event = |token| Event::Person { person, token, request };
        let reply = self.shared.inbox.ask(event).await?.await.map_err(|_| LinkError::Closing)?;
        self.reply(reply).await
    }

    async fn reply(&self, reply: Reply) -> Result<AdminReply, LinkError> {
        Ok(match reply {
            Reply::Holds(holds, more) => {
                let holds = holds.into_iter().filter_map(listed).collect();
                AdminReply::Holds(Holds { holds, more })
            }
            Reply::Hold(state) => AdminReply::Held(self.held(*state).await?),
            Reply::Resolved(resolution) => AdminReply::Approved(match resolution {
                Resolution::Released => Approved::Released,
                Resolution::Counted { have, need } => Approved::Counted { have, need },
                Resolution::Rejected => Approved::Rejected,
            }),
            Reply::Decisions(records) => AdminReply::Decisions(recorded(&records)),
            Reply::Erased { copies, headers } => AdminReply::Erased { copies, headers },
            Reply::Asides(found, more) => {
                let messages = found.into_iter().filter_map(aside::to_wire).collect();
                AdminReply::Aside(AsideMessages { messages, more })
            }
            Reply::Fill(waiting) => AdminReply::Budgets(self.budgets(waiting)),
            Reply::AsideActed { messages, more } => AdminReply::AsideActed { messages, more },
            Reply::Noted => AdminReply::ExportNoted,
            Reply::Refused(refusal) => AdminReply::Refused(refusal),
            Reply::Verdicts { .. } | Reply::Outcome(_) | Reply::Status(_) | Reply::Witnessed(_) => {
                AdminReply::Refused(Refusal::bare(Code::INTERNAL))
            }
        })
    }

    /// Those of links, memory and processors, and then those of what waits.
    fn budgets(&self, waiting: Vec<Filled>) -> Vec<Budget> {
        let ours = self.reloader.endpoint.figures().into_iter().chain(self.shared.figures());
        let ours =
            ours.map(|Figure { name, used, limit }| Budget { name: name.into(), used, limit });
        let waiting = waiting.into_iter();
        ours.chain(waiting.map(|Filled { name, used, limit }| Budget { name, used, limit }))
            .collect()
    }

    async fn held(&self, state: HoldState) -> Result<HeldMessage, LinkError> {
        let HoldState { envelope, needed, approvals, missing, body, .. } = state;
        let signers = approvals.iter().map(|signed| signed.proof.signer);
        let certificates = self.shared.certificates.of(signers.chain([envelope.proof.signer]));
        let body = handing_out::body(&self.shared.store, body).await?;
        Ok(HeldMessage { envelope, body, needed, approvals, certificates, missing })
    }

    async fn approve(&self, approve: Approve) -> Result<AdminReply, LinkError> {
        let Approve { approval, certificate } = approve;
        let signers = self.shared.checks.signers(vec![certificate], [approval.proof.signer]);
        let certificates = signers.good;
        let approval = match self.shared.checks.approval(approval) {
            Ok(approval) => Box::new(approval),
            Err(refusal) => return Ok(AdminReply::Refused(refusal)),
        };
        self.ask(PersonRequest::Approve { approval, certificates }).await
    }

    /// Finds out how many headers may leave, and has them leave.
    async fn prune(&self, basis: String) -> Result<AdminReply, LinkError> {
        let refused =
            |code, reason| Ok(AdminReply::Refused(Refusal { code, reasons: vec![reason] }));
        // Two at once would both count the same.
        let _alone = self.reloader.pruning.lock().await;
        let retention = self.reloader.retention.load_full();
        if retention.is_for_good() {
            let reason = "this relay is configured to keep headers for good".into();
            return refused(Code::LOG_KEPT, reason);
        }
        let (store, until) = (Arc::clone(&self.shared.store), clock::now());
        let counted = spawn_blocking(move || store.prunable(until)).await;
        let headers = match counted.map_err(|error| LinkError::Task(error.to_string()))? {
            Ok(0) => return refused(Code::LOG_KEPT, "no header's time is over".into()),
            Ok(headers) => headers,
            Err(error) => return refused(Code::STORE_CORRUPT, error.to_string()),
        };
        let basis = format!("{basis} ({})", retention.words());
        let deed = LogDeed::Prune { basis, until, headers };
        let reply = self.ask(PersonRequest::LogDeed { deed }).await?;
        if reply == AdminReply::ExportNoted {
            return Ok(AdminReply::Pruned { headers });
        }
        Ok(reply)
    }

    /// Erases what waits of a message, and its headers beside the log if that is wanted.
    async fn erase(
        &self,
        message: MessageId,
        basis: String,
        header: bool,
    ) -> Result<AdminReply, LinkError> {
        let mut headers = Vec::new();
        if header {
            let store = Arc::clone(&self.shared.store);
            let is_it = move |bytes: &[u8]| {
                kuriiri_wire::header::decode(bytes).is_ok_and(|header| header.id == message)
            };
            let found = spawn_blocking(move || store.find_headers(is_it)).await;
            match found.map_err(|error| LinkError::Task(error.to_string()))? {
                Ok(found) => headers = found,
                Err(error) => {
                    let reasons = vec![error.to_string()];
                    return Ok(AdminReply::Refused(Refusal { code: Code::STORE_CORRUPT, reasons }));
                }
            }
        }
        self.ask(PersonRequest::Erase { message, basis, headers }).await
    }

    async fn activate(&self, files: Vec<OfferedFile>) -> AdminReply {
        let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
        let offered = files.into_iter().map(|file| {
            let OfferedFile { kind, name, bytes, signatures } = file;
            (kind, name, bytes, signatures)
        });
        let person = &self.person;
        match self.reloader.activate(&offered.collect::<Vec<_>>(), person).await {
            Ok(judgement) => {
                let good = judgement.is_good();
                tracing::info!(%person, files = ?names, good, "signed files were handed in");
                AdminReply::Activation(activation(&judgement, &names))
            }
            Err(error) => {
                tracing::warn!(%person, files = ?names, %error, "signed files were refused");
                AdminReply::Refused(refusal(&error))
            }
        }
    }
}

/// What a list tells of a message that waits. One without a label cannot wait.
fn listed(state: HoldState) -> Option<Hold> {
    let header = &state.header;
    Some(Hold {
        id: header.id,
        from: header.from.clone(),
        recipients: header.to.clone(),
        label: header.label.clone()?,
        precedence: header.precedence,
        subject: header.subject.clone(),
        content_type: header.content_type.clone(),
        size: header.body_size,
        accepted: state.accepted,
        expires: state.expires,
        drafter: header.drafter.clone(),
        needed: state.needed,
        approvals: state.approvals,
        missing: state.missing,
    })
}

/// Each record as JSON. One that is too large is left out: it has hundreds of recipients' values.
fn recorded(records: &[kuriiri_policy::Record]) -> DecisionRecords {
    let written = records.iter().filter_map(|record| serde_json::to_vec(record).ok());
    let fits = |record: &Vec<u8>| record.len() <= DECISION_BYTES_MAX;
    DecisionRecords { records: written.filter(fits).map(Bytes::from).collect() }
}

fn active(in_force: &InForce) -> AdminReply {
    let files = in_force.files.0.iter().zip(&in_force.versions);
    let files = files.map(|(file, version)| ActiveFile {
        kind: file.part.kind(),
        name: version.name.clone(),
        serial: version.serial,
        digest: version.digest,
        bytes: Bytes::from(file.text.clone()),
        signatures: file.signatures.clone(),
    });
    AdminReply::Active(ActiveFiles { files: files.collect() })
}

fn lapses(in_force: &InForce) -> AdminReply {
    AdminReply::Lapses(Lapses { now: clock::now(), lapses: in_force.lapses.to_vec() })
}

/// The verdicts on the files that were offered, in their order.
fn activation(judgement: &Judgement, names: &[String]) -> Activation {
    let verdict = |name: &String| {
        let found = judgement.files.iter().find(|(version, _)| version.name == *name);
        found.map(|(version, acceptance)| FileVerdict {
            name: name.clone(),
            serial: version.serial,
            acceptance: acceptance.code().to_owned(),
        })
    };
    let [newly_permitted, newly_denied, changed] = judgement::lines(&judgement.diff);
    Activation {
        files: names.iter().filter_map(verdict).collect(),
        newly_permitted,
        newly_denied,
        changed,
        left_out: judgement.diff.changes_left_out as u64,
    }
}

fn refusal(error: &RelayError) -> Refusal {
    Refusal { code: error.code(), reasons: vec![error.to_string()] }
}
