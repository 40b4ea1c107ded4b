//! How often the right tool is found: labelled queries over real tools, by half of which the ranker was tuned.
//!
//! `cargo test -p portcullis-search --test quality -- --nocapture` prints the figures that `docs/search.md` reports.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "data that is not as expected fails the test, and the figures are for reading"
)]

use std::collections::HashMap;

use search::{Entry, Index, Parameter};
use serde::Deserialize;

#[derive(Deserialize)]
struct Tool {
    name: String,
    description: String,
    parameters: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Query {
    half: String,
    query: String,
    right: Vec<String>,
}

/// Averages over queries. Recall at k is the share of the right tools among the first k (of k, when more are right); MRR the
/// mean of one over the rank of the first right tool.
#[derive(Default, Debug)]
struct Measured {
    queries: f64,
    recall: [f64; 3],
    reciprocal_rank: f64,
}

const DEPTHS: [usize; 3] = [1, 5, 10];

fn measure(half: &str) -> Measured {
    let tools: Vec<Tool> = serde_json::from_str(include_str!("data/tools.json")).unwrap();
    let queries: Vec<Query> = serde_json::from_str(include_str!("data/queries.json")).unwrap();
    let places: HashMap<&str, usize> =
        tools.iter().enumerate().map(|(place, tool)| (tool.name.as_str(), place)).collect();
    let index = Index::new(tools.iter().map(|tool| Entry {
        name: &tool.name,
        description: &tool.description,
        parameters:
            tool.parameters.iter().map(|(name, description)| Parameter { name, description }).collect(),
    }));
    let mut measured = Measured::default();
    for query in queries.iter().filter(|query| query.half == half) {
        let right: Vec<usize> = query.right.iter().map(|name| places[name.as_str()]).collect();
        let found: Vec<usize> = index.best(&query.query, |_| true, 50).iter().map(|hit| hit.place).collect();
        let first = found.iter().position(|place| right.contains(place));
        if first.is_none_or(|first| first >= 10) && half == "tuning" {
            let shown: Vec<&str> = found.iter().take(4).map(|place| tools[*place].name.as_str()).collect();
            println!("missed: `{}` wants {:?}, got {shown:?}", query.query, query.right);
        }
        measured.queries += 1.0;
        measured.reciprocal_rank += first.map_or(0.0, |first| 1.0 / (first + 1) as f64);
        for (recall, depth) in measured.recall.iter_mut().zip(DEPTHS) {
            let hit = found.iter().take(depth).filter(|place| right.contains(place)).count();
            *recall += hit as f64 / right.len().min(depth) as f64;
        }
    }
    measured.recall = measured.recall.map(|sum| sum / measured.queries);
    measured.reciprocal_rank /= measured.queries;
    println!("{half}: {measured:.3?}");
    measured
}

#[test]
fn the_right_tool_is_found_on_the_half_that_was_tuned_on() {
    let measured = measure("tuning");
    assert!(measured.queries >= 40.0);
    assert!(measured.recall[2] >= 0.8 && measured.reciprocal_rank >= 0.45, "{measured:.3?}");
}

#[test]
fn the_right_tool_is_found_on_the_half_held_out() {
    let measured = measure("held out");
    assert!(measured.queries >= 40.0);
    assert!(measured.recall[2] >= 0.6 && measured.reciprocal_rank >= 0.43, "{measured:.3?}");
}
