//! What the command is told: its own environment, with the proxy, the certificates and the hooks in it.

use std::collections::BTreeMap;

use crate::names::Names;

/// Variables by name, as the command would have had them. What is not Unicode is left alone.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The value of a variable that is set to something.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable that is written in either case; the lower one wins, as with curl.
    pub(crate) fn of_either_case(&self, name: &str) -> Option<&str> {
        self.get(&name.to_ascii_lowercase()).or_else(|| self.get(&name.to_ascii_uppercase()))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<Variables: IntoIterator<Item = (String, String)>>(variables: Variables) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// The variables that lead clients to the proxy.
pub(crate) fn proxy(
    names: &Names,
    port: u16,
    user: &str,
    credential: &str,
    before: &Environment,
) -> Vec<(String, String)> {
    let url = format!("http://{user}:{credential}@127.0.0.1:{port}");
    let direct = direct(names, before);
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"]
        .into_iter()
        .map(|name| (name.to_owned(), url.clone()))
        .chain(["no_proxy", "NO_PROXY"].into_iter().map(|name| (name.to_owned(), direct.clone())))
        .collect()
}

/// What goes past the proxy: this machine, the server, and what went past a proxy before, unless it is answered here.
fn direct(names: &Names, before: &Environment) -> String {
    let near = ["localhost", "127.0.0.1", "::1", &names.endpoint().host];
    let mut listed: Vec<&str> = Vec::new();
    let before = before.of_either_case("no_proxy").unwrap_or_default();
    for entry in near.into_iter().chain(before.split(',').map(str::trim)) {
        if !entry.is_empty() && !listed.contains(&entry) && (near.contains(&entry) || !hides(entry, names)) {
            listed.push(entry);
        }
    }
    listed.join(",")
}

/// Whether an entry would lead past us what is answered here.
fn hides(entry: &str, names: &Names) -> bool {
    let entry = entry.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let entry = entry.trim_start_matches(['*', '.']);
    let is_under = |name: &str, other: &str| {
        name == other || name.strip_suffix(other).is_some_and(|rest| rest.ends_with('.'))
    };
    entry.is_empty() || names.domains().any(|domain| is_under(domain, entry) || is_under(entry, domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_past_a_proxy_still_does_unless_it_is_answered() {
        let answers = vec!["api.example.com=http://127.0.0.1:1".parse().unwrap()];
        let names = Names::new("http://10.0.0.5:4848".parse().unwrap(), answers).unwrap();
        let no_proxy =
            "intra.example.org, .amazonaws.com,example.com,169.254.169.254,*,sts.amazonaws.com,org";
        let before = Environment::from_iter([("NO_PROXY".to_owned(), no_proxy.to_owned())]);
        assert_eq!(
            direct(&names, &before),
            "localhost,127.0.0.1,::1,10.0.0.5,intra.example.org,169.254.169.254,org"
        );
    }
}
