"""Lints and renders the Helm chart with Helm's own library, and holds what comes out against Kubernetes' schemas.

    python render_chart.py CHART KUBERNETES_VERSION < VALUES.json

Prints a JSON object: `problems`, a list of sentences, and `resources`, by template. It runs in the environment of
requirements-deploy.txt, away from the packages of the clients.
"""

import json
import sys

import helm_python as helm
import kubernetes_validate
import yaml

# How grave a finding of the linter is.
INFORMATION = 1


def findings(chart: str, values: dict) -> list:
    """What Helm's linter says beyond information."""
    said = helm.lint(chart, values, strict=True)
    return [f"{it['path']}: {it['error']}" for it in said["messages"] if it["severity"] > INFORMATION]


def main(chart: str, version: str):
    values = json.load(sys.stdin)
    problems, resources = [], {}
    try:
        with helm.Chart.load(chart) as loaded:
            loaded.validate_schema(values)
            rendered = loaded.render(values, name="gate", namespace="agents")
    except helm.HelmError as error:
        print(json.dumps({"problems": [str(error)], "resources": {}}))
        return
    for template, text in rendered.items():
        documents = [document for document in yaml.safe_load_all(text) if document]
        for document in documents:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                problems.append(f"{template}: {'.'.join(map(str, error.path))}: {error.message}")
        if documents:
            resources[template.rpartition("/")[2]] = documents
    problems += findings(chart, values)
    print(json.dumps({"problems": problems, "resources": resources}))


if __name__ == "__main__":
    main(*sys.argv[1:])
