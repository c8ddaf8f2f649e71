//! What the program says to other programs, read back.

use instep_testkit::machine::Machine;
use serde_json::Value;

/// A conflict as the program tells of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recorded {
    /// The contested path.
    pub path: Vec<u8>,
    /// `content`, `name`, `move`, `held` or `problem`.
    pub kind: String,
    /// Nothing waits for it.
    pub settled: bool,
}

/// Asks a machine for its conflicts. A folder that is no workspace any more has none.
pub fn conflicts(machine: &Machine) -> Result<Vec<Recorded>, String> {
    let output = machine.run(["conflicts", "--json"]);
    if matches!(output.code, 6 | 10) {
        return Ok(Vec::new());
    }
    let value: Value = serde_json::from_str(output.stdout.trim())
        .map_err(|error| format!("conflicts --json on {} is no JSON ({error}): {output}", machine.name()))?;
    let list = value["conflicts"].as_array().ok_or_else(|| format!("no list of conflicts in {value}"))?;
    let mut conflicts: Vec<_> = list.iter().filter_map(recorded).collect();
    conflicts.sort();
    Ok(conflicts)
}

/// The conflicts among the lines of a sync.
pub fn conflicts_in_lines(stdout: &str) -> Vec<Recorded> {
    let lines = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["type"] == "conflict").filter_map(|line| recorded(&line)).collect()
}

fn recorded(value: &Value) -> Option<Recorded> {
    let path = match value["path_base64"].as_str() {
        Some(text) => base64(text)?,
        None => value["path"].as_str()?.as_bytes().to_vec(),
    };
    let kind = value["kind"].as_str().unwrap_or_default().to_owned();
    Some(Recorded { path, kind, settled: value["settled"].as_bool().unwrap_or(false) })
}

fn base64(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut word = 0_u32;
        for &digit in four {
            word = word << 6 | DIGITS.iter().position(|&known| known == digit)? as u32;
        }
        let filled = word << (6 * (4 - four.len()));
        bytes.extend_from_slice(&filled.to_be_bytes()[1..four.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_any_bytes_are_read() {
        assert_eq!(base64("Yf8="), Some(b"a\xff".to_vec()));
        assert_eq!(base64("YWJj"), Some(b"abc".to_vec()));
        assert_eq!(base64("?"), None);
        let lines = "{\"type\":\"file\"}\nnoise\n{\"type\":\"conflict\",\"path\":\"a\",\"kind\":\"move\",\"settled\":true}";
        let heard = conflicts_in_lines(lines);
        assert_eq!(heard, [Recorded { path: b"a".to_vec(), kind: "move".into(), settled: true }]);
    }
}
