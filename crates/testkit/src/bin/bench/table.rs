//! Costs gathered over rounds, and their medians as a table.

use std::collections::BTreeMap;
use std::fmt;

use crate::data::Workload;
use crate::measure::Cost;
use crate::tools::Tool;

/// All costs on one kind of data.
pub struct Table {
    title: String,
    costs: BTreeMap<(Workload, Tool), Vec<Cost>>,
}

impl Table {
    /// Begins with nothing.
    pub fn new(title: &str) -> Self {
        Table { title: title.to_owned(), costs: BTreeMap::new() }
    }

    /// Takes one cost.
    pub fn add(&mut self, workload: Workload, tool: Tool, cost: Cost) {
        self.costs.entry((workload, tool)).or_default().push(cost);
    }

    fn median<T: Ord + Copy>(&self, row: (Workload, Tool), value: impl Fn(&Cost) -> T) -> Option<T> {
        let mut values: Vec<_> = self.costs.get(&row)?.iter().map(value).collect();
        values.sort();
        values.get(values.len() / 2).copied()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = self.costs.values().map(Vec::len).max().unwrap_or_default();
        writeln!(f, "### {}, median of {rounds}\n", self.title)?;
        writeln!(f, "| workload | tool | time | of instep's | processor | peak memory | sent |")?;
        writeln!(f, "|---|---|---:|---:|---:|---:|---:|")?;
        for &(workload, tool) in self.costs.keys() {
            let row = (workload, tool);
            let (Some(wall), Some(processor)) =
                (self.median(row, |cost| cost.wall), self.median(row, |cost| cost.processor))
            else {
                continue;
            };
            let ours = self.median((workload, Tool::Instep), |cost| cost.wall);
            let ratio = ours.map_or(1.0, |ours| wall.as_secs_f64() / ours.as_secs_f64());
            let peak = self.median(row, |cost| cost.peak_kib).unwrap_or_default() / 1024;
            let sent = self.median(row, |cost| cost.sent).flatten().map_or("-".to_owned(), bytes);
            let (wall, processor) = (wall.as_secs_f64(), processor.as_secs_f64());
            writeln!(
                f,
                "| {} | {} | {wall:.2} s | {ratio:.2} | {processor:.2} s | {peak} MiB | {sent} |",
                workload.name(),
                tool.name()
            )?;
        }
        Ok(())
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{:.0} KB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}
