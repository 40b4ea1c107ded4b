# AgentCore Implementation Guide, part 2, section 5.2, as printed.

# src/app.py
import json
import os
import boto3
import markdown as md

def lambda_handler(event, context):
    """
    Lambda handler invoked by AgentCore Gateway.

    Tool name format: "TargetName___ToolName" (triple underscore)
    """
    # Retrieve the tool name
    tool_name = ""
    if context.client_context and context.client_context.custom:
        tool_name = context.client_context.custom.get(
            'bedrockAgentCoreToolName', ''
        )

    # Strip the prefix using the triple underscore separator
    if '___' in tool_name:
        tool_name = tool_name.split('___')[-1]

    # Route based on tool name
    if tool_name == "markdown_to_email":
        return handle_markdown_to_email(event)
    elif tool_name == "format_report":
        return handle_format_report(event)
    else:
        return {"error": f"Unknown tool: {tool_name}"}


def handle_markdown_to_email(event: dict) -> dict:
    """Convert Markdown text to HTML email and send via SES."""
    markdown_content = event.get("markdown_content", "")
    recipient_email = event.get("recipient_email", "")
    subject = event.get("subject", "Report")

    # Markdown → HTML conversion
    html_content = md.markdown(
        markdown_content, extensions=['tables', 'nl2br']
    )

    # Send email via SES
    ses_client = boto3.client('ses')
    ses_client.send_email(
        Source=os.environ.get('SES_SENDER_EMAIL'),
        Destination={'ToAddresses': [recipient_email]},
        Message={
            'Subject': {'Data': subject},
            'Body': {'Html': {'Data': html_content}}
        }
    )

    return {"status": "success", "message": f"Email sent to {recipient_email}"}
