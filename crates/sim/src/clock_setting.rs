//! People set the clocks of ministries while things break.

use kuriiri_types::Ministry;

use crate::{planned::Planned, world::World};

impl World {
    /// Clocks are as wrong as they can be from the beginning on.
    pub(crate) fn begin_clocks(&mut self) {
        let Some(wrong) = &mut self.wrong_clocks else { return };
        for (home, node) in &mut self.nodes {
            node.clock = wrong.draw();
            self.agenda.after(wrong.wait(), Planned::SetClock(home.clone()));
        }
    }

    /// Somebody sets the clock of a ministry, forward or back.
    pub(crate) fn set_clock(&mut self, home: &Ministry) {
        let Some(wrong) = self.wrong_clocks.as_mut().filter(|_| !self.is_calm) else { return };
        let Some(node) = self.nodes.get_mut(home) else { return };
        node.clock = wrong.draw();
        // A relay learns of the other time when it wakes: what waits is not looked at before.
        node.changes = node.changes.saturating_add(1);
        let ahead = node.clock.ahead;
        self.agenda.after(wrong.wait(), Planned::SetClock(home.clone()));
        self.trace.line(
            self.agenda.now(),
            format_args!("the clock of {home} is set to be {ahead} ms ahead"),
        );
    }
}
