//! Bounds how deep a statement nests before Cedar's parser sees it.
//!
//! Cedar's parser, validator and partial evaluator recurse without a limit of their own: ten kilobytes of
//! opening parentheses, or of `a.a.a.a…`, end the process. So the depth of the syntax tree is bounded from
//! above by one pass over the characters, and what passes is worked on with a stack that fits the bound.

use crate::problem::{Locator, Problem, ProblemKind};

/// The deepest nesting of brackets.
pub(crate) const MAX_BRACKETS: usize = 64;
/// The deepest syntax tree: brackets, chains of operators and chains of accesses taken together.
pub(crate) const MAX_DEPTH: usize = 400;

/// The depth of a statement's syntax tree, from above: what parses a text of Cedar's asks this first, and has a
/// stack that fits 400 levels.
///
/// # Errors
/// A problem with the place where it becomes too deep.
pub fn keep_shallow(statement: &str) -> Result<usize, Problem> {
    measure(statement).map_err(|TooDeep { at }| {
        let message = format!(
            "the statement nests too deep: at most {MAX_BRACKETS} levels of brackets and {MAX_DEPTH} levels in all"
        );
        Problem::new(ProblemKind::Syntax, message)
            .at(&Locator::new(statement), at)
            .help("split it into several policies")
    })
}

/// Measures the depth of a statement's syntax tree, from above.
///
/// # Errors
/// [`TooDeep`] beyond [`MAX_BRACKETS`] or [`MAX_DEPTH`].
pub(crate) fn measure(statement: &str) -> Result<usize, TooDeep> {
    let mut levels = vec![Level::default()];
    let mut deepest = 0;
    let mut rest = statement.char_indices().peekable();
    let mut word_before = false;
    while let Some((at, character)) = rest.next() {
        let word = is_word(character);
        match character {
            '"' => skip_string(&mut rest),
            '/' if rest.peek().is_some_and(|(_, next)| *next == '/') => {
                while rest.next_if(|(_, next)| *next != '\n').is_some() {}
            }
            '(' | '[' | '{' => {
                if levels.len() > MAX_BRACKETS {
                    return Err(TooDeep { at });
                }
                levels.push(Level::default());
            }
            ')' | ']' | '}' => {
                if levels.len() > 1
                    && let Some(inner) = levels.pop()
                    && let Some(outer) = levels.last_mut()
                {
                    outer.take_in(inner.depth());
                }
            }
            ',' | ';' => {
                if let Some(level) = levels.last_mut() {
                    level.next_item();
                }
            }
            '&' | '|' => {
                rest.next_if(|(_, next)| *next == character);
                if let Some(level) = levels.last_mut() {
                    level.next_operand();
                }
            }
            // `if` may hang on the `else` of another: it counts like a logical operator.
            'i' if !word_before && is_if(statement, at) => {
                if let Some(level) = levels.last_mut() {
                    level.next_operand();
                }
            }
            '.' | '!' | '=' | '<' | '>' | '+' | '-' | '*' => {
                if let Some(level) = levels.last_mut() {
                    level.links += 1;
                    level.reach(level.links);
                }
            }
            _ => {}
        }
        word_before = word;
        if let Some(level) = levels.last() {
            deepest = deepest.max(level.depth() + levels.len());
        }
        if deepest > MAX_DEPTH {
            return Err(TooDeep { at });
        }
    }
    Ok(deepest)
}

/// The statement nests too deep from this byte on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooDeep {
    pub(crate) at: usize,
}

/// What lies between two brackets.
#[derive(Default)]
struct Level {
    /// Logical operators, which lean to the left: each makes what stands before it one deeper.
    operands: usize,
    /// Links of the chain being read: accesses, comparisons, arithmetic.
    links: usize,
    /// The deepest operand.
    deepest_operand: usize,
    /// The deepest item, of items separated by commas.
    deepest_item: usize,
}

impl Level {
    fn reach(&mut self, depth: usize) {
        self.deepest_operand = self.deepest_operand.max(depth);
    }

    fn take_in(&mut self, inner: usize) {
        // What stands in brackets hangs on the chain before it, and the chain goes on from there.
        self.links += 1;
        self.reach(self.links + inner);
        self.links = self.links.max(inner);
    }

    fn next_operand(&mut self) {
        self.operands += 1;
        self.links = 0;
    }

    fn next_item(&mut self) {
        let depth = self.depth();
        *self = Self { deepest_item: depth, ..Self::default() };
    }

    fn depth(&self) -> usize {
        (self.operands + self.deepest_operand).max(self.deepest_item)
    }
}

fn skip_string(rest: &mut std::iter::Peekable<std::str::CharIndices<'_>>) {
    while let Some((_, character)) = rest.next() {
        match character {
            '\\' => drop(rest.next()),
            '"' => return,
            _ => {}
        }
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn is_if(statement: &str, at: usize) -> bool {
    statement
        .get(at..)
        .and_then(|rest| rest.strip_prefix("if"))
        .is_some_and(|rest| !rest.starts_with(is_word))
}

/// Runs `work` on a thread whose stack fits every statement that [`measure`] lets pass, and contains its
/// panics. `None` when the thread could not be started or the work panicked.
pub(crate) fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("cedar".to_owned())
            .stack_size(DEEP_STACK)
            .spawn_scoped(scope, work)
            .ok()?
            .join()
            .ok()
    })
}

/// Address space, of which only what is touched becomes memory. Unoptimised code needs 40 KB for a bracket
/// and 40 KB for a link of a chain (measured).
const DEEP_STACK: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(body: &str) -> Result<usize, TooDeep> {
        measure(&format!("permit(principal, action, resource) when {{ {body} }};"))
    }

    #[test]
    fn ordinary_statements_are_shallow() {
        let depth = condition(r#"principal.hasTag("scope") && principal.getTag("scope") like "*(((((*""#);
        assert!(depth.unwrap() < 10);
        let comparisons = vec!["context.input.region == \"eu\""; 250].join(" || ");
        assert!(condition(&comparisons).is_ok());
        assert!(
            condition(&format!("[{}].contains(context.input.x)", vec!["\"a\""; 2000].join(", "))).is_ok()
        );
        assert!(condition(&format!("true // {}", "(".repeat(500))).is_ok());
    }

    #[test]
    fn what_would_end_the_process_is_refused() {
        let deep = 3_000;
        for body in [
            "(".repeat(deep),
            "[".repeat(deep),
            "{a:".repeat(deep),
            "!(".repeat(deep),
            format!("context{}", ".a".repeat(deep)),
            format!("context has a{}", ".a".repeat(deep)),
            format!("context{}", "[\"a\"]".repeat(deep)),
            format!("context{}", ".contains(1)".repeat(deep)),
            vec!["true"; deep].join("&&"),
            vec!["true"; deep].join("||"),
            vec!["1"; deep].join("+"),
            "if true then true else ".repeat(deep),
            "if true then ".repeat(deep),
        ] {
            let beginning: String = body.chars().take(40).collect();
            assert!(condition(&body).is_err(), "{beginning}");
        }
    }

    #[test]
    fn depth_is_the_sum_of_what_encloses() {
        let inner = vec!["true"; 150].join("||");
        let middle = format!("({inner}) || {}", vec!["true"; 150].join("||"));
        assert!(condition(&middle).is_ok());
        let outer = format!("({middle}) || {}", vec!["true"; 150].join("||"));
        assert!(condition(&outer).is_err());
    }

    #[test]
    fn a_panic_is_contained() {
        assert_eq!(on_a_deep_stack(|| 7), Some(7));
        let quiet: Option<()> = on_a_deep_stack(|| std::panic::resume_unwind(Box::new(())));
        assert_eq!(quiet, None);
    }
}
