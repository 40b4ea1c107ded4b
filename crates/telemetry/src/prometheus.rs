//! Families of numbers in the text that Prometheus reads (exposition format 0.0.4).
//!
//! Numbers that are nought are left out, and with them gateways of which nothing was asked; the head of a family stands
//! there all the same, so that it can be seen which there are.

use std::fmt::Write as _;

use crate::metrics::{BOUNDS, Family, HistogramValue, Kind, Label, PointValue};

/// Writes families.
#[must_use]
pub fn write(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        let name = format!("portcullis_{}_{}", family.namespace.as_str(), family.name);
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let of_aws =
            if family.aws_name.is_empty() { String::new() } else { format!(" ({})", family.aws_name) };
        let help = format!("{}{of_aws}.", family.help.trim_end_matches('.'));
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for point in &family.points {
            match &point.value {
                PointValue::Number(0) if family.kind == Kind::Counter => {}
                PointValue::Number(number) => {
                    let _ = writeln!(text, "{name}{} {number}", labels(&point.labels, None));
                }
                PointValue::Histogram(value) if value.count > 0 => {
                    histogram(&mut text, &name, &point.labels, value);
                }
                PointValue::Histogram(_) => {}
            }
        }
    }
    text
}

fn histogram(text: &mut String, name: &str, of: &[Label], value: &HistogramValue) {
    let mut so_far = 0;
    let bounds = BOUNDS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
    for (bound, count) in bounds.zip(&value.buckets) {
        so_far += count;
        let _ = writeln!(text, "{name}_bucket{} {so_far}", labels(of, Some(&bound)));
    }
    let plain = labels(of, None);
    let _ = write!(text, "{name}_sum{plain} {}\n{name}_count{plain} {}\n", value.sum, value.count);
}

fn labels(labels: &[Label], bound: Option<&str>) -> String {
    let own = labels.iter().map(|label| (label.name, label.value.as_str()));
    let all: Vec<String> = own
        .chain(bound.map(|bound| ("le", bound)))
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{Histogram, Namespace, Point};

    #[test]
    fn families_are_written_with_their_heads_and_without_noughts() {
        let family = |kind, name, points| Family {
            namespace: Namespace::Gateway,
            name,
            aws_name: "Invocations",
            help: "Requests.",
            kind,
            points,
        };
        let label = || Label::new("name", "Name", "a\"b\\c\nd");
        let number = |number| Point { labels: vec![label()], value: PointValue::Number(number) };
        let latency = Histogram::default();
        latency.observe(Duration::from_secs(120));
        let point = Point { labels: vec![], value: PointValue::Histogram(latency.value()) };
        let text = write(&[
            family(Kind::Counter, "a_total", vec![number(0), number(2)]),
            family(Kind::Histogram, "b_seconds", vec![point]),
        ]);
        assert!(text.starts_with(
            "# HELP portcullis_gateway_a_total Requests (Invocations).\n\
             # TYPE portcullis_gateway_a_total counter\n\
             portcullis_gateway_a_total{name=\"a\\\"b\\\\c\\nd\"} 2\n# HELP"
        ));
        assert!(text.contains("portcullis_gateway_b_seconds_bucket{le=\"60\"} 0\n"));
        assert!(text.ends_with(
            "portcullis_gateway_b_seconds_bucket{le=\"+Inf\"} 1\nportcullis_gateway_b_seconds_sum 120\n\
             portcullis_gateway_b_seconds_count 1\n"
        ));
    }
}
