//! What an amount of dollars may be compared with.
//!
//! A sign or the word `dollars` says nothing where a tool takes amounts without any currency. Where the call itself says in
//! which currency it pays, or the amount counts cents, the number alone would not be what was said.

use super::arguments::Argument;

/// Words of an argument that says in which currency an amount is.
const CURRENCY: &[&str] = &["currency", "currencies", "ccy", "curr"];
/// Words of amounts that are no dollars.
const OTHERS: &[&str] = &[
    "cent",
    "cents",
    "pence",
    "penny",
    "pennies",
    "minor",
    "micros",
    "eur",
    "euro",
    "euros",
    "gbp",
    "pound",
    "pounds",
    "yen",
    "jpy",
    "chf",
    "franc",
    "francs",
    "inr",
    "rupee",
    "rupees",
    "cny",
    "yuan",
    "krw",
    "won",
    "sek",
    "nok",
    "dkk",
    "pln",
    "brl",
    "mxn",
    "bitcoin",
    "btc",
    "eth",
    "thousands",
    "millions",
];

/// Why an argument of this name and description is no amount of dollars, if it is none.
pub(super) fn another(name: &str, description: &str) -> Option<String> {
    let other =
        search::words(name).chain(search::words(description)).find(|word| OTHERS.contains(&word.as_str()));
    let other = other.or_else(|| description.chars().find(|it| "€£¥₹₿".contains(*it)).map(String::from))?;
    Some(format!(
        "`{name}` speaks of `{other}`; leave the currency out and write the number as the tool takes it"
    ))
}

/// Marks the numbers of a tool whose calls say in which currency they are.
pub(super) fn mark(arguments: &mut [Argument]) {
    let says = |argument: &&Argument| {
        argument
            .path
            .iter()
            .any(|step| search::words(&step.name).any(|word| CURRENCY.contains(&word.as_str())))
    };
    let Some(currency) = arguments.iter().find(says).map(Argument::name) else { return };
    for argument in
        arguments.iter_mut().filter(|argument| argument.is_number() && argument.no_dollars.is_none())
    {
        argument.no_dollars = Some(format!(
            "the currency of a call is its argument `{currency}`; say it apart, as in `the {} is less than 500 and the {currency} is USD`",
            argument.name()
        ));
    }
}
