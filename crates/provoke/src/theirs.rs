//! A system of the relay's own ministry, so that the relay has a message for the partner.

use kuriiri_transport::{Conversation, Endpoint, Expect, Identity, Settings};
use kuriiri_types::{Recipient, Role};
use kuriiri_wire::{
    Frame, Part,
    client::{Reply, Request, Submission, Submitted},
};

use crate::{
    case::{Halt, wrong},
    folder::System,
    honest::must_take,
    letter::{ROUTINE, Sent, letter, part_of},
    partner::Partner,
    rude::soon,
};

/// Lets the relay's own system send a message to the partner's.
pub(crate) async fn submit(partner: &Partner) -> Result<Sent, Halt> {
    let system = partner.theirs().ok_or_else(|| wrong("there is no such system"))?;
    let to = vec![Recipient { address: partner.system.address.clone(), role: Role::Action }];
    let letter = letter(partner)?.with(|header| {
        header.from = system.address.clone();
        header.to = to;
    });
    let sent = letter.signed_by(&system.signer)?;
    let signed = part_of(std::slice::from_ref(&sent))?;
    let message = Submitted { header: sent.header.clone(), body: sent.body.clone() };
    let submission = Submission {
        epoch: 0,
        number: 0,
        lane: ROUTINE,
        certificates: vec![system.signer.certificate().clone()],
        parts: vec![Part { signed, messages: vec![message] }],
    };
    match soon("the relay's own system", ask(partner, system, Request::Submit(submission)))
        .await??
    {
        Reply::Submission(answer) => match answer.verdicts.as_slice() {
            [verdict] => must_take(verdict, false).map(|_| sent),
            verdicts => Err(wrong(format!("{} verdicts on one message", verdicts.len()))),
        },
        Reply::Refused(refusal) => {
            Err(wrong(format!("its own system was refused with {}", refusal.code)))
        }
        Reply::Answer(_) | Reply::Status(_) | Reply::Proofs(_) => {
            Err(wrong("its own system got another answer"))
        }
    }
}

async fn ask(partner: &Partner, system: &System, request: Request) -> Result<Reply, Halt> {
    let identity = Identity::from_pem(&system.tls.chain, &system.tls.key).map_err(wrong)?;
    let dialler = Endpoint::dialler(Settings::new(identity, partner.trust.clone()));
    let expect = Expect::Relay(partner.target.ministry.clone());
    let dialled = dialler.map_err(wrong)?;
    let link = dialled.dial(partner.target.address, expect, Conversation::Client).await;
    let (mut sender, mut receiver) = link.map_err(wrong)?.open().await.map_err(wrong)?;
    sender.send(request.encode()).await.map_err(wrong)?;
    sender.finish().map_err(wrong)?;
    let answer = receiver.frame(Reply::BYTES_MAX).await.map_err(wrong)?;
    Reply::decode(answer.ok_or_else(|| wrong("its own system got no answer"))?).map_err(wrong)
}
