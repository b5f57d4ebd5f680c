//! The relay of the tests: it answers status and questions by itself, and hands everything else to
//! the test.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use kuriiri_transport::{CloseCode, Conversation, Endpoint, Link, Receiver, Sender};
use kuriiri_types::{
    Code, Outcome, Receipt, ReceiptKind, Refusal, Timestamp, Verdict, limits::BODY_BYTES_MAX,
};
use kuriiri_wire::{
    Frame, WireError,
    admin::{AdminReply, AdminRequest, DecisionRecords},
    client::{
        Answer, Question, Reply, Request, StatusReport, Submission, SubmissionAnswer, Submitted,
    },
    header,
};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    log::Log,
    world::{Member, World, joined, now, receipt_of, soon},
};

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

const DOORS: [Conversation; 2] = [Conversation::Client, Conversation::Admin];

/// How a test answers officers and operators.
type Answers = dyn FnMut(&AdminRequest) -> AdminReply + Send;

pub(crate) struct Relay {
    endpoint: Endpoint,
    asked: mpsc::Receiver<Asked>,
    script: Arc<Script>,
    _door: JoinSet<()>,
}

/// What the relay does by itself.
struct Script {
    member: String,
    links: Mutex<Vec<Link>>,
    questions: Mutex<Vec<Question>>,
    outcome: Mutex<Outcome>,
    people_asked: Mutex<Vec<AdminRequest>>,
    answers: Mutex<Box<Answers>>,
}

/// A request that is the test's to answer.
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
}

impl Relay {
    pub(crate) fn open(world: &World, member: &Member) -> Self {
        let endpoint = Endpoint::listen(LOOPBACK, world.settings(member), &DOORS).unwrap();
        let (channel, asked) = mpsc::channel(1024);
        let script = Arc::new(Script {
            member: member.ministry.to_string(),
            links: Mutex::default(),
            questions: Mutex::default(),
            outcome: Mutex::new(permit(false)),
            people_asked: Mutex::default(),
            answers: Mutex::new(Box::new(|_| AdminReply::Refused(Refusal::bare(Code::NO_HOLD)))),
        });
        let mut door = JoinSet::new();
        door.spawn(keep_door(endpoint.clone(), Arc::clone(&script), channel));
        Self { endpoint, asked, script, _door: door }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.endpoint.local_addr().unwrap()
    }

    pub(crate) fn answer_questions_with(&self, outcome: Outcome) {
        *self.script.outcome.lock().unwrap() = outcome;
    }

    pub(crate) fn questions(&self) -> Vec<Question> {
        self.script.questions.lock().unwrap().clone()
    }

    pub(crate) fn answer_people_with(
        &self,
        answers: impl FnMut(&AdminRequest) -> AdminReply + Send + 'static,
    ) {
        *self.script.answers.lock().unwrap() = Box::new(answers);
    }

    /// What officers and operators have asked for since this was asked last.
    pub(crate) fn people_asked(&self) -> Vec<AdminRequest> {
        std::mem::take(&mut *self.script.people_asked.lock().unwrap())
    }

    /// The last link that came.
    pub(crate) fn link(&self) -> Link {
        self.script.links.lock().unwrap().last().unwrap().clone()
    }

    /// Breaks all links.
    pub(crate) fn cut(&self) {
        for link in self.script.links.lock().unwrap().drain(..) {
            link.close(CloseCode::ShuttingDown, "cut by the test");
        }
    }

    pub(crate) async fn next(&mut self) -> Asked {
        soon(self.asked.recv()).await.unwrap()
    }

    /// True when nobody has asked for anything that was not yet taken.
    pub(crate) fn is_idle(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }

    /// The next submissions, by their numbers.
    pub(crate) async fn submissions(&mut self, count: usize) -> Vec<Submitting> {
        let mut submissions = Vec::new();
        for _ in 0..count {
            submissions.push(self.submission().await);
        }
        submissions.sort_by_key(|submitting| submitting.submission.number);
        submissions
    }

    pub(crate) async fn submission(&mut self) -> Submitting {
        let Asked { request, sender, .. } = self.next().await;
        let Request::Submit(submission) = request else {
            panic!("not a submission: {request:?}");
        };
        Submitting { submission, sender }
    }
}

pub(crate) fn permit(seal: bool) -> Outcome {
    permit_after(0, seal)
}

/// Permitted once so many officers have released it.
pub(crate) fn permit_after(approvals: u32, seal: bool) -> Outcome {
    Outcome::Permit { seal, size_max: BODY_BYTES_MAX, approvals }
}

pub(crate) fn accepted() -> Verdict {
    Verdict::Accepted { at: Timestamp::from_millis(7), repeat: false }
}

/// A submission that waits for its answer.
pub(crate) struct Submitting {
    pub(crate) submission: Submission,
    sender: Sender,
}

impl Submitting {
    /// The subjects of its messages, by which the tests know them.
    pub(crate) fn subjects(&self) -> Vec<String> {
        let subject = |bytes| header::decode(bytes).unwrap().subject;
        self.messages().map(|m| subject(&m.header)).collect()
    }

    /// Its messages, over all parts.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Submitted> {
        self.submission.parts.iter().flat_map(|part| &part.messages)
    }

    pub(crate) async fn accept(self, log: &Log) {
        let verdicts = vec![accepted(); self.messages().count()];
        self.judge(log, verdicts).await;
    }

    /// Answers with verdicts, and with true receipts for what they accept and refuse.
    pub(crate) async fn judge(self, log: &Log, verdicts: Vec<Verdict>) {
        let receipts = log.write(&self.true_receipts(&verdicts));
        let answer = SubmissionAnswer { verdicts, receipts };
        self.reply(Reply::Submission(answer)).await;
    }

    /// What an honest relay of `sm` states with these verdicts: one receipt for all messages of which
    /// it says the same.
    pub(crate) fn true_receipts(&self, verdicts: &[Verdict]) -> Vec<Receipt> {
        let mut receipts = Vec::new();
        for (message, verdict) in self.messages().zip(verdicts) {
            let bytes = &message.header;
            for recipient in header::decode(bytes).unwrap().to {
                let say = |kind| receipt_of(bytes, &recipient.address, kind, "sm.example");
                match verdict {
                    Verdict::Accepted { .. } => receipts.push(say(ReceiptKind::Accepted)),
                    Verdict::Refused(Refusal { code, reasons }) => receipts.push(Receipt {
                        code: Some(*code),
                        reasons: reasons.clone(),
                        ..say(ReceiptKind::Refused)
                    }),
                    Verdict::Busy | Verdict::Later(_) => {}
                }
            }
        }
        joined(receipts)
    }

    pub(crate) async fn reply(mut self, reply: Reply) {
        self.sender.send(reply.encode()).await.unwrap();
        self.sender.finish().unwrap();
    }
}

async fn keep_door(endpoint: Endpoint, script: Arc<Script>, channel: mpsc::Sender<Asked>) {
    let mut guests = JoinSet::new();
    while let Some(handshake) = endpoint.accept().await {
        let (script, channel) = (Arc::clone(&script), channel.clone());
        guests.spawn(async move {
            let Ok(link) = handshake.complete().await else { return };
            script.links.lock().unwrap().push(link.clone());
            let mut streams = JoinSet::new();
            while let Ok((sender, receiver)) = link.accept().await {
                let (script, channel) = (Arc::clone(&script), channel.clone());
                match link.conversation() {
                    Conversation::Admin => streams.spawn(serve_people(script, sender, receiver)),
                    Conversation::Relay | Conversation::Client => {
                        streams.spawn(serve(script, channel, sender, receiver))
                    }
                };
            }
        });
    }
}

async fn serve(
    script: Arc<Script>,
    channel: mpsc::Sender<Asked>,
    sender: Sender,
    mut receiver: Receiver,
) {
    let Ok(Some(frame)) = receiver.frame(Request::BYTES_MAX).await else { return };
    let request: Result<Request, WireError> = Request::decode(frame);
    let reply = match request.unwrap() {
        Request::Status => Reply::Status(StatusReport {
            ministry: script.member.parse().unwrap(),
            relay: "r1".into(),
            now: now(),
            mailboxes: Vec::new(),
            peers: Vec::new(),
        }),
        Request::Ask(question) => {
            script.questions.lock().unwrap().push(question);
            Reply::Answer(Answer { outcome: script.outcome.lock().unwrap().clone() })
        }
        request @ (Request::Submit(_)
        | Request::Receive { .. }
        | Request::Receipts { .. }
        | Request::Prove { .. }) => {
            let _ = channel.send(Asked { request, sender, receiver }).await;
            return;
        }
    };
    say(sender, reply.encode()).await;
}

/// Answers as the test says, but the greeting by itself.
async fn serve_people(script: Arc<Script>, sender: Sender, mut receiver: Receiver) {
    let Ok(Some(frame)) = receiver.frame(AdminRequest::BYTES_MAX).await else { return };
    let request = AdminRequest::decode(frame).unwrap();
    let reply = if request == (AdminRequest::Decisions { limit: 0 }) {
        AdminReply::Decisions(DecisionRecords { records: Vec::new() })
    } else {
        let reply = (*script.answers.lock().unwrap())(&request);
        script.people_asked.lock().unwrap().push(request);
        reply
    };
    say(sender, reply.encode()).await;
}

async fn say(mut sender: Sender, reply: Bytes) {
    if sender.send(reply).await.is_ok() {
        let _ = sender.finish();
        let _ = sender.stopped().await;
    }
}
