//! Which parts of the context a policy reads.
//!
//! Found once, in the syntax tree: a call's arguments are converted for Cedar only where some policy that may
//! apply looks at them. An access whose path is not plain to see counts as reading everything below it.

use std::collections::BTreeMap;

use cedar_policy::pst::{Expr, SmolStr, Var};

/// The parts of a record that are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// Whether the record is used as a whole.
    whole: bool,
    fields: BTreeMap<String, Reads>,
}

impl Reads {
    /// Whether nothing is read.
    pub(crate) fn is_empty(&self) -> bool {
        !self.whole && self.fields.is_empty()
    }

    /// What is read of the attribute `name`; `None` when it is not looked at.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        self.fields.get(name).or_else(|| self.whole.then_some(&EVERYTHING))
    }

    /// Adds what `expression` reads of the context.
    pub(crate) fn add(&mut self, expression: &Expr) {
        if let Some(path) = context_path(expression) {
            self.add_path(&path, true);
            return;
        }
        match expression {
            Expr::HasAttr { expr, attrs } => match context_path(expr) {
                Some(mut path) => {
                    path.extend(attrs.iter().map(SmolStr::as_str));
                    self.add_path(&path, false);
                }
                None => self.add(expr),
            },
            Expr::UnaryOp { expr, .. } | Expr::GetAttr { expr, .. } | Expr::Like { expr, .. } => {
                self.add(expr);
            }
            Expr::BinaryOp { left, right, .. } => {
                self.add(left);
                self.add(right);
            }
            Expr::Is { expr, in_expr, .. } => {
                self.add(expr);
                if let Some(container) = in_expr {
                    self.add(container);
                }
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                self.add(cond);
                self.add(then_expr);
                self.add(else_expr);
            }
            Expr::Set(elements) => elements.iter().for_each(|element| self.add(element)),
            Expr::Record(attributes) => attributes.values().for_each(|value| self.add(value)),
            Expr::Literal(_) | Expr::Var(_) => {}
            // A kind of expression that a later Cedar brings may read anything.
            _ => self.whole = true,
        }
    }

    /// Adds everything that `other` holds.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.whole |= other.whole;
        for (name, field) in &other.fields {
            self.fields.entry(name.clone()).or_default().merge(field);
        }
    }

    fn add_path(&mut self, path: &[&str], whole: bool) {
        match path.split_first() {
            None => self.whole |= whole,
            Some((first, rest)) => {
                self.fields.entry((*first).to_owned()).or_default().add_path(rest, whole);
            }
        }
    }
}

static EVERYTHING: Reads = Reads { whole: true, fields: BTreeMap::new() };

/// The attributes that lead from `context` to the expression, when it is nothing but such a path.
fn context_path(mut expression: &Expr) -> Option<Vec<&str>> {
    let mut path = Vec::new();
    loop {
        match expression {
            Expr::Var(Var::Context) => {
                path.reverse();
                return Some(path);
            }
            Expr::GetAttr { expr, attr } => {
                path.push(attr.as_str());
                expression = expr;
            }
            _ => return None,
        }
    }
}
