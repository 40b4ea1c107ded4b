"""Agent runtimes at the edge: who may call an agent, whose its sessions are, and what passes between the two."""

import asyncio
import base64
import hashlib
import json
import time
import urllib.parse
import uuid

import pytest
import requests
import websockets
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from websockets.exceptions import InvalidStatus

from portcullis import ACCOUNT, REGION
from runtimes import RUNTIME_TRUST, SESSION, USER, agent, by_url, runtime
from scenery import allow, audited, name, refusal, until

INVOKE = "bedrock-agentcore:InvokeAgentRuntime"


@pytest.fixture(scope="module")
def app():
    with agent() as url:
        yield url


@pytest.fixture(scope="module")
def pool(make):
    return make.pool(["invoke", "other"])


@pytest.fixture(scope="module")
def ada(pool):
    return pool.client("invoke")


@pytest.fixture(scope="module")
def bob(pool):
    return pool.client("invoke")


@pytest.fixture(scope="module")
def by_token(make, app, pool, ada, bob):
    """The guide's runtime of section 4.6."""
    return runtime(
        make,
        by_url(app),
        authorizerConfiguration=pool.authorizer(ada, bob),
        requestHeaderConfiguration={"requestHeaderAllowlist": ["Authorization", "X-Tenant"]},
    )


@pytest.fixture(scope="module")
def by_signature(make, app):
    return runtime(make, by_url(app))


def session() -> str:
    return f"session-{uuid.uuid4()}"


# --- the story ---------------------------------------------------------------------------------------------------------


def test_an_agent_is_invoked_with_boto3(by_signature, data):
    wanted = session()
    answer = data.invoke_agent_runtime(
        agentRuntimeArn=by_signature.arn, runtimeSessionId=wanted, payload=json.dumps({"prompt": "hi"}).encode()
    )
    assert answer["statusCode"] == 200 and answer["runtimeSessionId"] == wanted
    assert answer["contentType"].startswith("application/json")
    told = json.loads(answer["response"].read())
    assert told["payload"] == {"prompt": "hi"} and told["session"] == wanted
    # boto3 gives a session of its own where the caller names none.
    assert len(by_signature.invoke(data, {})["session"]) == 36


def test_an_agent_is_invoked_with_a_token(by_token, ada):
    # The guide's own session ids have 23 characters.
    wanted = "runtime-20260101T000000"
    answer = by_token.post({"prompt": "hi"}, ada.token(), wanted)
    assert answer.status_code == 200, answer.text
    assert answer.headers[SESSION] == wanted and answer.json()["session"] == wanted
    assert answer.headers["x-amzn-requestid"]
    # A session is minted where none is named.
    minted = by_token.post({}, ada.token())
    assert uuid.UUID(minted.headers[SESSION]) and minted.json()["session"] == minted.headers[SESSION]


def test_by_id_beside_the_account(by_signature, server, data):
    told = data.invoke_agent_runtime(agentRuntimeArn=by_signature.id, accountId=ACCOUNT, payload=b"{}")
    assert told["statusCode"] == 200
    assert refusal(data.invoke_agent_runtime, agentRuntimeArn=by_signature.id, payload=b"{}")[1] == "ValidationException"


def test_the_guides_agent_is_not_impersonated(by_token, ada, bob):
    subject = by_token.post({"userId": bob.id}, ada.token()).json()
    assert subject["user"] == ada.id and subject["payload"]["userId"] == bob.id


def test_a_stream_comes_event_by_event(by_token, ada):
    token = ada.token()
    with by_token.post({"stream": True}, token, stream=True) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == b'data: {"event": 1}'
        # The second event is made only after the first has come through.
        assert by_token.post({"goOn": True}, token).status_code == 200
        assert b'data: {"event": 2}' in list(lines)


def test_what_the_agent_is_told(by_token, make, ada, control):
    control.update_workload_identity(name=by_token.id, allowedResourceOauth2ReturnUrls=["https://app.example/back"])
    given = {
        "X-Tenant": "acme",
        "X-Other": "no",
        "Cookie": "a=b",
        "X-Forwarded-For": "1.2.3.4",
        "WorkloadAccessToken": "forged",
        "X-Amz-Bedrock-AgentCore-Identity-WAT": "forged",
        "OAuth2CallbackUrl": "https://evil.example",
        USER: "forged",
        "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Team": "red",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "baggage": "k=v",
    }
    told = by_token.post({}, ada.token(), headers=given).json()
    seen = told["headers"]
    assert seen["x-tenant"] == "acme" and seen["x-amzn-bedrock-agentcore-runtime-custom-team"] == "red"
    assert seen["authorization"].startswith("Bearer ey") and seen["traceparent"] == given["traceparent"]
    assert not {"x-other", "cookie", "x-forwarded-for", USER.lower()} & set(seen)
    assert "forged" not in json.dumps(told) and "evil" not in json.dumps(told)
    assert told["callback"] == "https://app.example/back"
    # The token is the runtime's own identity's, for the person who called.
    data = make.server.client("bedrock-agentcore")
    assert len(told["workloadToken"]) > 40
    refused = refusal(
        data.get_resource_api_key, workloadIdentityToken=told["workloadToken"], resourceCredentialProviderName="nope"
    )
    assert refused[1] == "ResourceNotFoundException"
    # Nobody gets one by hand: the identity is the runtime's.
    assert "linked to a service" in refusal(data.get_workload_access_token, workloadName=by_token.id)[2]


def test_a_header_that_is_too_long_is_refused(by_token, ada):
    refused = by_token.post({}, ada.token(), headers={"X-Tenant": "a" * 5000})
    assert refused.status_code == 400 and "longer" in refused.json()["message"]


def test_large_payloads(by_token, by_signature, ada, data):
    blob = {"size": True, "blob": "x" * (9 << 20)}
    assert by_token.post(blob, ada.token()).json() == {"length": 9 << 20}
    assert by_signature.invoke(data, blob) == {"length": 9 << 20}

    def endless():
        for _ in range(101):
            yield b" " * (1 << 20)

    refused = requests.post(by_token.url, data=endless(), headers={"Authorization": f"Bearer {ada.token()}"}, timeout=120)
    assert refused.status_code == 400 and "larger" in refused.json()["message"]


# --- who may -----------------------------------------------------------------------------------------------------------


def test_challenges_lead_to_the_metadata(by_token, pool):
    refused = by_token.post({})
    assert refused.status_code == 401 and refused.headers["x-amzn-ErrorType"] == "UnauthorizedException"
    challenge = refused.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer resource_metadata=")
    metadata = requests.get(challenge.split('"')[1], timeout=10).json()
    assert metadata["authorization_servers"] == [pool.issuer]
    assert metadata["resource"] == f"{by_token.url}?qualifier=DEFAULT"
    assert by_token.post({}, headers={"Authorization": "Basic eA=="}).status_code == 401
    wrong = by_token.post({}, "ey.not.one")
    assert wrong.status_code == 401 and 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]


def test_tokens_of_others_are_refused(by_token, make, pool):
    stranger = pool.client("invoke")
    assert by_token.post({}, stranger.token()).status_code == 401
    other = make.pool(["invoke"])
    assert by_token.post({}, other.client("invoke").token()).status_code == 401


def test_a_scope_that_is_missing(make, app, pool):
    client = pool.client("invoke", "other")
    wanted = f"{pool.resource_server}/other"
    guarded = runtime(make, by_url(app), authorizerConfiguration=pool.authorizer(client, allowedScopes=[wanted]))
    refused = guarded.post({}, client.token(f"{pool.resource_server}/invoke"))
    assert refused.status_code == 403 and "insufficient_scope" in refused.headers["WWW-Authenticate"]
    assert guarded.post({}, client.token(wanted)).status_code == 200


def test_the_wrong_way_of_showing_who_one_is(by_token, by_signature, ada, data):
    assert "mismatch" in refusal(by_token.invoke, data, {})[2]
    refused = by_signature.post({}, ada.token())
    assert refused.status_code == 403 and "mismatch" in refused.json()["message"]
    nobody = by_signature.post({})
    assert nobody.status_code == 403 and "WWW-Authenticate" not in nobody.headers


def test_policies_decide_about_the_runtime_and_its_endpoint(by_signature, make):
    own, endpoint = by_signature.arn, f"{by_signature.arn}/runtime-endpoint/DEFAULT"
    other = own[:-1] + ("a" if own[-1] != "a" else "b")
    deny = {"Effect": "Deny", "Action": INVOKE, "Resource": endpoint}
    for policy, is_allowed in [
        (allow(INVOKE, resource=own), True),
        (allow(INVOKE, resource=endpoint), True),
        (allow(INVOKE, resource=f"{own}/runtime-endpoint/other"), False),
        (allow(INVOKE, resource=other), False),
        (allow("bedrock-agentcore:GetAgentRuntime"), False),
        ({"Version": "2012-10-17", "Statement": [*allow(INVOKE)["Statement"], deny]}, False),
    ]:
        client = make.user(policy).client("bedrock-agentcore")
        if is_allowed:
            assert by_signature.invoke(client, {})["session"]
        else:
            status, code, message = refusal(by_signature.invoke, client, {})
            assert (status, code) == (403, "AccessDeniedException") and INVOKE in message


def speaks(arn: str, principal, *actions: str, effect="Allow", **condition) -> str:
    """A policy of a runtime or an endpoint."""
    statement = {"Effect": effect, "Principal": principal, "Action": list(actions or [INVOKE]), "Resource": arn}
    statement |= {"Condition": condition} if condition else {}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_runtimes_policy_and_its_endpoints_let_in_whom_both_name(make, app):
    mine = runtime(make, by_url(app))
    control, endpoint = make.server.client("bedrock-agentcore-control"), f"{mine.arn}/runtime-endpoint/DEFAULT"
    attach = lambda arn, *said, **more: control.put_resource_policy(resourceArn=arn, policy=speaks(arn, *said, **more))
    named, insider = make.user(), make.user(allow(INVOKE, resource=mine.arn))

    def outcome(who) -> str:
        try:
            return "let in" if mine.invoke(who.client("bedrock-agentcore"), {})["session"] else "nothing"
        except ClientError as error:
            return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"

    assert "no identity-based policy allows" in outcome(named)
    attach(mine.arn, {"AWS": named.arn})
    assert outcome(named).endswith("allows the bedrock-agentcore:InvokeAgentRuntime action")
    attach(endpoint, {"AWS": named.arn})
    assert outcome(named) == outcome(insider) == "let in"
    # For a user it speaks only by an action of its own.
    refused = refusal(mine.invoke, named.client("bedrock-agentcore"), {}, runtimeUserId="ada")
    assert refused[1] == "AccessDeniedException" and f"{INVOKE}ForUser" in refused[2]
    # What denies one of the two denies the call.
    attach(endpoint, {"AWS": [insider.arn, named.arn]}, effect="Deny")
    for who in (named, insider):
        assert outcome(who).endswith("with an explicit deny in a resource-based policy")
    control.delete_resource_policy(resourceArn=endpoint)
    assert outcome(insider) == "let in" and outcome(named).startswith("AccessDenied")
    # Locked to one caller, as the guide locks a runtime to its gateway.
    lock = {"ArnNotEquals": {"aws:PrincipalArn": named.arn}}
    attach(mine.arn, "*", effect="Deny", **lock)
    assert outcome(insider).endswith("with an explicit deny in a resource-based policy")
    assert "no identity-based policy" in outcome(named)


def test_callers_with_tokens_meet_the_policies_after_their_token(by_token, make, app, pool, ada):
    mine = runtime(make, by_url(app), authorizerConfiguration=pool.authorizer(ada))
    control = make.server.client("bedrock-agentcore-control")
    attach = lambda where: control.put_resource_policy(
        resourceArn=mine.arn, policy=speaks(mine.arn, "*", IpAddress={"aws:SourceIp": where})
    )
    attach("127.0.0.0/8")
    assert mine.post({}, ada.token()).status_code == 200
    assert mine.post({}, "no-token").status_code == mine.post({}).status_code == 401
    attach("203.0.113.0/24")
    refused = mine.post({}, ada.token())
    assert refused.status_code == 403 and "resource-based policy" in refused.json()["message"]
    assert mine.post({}, "no-token").status_code == 401
    assert refused_socket(socket_url(mine), additional_headers={"Authorization": f"Bearer {ada.token()}"}) == 403
    control.delete_resource_policy(resourceArn=mine.arn)
    assert mine.post({}, ada.token()).status_code == 200
    named = refusal(control.put_resource_policy, resourceArn=mine.arn, policy=speaks(mine.arn, {"AWS": ACCOUNT}))
    assert named[1] == "ValidationException" and 'Principal must be "*"' in named[2]


def test_policies_of_runtimes_are_held_against_what_aws_takes(make, app):
    mine = runtime(make, by_url(app))
    control = make.server.client("bedrock-agentcore-control")
    endpoint = f"{mine.arn}/runtime-endpoint/DEFAULT"
    for arn, text, problem in [
        (mine.arn, speaks("*", "*"), "exact ARN"),
        (mine.arn, speaks(endpoint, "*"), "exact ARN"),
        (endpoint, speaks(mine.arn, "*"), "exact ARN"),
        (mine.arn, speaks(mine.arn, "*", "bedrock-agentcore:InvokeGateway"), "Action must be"),
        (mine.arn, speaks(mine.arn, "*", effect="allow"), "Invalid effect"),
    ]:
        refused = refusal(control.put_resource_policy, resourceArn=arn, policy=text)
        assert refused[1] == "ValidationException" and problem in refused[2], refused
    for absent in (f"{mine.arn}x", f"{mine.arn}/runtime-endpoint/other"):
        refused = refusal(control.put_resource_policy, resourceArn=absent, policy=speaks(absent, "*"))
        assert refused[1] == "ResourceNotFoundException"
    for arn in (mine.arn, endpoint):
        control.put_resource_policy(resourceArn=arn, policy=speaks(arn, "*"))
    control.delete_agent_runtime(agentRuntimeId=mine.id)
    for arn in (mine.arn, endpoint):
        assert refusal(control.get_resource_policy, resourceArn=arn)[1] == "ResourceNotFoundException"


def test_a_boundary_and_tags_of_the_caller_count(by_signature, make):
    """Permissions are those of the control planes: boundaries bound them, and conditions see the caller's tags."""
    may = allow(INVOKE, StringEquals={"aws:PrincipalTag/team": "blue"})
    caller = make.user(may)
    iam, data = make.server.client("iam"), caller.client("bedrock-agentcore")
    user = caller.arn.rpartition("/")[2]
    assert refusal(by_signature.invoke, data, {})[1] == "AccessDeniedException"
    iam.tag_user(UserName=user, Tags=[{"Key": "team", "Value": "blue"}])
    assert by_signature.invoke(data, {})["session"]
    bound = iam.create_policy(PolicyName=name("bound"), PolicyDocument=json.dumps(allow("s3:*")))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary=bound)
    refused = refusal(by_signature.invoke, data, {})
    assert refused[1] == "AccessDeniedException" and "no permissions boundary allows" in refused[2]


def test_a_runtime_that_does_not_exist(by_signature, by_token, make, data, ada):
    gone = by_signature.arn[:-10] + "0123456789"
    payload = {"payload": b"{}", "agentRuntimeArn": gone}
    assert refusal(data.invoke_agent_runtime, **payload)[:2] == (404, "ResourceNotFoundException")
    # Who may not call it does not learn that it is not there.
    nobody = make.user(allow("sts:GetCallerIdentity")).client("bedrock-agentcore")
    assert refusal(nobody.invoke_agent_runtime, **payload)[:2] == (403, "AccessDeniedException")
    assert by_token.post({}, ada.token(), qualifier="no_such").status_code == 404
    # A version is no endpoint: what an older one let in must not be had by its number.
    assert by_token.post({}, ada.token(), qualifier="1").status_code == 404


def test_speaking_for_a_user_needs_a_permission(by_signature, make):
    caller = make.user(allow(INVOKE)).client("bedrock-agentcore")
    status, code, message = refusal(by_signature.invoke, caller, {}, runtimeUserId="ada")
    assert (status, code) == (403, "AccessDeniedException") and f"{INVOKE}ForUser" in message
    speaker = make.user(allow(INVOKE, f"{INVOKE}ForUser")).client("bedrock-agentcore")
    told = by_signature.invoke(speaker, {}, runtimeUserId="ada")
    assert told["workloadToken"]


def test_a_signature_of_something_else(by_signature, server):
    key, secret = server.root_key
    url = f"{by_signature.url}?qualifier=DEFAULT"
    signed = AWSRequest("POST", url, data=b"{}", headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(key, secret), "bedrock-agentcore", REGION).add_auth(signed)
    assert requests.post(url, data=b"{}", headers=dict(signed.headers), timeout=10).status_code == 200
    for changes in [{"data": b'{"a":1}'}, {"headers": {**dict(signed.headers), USER: "eve"}}]:
        request = {"data": b"{}", "headers": dict(signed.headers), **changes}
        refused = requests.post(url, timeout=10, **request)
        assert refused.status_code == 403, refused.text


# --- sessions ----------------------------------------------------------------------------------------------------------


def test_a_session_is_its_first_callers(by_token, ada, bob):
    mine = session()
    assert by_token.post({}, ada.token(), mine).status_code == 200
    # Another token of the same subject is the same caller.
    assert by_token.post({}, ada.token(), mine).status_code == 200
    refused = by_token.post({}, bob.token(), mine)
    assert refused.status_code == 403 and refused.headers["x-amzn-ErrorType"] == "AccessDeniedException"
    assert "session" not in refused.json()["message"].lower() and mine not in refused.text


def test_a_session_outlives_the_server(start_server, app):
    server = start_server()
    from scenery import Scenery

    own = Scenery(server)
    pool = own.pool(["invoke"])
    ada, bob = pool.client("invoke"), pool.client("invoke")
    guarded = runtime(own, by_url(app), authorizerConfiguration=pool.authorizer(ada, bob))
    assert guarded.post({}, ada.token(), "s-1").status_code == 200
    server.restart()
    assert guarded.post({}, bob.token(), "s-1").status_code == 403
    assert guarded.post({}, ada.token(), "s-1").status_code == 200
    # Neither ids nor owners stand in the database.
    if server.database.kind == "sqlite":
        pages = b"".join(path.read_bytes() for path in server.data_dir.glob("portcullis.db*"))
        assert hashlib.sha256(f"session\n{guarded.arn}\ns-1".encode()).hexdigest().encode() in pages


def test_signed_sessions_are_the_roles_and_the_users(by_signature, make):
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
    }
    role = make.role(trust, allow("bedrock-agentcore:*"))
    one, again = (make.assume(role, word).client("bedrock-agentcore") for word in ("one", "again"))
    other = make.user(allow("bedrock-agentcore:*")).client("bedrock-agentcore")
    mine = session()
    assert by_signature.invoke(one, {}, runtimeSessionId=mine)["session"] == mine
    assert by_signature.invoke(again, {}, runtimeSessionId=mine)["session"] == mine
    assert refusal(by_signature.invoke, other, {}, runtimeSessionId=mine)[1] == "AccessDeniedException"
    refused = refusal(by_signature.invoke, one, {}, runtimeSessionId=mine, runtimeUserId="ada")
    assert refused[1] == "AccessDeniedException"


def test_sessions_are_named_as_aws_names_them(by_signature, by_token, data, ada, server):
    for wrong in ("", "a" * 257, "a b"):
        answer = by_token.post({}, ada.token(), headers={SESSION: wrong})
        assert answer.status_code == (400 if wrong else 200), wrong
    key, secret = server.root_key
    url = f"{by_signature.url}?qualifier=DEFAULT"
    signed = AWSRequest("POST", url, data=b"{}", headers={SESSION: "a" * 32})
    SigV4Auth(Credentials(key, secret), "bedrock-agentcore", REGION).add_auth(signed)
    assert requests.post(url, data=b"{}", headers=dict(signed.headers), timeout=10).status_code == 400


def test_sessions_are_stopped_by_those_who_opened_them(by_signature, by_token, make, data, ada, bob):
    mine = session()
    by_signature.invoke(data, {}, runtimeSessionId=mine)
    stopped = data.stop_runtime_session(agentRuntimeArn=by_signature.arn, runtimeSessionId=mine)
    assert stopped["statusCode"] == 200 and stopped["runtimeSessionId"] == mine
    other = make.user(allow("bedrock-agentcore:*")).client("bedrock-agentcore")
    gone = refusal(other.stop_runtime_session, agentRuntimeArn=by_signature.arn, runtimeSessionId=session())
    foreign = refusal(other.stop_runtime_session, agentRuntimeArn=by_signature.arn, runtimeSessionId=mine)
    assert gone == foreign and gone[:2] == (404, "ResourceNotFoundException")
    denied = make.user(allow(INVOKE)).client("bedrock-agentcore")
    assert refusal(denied.stop_runtime_session, agentRuntimeArn=by_signature.arn, runtimeSessionId=mine)[0] == 403
    by_token.post({}, ada.token(), mine)
    url = by_token.url.replace("/invocations", "/stopruntimesession")
    stop = lambda token: requests.post(
        url, headers={SESSION: mine, "Authorization": f"Bearer {token}"}, json={}, timeout=10
    )
    assert stop(bob.token()).status_code == 404
    assert stop(ada.token()).status_code == 200


# --- failures ----------------------------------------------------------------------------------------------------------


def test_an_agent_that_fails_is_told_as_that(by_signature, by_token, ada, data):
    status, code, message = refusal(by_signature.invoke, data, {"fail": True})
    assert (status, code) == (424, "RuntimeClientError") and "500" in message and "s3cret" not in message
    refused = by_token.post({"fail": True}, ada.token())
    assert refused.status_code == 424 and "s3cret" not in refused.text


def test_an_agent_that_is_not_there(make, data):
    absent = runtime(make, by_url("http://127.0.0.1:1"))
    status, code, message = refusal(absent.invoke, data, {})
    assert (status, code) == (424, "RuntimeClientError") and "127.0.0.1" not in message


@pytest.mark.parametrize("url", ["http://169.254.169.254", "http://10.1.2.3:8080", "http://[::ffff:169.254.169.254]"])
def test_an_address_that_the_operator_does_not_allow_is_not_dialled(make, data, url, server):
    forbidden = runtime(make, by_url(url))
    assert refusal(forbidden.invoke, data, {})[1] == "RuntimeClientError"
    assert "An agent cannot be reached" in server.log()


def test_everything_leaves_a_record(by_token, server, ada):
    by_token.post({}, ada.token())
    by_token.post({})
    about = lambda event: by_token.arn in (event.get("resource") or "") and event["kind"] == "runtime"
    done = audited(server, lambda event: about(event) and event["outcome"] == "success")[-1]
    assert done["action"] == INVOKE and done["decision"] == "allow"
    assert done["actor"] == {"type": "token", "issuer": ada.pool.issuer, "subject": ada.id, "clientId": ada.id}
    assert done["resource"].endswith("/runtime-endpoint/DEFAULT")
    refused = audited(server, lambda event: about(event) and event["outcome"] == "refused")[-1]
    assert refused["decision"] == "deny" and refused["error"] == "UnauthorizedException"
    metrics = requests.get(f"{server.endpoint}/metrics", timeout=10).text
    assert f'runtime="{by_token.id}",operation="InvokeAgentRuntime",outcome="success"' in metrics


# --- websockets --------------------------------------------------------------------------------------------------------


def socket_url(target, **query) -> str:
    query = {"qualifier": "DEFAULT", **query}
    return target.url.replace("http://", "ws://").replace("/invocations", "/ws") + "?" + urllib.parse.urlencode(query)


def talk(url, **settings) -> dict:
    """Opens a WebSocket, says a word, and gives what the agent knew."""

    async def talking():
        async with websockets.connect(url, **settings) as socket:
            told = json.loads(await socket.recv())
            await socket.send("hi")
            assert await socket.recv() == "echo hi"
            return {**told, "protocol": socket.subprotocol}

    return asyncio.run(asyncio.wait_for(talking(), 30))


def refused_socket(url, **settings) -> int:
    with pytest.raises(InvalidStatus) as caught:
        talk(url, **settings)
    return caught.value.response.status_code


def test_a_websocket_with_a_token(by_token, ada, bob):
    mine = session()
    bearer = {"Authorization": f"Bearer {ada.token()}", SESSION: mine}
    assert talk(socket_url(by_token), additional_headers=bearer)["session"] == mine
    # A browser offers its token as a protocol.
    offered = lambda token: [
        f"base64UrlBearerAuthorization.{base64.urlsafe_b64encode(token.encode()).decode().rstrip('=')}",
        "base64UrlBearerAuthorization",
    ]
    told = talk(socket_url(by_token, **{SESSION: mine}), subprotocols=offered(ada.token()))
    assert told["session"] == mine and told["protocol"] == "base64UrlBearerAuthorization"
    assert refused_socket(socket_url(by_token, **{SESSION: mine}), subprotocols=offered(bob.token())) == 403
    assert refused_socket(socket_url(by_token)) == 401
    assert refused_socket(socket_url(by_token), subprotocols=offered("ey.not.one")) == 401


def test_a_websocket_with_a_signature(by_signature, make, server):
    caller = make.user(allow("bedrock-agentcore:InvokeAgentRuntimeWithWebSocketStream"))
    may_not = make.user(allow(INVOKE))
    mine = session()
    url = socket_url(by_signature)

    def signed(who):
        request = AWSRequest("GET", url.replace("ws://", "http://"))
        SigV4Auth(Credentials(who.key, who.secret), "bedrock-agentcore", REGION).add_auth(request)
        return {**dict(request.headers), SESSION: mine}

    assert talk(url, additional_headers=signed(caller))["session"] == mine
    assert refused_socket(url, additional_headers=signed(may_not)) == 403
    assert refused_socket(url) == 403

    def presigned(who, expires=300):
        request = AWSRequest("GET", socket_url(by_signature, **{SESSION: mine}).replace("ws://", "http://"))
        SigV4QueryAuth(Credentials(who.key, who.secret), "bedrock-agentcore", REGION, expires=expires).add_auth(request)
        return request.url.replace("http://", "ws://")

    assert talk(presigned(caller))["session"] == mine
    # What the URL says nobody says anew who has it.
    for header in (SESSION, "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Role"):
        assert refused_socket(presigned(caller), additional_headers={header: session()}) == 403
    assert refused_socket(presigned(may_not)) == 403
    assert refused_socket(presigned(caller).replace(mine, session())) == 403
    brief = presigned(caller, 1)
    time.sleep(2.1)
    assert refused_socket(brief) == 403


# --- through a gateway -------------------------------------------------------------------------------------------------


def test_an_agent_is_a_target_of_a_gateway(make, by_signature, by_token, ada, bob, pool):
    role = make.role(RUNTIME_TRUST, allow(INVOKE, "bedrock-agentcore:GetResourceOauth2Token"))
    gateway = make.gateway(pool.authorizer(ada, bob), roleArn=role, protocolType=None)
    control = gateway.control

    def target(runtime_arn, kind):
        made = control.create_gateway_target(
            gatewayIdentifier=gateway.id,
            name=name("agent"),
            targetConfiguration={"http": {"agentcoreRuntime": {"arn": runtime_arn}}},
            credentialProviderConfigurations=[{"credentialProviderType": kind}],
        )
        look = lambda: control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=made["targetId"])
        seen = until("the target", look, lambda seen: seen["status"] == "READY")
        return f"{gateway.server.endpoint}/gateways/{gateway.id}/{seen['name']}/invocations"

    def call(url, client, session_id):
        headers = {"Authorization": f"Bearer {client.token()}", SESSION: session_id}
        return requests.post(url, json={"a": 1}, headers=headers, timeout=30)

    mine = session()
    signed = target(by_signature.arn, "GATEWAY_IAM_ROLE")
    answer = call(signed, ada, mine)
    assert answer.status_code == 200, answer.text
    assert answer.json()["session"] == mine and answer.headers[SESSION] == mine
    assert "authorization" not in answer.json()["headers"]
    # One role calls for both, and their sessions are their own all the same.
    assert call(signed, bob, mine).status_code == 403
    passed_on = target(by_token.arn, "JWT_PASSTHROUGH")
    assert call(passed_on, ada, session()).json()["user"] == ada.id
