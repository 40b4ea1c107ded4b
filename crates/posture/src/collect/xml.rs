//! IAM's answers: XML as a tree of names and texts, of bounded depth.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::client::CallError;

/// How deep an answer may be nested; IAM's are less than ten.
const DEEPEST: usize = 32;

/// An element.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    name: String,
    text: String,
    children: Vec<Tree>,
}

impl Tree {
    pub(super) fn parse(text: &str) -> Result<Self, CallError> {
        let wrong = |what: &dyn ToString| {
            CallError::Unreadable(format!("the answer is no XML: {}", what.to_string()))
        };
        let mut reader = Reader::from_str(text);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|error| wrong(&error))? {
                Event::Start(start) => {
                    if open.len() > DEEPEST {
                        return Err(wrong(&"it is nested too deeply"));
                    }
                    let name = start.local_name().as_ref().to_owned();
                    open.push(Self { name, ..Self::default() });
                }
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text.xml10_content());
                    }
                }
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref().map_err(|error| wrong(&error))? {
                        Some(character) => character.to_string(),
                        None => quick_xml::escape::resolve_predefined_entity(&reference.xml10_content())
                            .ok_or_else(|| wrong(&"it has an entity that is not known"))?
                            .to_owned(),
                    };
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&resolved);
                    }
                }
                Event::End(_) => {
                    let (Some(ended), Some(parent)) = (open.pop(), open.last_mut()) else {
                        return Err(wrong(&"it ends too often"));
                    };
                    parent.children.push(ended);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        match (open.pop(), open.is_empty()) {
            (Some(root), true) => Ok(root),
            _ => Err(wrong(&"it ends too early")),
        }
    }

    /// The first element of a name below, however deep.
    pub(super) fn find(&self, name: &str) -> Option<&Self> {
        self.children.iter().find_map(|child| if child.name == name { Some(child) } else { child.find(name) })
    }

    /// The text of a child.
    pub(super) fn text(&self, name: &str) -> String {
        self.children.iter().find(|child| child.name == name).map(Self::own_text).unwrap_or_default()
    }

    /// Its own text.
    pub(super) fn own_text(&self) -> String {
        self.text.trim().to_owned()
    }

    /// The members of a list.
    pub(super) fn members(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(|child| child.name == "member")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let text =
            "<R xmlns='x'><L><Roles><member><RoleName>a&amp;b</RoleName></member><member/></Roles></L></R>";
        let tree = Tree::parse(text).unwrap();
        let roles: Vec<_> = tree.find("Roles").unwrap().members().map(|role| role.text("RoleName")).collect();
        assert_eq!(roles, ["a&b"]);
        assert!(Tree::parse("<a><b></a>").is_err());
        assert!(Tree::parse(&"<a>".repeat(100)).is_err());
    }
}
