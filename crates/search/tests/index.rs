//! What an index answers, and that it answers whatever it is asked.

use proptest::prelude::*;
use search::{Entry, Index, MOST_QUERY_BYTES, Parameter};

fn entry<'text>(
    name: &'text str,
    description: &'text str,
    parameters: &[(&'text str, &'text str)],
) -> Entry<'text> {
    let parameters = parameters.iter().map(|(name, description)| Parameter { name, description }).collect();
    Entry { name, description, parameters }
}

fn shop() -> Index {
    Index::new([
        entry(
            "shop___createOrder",
            "Creates an order.",
            &[("customerId", "Who buys"), ("items", "What is bought")],
        ),
        entry("shop___deleteOrder", "Deletes an order.", &[("orderId", "")]),
        entry("shop___listOrders", "Lists the orders of a customer.", &[("customerId", "")]),
        entry(
            "post___trackParcel",
            "Tells where a parcel is.",
            &[("trackingNumber", "As printed on the receipt")],
        ),
        entry("post___same", "Twice the same words.", &[]),
        entry("post___same", "Twice the same words.", &[]),
        entry(
            "weather___get_forecast",
            "The weather of the days to come. Units are metric.",
            &[("city", ""), ("days", "")],
        ),
    ])
}

fn places(index: &Index, query: &str) -> Vec<usize> {
    index.best(query, |_| true, 10).iter().map(|hit| hit.place).collect()
}

#[test]
fn the_tool_that_does_it_comes_first() {
    let index = shop();
    for (query, place) in [
        ("create order", 0),
        ("creating an order", 0),
        ("make a new order", 0),
        ("remove the order", 1),
        ("which orders has the customer", 2),
        ("ORDERS LIST", 2),
        ("tracking number", 3),
        ("where is my parcell", 3),
        ("wheather forcast", 6),
        ("shop createOrder", 0),
    ] {
        assert_eq!(places(&index, query).first(), Some(&place), "{query}");
    }
}

#[test]
fn equal_tools_stand_in_their_order() {
    assert_eq!(places(&shop(), "twice same"), [4, 5]);
}

#[test]
fn what_is_not_allowed_is_not_found_and_makes_room_for_others() {
    let found = shop().best("order", |place| place != 0, 2);
    let mut places: Vec<usize> = found.iter().map(|hit| hit.place).collect();
    places.sort_unstable();
    assert_eq!(places, [1, 2]);
}

#[test]
fn nothing_is_found_for_nothing() {
    let index = shop();
    for query in ["", "the of", "12345", "\u{0}", "xyzzyqux", "____"] {
        assert!(places(&index, query).is_empty(), "{query}");
    }
    assert!(index.best("order", |_| true, 0).is_empty());
    assert!(Index::new([]).best("order", |_| true, 5).is_empty());
    assert!(Index::new([]).is_empty());
    assert_eq!(index.len(), 7);
}

#[test]
fn what_stands_behind_the_bound_of_a_query_is_not_read() {
    let index = shop();
    let long = format!("{} parcel", "é".repeat(MOST_QUERY_BYTES));
    assert!(places(&index, &long).is_empty());
    let many = format!("{} parcel", "qqqq ".repeat(40));
    assert!(places(&index, &many).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_texts_are_taken(name in "\\PC{0,40}", description in "\\PC{0,200}", query in "\\PC{0,200}", limit in 0_usize..5) {
        let index = Index::new([entry(&name, &description, &[(&description, &name)]), entry(&query, &query, &[])]);
        let hits = index.best(&query, |_| true, limit);
        prop_assert!(hits.len() <= limit);
        prop_assert!(hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
        prop_assert!(hits.iter().all(|hit| hit.score.is_finite() && hit.score > 0.0));
        prop_assert_eq!(&hits, &index.best(&query, |_| true, limit));
    }
}
