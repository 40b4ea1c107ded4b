//! Bodies in XML. Source: "XML bindings" and "restXml" in the Smithy 2.0 specification.

use std::fmt::Write as _;

use quick_xml::escape::escape;
use serde_json::Value;

use super::{ArgumentFault, Place, json, scalar};
use crate::plan::{Member, Namespace, Plan, Shape, Structure, TimestampFormat};

/// The document that the members of an input make.
pub(super) fn document<'a>(
    plan: &Plan,
    input: &Structure,
    members: impl Iterator<Item = (&'a Member, &'a Value)>,
) -> Result<String, ArgumentFault> {
    let members: Vec<_> = members.collect();
    let namespace = input.namespace.as_ref().or(plan.namespace.as_ref());
    let mut writer = Writer { plan, text: String::new() };
    writer.element(&input.name, namespace, &members, None)?;
    Ok(writer.text)
}

/// The document that one member is.
pub(super) fn payload(plan: &Plan, member: &Member, value: &Value) -> Result<String, ArgumentFault> {
    let place = Place::top(&member.name);
    let Some(Shape::Structure(shape) | Shape::Union(shape)) = plan.shape(member.shape) else {
        return Err(place.fault("cannot be a body in XML"));
    };
    let members = json::members(shape, value, &place)?;
    one_of_union(plan, member, members.len(), &place)?;
    let name = member.wire_name.as_deref().unwrap_or(&shape.name);
    let namespace = member.namespace.as_ref().or(shape.namespace.as_ref()).or(plan.namespace.as_ref());
    let mut writer = Writer { plan, text: String::new() };
    writer.element(name, namespace, &members, Some(&place))?;
    Ok(writer.text)
}

struct Writer<'a> {
    plan: &'a Plan,
    text: String,
}

impl Writer<'_> {
    /// An element of a structure: its attributes, then its other members.
    fn element(
        &mut self,
        name: &str,
        namespace: Option<&Namespace>,
        members: &[(&Member, &Value)],
        place: Option<&Place<'_>>,
    ) -> Result<(), ArgumentFault> {
        let below = |member: &'_ Member| -> Result<(), ArgumentFault> {
            place.map_or(Ok(()), |place| place.named(&member.name).map(|_| ()))
        };
        self.open(name, namespace);
        for (member, value) in members.iter().filter(|(member, _)| member.attribute) {
            below(member)?;
            let place = Place::top(&member.name);
            let text = scalar::text(self.plan, member, value, TimestampFormat::DateTime, &place)?;
            let _ = write!(self.text, " {}=\"{}\"", member.on_wire(), clean(&text, &place)?);
        }
        self.text.push('>');
        for (member, value) in members.iter().filter(|(member, _)| !member.attribute) {
            match place {
                Some(place) => self.member(member, value, &place.named(&member.name)?)?,
                None => self.member(member, value, &Place::top(&member.name))?,
            }
        }
        self.close(name);
        Ok(())
    }

    fn member(&mut self, member: &Member, value: &Value, place: &Place<'_>) -> Result<(), ArgumentFault> {
        let plan = self.plan;
        let name = member.on_wire();
        match plan.shape(member.shape) {
            Some(Shape::List(part)) => {
                let values = value.as_array().ok_or_else(|| place.fault("must be an array"))?;
                if !member.flattened {
                    self.start(name, member.namespace.as_ref());
                }
                for (at, value) in values.iter().enumerate() {
                    let inner =
                        if member.flattened { name } else { part.wire_name.as_deref().unwrap_or("member") };
                    self.value(inner, part, value, &place.at(at)?)?;
                }
                if !member.flattened {
                    self.close(name);
                }
                Ok(())
            }
            Some(Shape::Map(parts)) => {
                let values = value.as_object().ok_or_else(|| place.fault("must be an object"))?;
                let (key_part, value_part) = (&parts.0, &parts.1);
                if !member.flattened {
                    self.start(name, member.namespace.as_ref());
                }
                let entry = if member.flattened { name } else { "entry" };
                for (key, value) in values {
                    let place = place.named(key)?;
                    self.start(entry, member.namespace.as_ref().filter(|_| member.flattened));
                    self.value(
                        key_part.wire_name.as_deref().unwrap_or("key"),
                        key_part,
                        &Value::from(key.as_str()),
                        &place,
                    )?;
                    self.value(
                        value_part.wire_name.as_deref().unwrap_or("value"),
                        value_part,
                        value,
                        &place,
                    )?;
                    self.close(entry);
                }
                if !member.flattened {
                    self.close(name);
                }
                Ok(())
            }
            _ => self.value(name, member, value, place),
        }
    }

    /// An element under a name that its place decides.
    fn value(
        &mut self,
        name: &str,
        part: &Member,
        value: &Value,
        place: &Place<'_>,
    ) -> Result<(), ArgumentFault> {
        let plan = self.plan;
        match plan.shape(part.shape) {
            Some(Shape::Structure(shape) | Shape::Union(shape)) => {
                let members = json::members(shape, value, place)?;
                one_of_union(plan, part, members.len(), place)?;
                let namespace = part.namespace.as_ref().or(shape.namespace.as_ref());
                self.element(name, namespace, &members, Some(place))
            }
            Some(Shape::List(_) | Shape::Map(_)) => {
                let inner = Member { wire_name: Some(name.to_owned()), flattened: false, ..part.clone() };
                self.member(&inner, value, place)
            }
            _ => {
                let text = scalar::text(plan, part, value, TimestampFormat::DateTime, place)?;
                self.start(name, part.namespace.as_ref());
                self.text.push_str(&clean(&text, place)?);
                self.close(name);
                Ok(())
            }
        }
    }

    fn start(&mut self, name: &str, namespace: Option<&Namespace>) {
        self.open(name, namespace);
        self.text.push('>');
    }

    fn open(&mut self, name: &str, namespace: Option<&Namespace>) {
        let _ = write!(self.text, "<{name}");
        if let Some(namespace) = namespace {
            let prefix = namespace.prefix.as_ref().map(|prefix| format!(":{prefix}")).unwrap_or_default();
            let _ = write!(self.text, " xmlns{prefix}=\"{}\"", escape(&namespace.uri));
        }
    }

    fn close(&mut self, name: &str) {
        let _ = write!(self.text, "</{name}>");
    }
}

fn one_of_union(plan: &Plan, member: &Member, given: usize, place: &Place<'_>) -> Result<(), ArgumentFault> {
    if matches!(plan.shape(member.shape), Some(Shape::Union(_))) && given != 1 {
        return Err(place.fault("must have exactly one member"));
    }
    Ok(())
}

/// Text as it stands in a document; characters that no XML 1.0 document may hold (section 2.2) are a fault, and those
/// that a reader would take for white space (section 2.11) are written as references.
fn clean(text: &str, place: &Place<'_>) -> Result<String, ArgumentFault> {
    let forbidden = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    if text.contains(forbidden) {
        return Err(place.fault("holds control characters, which XML cannot"));
    }
    let escaped = escape(text);
    let mut written = String::with_capacity(escaped.len());
    for c in escaped.chars() {
        match c {
            '\n' | '\u{85}' | '\u{2028}' => {
                let _ = write!(written, "&#x{:X};", u32::from(c));
            }
            other => written.push(other),
        }
    }
    Ok(written)
}
