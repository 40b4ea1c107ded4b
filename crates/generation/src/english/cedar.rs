//! Writes a meaning as Cedar.
//!
//! What may be absent is asked for with `has` or `hasTag` before it is read, and a comparison with something absent does not
//! hold. Of a negated comparison ("the region is not EU") both readings are possible when the region is absent, and the one is
//! written that allows less: a permit does not apply, a forbid does.

use policy::{PrincipalKind, Step};

use super::intent::{Effect, Expr, Intent, Order, Test, Time, What};

/// The statement of `intent` for a gateway whose callers are of these kinds.
pub(crate) fn write(intent: &Intent, gateway: &str, principals: &[PrincipalKind]) -> String {
    let (effect, grants) = match intent.effect {
        Effect::Permit => ("permit", true),
        Effect::Forbid => ("forbid", false),
    };
    let principal = match principals {
        [only] => format!("principal is {}", only.entity_type()),
        _ => "principal".to_owned(),
    };
    let action = |name: &String| format!("AgentCore::Action::{}", literal(name));
    let action = match &intent.what {
        What::Everything => "action".to_owned(),
        What::Target(target) => format!("action in {}", action(target)),
        What::Tools(tools) => match tools.as_slice() {
            [only] => format!("action == {}", action(only)),
            several => {
                let several: Vec<_> = several.iter().map(action).collect();
                format!("action in [{}]", several.join(", "))
            }
        },
    };
    let resource = format!("resource == AgentCore::Gateway::{}", literal(gateway));
    let head = format!("{effect}(\n  {principal},\n  {action},\n  {resource}\n)");
    let writer = Writer { told_apart: principals.len() == 1 };
    match &intent.condition {
        None => format!("{head};"),
        Some(Expr::Not(exception)) => {
            format!("{head}\nunless {{\n  {}\n}};", writer.lines(exception, !grants))
        }
        Some(condition) => format!("{head}\nwhen {{\n  {}\n}};", writer.lines(condition, grants)),
    }
}

struct Writer {
    /// Whether the scope says what kind of caller it is.
    told_apart: bool,
}

/// How strongly an expression holds together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bond {
    Or,
    And,
    Tight,
}

impl Writer {
    /// An expression with each of its parts on a line.
    fn lines(&self, expr: &Expr, grants: bool) -> String {
        match expr {
            Expr::All(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.inside(part, grants, Bond::And)).collect();
                parts.join(" &&\n  ")
            }
            other => self.write(other, grants).0,
        }
    }

    /// An expression as a part of one that holds together as `bond` says.
    fn inside(&self, expr: &Expr, grants: bool, bond: Bond) -> String {
        let (text, own) = self.write(expr, grants);
        if own < bond { format!("({text})") } else { text }
    }

    /// `grants` is whether more is allowed when the expression holds.
    fn write(&self, expr: &Expr, grants: bool) -> (String, Bond) {
        let join = |parts: &[Expr], bond: Bond, mark: &str| {
            let parts: Vec<_> = parts.iter().map(|part| self.inside(part, grants, bond)).collect();
            (parts.join(mark), bond)
        };
        match expr {
            Expr::All(parts) => join(parts, Bond::And, " && "),
            Expr::Any(parts) => join(parts, Bond::Or, " || "),
            Expr::Not(inner) => self.opposite(inner, grants),
            Expr::IsNot(inner) => self.negation(inner, grants),
            Expr::Present(path) => guarded(presence(path, true), None),
            Expr::Argument(path, test) => guarded(presence(path, false), Some(tested(&reading(path), test))),
            Expr::HasClaim(claim) => guarded(self.claim(claim), None),
            Expr::Claim(claim, test) => guarded(
                self.claim(claim),
                Some(tested(&format!("principal.getTag({})", literal(claim)), test)),
            ),
            Expr::Scope(scope) => guarded(self.claim("scope"), Some(word_in("scope", scope))),
            Expr::Listed(claim, name) => guarded(self.claim(claim), Some(name_in(claim, name))),
            Expr::Subject(id) => {
                let caller = format!("{}::{}", PrincipalKind::OAuthUser.entity_type(), literal(id));
                (format!("principal == {caller}"), Bond::Tight)
            }
            Expr::Arn(parts) => {
                let kind = PrincipalKind::IamEntity.entity_type();
                let kind = (!self.told_apart).then(|| format!("principal is {kind}"));
                let parts: Vec<_> = parts.iter().map(|part| pattern(part)).collect();
                let test = match parts.as_slice() {
                    [whole] => format!("principal.id == \"{whole}\""),
                    _ => format!("principal.id like \"{}\"", parts.join("*")),
                };
                guarded(kind.into_iter().collect(), Some((test, Bond::Tight)))
            }
            Expr::Time(time) => (moment(time), Bond::Tight),
        }
    }

    fn negation(&self, inner: &Expr, grants: bool) -> (String, Bond) {
        let read_claim = |claim: &str| format!("principal.getTag({})", literal(claim));
        let (guards, failed) = match inner {
            Expr::Argument(path, test) => (presence(path, false), failed(&reading(path), test)),
            Expr::Claim(claim, test) => (self.claim(claim), failed(&read_claim(claim), test)),
            Expr::Scope(scope) => {
                (self.claim("scope"), (format!("!({})", word_in("scope", scope).0), Bond::Tight))
            }
            Expr::Listed(claim, name) => {
                (self.claim(claim), (format!("!({})", name_in(claim, name).0), Bond::Tight))
            }
            other => return self.opposite(other, grants),
        };
        // What is absent is not known to be something else.
        if grants || guards.is_empty() { guarded(guards, Some(failed)) } else { self.opposite(inner, grants) }
    }

    fn opposite(&self, inner: &Expr, grants: bool) -> (String, Bond) {
        let (text, bond) = self.write(inner, !grants);
        let text = if bond == Bond::Tight && !text.contains(' ') { text } else { format!("({text})") };
        (format!("!{text}"), Bond::Tight)
    }

    fn claim(&self, claim: &str) -> Vec<String> {
        let kind = format!("principal is {}", PrincipalKind::OAuthUser.entity_type());
        let asked = format!("principal.hasTag({})", literal(claim));
        if self.told_apart { vec![asked] } else { vec![kind, asked] }
    }
}

fn guarded(guards: Vec<String>, test: Option<(String, Bond)>) -> (String, Bond) {
    let bond = if guards.len() + usize::from(test.is_some()) > 1 { Bond::And } else { Bond::Tight };
    let bond = if guards.is_empty() { test.as_ref().map_or(Bond::Tight, |(_, bond)| *bond) } else { bond };
    let inner = |(text, own): (String, Bond)| {
        if bond == Bond::And && own < bond { format!("({text})") } else { text }
    };
    let parts: Vec<_> = guards.into_iter().chain(test.map(inner)).collect();
    (parts.join(" && "), bond)
}

/// What must be asked before an argument may be read; `asked_for` is whether its presence is itself the question.
fn presence(path: &[Step], asked_for: bool) -> Vec<String> {
    let mut before = "context.input".to_owned();
    let mut guards = Vec::new();
    for (index, step) in path.iter().enumerate() {
        if !step.required || (asked_for && index + 1 == path.len()) {
            let name = if is_plain(&step.name) { step.name.clone() } else { literal(&step.name) };
            guards.push(format!("{before} has {name}"));
        }
        before = member(&before, &step.name);
    }
    guards
}

fn reading(path: &[Step]) -> String {
    path.iter().fold("context.input".to_owned(), |before, step| member(&before, &step.name))
}

fn member(before: &str, name: &str) -> String {
    if is_plain(name) { format!("{before}.{name}") } else { format!("{before}[{}]", literal(name)) }
}

fn tested(read: &str, test: &Test) -> (String, Bond) {
    let either = |parts: Vec<String>| {
        let bond = if parts.len() > 1 { Bond::Or } else { Bond::Tight };
        (parts.join(" || "), bond)
    };
    let tight = |text: String| (text, Bond::Tight);
    match test {
        Test::Is(values) => {
            either(values.iter().map(|value| format!("{read} == {}", literal(value))).collect())
        }
        Test::IsWhole(values) => either(values.iter().map(|value| format!("{read} == {value}")).collect()),
        Test::IsDecimal(values) => {
            either(values.iter().map(|value| format!("{read} == decimal(\"{value}\")")).collect())
        }
        Test::StartsWith(value) => tight(format!("{read} like \"{}*\"", pattern(value))),
        Test::EndsWith(value) => tight(format!("{read} like \"*{}\"", pattern(value))),
        Test::Contains(value) => tight(format!("{read} like \"*{}*\"", pattern(value))),
        Test::True => tight(read.to_owned()),
        Test::Whole(order, value) => tight(format!("{read} {} {value}", order.sign())),
        Test::Decimal(order, value) => tight(format!("{read}.{}(decimal(\"{value}\"))", order.method())),
        Test::HasAny(values) => match values.as_slice() {
            [only] => tight(format!("{read}.contains({})", literal(only))),
            several => tight(format!("{read}.containsAny([{}])", list(several))),
        },
        Test::HasAll(values) => match values.as_slice() {
            [only] => tight(format!("{read}.contains({})", literal(only))),
            several => tight(format!("{read}.containsAll([{}])", list(several))),
        },
    }
}

/// The opposite of a test, of something that is there.
fn failed(read: &str, test: &Test) -> (String, Bond) {
    let each = |parts: Vec<String>| {
        let bond = if parts.len() > 1 { Bond::And } else { Bond::Tight };
        (parts.join(" && "), bond)
    };
    match test {
        Test::Is(values) => {
            each(values.iter().map(|value| format!("{read} != {}", literal(value))).collect())
        }
        Test::IsWhole(values) => each(values.iter().map(|value| format!("{read} != {value}")).collect()),
        Test::Whole(order, value) => (format!("{read} {} {value}", order.opposite().sign()), Bond::Tight),
        Test::Decimal(order, value) => {
            (format!("{read}.{}(decimal(\"{value}\"))", order.opposite().method()), Bond::Tight)
        }
        other => match tested(read, other) {
            (text, Bond::Tight) if !text.contains(' ') => (format!("!{text}"), Bond::Tight),
            (text, _) => (format!("!({text})"), Bond::Tight),
        },
    }
}

/// A scope is one whole word of a text with spaces, or one element of a list (which a token may have in the place of the text).
/// One without a slash may stand behind the name of its resource server, as Amazon Cognito writes scopes (`server/scope`).
fn word_in(claim: &str, word: &str) -> (String, Bond) {
    let read = format!("principal.getTag({})", literal(claim));
    let (exact, whole, word) = (literal(word), word, pattern(word));
    let mut parts = vec![
        format!("{read} == {exact}"),
        format!("{read} like \"{word} *\""),
        format!("{read} like \"* {word}\""),
        format!("{read} like \"* {word} *\""),
    ];
    parts.extend(elements(&read, whole));
    if !word.contains('/') {
        parts.push(format!("{read} like \"*/{word}\""));
        parts.push(format!("{read} like \"*/{word} *\""));
        parts.push(format!("{read} like \"[\\\"*/{word}\\\"]\""));
        parts.push(format!("{read} like \"[\\\"*/{word}\\\",*]\""));
    }
    (parts.join(" || "), Bond::Or)
}

/// A name is the claim's whole text, or one element of the list that it holds.
fn name_in(claim: &str, name: &str) -> (String, Bond) {
    let read = format!("principal.getTag({})", literal(claim));
    let mut parts = vec![format!("{read} == {}", literal(name))];
    parts.extend(elements(&read, name));
    (parts.join(" || "), Bond::Or)
}

/// A list is a tag's text as compact JSON. Quotes that stand inside a text, or inside an element, are no element's.
fn elements(read: &str, element: &str) -> [String; 4] {
    let element = pattern(&serde_json::Value::from(element).to_string());
    [("[", "]"), ("[", ",*]"), ("[*,", "]"), ("[*,", ",*]")]
        .map(|(before, behind)| format!("{read} like \"{before}{element}{behind}\""))
}

fn moment(time: &Time) -> String {
    let now = "context.system.now";
    match time {
        Time::Daily(order, minutes) => {
            let (hours, minutes) = (minutes / 60, minutes % 60);
            let length = if minutes == 0 { format!("{hours}h") } else { format!("{hours}h{minutes}m") };
            format!("{now}.toTime() {} duration(\"{length}\")", order.sign())
        }
        Time::Date(order, day) => format!("{now} {} datetime(\"{day}\")", order.sign()),
        Time::DateEnd(order, day) => {
            format!("{now} {} datetime(\"{day}\").offset(duration(\"1d\"))", order.sign())
        }
    }
}

impl Order {
    fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Less => "lessThan",
            Self::AtMost => "lessThanOrEqual",
            Self::More => "greaterThan",
            Self::AtLeast => "greaterThanOrEqual",
        }
    }

    /// What holds when this does not.
    pub(crate) fn opposite(self) -> Self {
        match self {
            Self::Less => Self::AtLeast,
            Self::AtMost => Self::More,
            Self::More => Self::AtMost,
            Self::AtLeast => Self::Less,
        }
    }
}

fn list(values: &[String]) -> String {
    values.iter().map(|value| literal(value)).collect::<Vec<_>>().join(", ")
}

/// A string literal. Cedar knows Rust's escapes.
fn literal(value: &str) -> String {
    format!("\"{}\"", value.escape_debug())
}

/// The inside of a pattern, in which a star is a star.
fn pattern(value: &str) -> String {
    value.escape_debug().to_string().replace('*', "\\*")
}

fn is_plain(name: &str) -> bool {
    const RESERVED: [&str; 9] = ["true", "false", "if", "then", "else", "in", "is", "like", "has"];
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let goes_on = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    begins && goes_on && !name.starts_with("__cedar") && !RESERVED.contains(&name)
}
