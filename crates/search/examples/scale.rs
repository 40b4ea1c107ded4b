//! How long 100 targets of 1,000 tools take: `cargo run --profile quick-release -p portcullis-search --example scale`.
//!
//! The tools are those of the test, over and over, with the number of their target and a word of their own.

use std::io::{Error, Write as _};
use std::time::Instant;

use search::{Entry, Index, Parameter};

type Tool = (String, String, Vec<(String, String)>);

fn main() -> Result<(), Error> {
    let tools = tools().map_err(Error::other)?;
    let mut out = std::io::stdout().lock();
    for count in [1_000, 10_000, 100_000] {
        let named: Vec<(String, &Tool)> = (0..count)
            .zip(tools.iter().cycle())
            .map(|(number, tool)| {
                (format!("target{}___{}_{:x}", number / 1_000, tool.0, number * 7_919), tool)
            })
            .collect();
        let begun = Instant::now();
        let index = Index::new(named.iter().map(|(name, (_, description, parameters))| Entry {
            name,
            description,
            parameters:
                parameters.iter().map(|(name, description)| Parameter { name, description }).collect(),
        }));
        writeln!(out, "{count} tools indexed in {:?}", begun.elapsed())?;
        for query in [
            "create an issue",
            "send a message to the channel tomorrow at 9am please",
            "mispeled wrods everywehre in the querry",
        ] {
            let begun = Instant::now();
            let found = (0..10).map(|_| index.best(query, |_| true, 10).len()).sum::<usize>();
            writeln!(out, "  `{query}`: {:?}, {} found", begun.elapsed() / 10, found / 10)?;
        }
    }
    Ok(())
}

fn tools() -> serde_json::Result<Vec<Tool>> {
    #[derive(serde::Deserialize)]
    struct Read {
        name: String,
        description: String,
        parameters: Vec<(String, String)>,
    }
    let read: Vec<Read> = serde_json::from_str(include_str!("../tests/data/tools.json"))?;
    Ok(read.into_iter().map(|tool| (tool.name, tool.description, tool.parameters)).collect())
}
