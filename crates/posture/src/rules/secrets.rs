//! What looks like a secret: names of arguments and variables, and values. Values are looked at and never repeated.

/// Whether a name is one that secrets have. Names that only speak about tokens (`max_tokens`, `page_token_count`) are not.
pub(super) fn is_named_like_a_secret(name: &str) -> bool {
    let words = words(name);
    let ends = |last: &[&str]| {
        words
            .iter()
            .map(String::as_str)
            .rev()
            .zip(last.iter().rev())
            .filter(|(one, other)| one == *other)
            .count()
            == last.len()
    };
    let of_paging =
        words.iter().any(|it| matches!(it.as_str(), "next" | "page" | "continuation" | "client" | "sync"));
    ends(&["password"])
        || ends(&["passwd"])
        || ends(&["secret"])
        || ends(&["credential"])
        || ends(&["credentials"])
        || ends(&["authorization"])
        || ends(&["jwt"])
        || ends(&["bearer"])
        || ends(&["api", "key"])
        || ends(&["apikey"])
        || ends(&["access", "key"])
        || ends(&["secret", "key"])
        || ends(&["private", "key"])
        || ends(&["client", "secret"])
        || (ends(&["token"]) && !of_paging)
}

/// Whether a value looks like a token, whatever its name: known prefixes, and JWTs.
pub(super) fn is_like_a_token(value: &str) -> bool {
    const PREFIXES: [&str; 16] = [
        "sk-",
        "sk_live_",
        "rk_live_",
        "ghp_",
        "gho_",
        "ghs_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "xoxp-",
        "AKIA",
        "ASIA",
        "AIza",
        "ya29.",
        "-----BEGIN",
        "Bearer ",
    ];
    let long = value.len() >= 16;
    let is_jwt = value.starts_with("eyJ") && value.split('.').count() == 3;
    long && (is_jwt || PREFIXES.iter().any(|prefix| value.starts_with(prefix)))
}

/// Whether a variable seems to hold a secret, rather than the name or the ARN of one.
pub(super) fn is_secret_variable(name: &str, value: &str) -> bool {
    let refers =
        value.is_empty() || value.starts_with("arn:") || value.starts_with("http") || value.contains('/');
    is_like_a_token(value) || (is_named_like_a_secret(name) && !refers && value.len() >= 8)
}

/// The words of a name in snake, kebab or camel case, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_was_lower = false;
    for character in name.chars() {
        let splits = !character.is_alphanumeric() || (before_was_lower && character.is_uppercase());
        if splits && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_alphanumeric()) {
            word.extend(character.to_lowercase());
        }
        before_was_lower = character.is_lowercase() || character.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "token",
            "accessToken",
            "ACCESS_TOKEN",
            "api-key",
            "apiKey",
            "DB_PASSWORD",
            "clientSecret",
            "authorization",
        ] {
            assert!(is_named_like_a_secret(name), "{name}");
        }
        for name in [
            "max_tokens",
            "nextToken",
            "page_token",
            "clientToken",
            "key",
            "tokenCount",
            "secretary",
            "keyboard",
        ] {
            assert!(!is_named_like_a_secret(name), "{name}");
        }
    }

    #[test]
    fn values_that_are_secrets_are_known() {
        assert!(is_secret_variable("X", "ghp_0123456789abcdefghij"));
        assert!(is_secret_variable("X", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"));
        assert!(is_secret_variable("DB_PASSWORD", "correct horse"));
        for (name, value) in [
            ("DB_PASSWORD", ""),
            ("API_KEY", "arn:aws:secretsmanager:x"),
            ("MODE", "production"),
            ("TOKEN", "no"),
        ] {
            assert!(!is_secret_variable(name, value), "{name}");
        }
    }
}
