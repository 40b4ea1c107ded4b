"""Where in the documents each block stands, and how it is cut out: from a line to a line, after a heading, and nothing else.

    python e2e/documents/extract.py FOLDER            says which blocks are not as they are printed
    python e2e/documents/extract.py FOLDER --write    writes them anew

FOLDER has the documents' texts, one file a document; which is which is seen by how it begins.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

# How each document begins, and the first line of those of its blocks that have room for a comment.
DOCUMENTS = {
    "guide": ("Amazon Bedrock AgentCore Implementation Guide Part 2:", "AgentCore Implementation Guide, part 2, section {}, as printed"),
    "prerequisites": ("Amazon Bedrock AgentCore Gateway can connect to both", "AgentCore Gateway developer guide, prerequisites and inbound authorization, as printed"),
    "setup": ("10 KiB\nAuthentication and Authorization Setup", "AgentCore samples, authentication and authorization setup, as printed"),
}
COMMENTS = {".py": "#", ".sh": "#", ".cedar": "//"}

# A file, and its blocks: the heading that each is after, how its first line begins and its last, and, where that line stands
# more than once, what is before it.
BLOCKS = {
    "guide/section_4_2.py": [("4.2 Setting", "from bedrock_agentcore_starter_toolkit", ")", "openid-configuration")],
    "guide/section_4_3.py": [("4.3 Waiting", "import time", "    return False")],
    "guide/section_4_3_output.txt": [("4.3 Waiting", "$ python setup_identity.py", "OIDC endpoint available")],
    "guide/section_4_4.py": [("4.4 Creating", "import boto3", "    return response['credentialProviderArn']")],
    "guide/section_4_5.py": [("4.5 Two-Layer", "from bedrock_agentcore.identity", "    return await _call_api_with_auth(user_input)")],
    "guide/section_4_6.py": [("4.6 Creating", "import boto3", '    return {"id": response')],
    "guide/section_4_7.py": [("4.7 Debugging", "import base64", 'print(f"Expiration:')],
    "guide/section_4_7_output.txt": [("4.7 Debugging", "$ python debug_jwt.py", "Issued at:")],
    "guide/section_4_9.py": [("4.9 Three-Legged", "import requests", "    return response.json()")],
    "guide/section_5_2.py": [("5.2 Implementing", "# src/app.py", '    return {"status": "success"')],
    "guide/section_5_3.py": [
        ("5.3 Creating", "import boto3", '    return {"id": gateway_id'),
        ("5.3 Creating", "def create_gateway_target(", "    return response['targetId']"),
    ],
    "guide/section_5_4.py": [("5.4 Using", "from strands import Agent", "        return agent(prompt)")],
    "guide/section_5_6.py": [("5.6 Automatic", "# Create a Gateway Target", ")")],
    "guide/section_6_3.py": [("6.3 Creating", "import boto3", "    return clients")],
    "guide/section_6_4_permit.cedar": [("6.4 Writing", "// Permit only", "};")],
    "guide/section_6_4_forbid.cedar": [("6.4 Writing", "// Always deny", "};")],
    "guide/section_6_4.py": [("6.4 Writing", "from bedrock_agentcore_starter_toolkit", "        return None", "NL2Cedar failed")],
    "guide/section_6_5.py": [("6.5 Setting", "from bedrock_agentcore_starter_toolkit", "    return engine_id")],
    "guide/section_6_5_output.txt": [("6.5 Setting", "$ python setup_policy.py", "Policy Engine pe-")],
    "guide/section_6_6.py": [("6.6 Verification", "import requests", '            print(f"developer:')],
    "guide/section_6_6_output.txt": [("6.6 Verification", "=== Testing with manager", "developer: markdown_to_email excluded")],
    "guide/section_7_1.py": [("7.1 Anti", "import jwt", "        yield event")],
    "guide/section_7_2.json": [("7.2 confused", "{", "}")],
    "guide/section_7_3_runtime.txt": [("7.3 IAM", "├── bedrock:InvokeModel", "└── bedrock-agentcore:*Code")],
    "guide/section_7_3_developer.txt": [("7.3 IAM", "├── bedrock-agentcore:*,", "└── ses:")],
    "guide/section_8.py": [("Idempotent Setup", "from pathlib", "    # ... continue")],
    "guide/section_8_descriptions.py": [
        ("Designing Gateway", "# Bad:", '"description": "Email'),
        ("Designing Gateway", "# Good:", '               "Use this'),
    ],
    "prerequisites/full_access.json": [("Gateway Management Permissions", "{", "}")],
    "prerequisites/read_only.json": [("If you prefer to follow", "{", "}")],
    "prerequisites/trust.json": [("At the very least", "{", "}")],
    "prerequisites/create_user_pool.sh": [("Create a user pool:", "aws cognito-idp", '  --pool-name')],
    "prerequisites/list_user_pools.sh": [("Note the user pool ID", "aws cognito-idp", "  --max-results")],
    "prerequisites/create_resource_server.sh": [("Create a resource server", "aws cognito-idp", "  --scopes")],
    "prerequisites/create_user_pool_client.sh": [("Create a client for", "aws cognito-idp", "  --supported")],
    "prerequisites/create_user_pool_domain.sh": [("Create a domain for", "aws cognito-idp", "  --region")],
    "prerequisites/discovery_url.txt": [("Construct the discovery URL", "https://", "https://")],
    "prerequisites/authorizer.py": [("Allowed clients: The client ID", "authorizerConfiguration=", "}")],
    "prerequisites/token.sh": [("To obtain a bearer token", "curl", "  -d")],
    "prerequisites/create_gateway.py": [("The following Python code", "import boto3", ")")],
    "setup/core.json": [("Core Gateway Permissions", "{", "}")],
    "setup/schema_access.json": [("S3 Schema Access", "{", "}")],
    "setup/lambda_target.json": [("Lambda Target Permissions", "{", "}")],
    "setup/trust.json": [("Trust Policy for AgentCore", "{", "}")],
    "setup/cross_account_lambda.json": [("Cross-Account Lambda Access", "{", "}")],
    "setup/main.sh": [("Command Line Usage:", "# For Cognito", 'python main.py "MyGateway" --allowed-audience')],
    "setup/create_user_pool.sh": [("Create User Pool", "# Create user pool", "--max-results")],
    "setup/discovery_url.txt": [("Discovery URL Format", "https://", "https://")],
    "setup/create_resource_server.sh": [("Create Resource Server", "aws cognito-idp", "--scopes")],
    "setup/create_user_pool_client.sh": [("Create Client", "aws cognito-idp", "--supported")],
    "setup/token.sh": [("Get Access Token", "curl", "-d")],
    "setup/token_claims.json": [("Sample Cognito Token Claims", "{", "}")],
    "setup/authorizer.json": [("Cognito Authorizer Configuration", "{", "}")],
    "setup/auth0_discovery_url.txt": [("- Configure scopes in API", "https://", "https://")],
    "setup/auth0_token.sh": [("- Configure scopes in API", "curl", "}'")],
    "setup/auth0_token_claims.json": [("Sample Auth0 Token Claims", "{", "}")],
    "setup/auth0_authorizer.json": [("Auth0 Authorizer Configuration", "{", "}")],
    "setup/troubleshooting.sh": [("- Verify gateway configuration matches", "# If your token", "# If your token")],
    "setup/env.txt": [("After setting up your identity provider, configure", "# For Cognito", "COGNITO_CLIENT_SECRET=")],
    "setup/auth0_env.txt": [("COGNITO_CLIENT_SECRET=", "# For Auth0", "COGNITO_CLIENT_SECRET=")],
}


def document(folder: Path, which: str) -> list:
    begins = DOCUMENTS[which][0]
    [text] = [text for text in (file.read_text() for file in sorted(folder.iterdir()) if file.is_file()) if text.startswith(begins)]
    return text.splitlines()


def cut(lines: list, heading: str, first: str, last: str, after: str | None = None) -> str:
    """A block. Of JSON, whose samples are printed without indentation, the last line is the one that closes the first."""
    at = next(index for index, line in enumerate(lines) if line.startswith(heading))
    begin = next(index for index in range(at + 1, len(lines)) if lines[index].startswith(first))
    least = next(index for index in range(begin, len(lines)) if after in lines[index]) if after else begin
    if first == "{":
        depth = 0
        for end in range(begin, len(lines)):
            depth += lines[end].count("{") - lines[end].count("}")
            if depth == 0:
                break
    else:
        end = next(index for index in range(least, len(lines)) if ends(lines[index], last))
    return "\n".join(lines[begin : end + 1]) + "\n"


def ends(line: str, last: str) -> bool:
    # A closing bracket closes when it stands alone: those of inner calls and objects do not.
    return line.startswith(last) if last.strip(")}]'; ") else line == last


def extract(folder: Path) -> dict:
    """Every file, as it is cut out of the documents."""
    made = {}
    for path, blocks in BLOCKS.items():
        which, _, name = path.partition("/")
        lines = document(folder, which)
        text = "\n\n".join(cut(lines, *block) for block in blocks)
        comment = COMMENTS.get(Path(name).suffix)
        if comment:
            section = name.removeprefix("section_").partition(".")[0].split("_")
            origin = DOCUMENTS[which][1].format(".".join(part for part in section if part.isdigit()))
            more = f" ({len(blocks)} blocks)" if len(blocks) > 1 else ""
            text = f"{comment} {origin}{more}.\n\n{text}"
        made[path] = text
    return made


def differing(folder: Path) -> list:
    """The files that are not as the documents have them, and those that no document has."""
    made = extract(folder)
    here = {str(file.relative_to(HERE)) for which in DOCUMENTS for file in (HERE / which).iterdir() if file.is_file()}
    changed = [path for path, text in made.items() if path not in here or (HERE / path).read_text() != text]
    return sorted({*changed, *(here - made.keys())})


if __name__ == "__main__":
    given = Path(sys.argv[1])
    if sys.argv[2:] == ["--write"]:
        for path, text in extract(given).items():
            (HERE / path).write_text(text)
    wrong = differing(given)
    print("\n".join(wrong) or "Every block is as it is printed.")
    sys.exit(bool(wrong))
