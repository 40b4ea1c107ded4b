//! Texts of a model, which plans have copies of: how long each may be, and how many all plans may hold.
//!
//! A member of a mixin or a trait of a service is written once in the model and copied for each operation that has it,
//! so that a small model could otherwise become a great many bytes.

/// The longest id of a shape, name, binding and media type, in bytes.
pub(crate) const MAX_TEXT: usize = 512;
/// The longest URI of an XML namespace.
pub(crate) const MAX_URI: usize = 2_048;
/// How much all operations of a service may hold together: members of shapes, and bytes of texts and of JSON Schema.
const MAX_MEMBERS: usize = 300_000;
const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;
const MAX_SCHEMA_BYTES: usize = 64 * 1024 * 1024;

/// What planning a service has cost so far, refused operations included.
#[derive(Default)]
pub(crate) struct Spent {
    members: usize,
    text_bytes: usize,
    /// Bytes of JSON Schema that were written, about.
    pub(crate) schema_bytes: usize,
}

impl Spent {
    /// Counts a member or an error that is planned.
    pub(crate) fn member(&mut self) -> Result<(), String> {
        self.members += 1;
        self.held()
    }

    /// A copy of a text, which is counted; the error is the end of a sentence that begins with the operation.
    pub(crate) fn copy(&mut self, text: &str, limit: usize) -> Result<String, String> {
        let text = short(text, limit)?;
        self.text_bytes += text.len();
        self.held()?;
        Ok(text.to_owned())
    }

    /// Whether the operations together are too large.
    pub(crate) fn is_too_much(&self) -> bool {
        self.members > MAX_MEMBERS || self.text_bytes > MAX_TEXT_BYTES || self.schema_bytes > MAX_SCHEMA_BYTES
    }

    fn held(&self) -> Result<(), String> {
        if self.is_too_much() { Err("takes too many shapes".to_owned()) } else { Ok(()) }
    }
}

/// The text, if it is not too long; the error is the end of a sentence that begins with what has the text.
pub(crate) fn short(text: &str, limit: usize) -> Result<&str, String> {
    if text.len() > limit {
        return Err(format!("has the text `{}`, which is longer than {limit} bytes", shortened(text)));
    }
    Ok(text)
}

/// The beginning of a text of the model, for a message.
pub(crate) fn shortened(text: &str) -> String {
    let mut start: String = text.chars().filter(|character| !character.is_control()).take(120).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}
