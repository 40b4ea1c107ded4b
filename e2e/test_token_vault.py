"""The token vault and its keys: what is under a key of its owner is used while that key may be; a rotation holds nobody up;
and whoever steals the database has no secret of it, however written."""

import base64
import fcntl
import json
import re
import shutil
import sys
import threading
import urllib.parse
import zlib
from pathlib import Path

import pytest
import requests
from botocore.exceptions import ClientError

import echo_service
import scenery
from keys import KMS, NO_KEY, SERVICE_MANAGED, customer_managed, lose, rows
from outbound import api_key
from portcullis import ACCOUNT, REGION, Server
from scenery import allow
from test_adversity_start import serve
from test_http_credentials import http_target

VAULT = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:token-vault/default"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of this module's own, whose files are searched."""
    with Server(tmp_path_factory.mktemp("vault"), environment={"PORTCULLIS_LOG": "debug"}) as own:
        yield own


@pytest.fixture(scope="module")
def agentcore(server):
    return server.client("bedrock-agentcore-control")


@pytest.fixture(scope="module")
def kms(server):
    return server.client("kms")


@pytest.fixture
def service():
    running = echo_service.Service()
    yield running
    running.end()


@pytest.fixture
def key(kms):
    return kms.create_key()["KeyMetadata"]["Arn"]


@pytest.fixture
def vault(agentcore, kms):
    """The vault, which is under the server's key again after the test."""
    yield agentcore
    now = agentcore.get_token_vault()["kmsConfiguration"]
    if now["keyType"] == "CustomerManagedKey":
        agentcore.set_token_vault_cmk(kmsConfiguration=SERVICE_MANAGED)


def refused(call, **request) -> tuple:
    with pytest.raises(ClientError) as raised:
        call(**request)
    told = raised.value.response["Error"]
    return told["Code"], told["Message"]


# --- the key of the vault --------------------------------------------------------------------------------------------


def test_a_vault_is_under_the_key_that_it_was_put_under(vault, key):
    before = vault.get_token_vault(tokenVaultId="default")
    assert (before["tokenVaultId"], before["kmsConfiguration"]) == ("default", SERVICE_MANAGED)
    put = vault.set_token_vault_cmk(tokenVaultId="default", kmsConfiguration=customer_managed(key))
    after = vault.get_token_vault()
    assert after["kmsConfiguration"] == put["kmsConfiguration"] == customer_managed(key)
    assert after["lastModifiedDate"] == put["lastModifiedDate"] > before["lastModifiedDate"]
    assert refused(vault.get_token_vault, tokenVaultId="another")[0] == "ResourceNotFoundException"


def test_a_key_that_is_disabled_denies_and_nothing_leaks(server, vault, kms, key, make, service):
    gateway = make.gateway(protocolType=None, roleArn=make.vault_role())
    credential = api_key(server, "a-key-under-a-key")
    arn = credential["credentialProvider"]["apiKeyCredentialProvider"]["providerArn"]
    url = http_target(gateway, service, credential)
    vault.set_token_vault_cmk(kmsConfiguration=customer_managed(key))
    assert requests.get(f"{url}/first", timeout=20).status_code == 200
    assert "a-key-under-a-key" in json.dumps(service.seen)
    kms.disable_key(KeyId=key)
    before = len(service.seen)
    answer = requests.get(f"{url}/second", timeout=20)
    assert answer.status_code >= 400 and len(service.seen) == before
    assert "a-key-under-a-key" not in answer.text
    secrets = server.client("secretsmanager")
    held = f"bedrock-agentcore-identity!default/apikey/{arn.rpartition('/')[2]}"
    assert refused(secrets.get_secret_value, SecretId=held)[0] == "DecryptionFailure"
    code, told = refused(vault.create_api_key_credential_provider, name=scenery.name("key"), apiKey="x")
    assert code == "ValidationException" and key in told and "kms:EnableKey" in told, told
    code, told = refused(vault.set_token_vault_cmk, kmsConfiguration=SERVICE_MANAGED)
    assert code == "ValidationException" and "is disabled" in told, told
    # What is known of the provider is still told.
    vault.get_api_key_credential_provider(name=arn.rpartition("/")[2])
    kms.enable_key(KeyId=key)
    assert requests.get(f"{url}/third", timeout=20).status_code == 200
    assert len(service.seen) == before + 1


def test_a_key_must_be_there_and_its_caller_allowed(vault, kms, key, make):
    elsewhere = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{NO_KEY}"
    for wrong in (f"{KMS}:key/{NO_KEY}", elsewhere):
        code, told = refused(vault.set_token_vault_cmk, kmsConfiguration=customer_managed(wrong))
        assert code == "ValidationException" and wrong in told, told
    strangers = f"arn:aws:kms:{REGION}:111122223333:key/{NO_KEY}"
    code, told = refused(vault.set_token_vault_cmk, kmsConfiguration=customer_managed(strangers))
    assert code == "AccessDeniedException" and strangers in told, told
    disabled = kms.create_key()["KeyMetadata"]["Arn"]
    kms.disable_key(KeyId=disabled)
    code, told = refused(vault.set_token_vault_cmk, kmsConfiguration=customer_managed(disabled))
    assert code == "ValidationException" and "disabled" in told, told
    incomplete = {"keyType": "CustomerManagedKey"}
    assert refused(vault.set_token_vault_cmk, kmsConfiguration=incomplete)[0] == "ValidationException"
    both = SERVICE_MANAGED | {"kmsKeyArn": key}
    assert refused(vault.set_token_vault_cmk, kmsConfiguration=both)[0] == "ValidationException"
    needed = ["kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt"]
    for missing in needed:
        has = [action for action in needed if action != missing]
        user = make.user(allow("bedrock-agentcore:SetTokenVaultCMK", *has))
        client = user.client("bedrock-agentcore-control")
        code, told = refused(client.set_token_vault_cmk, kmsConfiguration=customer_managed(key))
        assert code == "AccessDeniedException" and missing in told and key in told, told
    via = {"kms:ViaService": f"bedrock-agentcore-identity.{REGION}.amazonaws.com"}
    policy = allow("bedrock-agentcore:SetTokenVaultCMK")
    policy["Statement"] += allow(*needed, resource=key, StringEquals=via)["Statement"]
    make.user(policy).client("bedrock-agentcore-control").set_token_vault_cmk(kmsConfiguration=customer_managed(key))


def test_a_vault_is_reset_when_its_key_is_gone_and_not_before(server, vault, kms, key):
    reset = lambda: vault.reset_token_vault_key_material(tokenVaultId="default")
    assert refused(reset)[0] == "ValidationException"
    name = scenery.name("key")
    made = vault.create_api_key_credential_provider(name=name, apiKey="a-key-that-will-be-lost")
    vault.set_token_vault_cmk(kmsConfiguration=customer_managed(key))
    assert refused(reset)[0] == "ValidationException"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    code, told = refused(reset)
    assert code == "ValidationException" and "pending deletion" in told, told
    lose(server, key)
    assert reset()["kmsConfiguration"] == SERVICE_MANAGED
    assert vault.get_token_vault()["kmsConfiguration"] == SERVICE_MANAGED
    shown = vault.get_api_key_credential_provider(name=name)
    assert shown["credentialProviderArn"] == made["credentialProviderArn"]
    secrets = server.client("secretsmanager")
    held = f"bedrock-agentcore-identity!default/apikey/{name}"
    assert refused(secrets.get_secret_value, SecretId=held)[0] == "DecryptionFailure"
    vault.update_api_key_credential_provider(name=name, apiKey="another-key")
    assert "another-key" in secrets.get_secret_value(SecretId=held)["SecretString"]


# --- rotation --------------------------------------------------------------------------------------------------------


def test_a_rotation_holds_nobody_up(server, vault, key):
    secrets = server.client("secretsmanager")
    names = [scenery.name("rotated") for _ in range(8)]
    for name in names:
        vault.create_api_key_credential_provider(name=name, apiKey=f"secret-of-{name}")
    ended, wrong, read = threading.Event(), [], [0]

    def reader(worker: int):
        client = server.client("secretsmanager")
        while not ended.is_set():
            name = names[(read[0] + worker) % len(names)]
            got = client.get_secret_value(SecretId=f"bedrock-agentcore-identity!default/apikey/{name}")
            if json.loads(got["SecretString"]) != {"api_key_value": f"secret-of-{name}"}:
                wrong.append(name)
            read[0] += 1

    def guarded(worker: int):
        try:
            reader(worker)
        except Exception as error:  # what a reader meets is the result of the test
            wrong.append(repr(error))

    threads = [threading.Thread(target=guarded, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    keys = lambda: {row[0] for row in rows(server, "SELECT id FROM vault_keys")}
    try:
        before = keys()
        told = server.run("vault", "rotate", "--config", str(server.config_file)).stdout
        assert "0 left" in told and "new data key" in told, told
        middle = keys()
        vault.set_token_vault_cmk(kmsConfiguration=customer_managed(key))
        server.run("vault", "rotate", "--account", ACCOUNT, "--region", REGION)
        vault.set_token_vault_cmk(kmsConfiguration=SERVICE_MANAGED)
        after = keys()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not wrong and read[0] > 5, (wrong, read)
    assert len(before) == len(middle) == len(after) == 1 and not before & middle and not middle & after
    for name in names:
        got = secrets.get_secret_value(SecretId=f"bedrock-agentcore-identity!default/apikey/{name}")
        assert f"secret-of-{name}" in got["SecretString"]


# --- gateways and policy engines -------------------------------------------------------------------------------------


def test_targets_of_a_gateway_are_sealed_under_its_key(server, agentcore, kms, key, make, service):
    gateway = make.gateway(protocolType=None, roleArn=make.vault_role(), kmsKeyArn=key)
    assert agentcore.get_gateway(gatewayIdentifier=gateway.id)["kmsKeyArn"] == key
    url = http_target(gateway, service, api_key(server))
    documents = lambda: [row[0] for row in rows(server, f"SELECT document FROM targets WHERE gateway = '{gateway.id}'")]
    assert all(json.loads(it)["sealedUnder"] == key and service.url not in it for it in documents())
    assert requests.get(f"{url}/first", timeout=20).status_code == 200
    [target] = agentcore.list_gateway_targets(gatewayIdentifier=gateway.id)["items"]
    which = {"gatewayIdentifier": gateway.id, "targetId": target["targetId"]}
    kms.disable_key(KeyId=key)
    before = len(service.seen)
    assert requests.get(f"{url}/second", timeout=20).status_code >= 400 and len(service.seen) == before
    code, told = refused(agentcore.get_gateway_target, **which)
    assert code == "ValidationException" and key in told, told
    assert agentcore.get_gateway(gatewayIdentifier=gateway.id)["kmsKeyArn"] == key
    kms.enable_key(KeyId=key)
    assert requests.get(f"{url}/third", timeout=20).status_code == 200
    # An update that names no key leaves none.
    changed = {name: value for name, value in gateway.request.items() if name != "kmsKeyArn"}
    agentcore.update_gateway(gatewayIdentifier=gateway.id, **changed)
    gateway.until_ready()
    assert "kmsKeyArn" not in agentcore.get_gateway(gatewayIdentifier=gateway.id)
    assert all(service.url in it for it in documents())
    kms.disable_key(KeyId=key)
    assert requests.get(f"{url}/fourth", timeout=20).status_code == 200


def test_a_target_under_a_key_that_is_gone_can_be_removed(server, agentcore, key, make, service):
    gateway = make.gateway(protocolType=None, roleArn=make.vault_role(), kmsKeyArn=key)
    http_target(gateway, service, api_key(server))
    [target] = agentcore.list_gateway_targets(gatewayIdentifier=gateway.id)["items"]
    lose(server, key)
    assert refused(agentcore.list_gateway_targets, gatewayIdentifier=gateway.id)[0] == "ValidationException"
    agentcore.delete_gateway_target(gatewayIdentifier=gateway.id, targetId=target["targetId"])
    agentcore.delete_gateway(gatewayIdentifier=gateway.id)


def test_policies_of_an_engine_are_sealed_under_its_key(server, agentcore, kms, key):
    made = agentcore.create_policy_engine(name=scenery.name("engine").replace("-", "_"), encryptionKeyArn=key)
    assert made["encryptionKeyArn"] == key
    engine = scenery.Engine(server, made["policyEngineId"], made["policyEngineArn"])
    look = lambda: agentcore.get_policy_engine(policyEngineId=engine.id)
    assert scenery.until("the engine", look, lambda seen: seen["status"] == "ACTIVE")["encryptionKeyArn"] == key
    statement = 'forbid(principal, action, resource) when { principal.hasTag("a_word_of_a_policy") };'
    policy = engine.policy(statement, validationMode="IGNORE_ALL_FINDINGS")
    [(document,)] = rows(server, f"SELECT document FROM policies WHERE id = '{policy}'")
    assert json.loads(document)["sealedUnder"] == key and "a_word_of_a_policy" not in document
    which = {"policyEngineId": engine.id, "policyId": policy}
    kms.disable_key(KeyId=key)
    code, told = refused(agentcore.get_policy, **which)
    assert code == "ValidationException" and key in told, told
    kms.enable_key(KeyId=key)
    assert agentcore.get_policy(**which)["definition"]["cedar"]["statement"] == statement


def test_a_key_of_a_gateway_must_be_its_callers(agentcore, key, make):
    role = make.gateway_role()
    policy = allow("bedrock-agentcore:*", "iam:PassRole")
    client = make.user(policy).client("bedrock-agentcore-control")
    asked = {"name": scenery.name("gateway"), "roleArn": role, "authorizerType": "NONE", "kmsKeyArn": key}
    code, told = refused(client.create_gateway, **asked)
    assert code == "AccessDeniedException" and "kms:DescribeKey" in told and key in told, told
    engine = {"name": scenery.name("engine").replace("-", "_"), "encryptionKeyArn": key}
    code, told = refused(client.create_policy_engine, **engine)
    assert code == "AccessDeniedException" and "kms:DescribeKey" in told and key in told, told
    missing = f"{KMS}:key/{NO_KEY}"
    assert refused(agentcore.create_gateway, **(asked | {"kmsKeyArn": missing}))[0] == "ValidationException"
    assert refused(agentcore.create_policy_engine, **(engine | {"encryptionKeyArn": missing}))[0] == "ValidationException"


# --- a stolen database -----------------------------------------------------------------------------------------------

CANARIES = {word: f"canary/{word}+of?the=tests-0f3a9c71" for word in (
    "apikey", "client", "text", "binary", "environment", "password", "encrypted", "target", "replaced"
)}


def forms_of(secret: str) -> dict:
    """How a secret may be written, each as bytes."""
    raw = secret.encode()
    forms = {
        "raw": raw,
        "reversed": raw[::-1],
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "url": urllib.parse.quote(secret, safe="").encode(),
        "json": json.dumps(secret).replace("/", "\\/").encode()[1:-1],
        "unicode": "".join(f"\\u{ord(it):04x}" for it in secret).encode(),
        "utf-16": secret.encode("utf-16-le"),
    }
    for shift in range(3):
        # Wherever it begins in what was encoded, the middle of it is the same.
        whole = base64.b64encode(b"\0" * shift + raw)
        middle = whole[4 if shift else 0 : -4]
        forms[f"base64+{shift}"] = middle
        forms[f"base64url+{shift}"] = middle.replace(b"+", b"-").replace(b"/", b"_")
    return forms


def unpacked(data: bytes) -> list:
    """What stands compressed in bytes: after each head of gzip or zlib."""
    found = []
    for head, bits in ((rb"\x1f\x8b\x08", 31), (rb"\x78[\x01\x5e\x9c\xda]", 15)):
        for match in re.finditer(head, data):
            try:
                found.append(zlib.decompressobj(bits).decompress(data[match.start() : match.start() + 65536], 1 << 20))
            except zlib.error:
                continue
    return found


def test_a_stolen_database_gives_up_no_secret(server, agentcore, kms, key, make, service):
    secrets, functions = server.client("secretsmanager"), server.client("lambda")
    name = scenery.name("canary")
    agentcore.create_api_key_credential_provider(name=name, apiKey=CANARIES["replaced"])
    agentcore.update_api_key_credential_provider(name=name, apiKey=CANARIES["apikey"])
    custom = {
        "oauthDiscovery": {
            "authorizationServerMetadata": {
                "issuer": "https://as.example.com",
                "authorizationEndpoint": "https://as.example.com/authorize",
                "tokenEndpoint": "https://as.example.com/token",
            }
        },
        "clientId": "the-client",
        "clientSecret": CANARIES["client"],
    }
    agentcore.create_oauth2_credential_provider(
        name=name,
        credentialProviderVendor="CustomOauth2",
        oauth2ProviderConfigInput={"customOauth2ProviderConfig": custom},
    )
    secrets.create_secret(Name=name, SecretString=CANARIES["text"])
    secrets.create_secret(Name=f"{name}-binary", SecretBinary=CANARIES["binary"].encode())
    make.function(Environment={"Variables": {"CANARY": CANARIES["environment"]}})
    assert functions.list_functions()["Functions"]
    pool = make.pool()
    users = server.client("cognito-idp")
    users.admin_create_user(UserPoolId=pool.id, Username="ada", MessageAction="SUPPRESS")
    users.admin_set_user_password(UserPoolId=pool.id, Username="ada", Password=CANARIES["password"] + "A", Permanent=True)
    client = pool.client("invoke")
    user = make.user()
    sealed = kms.encrypt(KeyId=key, Plaintext=CANARIES["encrypted"].encode())["CiphertextBlob"]
    secrets.create_secret(Name=f"{name}-sealed", SecretBinary=sealed)
    gateway = make.gateway(protocolType=None, roleArn=make.vault_role(), kmsKeyArn=key)
    path = urllib.parse.quote(CANARIES["target"], safe="")
    configuration = {"passthrough": {"endpoint": f"{service.url}/{path}", "protocolType": "CUSTOM"}}
    made = agentcore.create_gateway_target(
        gatewayIdentifier=gateway.id,
        name="web",
        targetConfiguration={"http": configuration},
        credentialProviderConfigurations=[api_key(server)],
    )
    assert made["targetId"]
    wanted = dict(CANARIES, pool=client.secret, user=user.secret)
    looked = {word: forms_of(secret) for word, secret in wanted.items()}

    def search(where: str, data: bytes):
        for piece in [data, *unpacked(data)]:
            for word, forms in looked.items():
                for form, written in forms.items():
                    assert written not in piece, f"{where} holds the secret {word} as {form}"

    # The files as a thief finds them beside a running server, with the write-ahead log, and after its end.
    for moment in ("running", "ended"):
        if moment == "ended":
            server.stop()
        files = [path for path in Path(server.data_dir).iterdir() if path.is_file()]
        files = [path for path in files if path.name not in ("credentials", "config", "master.key")]
        assert server.database.url or any(path.name == "portcullis.db" for path in files)
        for file in [*files, server.log_file]:
            search(f"{file.name} ({moment})", file.read_bytes())
    if server.database.url:
        tables = rows(server, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        for (table,) in tables:
            for row in rows(server, f'SELECT * FROM "{table}"'):
                search(table, b"\n".join(it if isinstance(it, bytes) else str(it).encode() for it in row))
    server.start()


# --- the master key --------------------------------------------------------------------------------------------------

# Stands for a key management service: what it wraps is of no use without its own key, which is in a file.
WRAPPER = """
import base64, pathlib, sys
own = pathlib.Path(__file__).with_name("own.key").read_bytes()
given = sys.stdin.buffer.read()
if sys.argv[1:] == ["a word", "wrap"]:
    plain = base64.b64decode(given)
    print("wrapped:" + bytes(a ^ b for a, b in zip(plain, own)).hex())
elif sys.argv[1:] == ["a word", "unwrap"]:
    sealed = bytes.fromhex(given.decode().strip().removeprefix("wrapped:"))
    print(base64.b64encode(bytes(a ^ b for a, b in zip(sealed, own))).decode())
else:
    sys.exit(f"unknown: {sys.argv}")
"""


def database_arguments(server: Server) -> list:
    url = ["--database", server.database.url] if server.database.url else []
    return ["--config", str(server.config_file), *url]


def keep_and_read(server: Server, name: str) -> bool:
    """Whether the secret of a name is there; it is made when it is not."""
    secrets = server.client("secretsmanager")
    try:
        return secrets.get_secret_value(SecretId=name)["SecretString"] == "a secret"
    except ClientError:
        secrets.create_secret(Name=name, SecretString="a secret")
        return False


def test_a_master_key_that_is_lost_or_wrong_changes_nothing(tmp_path):
    own = Server(tmp_path)
    try:
        own.start()
        keep_and_read(own, "kept")
        own.stop()
        key = own.data_dir / "master.key"
        kept = key.read_text()
        before = rows(own, "SELECT name, value FROM sealed_meta")
        key.unlink()
        done = serve(tmp_path, *database_arguments(own))
        assert done.returncode == 1 and "the master key is missing" in done.stderr, done.stderr
        assert "PORTCULLIS_MASTER_KEY" in done.stderr and not key.exists()
        key.write_text(base64.b64encode(b"x" * 32).decode() + "\n")
        done = serve(tmp_path, *database_arguments(own))
        assert done.returncode == 1 and "the master key is not the one that sealed it" in done.stderr, done.stderr
        assert rows(own, "SELECT name, value FROM sealed_meta") == before
        key.write_text(kept)
        own.start()
        assert keep_and_read(own, "kept")
        # A new one: the server that runs goes on, and the next start uses it.
        told = own.run("vault", "change-master-key", "--config", str(own.config_file)).stdout
        assert "new master key" in told and key.read_text() != kept
        assert keep_and_read(own, "kept")
        own.stop()
        own.start()
        assert keep_and_read(own, "kept")
        own.stop()
        # A change that was cut off before the file had its name is ended by the next start.
        shutil.move(key, own.data_dir / "master.next")
        key.write_text(kept)
        own.start()
        assert keep_and_read(own, "kept") and not (own.data_dir / "master.next").exists()
        own.stop()
        # So is one that was moving the key into a file that was not there before.
        shutil.move(key, own.data_dir / "master.next")
        own.start()
        assert keep_and_read(own, "kept") and key.exists()
        # One changes it at a time.
        with open(own.data_dir / "master.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = key.read_text()
            done = own.run("vault", "change-master-key", "--config", str(own.config_file), check=False)
            assert done.returncode == 1 and "somebody else" in done.stderr, done
            assert key.read_text() == before
        own.run("vault", "change-master-key", "--config", str(own.config_file))
        assert key.read_text() != before and keep_and_read(own, "kept")
    finally:
        own.dispose()


def test_a_command_keeps_the_master_key(tmp_path):
    (tmp_path / "wrapper.py").write_text(WRAPPER)
    (tmp_path / "own.key").write_bytes(bytes(range(100, 132)))
    command = json.dumps([sys.executable, str(tmp_path / "wrapper.py"), "a word"])
    own = Server(tmp_path, settings=f"[vault]\nmaster-key-command = {command}")
    try:
        own.start()
        keep_and_read(own, "kept")
        assert not (own.data_dir / "master.key").exists()
        own.stop()
        own.start()
        assert keep_and_read(own, "kept")
        own.stop()
        stored = dict(rows(own, "SELECT name, value FROM sealed_meta"))
        assert bytes(stored["master_key"]).startswith(b"wrapped:")
        # Who has no key of the service, has none of ours.
        shutil.move(tmp_path / "own.key", tmp_path / "elsewhere")
        done = serve(tmp_path, *database_arguments(own))
        assert done.returncode == 1 and "unwrap" in done.stderr and "Traceback" not in done.stderr, done.stderr
        (tmp_path / "own.key").write_bytes(b"y" * 32)
        done = serve(tmp_path, *database_arguments(own))
        assert done.returncode == 1 and "cannot open the database" in done.stderr, done.stderr
        shutil.move(tmp_path / "elsewhere", tmp_path / "own.key")
        own.start()
        own.run("vault", "change-master-key", "--config", str(own.config_file))
        assert bytes(dict(rows(own, "SELECT name, value FROM sealed_meta"))["master_key"]) != bytes(stored["master_key"])
        own.stop()
        own.start()
        assert keep_and_read(own, "kept")
        # And back into a file, from where it moves to the command again.
        own.run("vault", "change-master-key", "--to-file", "--config", str(own.config_file))
        own.stop()
        with_command = own.config_file.read_text()
        done = serve(tmp_path, *database_arguments(own))
        assert done.returncode == 1 and "change-master-key" in done.stderr, done.stderr
        own.config_file.write_text(with_command.split("[vault]")[0])
        own.start()
        assert keep_and_read(own, "kept")
        own.stop()
        own.config_file.write_text(with_command)
        file = own.data_dir / "master.key"
        own.run("vault", "change-master-key", "--from", str(file), "--config", str(own.config_file))
        file.unlink()
        own.start()
        assert keep_and_read(own, "kept")
    finally:
        own.dispose()
