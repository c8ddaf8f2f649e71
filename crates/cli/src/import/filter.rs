//! Lists of patterns. In all of these programs the first that matches wins, and in ours the last: so the order turns.

use super::Imported;

/// One line of a list: take it back, and the pattern in our words.
struct Line {
    takes_back: bool,
    patterns: Vec<String>,
}

/// `.rsync-exclude` and other lists for `rsync --exclude-from`.
pub fn of_rsync(text: &str) -> Imported {
    lines(text, &['#', ';'], |line| {
        let (takes_back, pattern) = signed(line).unwrap_or((false, line));
        Ok(Line { takes_back, patterns: vec![anywhere(pattern.trim_end_matches("***"))?] })
    })
}

/// `.stignore` of Syncthing.
pub fn of_syncthing(text: &str) -> Imported {
    lines(text, &['/'], |line| {
        if let Some(file) = line.strip_prefix("#include") {
            return Err(format!("another file is included ({}): import it, too", file.trim()));
        }
        let mut pattern = line;
        let (mut takes_back, mut any_case) = (false, false);
        loop {
            if let Some(rest) = pattern.strip_prefix('!') {
                (takes_back, pattern) = (!takes_back, rest);
            } else if let Some(rest) = pattern.strip_prefix("(?i)") {
                (any_case, pattern) = (true, rest);
            } else if let Some(rest) = pattern.strip_prefix("(?d)") {
                pattern = rest;
            } else {
                break;
            }
        }
        let patterns = alternatives(pattern)?.into_iter().map(|one| anywhere(&one));
        let patterns: Vec<String> = patterns.collect::<Result<_, _>>()?;
        let cased = |one: String| if any_case { either_case(&one) } else { one };
        Ok(Line { takes_back, patterns: patterns.into_iter().map(cased).collect() })
    })
}

/// A filter file of rclone. A last rule that leaves out all makes a list of what alone takes part.
pub fn of_rclone(text: &str) -> Imported {
    let catch_all = text.lines().map(str::trim).any(|line| matches!(line, "- *" | "- **" | "- /**"));
    let mut imported = lines(text, &['#', ';'], |line| {
        let (takes_back, pattern) = signed(line).ok_or("it begins with neither + nor -")?;
        if catch_all && matches!(pattern, "*" | "**" | "/**") {
            return Ok(Line { takes_back, patterns: Vec::new() });
        }
        if pattern.contains("{{") {
            return Err("regular expressions are not known here".to_owned());
        }
        let patterns = alternatives(pattern)?.into_iter().map(|one| anywhere(one.trim_end_matches("/**")));
        Ok(Line { takes_back, patterns: patterns.collect::<Result<_, _>>()? })
    });
    if catch_all {
        for (key, pattern) in &mut imported.adds {
            if let Some(included) = pattern.strip_prefix('!') {
                (*key, *pattern) = ("sync.include", included.to_owned());
            }
        }
    }
    imported
}

fn lines(text: &str, comments: &[char], mut read: impl FnMut(&str) -> Result<Line, String>) -> Imported {
    let mut imported = Imported::default();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        // Syncthing's comments have two slashes; one begins a pattern.
        let is_comment = match comments {
            ['/'] => line.starts_with("//"),
            signs => line.starts_with(signs),
        };
        if line.is_empty() || is_comment {
            continue;
        }
        match read(line) {
            Ok(line) => found.push(line),
            Err(why) => imported.left.push((number + 1, why)),
        }
    }
    for line in found.iter().rev() {
        for pattern in &line.patterns {
            imported.exclude(if line.takes_back { format!("!{pattern}") } else { pattern.clone() });
        }
    }
    imported
}

/// `+ pattern` or `- pattern`.
fn signed(line: &str) -> Option<(bool, &str)> {
    let pattern = |sign| line.strip_prefix(sign).map(str::trim_start);
    pattern("+ ").map(|rest| (true, rest)).or_else(|| pattern("- ").map(|rest| (false, rest)))
}

/// A pattern that is not anchored matches at every depth there; here one with a slash in it would be anchored.
fn anywhere(pattern: &str) -> Result<String, String> {
    if pattern.contains('\\') {
        return Err("a backslash means something else in every program: say it by hand".to_owned());
    }
    if pattern.split('/').any(|part| part.contains("**") && part != "**") {
        return Err("`**` within a name is not known here".to_owned());
    }
    let inner = pattern.trim_end_matches('/');
    if inner.is_empty() {
        return Err("it names nothing".to_owned());
    }
    let anchored = pattern.starts_with('/') || pattern.starts_with("**/") || !inner.contains('/');
    let text = if anchored { pattern.to_owned() } else { format!("**/{pattern}") };
    Ok(if text.starts_with(['!', '#']) { format!("\\{text}") } else { text })
}

/// Takes `{a,b}` apart, which our patterns don't know.
fn alternatives(pattern: &str) -> Result<Vec<String>, String> {
    const PATTERNS_MAX: usize = 64;
    let Some(open) = pattern.find('{') else { return Ok(vec![pattern.to_owned()]) };
    let rest = &pattern[open + 1..];
    let close = rest.find('}').filter(|close| !rest[..*close].contains('{'));
    let close = close.ok_or("alternatives within alternatives are not known here")?;
    let mut all = Vec::new();
    for one in rest[..close].split(',') {
        all.extend(alternatives(&format!("{}{one}{}", &pattern[..open], &rest[close + 1..]))?);
        if all.len() > PATTERNS_MAX {
            return Err("it stands for too many patterns".to_owned());
        }
    }
    Ok(all)
}

/// `a` becomes `[aA]`.
fn either_case(pattern: &str) -> String {
    let mut text = String::new();
    let mut in_class = false;
    for c in pattern.chars() {
        in_class = (in_class || c == '[') && c != ']';
        let (low, high) = (c.to_ascii_lowercase(), c.to_ascii_uppercase());
        match (low != high, in_class) {
            (true, true) => text.extend([low, high]),
            (true, false) => text.extend(['[', low, high, ']']),
            (false, _) => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn comes_to(imported: &Imported, expected: &Expect) {
        let mut text = String::new();
        for (key, pattern) in &imported.adds {
            text.push_str(&format!("{} {pattern}\n", key.trim_start_matches("sync.")));
        }
        for (line, why) in &imported.left {
            text.push_str(&format!("line {line}: {why}\n"));
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn lists_of_rsync() {
        let text = "# built\ndist/\n+ keep.log\n*.log\nsub/tmp\n/only-here\n.data/***\na**b\n; old\n";
        comes_to(
            &of_rsync(text),
            &expect![[r#"
            exclude .data/
            exclude /only-here
            exclude **/sub/tmp
            exclude *.log
            exclude !keep.log
            exclude dist/
            line 8: `**` within a name is not known here
        "#]],
        );
    }

    #[test]
    fn lists_of_syncthing() {
        let text = "// notes\n!/keep\n(?d)(?i)Thumbs.db\n#include more\n*.{tmp,bak}\nsub/x\n/top\n";
        comes_to(
            &of_syncthing(text),
            &expect![[r#"
            exclude /top
            exclude **/sub/x
            exclude *.tmp
            exclude *.bak
            exclude [tT][hH][uU][mM][bB][sS].[dD][bB]
            exclude !/keep
            line 4: another file is included (more): import it, too
        "#]],
        );
    }

    #[test]
    fn filters_of_rclone() {
        comes_to(
            &of_rclone("- *.bak\n+ *.txt\n- secret/**\n! \n"),
            &expect![[r#"
            exclude secret
            exclude !*.txt
            exclude *.bak
            line 4: it begins with neither + nor -
        "#]],
        );
        comes_to(
            &of_rclone("- *.bak\n+ *.{txt,md}\n+ /docs/**\n- *\n"),
            &expect![[r#"
            include /docs
            include *.txt
            include *.md
            exclude *.bak
        "#]],
        );
        comes_to(
            &of_rclone("- {{a|b}}\n"),
            &expect![[r#"
            line 1: regular expressions are not known here
        "#]],
        );
    }
}
