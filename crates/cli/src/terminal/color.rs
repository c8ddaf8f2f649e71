//! Whether this reader's terminal takes colours, and more than ASCII.

use std::io::IsTerminal;

use clap::ValueEnum;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Decides on colours for standard output. `no_color` and `term` are the values of `NO_COLOR` and `TERM`.
pub fn wanted(choice: ColorChoice, no_color: Option<&str>, term: Option<&str>) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            no_color.is_none_or(str::is_empty) && term != Some("dumb") && std::io::stdout().is_terminal()
        }
    }
}

/// Answers whether a locale can show more than ASCII: the first that is set of `LC_ALL`, `LC_CTYPE`, `LANG` decides.
pub fn is_unicode(locale: [Option<&str>; 3], term: Option<&str>) -> bool {
    if matches!(term, Some("dumb" | "linux")) {
        return false;
    }
    let decides = locale.into_iter().flatten().find(|value| !value.is_empty());
    decides.is_some_and(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_locale_decides() {
        assert!(is_unicode([None, None, Some("en_GB.UTF-8")], None));
        assert!(!is_unicode([Some("C"), None, Some("en_GB.UTF-8")], None));
        assert!(is_unicode([Some(""), Some("C.utf8"), None], None));
        assert!(!is_unicode([None, None, None], None));
        assert!(!is_unicode([None, None, Some("en_GB.UTF-8")], Some("linux")));
    }

    #[test]
    fn no_color_holds_unless_asked_otherwise() {
        assert!(!wanted(ColorChoice::Auto, Some("1"), None));
        assert!(wanted(ColorChoice::Always, Some("1"), None));
    }
}
