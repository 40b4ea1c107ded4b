//! Many patterns found in one pass: Aho and Corasick, "Efficient string matching" (1975).
//!
//! Our own, because three things are wanted that the well-known crate keeps to itself: how long the beginning of a pattern is
//! that was just read (a stream may let go of everything before it, and so need not hold back the end of an event), memory
//! that is wiped, and only the longest pattern that ends at a byte (the shorter ones lie within it).

use zeroize::Zeroize;

/// Where the automaton stands: the longest beginning of any pattern that ends at the byte just read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct State(u32);

/// The state of having read nothing that matters.
pub(crate) const START: State = State(0);

/// How a pattern is written, which decides by what it is replaced.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Writing {
    /// Text, in which a mark can stand.
    Text,
    /// Base64, of which every fourth character counts.
    Base64,
}

/// The patterns as a tree with failure links.
pub(crate) struct Automaton {
    nodes: Vec<Node>,
    /// The nodes below the root by their byte, where most bytes of a text lead nowhere.
    first: Box<[u32; 256]>,
}

struct Node {
    label: u8,
    child: u32,
    sibling: u32,
    failure: u32,
    depth: u32,
    /// How many of these bytes are the beginning of a pattern that goes on.
    open: u32,
    /// The longest pattern that ends here, and its writing; 0 for none.
    matched: u32,
    writing: Writing,
}

const ROOT: u32 = 0;
const NONE: u32 = 0;

impl Automaton {
    /// An automaton without patterns.
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::new(0, 0)], first: Box::new([NONE; 256]) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    /// Adds a pattern; [`Self::finish`] must follow before the first [`Self::step`].
    pub(crate) fn add(&mut self, pattern: &[u8], writing: Writing) {
        let mut at = ROOT;
        for (depth, byte) in (1..).zip(pattern) {
            at = match self.child(at, *byte) {
                NONE => self.grow(at, Node::new(*byte, depth)),
                child => child,
            };
        }
        if let Some(node) = self.nodes.get_mut(at as usize).filter(|node| node.depth > 0) {
            let known = if node.matched > 0 { node.writing } else { writing };
            node.matched = node.depth;
            node.writing = known.min(writing);
        }
    }

    /// Links each node to the longest pattern's beginning that is an end of it, level by level.
    pub(crate) fn finish(&mut self) {
        let mut level: Vec<u32> = self.children(ROOT).collect();
        while !level.is_empty() {
            let mut next = Vec::new();
            for parent in level {
                let children: Vec<u32> = self.children(parent).collect();
                for child in &children {
                    let (label, failure) = (self.node(*child).label, self.node(parent).failure);
                    let failure = self.step(State(failure), label).0;
                    let Node { matched, writing, open, .. } = *self.node(failure);
                    if let Some(node) = self.nodes.get_mut(*child as usize) {
                        node.failure = failure;
                        node.open = if node.child == NONE { open } else { node.depth };
                        if node.matched == 0 {
                            (node.matched, node.writing) = (matched, writing);
                        }
                    }
                }
                next.extend(children);
            }
            level = next;
        }
    }

    /// Reads one byte.
    pub(crate) fn step(&self, state: State, byte: u8) -> State {
        let mut at = state.0;
        while at != ROOT {
            match self.child(at, byte) {
                NONE => at = self.node(at).failure,
                child => return State(child),
            }
        }
        State(self.child(ROOT, byte))
    }

    /// How many of the bytes read last are a pattern or its beginning.
    pub(crate) fn depth(&self, state: State) -> usize {
        self.node(state.0).depth as usize
    }

    /// How many of the bytes read last are the beginning of a pattern that is not at its end.
    pub(crate) fn open(&self, state: State) -> usize {
        self.node(state.0).open as usize
    }

    /// The length of the longest pattern that ends with the byte just read.
    pub(crate) fn matched(&self, state: State) -> Option<(usize, Writing)> {
        let node = self.node(state.0);
        (node.matched > 0).then_some((node.matched as usize, node.writing))
    }

    fn child(&self, parent: u32, byte: u8) -> u32 {
        if parent == ROOT {
            return self.first.get(usize::from(byte)).copied().unwrap_or(NONE);
        }
        self.children(parent).find(|child| self.node(*child).label == byte).unwrap_or(NONE)
    }

    fn children(&self, parent: u32) -> impl Iterator<Item = u32> + '_ {
        let eldest = self.node(parent).child;
        std::iter::successors(Some(eldest), |child| Some(self.node(*child).sibling))
            .take_while(|child| *child != NONE)
    }

    fn grow(&mut self, parent: u32, mut node: Node) -> u32 {
        // 4 billion nodes are 100 GB; no configuration comes near.
        let place = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        let label = node.label;
        if let Some(parent) = self.nodes.get_mut(parent as usize) {
            node.sibling = parent.child;
            parent.child = place;
        }
        if parent == ROOT
            && let Some(first) = self.first.get_mut(usize::from(label))
        {
            *first = place;
        }
        self.nodes.push(node);
        place
    }

    fn node(&self, place: u32) -> &Node {
        self.nodes.get(place as usize).unwrap_or(&NOWHERE)
    }
}

static NOWHERE: Node = Node::new(0, 0);

impl Node {
    const fn new(label: u8, depth: u32) -> Self {
        Self {
            label,
            child: NONE,
            sibling: NONE,
            failure: ROOT,
            depth,
            open: depth,
            matched: 0,
            writing: Writing::Text,
        }
    }
}

impl Drop for Automaton {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            node.label.zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pattern_that_ends_at_a_byte_is_told() {
        let mut automaton = Automaton::new();
        for pattern in ["he", "she", "his", "hers"] {
            automaton.add(pattern.as_bytes(), Writing::Text);
        }
        automaton.finish();
        let mut state = START;
        let mut found = Vec::new();
        for (place, byte) in b"ushers".iter().enumerate() {
            state = automaton.step(state, *byte);
            found.extend(automaton.matched(state).map(|(length, _)| (place + 1 - length, place + 1)));
        }
        assert_eq!(found, [(1, 4), (2, 6)]);
        assert_eq!(automaton.depth(state), 4);
    }
}
