//! Names by which a file says that it is its owner's alone: settings of an environment, keys, passwords.

use crate::path::Name;

/// Files that hold passwords or tokens, by their whole names.
const NAMES: [&str; 11] = [
    ".git-credentials",
    ".htpasswd",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    "credentials",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_rsa",
];

/// How the names of keys and of stores of passwords end.
const ENDINGS: [&str; 9] = [".env", ".jks", ".kdbx", ".key", ".keystore", ".p12", ".pem", ".pfx", ".ppk"];

/// What follows `.env.` in files that are made to be shown.
const SHOWN: [&str; 5] = ["defaults", "dist", "example", "sample", "template"];

/// Answers whether a file of this name is made readable by its owner alone. Case does not matter.
pub fn is_secret(name: &Name) -> bool {
    let Ok(name) = std::str::from_utf8(name.as_bytes()) else { return false };
    let name = name.to_ascii_lowercase();
    let is_shown = SHOWN.iter().any(|word| name.split('.').any(|part| part == *word));
    !is_shown
        && (NAMES.contains(&&*name)
            || ENDINGS.iter().any(|ending| name.ends_with(ending))
            || name.starts_with(".env.")
            || name.contains("secret")
            || name.starts_with("credentials."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keys_and_environments_are_secret_and_their_samples_are_not() {
        let is = |name: &str| is_secret(&Name::new(name.as_bytes()).unwrap());
        for name in [
            ".env",
            ".env.local",
            "prod.ENV",
            "id_rsa",
            "server.key",
            "Client_Secret.json",
            "credentials.json",
        ] {
            assert!(is(name), "{name}");
        }
        for name in
            ["id_rsa.pub", ".env.example", ".env.production.sample", "environment.md", "keys.md", "x.env.md"]
        {
            assert!(!is(name), "{name}");
        }
    }
}
