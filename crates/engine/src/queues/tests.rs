//! However much waits for however many, memory has a bound.

use std::sync::Arc;

use kuriiri_types::{Codec, Precedence, limits::PACK_BYTES_MAX};
use kuriiri_wire::WireCodec;

use super::*;
use crate::{
    Body,
    log::{Log, Writing},
    message::{Keeping, Message},
    testing::{Letter, Memory, NOW, Still, config, ministry},
};

const NAME: LaneName = LaneName::Messages(Precedence::Routine);
/// Lanes that are more than can all be full.
const LANES: usize = 24;

fn log() -> Writing {
    let codec: Arc<dyn Codec> = Arc::new(WireCodec);
    let config = config(&ministry("sm.example"));
    Log::restore(&config.log, &codec, 1, &Memory::default()).unwrap().begin()
}

fn item() -> Queued {
    let letter = Letter::new(1, "kirjaamo@sm.example", &["kirjaamo@plm.example"]);
    let custody = Keeping {
        dest: ministry("plm.example"),
        path: Vec::new(),
        expires: NOW,
        accepted: NOW,
        approvals: Vec::new(),
        releases: Vec::new(),
        body: Body::Inline(vec![0; 16 * 1024].into()),
    };
    Queued::Message(Message::take(&letter.verified(), custody))
}

fn queue(number: usize) -> QueueId {
    QueueId::Outbox(ministry(&format!("peer{number}.example")))
}

fn in_memory(queues: &Queues) -> usize {
    let lanes = queues.queues.values().flat_map(BTreeMap::values);
    lanes.map(Lane::memory).sum()
}

#[test]
fn all_lanes_together_have_a_bound_and_none_stands_still() {
    let mut disk = Memory::default();
    let mut queues = Queues::restore(0, &Reader { view: &disk, codec: &WireCodec }).unwrap();
    let (item, mut still) = (item(), Still);
    let each = 2 * LANE_MEMORY_BYTES_MAX / item.memory_bytes();
    for number in 0..LANES {
        (0..each).for_each(|_| queues.append(&queue(number), NAME, item.clone()));
        let reader = Reader { view: &disk, codec: &WireCodec };
        let mut work = Work::new((ministry("sm.example"), NOW), &mut still, reader, log());
        queues.settle(&mut work);
        let commit = work.commit;
        disk.apply(&commit);
        let memory = in_memory(&queues);
        assert_eq!(memory, queues.memory, "what is counted is what there is");
        let lanes_more = LANES * (LANE_MEMORY_BYTES_MIN + PACK_BYTES_MAX);
        let bound = QUEUES_MEMORY_BYTES_MAX + LANE_MEMORY_BYTES_MAX + lanes_more;
        assert!(memory <= bound, "{memory}");
        let lane = queues.lane(&queue(number), NAME).unwrap().memory();
        assert!((PACK_BYTES_MAX / 2..=LANE_MEMORY_BYTES_MAX).contains(&lane), "{lane}");
    }
    assert!(in_memory(&queues) >= QUEUES_MEMORY_BYTES_MAX, "the bound was reached");
    // The last lane, which may keep least, gives all that it has in the end.
    let last = queue(LANES - 1);
    for _ in 0..each {
        let reader = Reader { view: &disk, codec: &WireCodec };
        let (seq, _) = queues.take(&last, NAME, &reader).unwrap().expect("there is more");
        assert!(queues.finish(&last, NAME, seq));
        let mut work = Work::new((ministry("sm.example"), NOW), &mut still, reader, log());
        queues.settle(&mut work);
        let commit = work.commit;
        disk.apply(&commit);
    }
    assert_eq!(queues.waiting(&last), 0);
    assert_eq!(in_memory(&queues), queues.memory);
}
