//! What the rounds gave, side by side.

use comfy_table::{CellAlignment, Table as Grid, presets::UTF8_BORDERS_ONLY};
use serde::Serialize;

use crate::{System, work::Load};

/// Rates of each system, round by round.
#[derive(Debug, Default)]
pub struct Table {
    rates: Vec<(System, Vec<f64>)>,
    fdatasync: Vec<f64>,
}

#[derive(Serialize)]
struct Report {
    event: &'static str,
    messages: u64,
    size: usize,
    window: u16,
    systems: Vec<Line>,
    fdatasync: Vec<f64>,
}

#[derive(Serialize)]
struct Line {
    system: &'static str,
    delivered_per_second: f64,
    rounds: Vec<f64>,
    /// Kuriiri's median over this one.
    kuriiri_ratio: Option<f64>,
}

impl Table {
    pub fn add(&mut self, system: System, rate: f64) {
        match self.rates.iter_mut().find(|(known, _)| *known == system) {
            Some((_, rates)) => rates.push(rate),
            None => self.rates.push((system, vec![rate])),
        }
    }

    /// What the disk could do in one round.
    pub fn add_fdatasync(&mut self, rate: f64) {
        self.fdatasync.push(rate);
    }

    fn report(&self, load: Load) -> Report {
        let kuriiri = self.rates.iter().find(|(system, _)| *system == System::Kuriiri);
        let kuriiri = kuriiri.map(|(_, rates)| median(rates));
        let line = |(system, rates): &(System, Vec<f64>)| Line {
            system: system.name(),
            delivered_per_second: median(rates),
            rounds: rates.clone(),
            kuriiri_ratio: kuriiri.map(|kuriiri| kuriiri / median(rates)),
        };
        Report {
            event: "peers",
            messages: load.messages,
            size: load.size,
            window: load.window,
            systems: self.rates.iter().map(line).collect(),
            fdatasync: self.fdatasync.clone(),
        }
    }

    pub fn json(&self, load: Load) -> anyhow::Result<String> {
        Ok(serde_json::to_string(&self.report(load))?)
    }

    pub fn text(&self, load: Load) -> String {
        let Report { messages, size, window, systems, fdatasync, .. } = self.report(load);
        let mut grid = Grid::new();
        grid.load_style(UTF8_BORDERS_ONLY);
        grid.set_header(["delivered messages/s", "median", "each round", "Kuriiri / it"]);
        for line in systems {
            let ratio = line.kuriiri_ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            let median = format!("{:.0}", line.delivered_per_second);
            grid.add_row([line.system.to_owned(), median, whole(&line.rounds), ratio]);
        }
        for column in [1, 3] {
            if let Some(column) = grid.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        format!(
            "{messages} messages of {size} bytes from A to B, {window} unconfirmed at most\n\n{grid}\n\n\
             fdatasync of 64 KiB, a second, beside each round of Kuriiri: {}",
            whole(&fdatasync)
        )
    }
}

fn whole(rates: &[f64]) -> String {
    rates.iter().map(|rate| format!("{rate:.0}")).collect::<Vec<_>>().join("  ")
}

/// The middle one, or the mean of the two in the middle. 0 of none.
fn median(rates: &[f64]) -> f64 {
    let mut rates = rates.to_vec();
    rates.sort_by(f64::total_cmp);
    let at = |place: usize| rates.get(place).copied().unwrap_or(0.0);
    let middle = rates.len() / 2;
    if rates.len().is_multiple_of(2) {
        f64::midpoint(at(middle.saturating_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[9.0, 1.0, 2.0, 4.0]), 3.0);
    }

    #[test]
    fn ratios_are_of_medians() {
        let mut table = Table::default();
        for (kuriiri, nats) in [(10.0, 40.0), (20.0, 50.0), (90.0, 10.0)] {
            table.add(System::Kuriiri, kuriiri);
            table.add(System::Nats, nats);
        }
        let report = table.report(Load { messages: 1, size: 8, window: 1 });
        let ratios: Vec<_> = report.systems.iter().map(|line| line.kuriiri_ratio).collect();
        assert_eq!(ratios, [Some(1.0), Some(0.5)]);
    }
}
