//! Conditions that are the same for every request.
//!
//! Only what is true or false by its text alone: Cedar's validator finds the conditions that are never true
//! by their types, and neither calls a solver. An answer is exact; no answer means nothing.

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, UnaryOp};

/// Whether the clauses together always hold or never hold. No clause at all always holds.
pub(crate) fn constant(clauses: &[Clause]) -> Option<bool> {
    let mut all = Some(true);
    for clause in clauses {
        let holds = match clause {
            Clause::When(expression) => fold(expression),
            Clause::Unless(expression) => fold(expression).map(|value| !value),
        };
        // One clause that never holds is enough, even if another one fails.
        all = match (all, holds) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
    }
    all
}

/// The value that the expression has in every request. An expression that may fail has none.
fn fold(expression: &Expr) -> Option<bool> {
    match expression {
        Expr::Literal(Literal::Bool(value)) => Some(*value),
        Expr::UnaryOp { op: UnaryOp::Not, expr } => fold(expr).map(|value| !value),
        Expr::BinaryOp { op, left, right } => match op {
            // The right side counts only when it is reached, and what comes before it might fail.
            BinaryOp::And => {
                if fold(left)? {
                    fold(right)
                } else {
                    Some(false)
                }
            }
            BinaryOp::Or => {
                if fold(left)? {
                    Some(true)
                } else {
                    fold(right)
                }
            }
            _ => compare(*op, left, right),
        },
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            if fold(cond)? {
                fold(then_expr)
            } else {
                fold(else_expr)
            }
        }
        _ => None,
    }
}

fn compare(op: BinaryOp, left: &Expr, right: &Expr) -> Option<bool> {
    let (Expr::Literal(left), Expr::Literal(right)) = (left, right) else {
        return None;
    };
    match (op, left, right) {
        (BinaryOp::Eq, left, right) => Some(left == right),
        (BinaryOp::NotEq, left, right) => Some(left != right),
        (BinaryOp::Less, Literal::Long(left), Literal::Long(right)) => Some(left < right),
        (BinaryOp::LessEq, Literal::Long(left), Literal::Long(right)) => Some(left <= right),
        (BinaryOp::Greater, Literal::Long(left), Literal::Long(right)) => Some(left > right),
        (BinaryOp::GreaterEq, Literal::Long(left), Literal::Long(right)) => Some(left >= right),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::statement::Statement;

    fn constant(clauses: &str) -> Option<bool> {
        let text = format!("permit(principal, action, resource) {clauses};");
        Statement::parse("p", &text).unwrap().constant
    }

    #[test]
    fn always() {
        for clauses in [
            "",
            "when { true }",
            "unless { false }",
            "when { 1 == 1 } unless { \"a\" == \"b\" }",
            "when { true || context.input.x }",
            "when { if 1 < 2 then true else context.input.x }",
            "when { !(2 <= 1) && \"a\" != \"b\" }",
        ] {
            assert_eq!(constant(clauses), Some(true), "{clauses}");
        }
    }

    #[test]
    fn never() {
        for clauses in [
            "when { false }",
            "unless { true }",
            "when { context.input.x } unless { true }",
            "when { 1 == 2 && context.input.x }",
            "when { 3 > 3 || 2 >= 3 }",
        ] {
            assert_eq!(constant(clauses), Some(false), "{clauses}");
        }
    }

    #[test]
    fn nobody_knows() {
        for clauses in [
            "when { context.input.x }",
            "when { context.input.x || true }",
            "unless { context.input.x && false }",
            "when { true } when { principal.hasTag(\"a\") }",
        ] {
            assert_eq!(constant(clauses), None, "{clauses}");
        }
    }
}
