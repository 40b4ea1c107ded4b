"""The guide's set-up script (section 8), as printed, and what it leaves to its reader: the functions that make things,
which are those of examples/set_up.py, because what was made and not yet saved must be found.

    python guide_set_up.py NAME          leaves setup_config.json, with the steps' results, in the folder it runs in
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples")]

import documents
import set_up

NAME = sys.argv[1]
clients = set_up.Clients("us-west-2")


def create_cognito() -> dict:
    pool, client = set_up.pool_and_client(clients, NAME)
    issuer = f"https://cognito-idp.{clients.region}.amazonaws.com/{pool}"
    return {"pool": pool, "client": client, "discovery_url": f"{issuer}/.well-known/openid-configuration"}


def create_provider(cognito: dict) -> str:
    given = {"UserPoolId": cognito["pool"], "ClientId": cognito["client"]}
    secret = clients.cognito.describe_user_pool_client(**given)["UserPoolClient"]["ClientSecret"]
    make = documents.load("guide/section_4_4").create_oauth2_credential_provider
    return set_up.made_once(
        "credential provider",
        lambda: set_up.named(clients.control, "list_oauth2_credential_providers", NAME),
        lambda: make(NAME, cognito["client"], secret, cognito["discovery_url"], clients.region),
    )["credentialProviderArn"]


def create_gateway(cognito: dict) -> str:
    account = clients.sts.get_caller_identity()["Account"]
    function = set_up.deploy(clients, NAME, account)
    made = set_up.make_gateway(clients, NAME, account, function, cognito["pool"], cognito["client"])
    return made["gatewayId"]


if __name__ == "__main__":
    exec(compile(documents.text("guide/section_8.py"), "section_8.py", "exec"), globals())
    globals()["setup"]()
