//! A place in a sentence, from which the grammar reads on and to which it goes back.

use std::ops::Range;

use super::tokens::Token;

/// Why a sentence was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misunderstood {
    /// How far the grammar came, in tokens. Of several attempts the one that came furthest has the most to say.
    pub(crate) reached: usize,
    /// What was not understood and what could be said instead.
    pub(crate) why: String,
}

pub(crate) type Understood<T> = Result<T, Misunderstood>;

/// A window on the tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'t> {
    tokens: &'t [Token],
    pub(crate) at: usize,
    pub(crate) end: usize,
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(tokens: &'t [Token]) -> Self {
        Self { tokens, at: 0, end: tokens.len() }
    }

    /// The same sentence, of which only `range` is seen.
    pub(crate) fn within(self, range: Range<usize>) -> Self {
        Self { at: range.start, end: range.end.min(self.end), ..self }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.end
    }

    pub(crate) fn peek(&self) -> Option<&'t Token> {
        self.ahead(0)
    }

    pub(crate) fn ahead(&self, by: usize) -> Option<&'t Token> {
        let at = self.at.checked_add(by)?;
        if at < self.end { self.tokens.get(at) } else { None }
    }

    pub(crate) fn next(&mut self) -> Option<&'t Token> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    /// The next word in lower case; a value in quotes is none.
    pub(crate) fn word(&self) -> Option<&'t str> {
        self.word_ahead(0)
    }

    pub(crate) fn word_ahead(&self, by: usize) -> Option<&'t str> {
        self.ahead(by).filter(|token| !token.quoted).map(|token| token.lower.as_str())
    }

    /// Whether the words of `phrase` come next.
    pub(crate) fn sees(&self, phrase: &str) -> bool {
        phrase.split(' ').enumerate().all(|(by, word)| self.word_ahead(by) == Some(word))
    }

    /// Passes the words of `phrase`, if they come next.
    pub(crate) fn take(&mut self, phrase: &str) -> bool {
        let seen = self.sees(phrase);
        if seen {
            self.at += phrase.split(' ').count();
        }
        seen
    }

    /// Passes the longest of the phrases that comes next.
    pub(crate) fn take_any(&mut self, phrases: &[&'static str]) -> Option<&'static str> {
        let seen = phrases.iter().filter(|phrase| self.sees(phrase));
        let longest = seen.max_by_key(|phrase| phrase.split(' ').count())?;
        self.take(longest);
        Some(longest)
    }

    pub(crate) fn sees_any(&self, phrases: &[&'static str]) -> bool {
        phrases.iter().any(|phrase| self.sees(phrase))
    }

    /// Passes an article.
    pub(crate) fn skip_article(&mut self) {
        let _ = self.take_any(&["a", "an", "the", "their", "its", "his", "her", "any"]);
    }

    /// The tokens of a range.
    pub(crate) fn slice(&self, range: Range<usize>) -> &'t [Token] {
        self.tokens.get(range).unwrap_or_default()
    }

    /// What is left, for a message.
    pub(crate) fn said(&self) -> String {
        if self.is_done() {
            "the end of the sentence".to_owned()
        } else {
            shown(&written(self.slice(self.at..self.end)))
        }
    }

    pub(crate) fn fail<T>(&self, why: impl Into<String>) -> Understood<T> {
        Err(Misunderstood { reached: self.at, why: why.into() })
    }
}

/// Tokens as a reader may recognise them.
pub(crate) fn written(tokens: &[Token]) -> String {
    let mut text = String::new();
    for token in tokens {
        if !text.is_empty() && token.text != "," {
            text.push(' ');
        }
        text.push_str(&token.text);
    }
    text
}

/// A word of a sentence, for a message.
pub(crate) fn shown(text: &str) -> String {
    if text.trim().is_empty() { "an empty text".to_owned() } else { format!("`{text}`") }
}
