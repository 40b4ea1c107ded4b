//! The values that a tool's input schema lets an argument have. Cedar's schema has no such lists.

use policy::Step;
use serde_json::Value;

/// The texts that `enum` names for the argument at `path`, or for the elements of that list; empty when any text may stand there.
pub(crate) fn enumerated<'d>(path: &[Step], input_schema: &'d Value) -> Vec<&'d str> {
    let property =
        path.iter().try_fold(input_schema, |schema, step| schema.get("properties")?.get(&step.name));
    let values = property.and_then(|it| it.get("enum").or_else(|| it.get("items")?.get("enum")));
    values.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}
