"""No secret is anywhere but where it is asked for: canaries go through every flow, in its good ends and its bad ones, and
then everything that the server wrote and said is searched for them in every encoding, with the log at its most verbose."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import threading
import time
import urllib.parse

import boto3
import botocore
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

import echo_service
import idp
from canaries import Canaries, forms
from outbound import VAULT, with_credential
from portcullis import REGION, Server
from scenery import name, tool, until
from test_sign_in_pages import Browser, settings
from wire import Wire


@pytest.fixture(scope="module")
def issuer():
    running = idp.Idp()
    yield running
    running.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, issuer):
    """One that says everything it can say."""
    trusted = f'[identity]\ntrusted-issuers = ["{issuer.discovery_url}"]\n[log]\nfilter = "trace"\n'
    with Server(tmp_path_factory.mktemp("canaries"), settings=trusted, environment={"RUST_BACKTRACE": "full"}) as own:
        yield own


@pytest.fixture(scope="module")
def canaries(server):
    kept = Canaries()
    with kept.listening(server.endpoint):
        yield kept


@pytest.fixture(scope="module")
def printed(server):
    """What the program's verbs print, with what each may."""
    kept = []

    def run(*arguments, allowed=()) -> str:
        done = server.run(*arguments, check=False)
        kept.append((f"portcullis {' '.join(arguments[:2])}", f"{done.stdout}\n{done.stderr}".encode(), allowed))
        return done.stdout

    run.kept = kept
    return run


@pytest.fixture(scope="module")
def workload(control, data, canaries):
    control.create_workload_identity(name="agent")
    with canaries.asking():
        token = data.get_workload_access_token(workloadName="agent")["workloadAccessToken"]
    return canaries.grow("a workload access token", token)


def fails(call, *arguments, **keywords) -> str:
    """A call that must not succeed; gives the code."""
    with pytest.raises(ClientError) as raised:
        call(*arguments, **keywords)
    return raised.value.response["Error"]["Code"]


# --- the token vault -------------------------------------------------------------------------------------------------


def key_provider(control, key: str) -> str:
    made = name("key")
    control.create_api_key_credential_provider(name=made, apiKey=key)
    return made


def test_keys(server, make, control, data, canaries, workload, printed):
    first, second = canaries.plant("an API key", "+/\"\\&="), canaries.plant("an API key, changed")
    provider = key_provider(control, first)
    assert fails(control.create_api_key_credential_provider, name=provider, apiKey=canaries.plant("of a conflict")) == "ConflictException"
    long = canaries.plant("a key that is too long") + "x" * 70000
    assert fails(control.create_api_key_credential_provider, name=name("key"), apiKey=long) == "ValidationException"
    wrong = canaries.plant("a key under a wrong name")
    assert fails(control.create_api_key_credential_provider, name="no name", apiKey=wrong) == "ValidationException"
    ask = lambda token: data.get_resource_api_key(workloadIdentityToken=token, resourceCredentialProviderName=provider)
    with canaries.asking("an API key"):
        assert ask(workload)["apiKey"] == first
    assert fails(ask, canaries.plant("a workload token that is none")) == "UnauthorizedException"
    nobody = make.user().client("bedrock-agentcore")
    refused = lambda: nobody.get_resource_api_key(workloadIdentityToken=workload, resourceCredentialProviderName=provider)
    assert fails(refused) == "AccessDeniedException"
    printed("identity", "test-provider", provider)
    control.update_api_key_credential_provider(name=provider, apiKey=second)
    control.get_api_key_credential_provider(name=provider)
    control.list_api_key_credential_providers()
    stored = control.get_api_key_credential_provider(name=provider)["apiKeySecretArn"]["secretArn"]
    with canaries.asking("an API key, changed"):
        assert second in server.client("secretsmanager").get_secret_value(SecretId=stored)["SecretString"]


class Grant(http.server.BaseHTTPRequestHandler):
    """A token endpoint that says in its errors everything that it was sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        sent = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        everything = f"{self.headers.get('authorization')} {sent} {urllib.parse.unquote(sent)}"
        mode, answer = self.server.mode, {"access_token": self.server.token, "token_type": "Bearer", "expires_in": 3600}
        status, body = 200, json.dumps(answer)
        if mode == "refuses":
            status, body = 400, json.dumps({"error": "invalid_client", "error_description": everything})
        elif mode == "breaks":
            status, body = 500, everything
        elif mode == "babbles":
            body = f"{everything} {self.server.token}"
        elif mode == "odd":
            body = json.dumps(answer | {"token_type": f"mac {self.server.token}", "expires_in": everything})
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def grant():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Grant) as served:
        served.mode, served.token = "gives", "none"
        served.url = f"http://127.0.0.1:{served.server_port}"
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield served
        served.shutdown()


def token_provider(control, grant, secret: str, *methods: str) -> str:
    made = name("tokens")
    metadata = {"issuer": grant.url, "authorizationEndpoint": f"{grant.url}/authorize", "tokenEndpoint": f"{grant.url}/token"}
    config = {"clientId": "client", "clientSecret": secret, "oauthDiscovery": {"authorizationServerMetadata": metadata}}
    control.create_oauth2_credential_provider(
        name=made,
        credentialProviderVendor="CustomOauth2",
        oauth2ProviderConfigInput={"customOauth2ProviderConfig": config},
    )
    return made


def test_tokens_of_clients(control, data, canaries, workload, grant, printed):
    secret = canaries.plant("a provider's client secret", "/+:%")
    grant.mode, grant.token = "gives", canaries.plant("an access token of a provider")
    provider = token_provider(control, grant, secret)
    asked = {"workloadIdentityToken": workload, "scopes": [], "oauth2Flow": "M2M"}
    ask = lambda **more: data.get_resource_oauth2_token(resourceCredentialProviderName=provider, **{**asked, **more})
    with canaries.asking("an access token of a provider"):
        assert ask()["accessToken"] == grant.token
        assert ask()["accessToken"] == grant.token
    printed("identity", "test-provider", provider)
    for mode in ("refuses", "breaks", "babbles", "odd"):
        grant.mode = mode
        assert fails(ask, scopes=[f"scope-{mode}"]), mode
        assert fails(ask, forceAuthentication=True, scopes=[f"more-{mode}"]), mode
        printed("identity", "test-provider", provider)
    smuggled = {"client_secret": canaries.plant("a custom parameter")}
    assert fails(ask, customParameters=smuggled) == "ValidationException"
    grant.mode = "gives"
    control.update_oauth2_credential_provider(
        name=provider,
        credentialProviderVendor="GithubOauth2",
        oauth2ProviderConfigInput={
            "githubOauth2ProviderConfig": {"clientId": "c", "clientSecret": canaries.plant("a client secret for GitHub")}
        },
    )
    control.get_oauth2_credential_provider(name=provider)
    printed("identity", "list")


def test_secrets_and_providers_that_borrow_them(server, control, data, canaries, workload):
    secrets = server.client("secretsmanager")
    value = {"key": canaries.plant("a secret"), "other": canaries.plant("the rest of a secret")}
    arn = secrets.create_secret(Name="borrowed", SecretString=json.dumps(value))["ARN"]
    binary = canaries.plant("a binary secret")
    secrets.create_secret(Name="binary", SecretBinary=binary.encode())
    with canaries.asking("a binary secret"):
        assert secrets.get_secret_value(SecretId="binary")["SecretBinary"] == binary.encode()
    twice = canaries.plant("a secret that is there")
    assert fails(secrets.create_secret, Name="borrowed", SecretString=twice) == "ResourceExistsException"
    large = canaries.plant("a secret that is too large") + "x" * 70000
    assert fails(secrets.put_secret_value, SecretId="borrowed", SecretString=large)
    borrow = lambda which: {"apiKeySecretConfig": {"secretId": arn, "jsonKey": which}, "apiKeySecretSource": "EXTERNAL"}
    control.create_api_key_credential_provider(name="borrows", **borrow("key"))
    ask = lambda: data.get_resource_api_key(workloadIdentityToken=workload, resourceCredentialProviderName="borrows")
    with canaries.asking("a secret"):
        assert ask()["apiKey"] == value["key"]
    assert fails(control.create_api_key_credential_provider, name="lacks", **borrow("absent"))
    for broken in (f"no JSON {canaries.plant('a secret that is no JSON')}", json.dumps({"key": [canaries.plant("a secret that is a list")]})):
        secrets.put_secret_value(SecretId="borrowed", SecretString=broken)
        assert fails(ask)
    secrets.put_secret_value(SecretId="borrowed", SecretString=json.dumps(value | {"key": canaries.plant("a secret, changed")}))
    with canaries.asking("a secret, changed"):
        until("the change", lambda: ask()["apiKey"], lambda seen: seen != value["key"])
    secrets.describe_secret(SecretId=arn)
    secrets.list_secrets()
    secrets.delete_secret(SecretId="borrowed")
    assert fails(ask)


# --- gateways --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service():
    running = echo_service.Service()
    yield running
    running.end()


def test_calls_of_targets(make, control, canaries, grant, service, issuer, printed):
    """The service gives back whatever it is shown, in many forms; and the caller's own token is one that it is never shown."""
    inbound = canaries.grow("a caller's token", issuer.token(sub="ada", aud="tools"))
    accepts = {"customJWTAuthorizer": {"discoveryUrl": issuer.discovery_url, "allowedAudience": ["tools"]}}
    document = {"openApiSchema": {"inlinePayload": json.dumps(echo_service.document(service.url))}}
    grant.mode, grant.token = "gives", canaries.plant("an access token for a target")
    by_token = f"{VAULT}/oauth2credentialprovider/{token_provider(control, grant, canaries.plant('a target client secret'))}"
    key = canaries.plant("a target's key", "+/=")
    by_key = f"{VAULT}/apikeycredentialprovider/{key_provider(control, key)}"
    api_key = lambda **place: {"apiKeyCredentialProvider": {"providerArn": by_key, **place}}
    credentials = {
        "Header": {"credentialProviderType": "API_KEY", "credentialProvider": api_key(credentialLocation="HEADER", credentialParameterName="X-Key")},
        "Query": {"credentialProviderType": "API_KEY", "credentialProvider": api_key(credentialLocation="QUERY_PARAMETER", credentialParameterName="key")},
        "Token": {"credentialProviderType": "OAUTH", "credentialProvider": {"oauthCredentialProvider": {"providerArn": by_token, "scopes": ["a"]}}},
    }
    gateway = make.gateway(accepts, roleArn=make.vault_role(), exceptionLevel="DEBUG")
    for target, credential in credentials.items():
        assert with_credential(gateway, target, document, credential)["status"] == "READY"
    wire = Wire(gateway.url, inbound)
    for target in credentials:
        for called in ("echo", "leak", "leak_fail", "redirect", "malformed", "lying", "gzip", "status_503"):
            arguments = {"id": "1", "amount": 1} if called == "echo" else {}
            assert "result" in wire.tool(f"{target}___{called}", **arguments), (target, called)
    shown = json.dumps(service.seen)
    assert key in json.dumps([urllib.parse.unquote(shown), shown]) and grant.token in shown and inbound not in shown
    # Tokens that are refused by the service, by its token endpoint, and by the gateway itself.
    service.accept(lambda seen: False)
    wire.tool("Token___echo", id="1", amount=1)
    for mode in ("refuses", "breaks", "babbles", "odd"):
        grant.mode = mode
        wire.tool("Token___echo", id="1", amount=1)
    service.accept(None)
    expired = canaries.grow("an expired token", issuer.token(sub="ada", aud="tools", exp=int(time.time()) - 4000))
    for wrong in (expired, canaries.plant("a token that is none"), inbound[:-6] + "AAAAAA"):
        assert Wire(gateway.url, wrong).post({}).status_code == 401
        printed("token", "why", wrong, "--gateway", gateway.id)
    printed("token", "verify", inbound, "--gateway", gateway.id)
    # What a token says is shown, and not the signature, without which it is nothing.
    printed("token", "decode", inbound)
    printed("target", "list")


def test_functions(server, make, canaries):
    """A function's environment is shown by what is asked for the configuration, as on AWS, and nowhere else."""
    source = """
import os
def lambda_handler(event, context):
    if event.get("end"):
        os._exit(3)
    return {"long": len(os.environ["TOKEN"])}
"""
    token = canaries.plant("a function's environment", "\"\\")
    functions = server.client("lambda")
    with canaries.asking("a function's environment"):
        arn = make.function(source, environment={"TOKEN": token})
        functions.get_function_configuration(FunctionName=arn)
    gateway = make.gateway("NONE", exceptionLevel="DEBUG")
    gateway.lambda_target("F", arn, [tool("run", end="boolean")])
    assert str(len(token)) in json.dumps(Wire(gateway.url).tool("F___run"))
    assert Wire(gateway.url).tool("F___run", end=True)["result"]["isError"] is True
    assert functions.invoke(FunctionName=arn, Payload=b'{"end": true}').get("FunctionError")
    too_much = {"TOKEN": canaries.plant("an environment that is too large") + "x" * 5000}
    assert fails(functions.update_function_configuration, FunctionName=arn, Environment={"Variables": too_much})


# --- pools -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def people(server, make):
    """A pool and its public side, for which nothing is signed."""
    pool = make.pool(["read"])
    anonymous = Config(signature_version=botocore.UNSIGNED, retries={"total_max_attempts": 1})
    public = boto3.client("cognito-idp", endpoint_url=server.endpoint, region_name=REGION, config=anonymous)
    return pool, server.client("cognito-idp"), public


def new_client(people, canaries, what: str, **more) -> dict:
    pool, cognito, _ = people
    flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    made = cognito.create_user_pool_client(
        UserPoolId=pool.id, ClientName=name("client"), ExplicitAuthFlows=flows, GenerateSecret=True, **more
    )["UserPoolClient"]
    canaries.grow(what, made["ClientSecret"])
    return made


def new_user(people, canaries, what: str) -> tuple:
    pool, cognito, _ = people
    username, password = name("user"), canaries.plant(what, "+a1&")
    temporary = canaries.plant(f"{what}, temporary")
    cognito.admin_create_user(UserPoolId=pool.id, Username=username, TemporaryPassword=temporary, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool.id, Username=username, Password=password, Permanent=True)
    return username, password


def test_people_sign_in_through_the_api(people, canaries):
    pool, cognito, public = people
    client = new_client(people, canaries, "a pool client's secret")
    username, password = new_user(people, canaries, "a password")
    digest = hmac.digest(client["ClientSecret"].encode(), (username + client["ClientId"]).encode(), hashlib.sha256)
    hashed = {"SECRET_HASH": base64.b64encode(digest).decode()}
    sign_in = lambda word, **more: public.initiate_auth(
        ClientId=client["ClientId"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": username, "PASSWORD": word, **hashed, **more},
    )
    result = sign_in(password)["AuthenticationResult"]
    for which in ("AccessToken", "IdToken", "RefreshToken"):
        canaries.grow(f"a person's {which}", result[which])
    assert fails(sign_in, canaries.plant("a wrong password")) == "NotAuthorizedException"
    assert fails(sign_in, password, SECRET_HASH=canaries.plant("a wrong secret hash")) == "NotAuthorizedException"
    refresh = lambda token: public.initiate_auth(
        ClientId=client["ClientId"], AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters={"REFRESH_TOKEN": token, **hashed}
    )
    again = refresh(result["RefreshToken"])["AuthenticationResult"]
    canaries.grow("a refreshed access token", again["AccessToken"])
    assert fails(refresh, canaries.plant("a refresh token that is none")) == "NotAuthorizedException"
    weak = canaries.plant("a password that is refused") + "x" * 300
    assert fails(cognito.admin_set_user_password, UserPoolId=pool.id, Username=username, Password=weak)
    cognito.admin_get_user(UserPoolId=pool.id, Username=username)


def test_tokens_of_a_pools_clients(people, make, canaries, printed):
    pool, _, _ = people
    client = pool.client("read")
    canaries.grow("the secret of a client of its own", client.secret)
    token = canaries.grow("a client's token", client.token())
    form = {"grant_type": "client_credentials", "client_id": client.id}
    for wrong in ({"client_secret": canaries.plant("a wrong client secret")}, {"client_secret": client.secret, "scope": "no/such"}):
        assert requests.post(pool.token_endpoint, data=form | wrong, timeout=30).status_code == 400
    basic = (client.id, canaries.plant("a wrong client secret, basic"))
    assert requests.post(pool.token_endpoint, data={"grant_type": "client_credentials"}, auth=basic, timeout=30).status_code in (400, 401)
    in_query = f"{pool.token_endpoint}?client_secret={canaries.plant('a client secret in the query')}"
    assert requests.post(in_query, data=form, timeout=30).status_code == 400
    gateway = make.gateway(pool.authorizer(client))
    assert Wire(gateway.url, token).tools() == []
    in_query = f"{gateway.url}?access_token={canaries.plant('a token in the query')}"
    assert requests.post(in_query, json={}, timeout=30).status_code == 401
    printed("pool", "rotate-key", pool.id)


def test_people_sign_in_on_the_pages(server, people, canaries):
    pool, cognito, _ = people
    client = new_client(people, canaries, "the secret of an application", **settings())
    username, password = new_user(people, canaries, "a password of the pages")

    class Users:
        pass

    users = Users()
    users.server, users.pool = server, pool.id
    browser = Browser(users, client["ClientId"], client["ClientSecret"])
    canaries.grow("a code verifier", browser.verifier)
    wrong = browser.submit(browser.page(), step="sign-in", username=username, password=canaries.plant("a wrong password of the pages"))
    assert wrong.status_code == 200, wrong.text
    page = browser.page()
    hidden = browser.submit(page, step="sign-in", username=username, password=password)
    code = browser.sent(hidden)["code"]
    canaries.grow("an authorization code", code)
    for cookie in browser.session.cookies:
        canaries.grow(f"the cookie {cookie.name}", cookie.value)
    got = browser.exchange(code).json()
    for which in ("access_token", "id_token", "refresh_token"):
        canaries.grow(f"the {which} of a code", got[which])
    assert browser.exchange(code).status_code == 400, "a code is good for once"
    signed_in = lambda what: canaries.grow(what, browser.signed_in(username, password)["code"])
    second = signed_in("a second code")
    assert browser.exchange(second, code_verifier=canaries.plant("a wrong verifier") + "x" * 43).status_code == 400
    third = browser.exchange(signed_in("a third code")).json()
    canaries.grow("a second refresh token", third["refresh_token"])
    refreshed = browser.refresh(third["refresh_token"]).json()
    for which in ("access_token", "refresh_token"):
        canaries.grow(f"the {which} of a refreshing", refreshed.get(which) or third[which])
    assert browser.refresh(canaries.plant("no refresh token")).status_code == 400
    bearer = {"Authorization": f"Bearer {refreshed['access_token']}"}
    assert requests.get(f"{browser.base}/oauth2/userInfo", headers=bearer, timeout=30).status_code == 200
    bearer = {"Authorization": f"Bearer {canaries.plant('a bearer for userInfo')}"}
    assert requests.get(f"{browser.base}/oauth2/userInfo", headers=bearer, timeout=30).status_code == 401
    revoke = {"token": third["refresh_token"], "client_id": client["ClientId"], "client_secret": client["ClientSecret"]}
    assert requests.post(f"{browser.base}/oauth2/revoke", data=revoke, timeout=30).status_code == 200
    revoke["client_secret"] = canaries.plant("a wrong secret to revoke with")
    assert requests.post(f"{browser.base}/oauth2/revoke", data=revoke, timeout=30).status_code in (400, 401)


def test_tokens_of_workloads(data, canaries, issuer):
    person = canaries.grow("a person's token", issuer.token(sub="bob", aud="app"))
    ask = lambda token: data.get_workload_access_token_for_jwt(workloadName="agent", userToken=token)
    canaries.grow("a workload's token for a person", ask(person)["workloadAccessToken"])
    by_id = data.get_workload_access_token_for_user_id(workloadName="agent", userId="somebody")
    canaries.grow("a workload's token for an id", by_id["workloadAccessToken"])
    stranger = canaries.grow("a stranger's token", issuer.token(sub="bob", iss="https://stranger.example"))
    for wrong in (stranger, canaries.plant("a person's token that is none")):
        assert fails(ask, wrong) == "ValidationException"


# --- IAM -------------------------------------------------------------------------------------------------------------


def test_keys_of_iam(server, make, canaries, printed):
    user = make.user({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    canaries.grow("a user's secret key", user.secret)
    assert user.client("sts").get_caller_identity()["Arn"] == user.arn
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": user.arn}, "Action": "sts:AssumeRole"}]}
    session = make.assume(make.role(trust), by=user)
    canaries.grow("a session's secret key", session.secret)
    canaries.grow("a session's token", session.token)
    session.client("sts").get_caller_identity()
    wrong = server.client("sts", user.key, canaries.plant("a wrong secret key"))
    assert fails(wrong.get_caller_identity) == "SignatureDoesNotMatch"
    wrong = server.client("sts", session.key, session.secret, canaries.plant("a wrong session token"))
    assert fails(wrong.get_caller_identity)
    canaries.grow("root's secret key", server.root_key[1])
    # What makes credentials prints them, and so does what hands them to a shell.
    account = json.loads(server.run("account", "create", "--json").stdout)
    canaries.grow("another root's secret key", account["secretAccessKey"])
    printed("account", "list")
    printed("env", "--json", allowed=("root's secret key",))
    objects = server.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
    objects.create_bucket(Bucket="canaries", CreateBucketConfiguration={"LocationConstraint": REGION})
    objects.put_object(Bucket="canaries", Key="it", Body=b"it")
    signed = objects.generate_presigned_url("get_object", Params={"Bucket": "canaries", "Key": "it"}, ExpiresIn=3600)
    assert requests.get(signed, timeout=30).content == b"it"
    canaries.grow("a presigned signature", urllib.parse.parse_qs(urllib.parse.urlsplit(signed).query)["X-Amz-Signature"][0])


# --- what was written and said ---------------------------------------------------------------------------------------


def test_an_answer_holds_nothing_that_it_is_not_asked_for(canaries):
    """An answer that gives out what the server just made is the one that is asked for it: the first that holds it."""
    first = {}
    for what, secret in canaries.grown.items():
        for index, (_, content, _) in enumerate(canaries.answers):
            if secret.encode() in content:
                first.setdefault(what, index)
                break
    held = []
    for index, (where, content, asked) in enumerate(canaries.answers):
        allowed = {*asked, *(what for what, at in first.items() if at == index)}
        held += [f"{where}: {it}" for it in canaries.found(content, allowed)]
    assert len(canaries.answers) > 150 and not held, held


def test_the_verbs_print_nothing(server, canaries, printed):
    printed("audit", "tail", "--lines", "5000", "--json")
    printed("audit", "tail", "--lines", "5000")
    printed("identity", "list")
    printed("mail", "list", "--json")
    held = [f"{where}: {it}" for where, content, allowed in printed.kept for it in canaries.found(content, allowed)]
    assert not held, held
    assert b"GetResourceOauth2Token" in b"".join(content for where, content, _ in printed.kept if "audit" in where)


def test_the_log_at_its_most_verbose_holds_nothing(server, canaries):
    log = server.log_file.read_bytes()
    assert b"TRACE" in log and len(log) > 100_000
    held = canaries.found(log)
    assert not held, held


def test_no_page_of_the_database_and_no_file_holds_anything(server, canaries):
    """As they are on the disk: the database with its journals while the server runs, after a kill, and in the end. What one
    needs to open them is in files of its own: the master key, and root's credentials."""
    held = []
    for when in ("running", "killed", "ended"):
        if when == "killed":
            server.kill()
            server.start()
        elif when == "ended":
            server.stop()
        files = [path for path in server.data_dir.rglob("*") if path.is_file()]
        assert server.database.url or any(path.name.endswith(".db") for path in files)
        for path in files:
            allowed = ("root's secret key",) if path.name == "credentials" else ()
            held += [f"{when}, {path.name}: {it}" for it in canaries.found(path.read_bytes(), allowed)]
        held += [f"{when}, the database: {it}" for it in canaries.found(rows(server))]
    held += [f"the log: {it}" for it in canaries.found(server.log_file.read_bytes())]
    assert not held, held


def rows(server) -> bytes:
    """Every row of PostgreSQL's tables, as text; SQLite's are in its files."""
    if not server.database.url:
        return b""
    connection = server.database.connect()
    with contextlib.closing(connection), contextlib.closing(connection.cursor()) as cursor:
        cursor.execute("SELECT format('%I', table_name) FROM information_schema.tables WHERE table_schema = 'public'")
        tables = [table for [table] in cursor.fetchall()]
        assert len(tables) > 10
        kept = []
        for table in tables:
            cursor.execute(f"SELECT t::text FROM {table} t")
            kept += [row.encode() for [row] in cursor.fetchall()]
    return b"\n".join(kept)


def test_the_search_finds_what_it_looks_for():
    """The search itself: each form is found, beside others, and what is allowed is not."""
    canaries = Canaries()
    planted, grown = canaries.plant("one", "+/"), canaries.grow("two", "another-secret-of-some-length")
    for secret, what in ((planted, "one"), (grown, "two")):
        for form, text in forms(secret).items():
            assert any(it.startswith(f"{what}, ") for it in canaries.found(b"..." + text + b"...")), form
        for before in (b"", b"u", b"us", b"user:"):
            assert canaries.found(base64.b64encode(before + secret.encode() + b"!?"))
        assert not canaries.found(f"{secret} {secret}".encode(), [what])
    assert not canaries.found(b"nothing at all")
