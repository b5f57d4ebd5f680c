//! Where actions go: each link, subscription and question has a channel here.

use std::collections::HashMap;

use kuriiri_engine::{Action, Event, LinkId, Reply, SubscriptionId, Token};
use kuriiri_types::Ministry;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use crate::{
    messages::{Input, Transmission},
    outgoing::Dialler,
    pushes::{Push, Pushed, Scale, Scales},
};

/// The channels of one relay.
pub(crate) struct Dispatcher {
    dialler: Dialler,
    /// The links to peers; they end with the loop.
    tasks: JoinSet<()>,
    /// The one link to each peer that is used.
    peers: HashMap<Ministry, (LinkId, mpsc::Sender<Transmission>)>,
    subscriptions: HashMap<SubscriptionId, (Scale, mpsc::Sender<Pushed>)>,
    /// What waits on them, by system.
    scales: Scales,
    questions: HashMap<Token, oneshot::Sender<Reply>>,
}

impl Dispatcher {
    pub(crate) fn new(dialler: Dialler) -> Self {
        Self {
            dialler,
            tasks: JoinSet::new(),
            peers: HashMap::new(),
            subscriptions: HashMap::new(),
            scales: Scales::default(),
            questions: HashMap::new(),
        }
    }

    /// Notes the channel that comes with an input, and gives the engine's part of it.
    pub(crate) fn register(&mut self, input: Input) -> Event {
        match input {
            Input::Event(event) => {
                self.forget(&event);
                event
            }
            Input::Link(peer, id, link, channel) => {
                // A link that stood before loses its channel, and ends by that.
                self.peers.insert(peer.clone(), (id, channel));
                self.dialler.shared.peers.stands(&peer, id, &link);
                Event::LinkUp { peer, link: id }
            }
            Input::Question(event, token, answer) => {
                self.questions.insert(token, answer);
                event
            }
            Input::Subscription(event, subscription, channel) => {
                if let Event::Wanted { system, .. } | Event::ReceiptsWanted { system, .. } = &event
                {
                    let scale = self.scales.of(system);
                    self.subscriptions.insert(subscription, (scale, channel));
                }
                event
            }
        }
    }

    /// Lets go of channels whose end was just reported.
    fn forget(&mut self, event: &Event) {
        if let Event::LinkDown { peer, link, .. } = event {
            self.peers.retain(|_, (standing, _)| standing != link);
            if let Some(peer) = peer {
                self.dialler.shared.peers.ended(peer, *link);
            }
        } else if let Event::Unsubscribed { subscription } = event {
            self.subscriptions.remove(subscription);
        }
    }

    /// Performs actions in order. None of them waits: every channel has room for all that the
    /// engine may have under way, and one that has not belongs to a task that is gone or too slow,
    /// which is let go and reports its own end.
    pub(crate) fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Answer(token, reply) => {
                    if let Some(question) = self.questions.remove(&token) {
                        // Whoever asked may be gone; then nobody needs the answer.
                        let _ = question.send(reply);
                    }
                }
                Action::Confirm { subscription, tickets } => {
                    self.push(subscription, Push::Confirmed(tickets));
                }
                Action::Deliver { subscription, items } => {
                    self.push(subscription, Push::Messages(items));
                }
                Action::DeliverReceipts { subscription, receipts, next } => {
                    self.push(subscription, Push::Receipts(receipts, next));
                }
                Action::Dial(peer) => self.dial(peer),
                Action::Refuse(subscription, refusal) => {
                    self.push(subscription, Push::Refused(refusal));
                }
                Action::Transmit { peer, link, lane, batch, epoch, load } => {
                    self.transmit(&peer, link, Transmission { lane, batch, epoch, load });
                }
            }
        }
    }

    fn dial(&mut self, peer: Ministry) {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(self.dialler.clone().link(peer));
    }

    fn push(&mut self, subscription: SubscriptionId, push: Push) {
        let Some((scale, channel)) = self.subscriptions.get(&subscription) else { return };
        let sent = scale.weigh(push).map(|pushed| channel.try_send(pushed));
        if !matches!(sent, Some(Ok(()))) {
            self.subscriptions.remove(&subscription);
        }
    }

    fn transmit(&mut self, peer: &Ministry, link: LinkId, transmission: Transmission) {
        let standing = self.peers.get(peer).filter(|(standing, _)| *standing == link);
        if standing.is_some_and(|(_, channel)| channel.try_send(transmission).is_err()) {
            self.peers.remove(peer);
        }
    }
}
