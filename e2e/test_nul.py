"""The character NUL, which texts of PostgreSQL cannot have: nothing is called by it, on either database."""

import pytest
import requests

from portcullis import REGION, Server
from scenery import Scenery, refusal

NUL = "\0"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("nul")) as running:
        yield running


def test_strangers_are_told_that_nobody_is_called_so(server):
    pool = Scenery(server).pool()
    base = f"{server.endpoint}/{pool.id}"
    for path in ("oauth2/authorize", "login"):
        assert requests.get(f"{base}/{path}?client_id=%00", timeout=30).status_code == 400
    for path, form in (
        ("oauth2/token", {"grant_type": "authorization_code", "client_id": NUL, "code": "x"}),
        ("oauth2/token", {"grant_type": "client_credentials", "client_id": NUL, "client_secret": "x"}),
        ("oauth2/revoke", {"client_id": NUL, "token": "x"}),
    ):
        answer = requests.post(f"{base}/{path}", data=form, timeout=30)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client"), answer.text
    assert requests.get(f"{server.endpoint}/identities/oauth2/authorize?request_uri=%00", timeout=30).status_code == 400
    assert "ERROR" not in server.log()


def test_callers_are_told_what_is_wrong(server):
    kms, secrets = server.client("kms"), server.client("secretsmanager")
    key = f"arn:aws:kms:{REGION}:000000000000:key/{NUL}"
    for call, request in (
        (kms.describe_key, {"KeyId": NUL}),
        (kms.encrypt, {"KeyId": NUL, "Plaintext": b"x"}),
        (kms.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
        (kms.list_aliases, {"KeyId": NUL}),
        (secrets.get_secret_value, {"SecretId": NUL}),
        (secrets.describe_secret, {"SecretId": f"a{NUL}"}),
        (secrets.create_secret, {"Name": "nul", "SecretString": "x", "ClientRequestToken": NUL * 32}),
    ):
        status, code, message = refusal(call, **request)
        assert status == 400 and code and message, (request, code)
    assert "ERROR" not in server.log()
