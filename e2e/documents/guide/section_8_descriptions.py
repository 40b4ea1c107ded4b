# AgentCore Implementation Guide, part 2, section 8, as printed (2 blocks).

# Bad: vague description
"description": "Email sending tool"


# Good: specific description
"description": "Converts Markdown text to HTML and sends it as an email. "
               "Use this when you want to send a report or notification via email."
