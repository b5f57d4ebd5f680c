//! What must always hold of the headers beside the logs. Each check is called as its invariant is.

use bytes::Bytes;
use kuriiri_engine::Commit;
use kuriiri_merkle::leaf;
use kuriiri_types::{Decided, Digest, Giver, LogEvent, Ministry, Timestamp};
use kuriiri_wire::header;

use crate::{
    committed_log::CommittedLog,
    failure::{Check, hold},
    node::Node,
    observer::Observer,
};

// === at each commit ===

impl Observer {
    /// Beside an entry that brings a signed batch are the headers of its messages, in their order, and
    /// beside no other is any; and no decision speaks of a message whose header the log does not have.
    pub(crate) fn headers_stand_beside_their_entry(
        &self,
        home: &Ministry,
        log: &CommittedLog,
        event: &LogEvent,
        headers: &[Bytes],
    ) -> Check {
        let name = "headers_stand_beside_their_entry";
        let (subjects, is_first) = if let LogEvent::Decided(decided) = event {
            (decided.subjects.as_slice(), decided.batch.is_some())
        } else {
            (&[][..], false)
        };
        let named: Vec<Digest> = subjects.iter().map(|subject| subject.header).collect();
        let stand: Vec<Digest> = headers.iter().map(|header| leaf(header)).collect();
        let expected = if is_first { named.as_slice() } else { &[] };
        hold(name, stand == expected, || {
            format!("{home}: {} headers beside {event:?}", headers.len())
        })?;
        let unknown = named.iter().find(|digest| !is_first && !log.read.contains_key(*digest));
        hold(name, unknown.is_none(), || format!("{home} has no header of {unknown:?}"))
    }

    /// From the entry alone: a system signed all messages of a class. From their headers: it may speak for
    /// their senders, and is the one that handed them in.
    pub(crate) fn a_class_proves_its_own_signature(
        &self,
        home: &Ministry,
        at: Timestamp,
        decided: &Decided,
        headers: &[Bytes],
    ) -> Check {
        let name = "a_class_proves_its_own_signature";
        let Some(part) = &decided.batch else { return Ok(()) };
        let leaves: Vec<Digest> = decided.subjects.iter().map(|subject| subject.header).collect();
        let verified = self.cast.verifier.part(part, &leaves, at);
        let error = verified.as_ref().err().map(ToString::to_string).unwrap_or_default();
        hold(name, verified.is_ok(), || format!("{home}: {error}: {decided:?}"))?;
        let Ok(signer) = verified else { return Ok(()) };
        let is_giver = match &decided.giver {
            Some(Giver::System(system)) => *system == signer,
            Some(Giver::Peer(_)) => true,
            None => false,
        };
        let speaks_for = |bytes: &Bytes| {
            header::decode(bytes).is_ok_and(|header| header.from.ministry() == signer.ministry())
        };
        let may = is_giver && headers.iter().all(speaks_for);
        hold(name, may, || format!("{home}: {signer} signed what it may not: {decided:?}"))
    }

    /// Headers are kept as long as the retention of their label says, all of an entry equally long.
    pub(crate) fn headers_are_kept_by_their_labels(
        &self,
        home: &Ministry,
        at: Timestamp,
        decided: &Decided,
        headers: &[Bytes],
    ) -> Check {
        let Some(policy) = self.cast.rules.policy(decided.policy) else { return Ok(()) };
        for header in headers.iter().filter_map(|bytes| header::decode(bytes).ok()) {
            let label = header.label.as_ref();
            let until = at.after(self.cast.retention.of(label, &policy));
            hold("headers_are_kept_by_their_labels", decided.keep_until == Some(until), || {
                format!("{home} keeps {label:?} until {:?}, not {until}", decided.keep_until)
            })?;
        }
        Ok(())
    }

    /// Headers leave with the commit whose entries say so, and as many as these say.
    pub(crate) fn headers_leave_as_the_log_says(
        &mut self,
        home: &Ministry,
        commit: &Commit,
    ) -> Check {
        let Some(log) = self.logs.get_mut(home) else { return Ok(()) };
        let leaving = &log.leaving;
        let are_pruned = leaving.pruned.iter().map(|(until, _)| *until).eq(commit.pruned)
            && leaving.pruned.iter().all(|(until, count)| log.count_until(*until) == *count);
        let erased = commit.erased_headers.iter().collect::<std::collections::BTreeSet<_>>();
        let are_erased = leaving.erased.keys().eq(erased);
        hold("headers_leave_as_the_log_says", are_pruned && are_erased, || {
            let Commit { pruned, erased_headers, .. } = commit;
            format!("{home}: {leaving:?} is said, and what goes is {pruned:?}, {erased_headers:?}")
        })?;
        log.strike_out();
        Ok(())
    }
}

// === when a relay starts, and when all is quiet ===

impl Observer {
    /// A header is what its entry names, and stands where it was put until the log says that it has left;
    /// then it is gone.
    pub(crate) fn headers_stay_beside(&self, node: &Node) -> Check {
        let Some(log) = self.logs.get(&node.home) else { return Ok(()) };
        for (index, beside) in &log.beside {
            let kept = node.disk.log.headers(*index);
            let is_it = |(header, (hash, stands)): (&Option<Bytes>, &(Digest, bool))| {
                header.as_ref().map(|header| leaf(header)) == stands.then_some(*hash)
            };
            let same =
                kept.len() == beside.places.len() && kept.iter().zip(&beside.places).all(is_it);
            hold("headers_stand_beside_their_entry", same, || {
                format!("{}: beside entry {index} are not {:?}", node.home, beside.places)
            })?;
        }
        Ok(())
    }
}
