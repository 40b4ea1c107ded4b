"""The demo's tools: the guide's markdown_to_email and format_report, with nothing but Python's own library.

The function gets the credentials of its role, and nothing else: it signs its call to SES with them, and may send mail
from one address only.
"""

import datetime
import hashlib
import hmac
import html
import os
import re
import urllib.parse
import urllib.request


def lambda_handler(event, context):
    """Invoked by the gateway; the tool's name comes as TargetName___ToolName."""
    tool_name = context.client_context.custom["bedrockAgentCoreToolName"].split("___")[-1]
    if tool_name == "markdown_to_email":
        return markdown_to_email(event)
    if tool_name == "format_report":
        return format_report(event)
    return {"error": f"Unknown tool: {tool_name}"}


def markdown_to_email(event):
    """Convert Markdown to HTML and send it by email."""
    send_email(event["recipient_email"], event.get("subject", "Report"), to_html(event["markdown_content"]))
    return {"status": "success", "message": f"Email sent to {event['recipient_email']}"}


def format_report(event):
    """Turn a title and a list of findings into Markdown."""
    lines = [f"# {event['title']}", ""] + [f"- {finding}" for finding in event.get("findings", [])]
    return {"markdown": "\n".join(lines)}


def to_html(markdown):
    """The little of Markdown that a report needs."""
    blocks = []
    for line in html.escape(markdown).splitlines():
        line = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", line)
        if heading := re.match(r"(#{1,6}) (.*)", line):
            level = len(heading.group(1))
            blocks.append(f"<h{level}>{heading.group(2)}</h{level}>")
        elif line.startswith("- "):
            blocks.append(f"<li>{line[2:]}</li>")
        elif line.strip():
            blocks.append(f"<p>{line}</p>")
    return "".join(blocks)


def send_email(recipient, subject, body):
    """ses:SendEmail, signed with the credentials of the function's role (Signature Version 4)."""
    form = urllib.parse.urlencode({
        "Action": "SendEmail", "Version": "2010-12-01", "Source": os.environ["SES_SENDER_EMAIL"],
        "Destination.ToAddresses.member.1": recipient, "Message.Subject.Data": subject,
        "Message.Body.Html.Data": body,
    })
    endpoint, region = os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"]
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/{region}/ses/aws4_request"
    headers = {"content-type": "application/x-www-form-urlencoded", "host": urllib.parse.urlparse(endpoint).netloc,
               "x-amz-date": now, "x-amz-security-token": os.environ["AWS_SESSION_TOKEN"]}
    names = ";".join(sorted(headers))
    canonical = "\n".join(["POST", "/", ""] + [f"{name}:{headers[name]}" for name in sorted(headers)]
                          + ["", names, hashlib.sha256(form.encode()).hexdigest()])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
                                f"SignedHeaders={names}, Signature={signature}")
    request = urllib.request.Request(endpoint + "/", form.encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()
