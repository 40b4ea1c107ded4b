"""KMS's slice, driven by boto3: keys, what is encrypted with them, and who may."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError

import scenery
from keys import KMS, NO_KEY, connect, rows
from portcullis import ACCOUNT, Server
from scenery import allow

PLAIN = b"a plaintext that nobody may find again"


@pytest.fixture(scope="module")
def kms(server):
    return server.client("kms")


def new_key(kms, **settings) -> str:
    return kms.create_key(**settings)["KeyMetadata"]["Arn"]


def code(call, **request) -> str:
    with pytest.raises(ClientError) as raised:
        call(**request)
    return raised.value.response["Error"]["Code"]


def test_a_key_is_described_as_on_aws(kms):
    made = kms.create_key(Description="of the tests", Tags=[{"TagKey": "team", "TagValue": "a"}])["KeyMetadata"]
    assert str(uuid.UUID(made["KeyId"])) == made["KeyId"]
    assert made["Arn"] == f"{KMS}:key/{made['KeyId']}"
    assert (made["AWSAccountId"], made["KeyState"], made["Enabled"]) == (ACCOUNT, "Enabled", True)
    assert (made["KeySpec"], made["KeyUsage"], made["Origin"]) == ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")
    for named in (made["KeyId"], made["Arn"]):
        assert kms.describe_key(KeyId=named)["KeyMetadata"] == made
    listed = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1}).build_full_result()["Keys"]
    assert {"KeyId": made["KeyId"], "KeyArn": made["Arn"]} in listed
    policy = kms.get_key_policy(KeyId=made["KeyId"])["Policy"]
    assert f"arn:aws:iam::{ACCOUNT}:root" in policy and "kms:*" in policy


def test_what_is_encrypted_is_decrypted_with_its_context_alone(kms):
    key = new_key(kms)
    context = {"purpose": "tests", "of": "e2e"}
    sealed = kms.encrypt(KeyId=key, Plaintext=PLAIN, EncryptionContext=context)
    assert sealed["KeyId"] == key and PLAIN not in sealed["CiphertextBlob"]
    for named in ({}, {"KeyId": key}):
        opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context, **named)
        assert (opened["Plaintext"], opened["KeyId"]) == (PLAIN, key)
    blob = sealed["CiphertextBlob"]
    touched = blob[:-1] + bytes([blob[-1] ^ 1])
    for wrong, given in ((blob, {}), (blob, {"purpose": "tests"}), (touched, context), (b"no ciphertext", context)):
        refused = code(kms.decrypt, CiphertextBlob=wrong, EncryptionContext=given, KeyId=key)
        assert refused == "InvalidCiphertextException"
    other = new_key(kms)
    assert code(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context, KeyId=other) == "IncorrectKeyException"
    assert blob != kms.encrypt(KeyId=key, Plaintext=PLAIN, EncryptionContext=context)["CiphertextBlob"]


def test_a_context_is_not_another_that_reads_alike(kms):
    key = new_key(kms)
    sealed = kms.encrypt(KeyId=key, Plaintext=PLAIN, EncryptionContext={"a": "b|1:c|1:d"})["CiphertextBlob"]
    assert code(kms.decrypt, CiphertextBlob=sealed, EncryptionContext={"a": "b", "c": "d"}) == (
        "InvalidCiphertextException"
    )


def test_data_keys_are_as_long_as_asked(kms):
    key = new_key(kms)
    for asked, length in (({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 1024}, 1024)):
        made = kms.generate_data_key(KeyId=key, **asked)
        assert len(made["Plaintext"]) == length
        assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
        sealed = kms.generate_data_key_without_plaintext(KeyId=key, **asked)
        assert "Plaintext" not in sealed
        assert len(kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"]) == length
    assert code(kms.generate_data_key, KeyId=key) == "ValidationException"
    assert code(kms.generate_data_key, KeyId=key, KeySpec="AES_256", NumberOfBytes=1) == "ValidationException"
    assert len(kms.encrypt(KeyId=key, Plaintext=b"x" * 4096)["CiphertextBlob"]) <= 6144
    assert code(kms.encrypt, KeyId=key, Plaintext=b"x" * 4097) == "ValidationException"
    assert code(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"a": "x" * 8200}) == "ValidationException"


def test_a_key_that_is_out_of_use_encrypts_nothing(kms):
    key = new_key(kms)
    sealed = kms.encrypt(KeyId=key, Plaintext=PLAIN)["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    assert code(kms.decrypt, CiphertextBlob=sealed) == "DisabledException"
    assert code(kms.encrypt, KeyId=key, Plaintext=PLAIN) == "DisabledException"
    assert code(kms.generate_data_key, KeyId=key, KeySpec="AES_256") == "DisabledException"
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == PLAIN
    assert code(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=6) == "ValidationException"
    scheduled = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert scheduled["KeyState"] == "PendingDeletion" and scheduled["PendingWindowInDays"] == 7
    for call in (kms.enable_key, kms.disable_key, kms.schedule_key_deletion):
        assert code(call, KeyId=key) == "KMSInvalidStateException"
    assert code(kms.decrypt, CiphertextBlob=sealed) == "KMSInvalidStateException"
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    assert code(kms.cancel_key_deletion, KeyId=key) == "KMSInvalidStateException"
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == PLAIN


def test_an_alias_names_its_key(kms):
    key = new_key(kms)
    alias = f"alias/{scenery.name('key')}"
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    for named in (alias, f"{KMS}:{alias}"):
        assert kms.describe_key(KeyId=named)["KeyMetadata"]["Arn"] == key
    [listed] = kms.list_aliases(KeyId=key)["Aliases"]
    assert (listed["AliasName"], listed["AliasArn"]) == (alias, f"{KMS}:{alias}")
    assert code(kms.create_alias, AliasName=alias, TargetKeyId=key) == "AlreadyExistsException"
    for wrong in ("alias/aws/mine", "no-alias", "alias/"):
        assert code(kms.create_alias, AliasName=wrong, TargetKeyId=key) == "InvalidAliasNameException"
    kms.delete_alias(AliasName=alias)
    assert code(kms.describe_key, KeyId=alias) == "NotFoundException"


def test_what_is_not_here_is_not_found_or_refused(kms):
    for named in (NO_KEY, f"{KMS}:key/{NO_KEY}", "alias/no-such-alias", "no key"):
        assert code(kms.describe_key, KeyId=named) == "NotFoundException", named
    elsewhere = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{NO_KEY}"
    assert code(kms.describe_key, KeyId=elsewhere) == "NotFoundException"
    for asked in ({"KeySpec": "RSA_2048"}, {"KeyUsage": "SIGN_VERIFY"}, {"MultiRegion": True}, {"Policy": "{}"}):
        assert code(kms.create_key, **asked) == "ValidationException", asked
    key = new_key(kms)
    twice = [{"TagKey": "a", "TagValue": "b"}] * 2
    assert code(kms.create_key, Tags=twice) == "TagException"
    assert code(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == "ValidationException"


def test_who_may_use_a_key_is_for_the_policies_of_its_account(kms, make):
    key, other = new_key(kms), new_key(kms, Tags=[{"TagKey": "team", "TagValue": "b"}])
    one = make.user(allow("kms:Encrypt", resource=key)).client("kms")
    sealed = one.encrypt(KeyId=key, Plaintext=PLAIN)["CiphertextBlob"]
    with pytest.raises(ClientError) as raised:
        one.decrypt(CiphertextBlob=sealed)
    told = raised.value.response["Error"]
    assert told["Code"] == "AccessDeniedException"
    assert "kms:Decrypt" in told["Message"] and key in told["Message"]
    assert code(one.encrypt, KeyId=other, Plaintext=PLAIN) == "AccessDeniedException"
    bound = allow("kms:Encrypt", resource="*", StringEquals={"kms:EncryptionContext:team": "a"})
    two = make.user(bound).client("kms")
    two.encrypt(KeyId=key, Plaintext=PLAIN, EncryptionContext={"team": "a"})
    assert code(two.encrypt, KeyId=key, Plaintext=PLAIN, EncryptionContext={"team": "b"}) == "AccessDeniedException"
    assert code(two.encrypt, KeyId=key, Plaintext=PLAIN) == "AccessDeniedException"
    tagged = make.user(allow("kms:Encrypt", resource="*", StringEquals={"aws:ResourceTag/team": "b"})).client("kms")
    tagged.encrypt(KeyId=other, Plaintext=PLAIN)
    assert code(tagged.encrypt, KeyId=key, Plaintext=PLAIN) == "AccessDeniedException"
    alias = f"alias/{scenery.name('key')}"
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    by_alias = make.user(allow("kms:Encrypt", resource="*", StringEquals={"kms:RequestAlias": alias})).client("kms")
    for named in (alias, f"{KMS}:{alias}"):
        by_alias.encrypt(KeyId=named, Plaintext=PLAIN)
    assert code(by_alias.encrypt, KeyId=key, Plaintext=PLAIN) == "AccessDeniedException"
    # A stranger does not learn which keys there are.
    stranger = make.user().client("kms")
    assert code(stranger.describe_key, KeyId=NO_KEY) == code(stranger.describe_key, KeyId=key) == "AccessDeniedException"


def test_the_trail_says_who_used_a_key_and_not_for_what(server, kms, make):
    key = new_key(kms)
    sealed = kms.encrypt(KeyId=key, Plaintext=PLAIN)["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=sealed)
    for action in ("kms:Encrypt", "kms:Decrypt"):
        [event] = make.audited(lambda event, action=action: event["action"] == action and event.get("resource") == key)
        assert PLAIN.decode() not in str(event)


def test_a_key_is_kept_sealed(server, kms):
    key = new_key(kms)
    material = rows(server, f"SELECT material FROM kms_keys WHERE id = '{key.rpartition('/')[2]}'")[0][0]
    assert len(bytes(material)) == 1 + 12 + 32 + 16
    # The same bytes in another key's row open nothing.
    other = new_key(kms)
    sealed = kms.encrypt(KeyId=other, Plaintext=PLAIN)["CiphertextBlob"]
    with connect(server) as database:
        ids = (key.rpartition("/")[2], other.rpartition("/")[2])
        database.cursor().execute(
            f"UPDATE kms_keys SET material = (SELECT material FROM kms_keys WHERE id = '{ids[0]}') WHERE id = '{ids[1]}'"
        )
        database.commit()
    assert code(kms.decrypt, CiphertextBlob=sealed) == "KMSInternalException"


def test_keys_of_one_account_are_not_another_s(tmp_path):
    own = Server(tmp_path)
    try:
        own.start()
        made = own.run("account", "create", "--id", "111122223333", "--name", "other", "--json")
        other = json.loads(made.stdout)
        stranger = own.client("kms", other["accessKeyId"], other["secretAccessKey"])
        kms = own.client("kms")
        key = new_key(kms)
        sealed = kms.encrypt(KeyId=key, Plaintext=PLAIN)["CiphertextBlob"]
        assert code(stranger.describe_key, KeyId=key) in ("NotFoundException", "AccessDeniedException")
        assert code(stranger.decrypt, CiphertextBlob=sealed) == "AccessDeniedException"
        assert stranger.list_keys()["Keys"] == []
    finally:
        own.dispose()
