"""The object store with other people's clients, unmodified: boto3 and the AWS CLI; and what is refused, by raw requests."""

import base64
import concurrent.futures
import datetime
import hashlib
import hmac
import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse

import boto3
import botocore.config
import pytest
import requests
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from portcullis import ONCE, REGION
from scenery import allow, name, refusal, trail, until

MIB = 1024 * 1024
AWS = os.path.join(os.path.dirname(sys.executable), "aws")


@pytest.fixture(scope="module")
def s3(server):
    return server.client("s3")


@pytest.fixture
def bucket(s3):
    """A bucket of one test."""
    made = name("bucket")
    s3.create_bucket(Bucket=made, CreateBucketConfiguration={"LocationConstraint": REGION})
    return made


def events(server, action: str, resource: str) -> list:
    return [event for event in trail(server) if event["action"] == action and event.get("resource") == resource]


# --- objects ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["plain", "a b/ä+c &%=?#.txt", "a//b/../c/.", "<&>\"'", "/begins/with/slash", "é" * 512])
def test_an_object_comes_back_as_it_went_in(s3, bucket, key):
    written = s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=b"hello",
        ContentType="text/plain; charset=utf-8",
        CacheControl="no-cache",
        Metadata={"color": "blue"},
    )
    assert written["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    read = s3.get_object(Bucket=bucket, Key=key)
    assert read["Body"].read() == b"hello"
    assert (read["ContentType"], read["CacheControl"]) == ("text/plain; charset=utf-8", "no-cache")
    assert (read["Metadata"], read["ETag"], read["ContentLength"]) == ({"color": "blue"}, written["ETag"], 5)
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentLength"], head["ETag"]) == (5, written["ETag"])
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    assert refusal(s3.get_object, Bucket=bucket, Key=key)[:2] == (404, "NoSuchKey")
    assert refusal(s3.head_object, Bucket=bucket, Key=key)[:2] == (404, "404")


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB + 7])
def test_sizes_around_the_chunks_are_kept_to_the_byte(s3, bucket, size):
    data = os.urandom(size)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data
    if size > MIB:
        read = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={MIB - 3}-{MIB}")
        assert (read["Body"].read(), read["ResponseMetadata"]["HTTPStatusCode"]) == (data[MIB - 3 : MIB + 1], 206)
        assert read["ContentRange"] == f"bytes {MIB - 3}-{MIB}/{size}"
        assert s3.get_object(Bucket=bucket, Key="k", Range="bytes=-5")["Body"].read() == data[-5:]
    assert refusal(s3.get_object, Bucket=bucket, Key="k", Range=f"bytes={size}-")[:2] == (416, "InvalidRange")


def test_transfers_in_parts_are_whole(s3, bucket):
    data = os.urandom(20 * MIB)
    s3.upload_fileobj(io.BytesIO(data), bucket, "big", ExtraArgs={"Metadata": {"a": "b"}})
    head = s3.head_object(Bucket=bucket, Key="big")
    assert head["ETag"].endswith('-3"') and head["Metadata"] == {"a": "b"} and head["ContentLength"] == len(data)
    read = io.BytesIO()
    s3.download_fileobj(bucket, "big", read)
    assert read.getvalue() == data
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_parts_one_by_one(s3, bucket):
    begun = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC64NVME", ContentType="a/b")
    upload = {"Bucket": bucket, "Key": "k", "UploadId": begun["UploadId"]}
    first, last = os.urandom(5 * MIB), b"end"
    small = s3.upload_part(**upload, PartNumber=1, Body=b"too small", ChecksumAlgorithm="CRC64NVME")
    tags = {}
    for number, body in ((7, first), (9, last)):
        part = s3.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC64NVME")
        tags[number] = part["ETag"]
    assert refusal(s3.upload_part, **upload, PartNumber=3, Body=b"", ChecksumAlgorithm="CRC32")[1] == "InvalidRequest"
    listed = s3.list_parts(**upload)["Parts"]
    assert [(part["PartNumber"], part["Size"]) for part in listed] == [(1, 9), (7, 5 * MIB), (9, 3)]
    assert [found["UploadId"] for found in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [begun["UploadId"]]

    def complete(*parts):
        return {"MultipartUpload": {"Parts": [{"PartNumber": number, "ETag": tag} for number, tag in parts]}}

    finish = s3.complete_multipart_upload
    assert refusal(finish, **upload, **complete((1, small["ETag"]), (7, tags[7])))[1] == "EntityTooSmall"
    assert refusal(finish, **upload, **complete((9, tags[9]), (7, tags[7])))[1] == "InvalidPartOrder"
    assert refusal(finish, **upload, **complete((7, tags[9])))[1] == "InvalidPart"
    assert refusal(finish, **upload, **complete((8, tags[7])))[1] == "InvalidPart"
    assert refusal(s3.head_object, Bucket=bucket, Key="k")[0] == 404
    done = finish(**upload, **complete((7, tags[7]), (9, tags[9])))
    digests = hashlib.md5(first).digest() + hashlib.md5(last).digest()
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'
    read = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (read["Body"].read(), read["ContentType"], read["ChecksumType"]) == (first + last, "a/b", "FULL_OBJECT")
    assert refusal(finish, **upload, **complete((7, tags[7])))[:2] == (404, "NoSuchUpload")


def test_an_upload_can_be_given_up(s3, bucket):
    begun = s3.create_multipart_upload(Bucket=bucket, Key="k")
    upload = {"Bucket": bucket, "Key": "k", "UploadId": begun["UploadId"]}
    s3.upload_part(**upload, PartNumber=1, Body=b"part")
    s3.abort_multipart_upload(**upload)
    assert refusal(s3.upload_part, **upload, PartNumber=2, Body=b"part")[:2] == (404, "NoSuchUpload")
    assert refusal(s3.head_object, Bucket=bucket, Key="k")[0] == 404
    s3.delete_bucket(Bucket=bucket)


def test_conditions_hold(s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"one", IfNoneMatch="*")["ETag"]
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"two", IfNoneMatch="*")[:2] == (412, "PreconditionFailed")
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"two", IfMatch='"00"')[:2] == (412, "PreconditionFailed")
    assert refusal(s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=tag)[0] == 304
    assert refusal(s3.get_object, Bucket=bucket, Key="k", IfMatch='"00"')[0] == 412
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    assert refusal(s3.get_object, Bucket=bucket, Key="k", IfModifiedSince=modified)[0] == 304
    earlier = modified - datetime.timedelta(hours=1)
    assert refusal(s3.get_object, Bucket=bucket, Key="k", IfUnmodifiedSince=earlier)[0] == 412
    s3.put_object(Bucket=bucket, Key="k", Body=b"two", IfMatch=tag)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"two"


def test_of_two_who_create_at_once_one_does(s3, bucket):
    def create(number):
        try:
            s3.put_object(Bucket=bucket, Key="k", Body=str(number).encode(), IfNoneMatch="*")
            return number
        except ClientError:
            return None

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = [number for number in pool.map(create, range(8)) if number is not None]
    assert len(made) == 1
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == str(made[0]).encode()


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_are_verified_and_given_back(s3, bucket, algorithm):
    values = {
        "SHA1": base64.b64encode(hashlib.sha1(b"123456789").digest()).decode(),
        "SHA256": base64.b64encode(hashlib.sha256(b"123456789").digest()).decode(),
        # The check values of the catalogue of CRCs.
        "CRC32": base64.b64encode(bytes.fromhex("cbf43926")).decode(),
        "CRC32C": base64.b64encode(bytes.fromhex("e3069283")).decode(),
        "CRC64NVME": base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode(),
    }
    member = f"Checksum{algorithm}"
    written = s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", **{member: values[algorithm]})
    assert written[member] == values[algorithm]
    read = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (read["Body"].read(), read[member]) == (b"123456789", values[algorithm])
    wrong = base64.b64encode(bytes(len(base64.b64decode(values[algorithm])))).decode()
    assert refusal(s3.put_object, Bucket=bucket, Key="w", Body=b"123456789", **{member: wrong})[:2] == (400, "BadDigest")
    wrong = base64.b64encode(bytes(16)).decode()
    assert refusal(s3.put_object, Bucket=bucket, Key="w", Body=b"123456789", ContentMD5=wrong)[:2] == (400, "BadDigest")
    assert refusal(s3.head_object, Bucket=bucket, Key="w")[0] == 404


def test_copies_are_their_own(s3, bucket):
    s3.put_object(Bucket=bucket, Key="from ä", Body=b"x" * (MIB + 1), Metadata={"a": "b"}, ContentType="a/b")
    s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from ä"})
    s3.copy_object(
        Bucket=bucket, Key="new", CopySource=f"{bucket}/from ä", MetadataDirective="REPLACE", ContentType="c/d"
    )
    s3.delete_object(Bucket=bucket, Key="from ä")
    read = s3.get_object(Bucket=bucket, Key="to")
    assert (len(read["Body"].read()), read["Metadata"], read["ContentType"]) == (MIB + 1, {"a": "b"}, "a/b")
    head = s3.head_object(Bucket=bucket, Key="new")
    assert (head["Metadata"], head["ContentType"]) == ({}, "c/d")
    assert refusal(s3.copy_object, Bucket=bucket, Key="to", CopySource=f"{bucket}/to")[1] == "InvalidRequest"
    assert refusal(s3.copy_object, Bucket=bucket, Key="to", CopySource=f"{bucket}/none")[:2] == (404, "NoSuchKey")


# --- lists --------------------------------------------------------------------------------------------------------


def test_lists_come_in_pages_and_by_folders(s3, bucket):
    keys = sorted(["a", "a/1", "a/2", "a/b/3", "a0", "b/x y", "c/1", "c/2", "ä", "\N{GRINNING FACE}"], key=str.encode)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b""), keys))
    for size in (1, 2, 3, 1000):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": size})
        assert [entry["Key"] for page in pages for entry in page.get("Contents", [])] == keys, size
        first = s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": size})
        assert [entry["Key"] for page in first for entry in page.get("Contents", [])] == keys, size
        for operation in ("list_objects_v2", "list_objects"):
            pages = list(
                s3.get_paginator(operation).paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size})
            )
            folders = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
            plain = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
            assert (folders, plain) == (["a/", "b/", "c/"], ["a", "a0", "ä", "\N{GRINNING FACE}"]), (operation, size)
    inner = s3.list_objects_v2(Bucket=bucket, Prefix="a/", Delimiter="/")
    assert [entry["Key"] for entry in inner["Contents"]] == ["a/1", "a/2"]
    assert [entry["Prefix"] for entry in inner["CommonPrefixes"]] == ["a/b/"]
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="a/b/3", Prefix="a")
    assert [entry["Key"] for entry in after["Contents"]] == ["a0"]
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0
    assert refusal(s3.list_objects_v2, Bucket=bucket, ContinuationToken="§")[1] == "InvalidArgument"


def test_many_are_deleted_at_once(s3, bucket):
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert refusal(s3.delete_bucket, Bucket=bucket)[:2] == (409, "BucketNotEmpty")
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in ("a", "b", "c", "none")]})
    assert sorted(entry["Key"] for entry in gone["Deleted"]) == ["a", "b", "c", "none"]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    s3.delete_bucket(Bucket=bucket)
    assert refusal(s3.head_bucket, Bucket=bucket)[0] == 404


# --- buckets ------------------------------------------------------------------------------------------------------


def test_buckets(s3, bucket):
    assert bucket in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == REGION
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == REGION
    again = refusal(s3.create_bucket, Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert again[:2] == (409, "BucketAlreadyOwnedByYou")
    assert refusal(s3.list_objects_v2, Bucket=name("none"))[:2] == (404, "NoSuchBucket")
    assert refusal(s3.put_object, Bucket=name("none"), Key="k", Body=b"")[:2] == (404, "NoSuchBucket")
    for bad in ("Upper-case", "has_underscore", "-begins", "127.0.0.1", "a..b"):
        answer = signed(s3, "PUT", f"/{bad}")
        assert (answer.status_code, code(answer)) == (400, "InvalidBucketName"), bad


def test_what_is_not_here_is_refused_by_name(s3, bucket):
    status, error, message = refusal(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert (status, error) == (501, "NotImplemented") and "versioning" in message
    status, error, message = refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"", ACL="public-read")
    assert (status, error) == (501, "NotImplemented") and "x-amz-acl" in message
    status, error, message = refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"", Tagging="a=b")
    assert (status, error) == (501, "NotImplemented") and "x-amz-tagging" in message
    assert refusal(s3.get_bucket_policy, Bucket=bucket)[1] == "NotImplemented"


def test_an_account_has_a_hundred_buckets_and_a_bucket_its_owner(start_server):
    server = start_server(settings="[objects]\nmax-object-megabytes = 2\n")
    first = server.client("s3")
    place = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
    for number in range(100):
        first.create_bucket(Bucket=f"bucket-{number}", **place)
    assert refusal(first.create_bucket, Bucket="bucket-100", **place)[1] == "TooManyBuckets"
    assert len(first.list_buckets()["Buckets"]) == 100
    too_large = refusal(first.put_object, Bucket="bucket-1", Key="k", Body=bytes(2 * MIB + 1))
    assert too_large[:2] == (400, "EntityTooLarge")
    first.put_object(Bucket="bucket-1", Key="k", Body=bytes(2 * MIB))
    made = json.loads(server.run("account", "create", "--json").stdout)
    other = server.client("s3", made["accessKeyId"], made["secretAccessKey"])
    assert other.list_buckets()["Buckets"] == []
    assert refusal(other.create_bucket, Bucket="bucket-1", **place)[:2] == (409, "BucketAlreadyExists")
    assert refusal(other.get_object, Bucket="bucket-1", Key="k")[:2] == (403, "AccessDenied")
    assert refusal(other.put_object, Bucket="bucket-1", Key="k", Body=b"")[:2] == (403, "AccessDenied")
    assert refusal(other.delete_bucket, Bucket="bucket-2")[:2] == (403, "AccessDenied")


# --- who may ------------------------------------------------------------------------------------------------------


def test_a_denial_names_the_action_and_the_resource(server, make, s3, bucket):
    s3.put_object(Bucket=bucket, Key="public/k", Body=b"text")
    s3.put_object(Bucket=bucket, Key="private/k", Body=b"text")
    user = make.user(allow("s3:GetObject", resource=f"arn:aws:s3:::{bucket}/public/*"))
    theirs = user.client("s3")
    assert theirs.get_object(Bucket=bucket, Key="public/k")["Body"].read() == b"text"
    denied = refusal(theirs.get_object, Bucket=bucket, Key="private/k")
    assert denied == (
        403,
        "AccessDenied",
        f"User: {user.arn} is not authorized to perform: s3:GetObject on resource: "
        f'"arn:aws:s3:::{bucket}/private/k" because no identity-based policy allows the s3:GetObject action',
    )
    for call, keywords, action, resource in (
        (theirs.put_object, {"Key": "public/k", "Body": b""}, "s3:PutObject", f"{bucket}/public/k"),
        (theirs.delete_object, {"Key": "public/k"}, "s3:DeleteObject", f"{bucket}/public/k"),
        (theirs.list_objects_v2, {}, "s3:ListBucket", bucket),
        (theirs.delete_bucket, {}, "s3:DeleteBucket", bucket),
        (theirs.create_multipart_upload, {"Key": "public/k"}, "s3:PutObject", f"{bucket}/public/k"),
    ):
        status, error, message = refusal(call, Bucket=bucket, **keywords)
        assert (status, error) == (403, "AccessDenied") and f'{action} on resource: "arn:aws:s3:::{resource}"' in message
    # Who may not list does not learn what is there.
    assert refusal(theirs.get_object, Bucket=bucket, Key="public/none")[:2] == (403, "AccessDenied")
    assert refusal(theirs.head_object, Bucket=bucket, Key="public/none")[0] == 403
    seen = until(
        "the denial is not in the trail",
        lambda: events(server, "s3:GetObject", f"arn:aws:s3:::{bucket}/private/k"),
        lambda found: found,
    )
    assert seen[0]["decision"] == "deny" and seen[0]["actor"]["arn"] == user.arn
    put = events(server, "s3:PutObject", f"arn:aws:s3:::{bucket}/private/k")
    assert [event["outcome"] for event in put] == ["success"]


def test_a_list_can_be_allowed_for_a_prefix(make, s3, bucket):
    s3.put_object(Bucket=bucket, Key="mine/k", Body=b"")
    policy = allow("s3:ListBucket", resource=f"arn:aws:s3:::{bucket}", StringLike={"s3:prefix": "mine/*"})
    theirs = make.user(policy).client("s3")
    assert theirs.list_objects_v2(Bucket=bucket, Prefix="mine/")["KeyCount"] == 1
    assert refusal(theirs.list_objects_v2, Bucket=bucket)[1] == "AccessDenied"
    assert refusal(theirs.list_objects_v2, Bucket=bucket, Prefix="other/")[1] == "AccessDenied"


def test_sessions_use_the_store_as_their_role(make, s3, bucket):
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}],
    }
    session = make.assume(make.role(trust, allow("s3:*", resource=[f"arn:aws:s3:::{bucket}/*"])))
    theirs = session.client("s3")
    theirs.put_object(Bucket=bucket, Key="k", Body=b"of a session")
    for config in (ONCE, ONCE.merge(botocore.config.Config(signature_version="s3v4"))):
        url = session.client("s3", config=config).generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
        assert requests.get(url, timeout=20).content == b"of a session"
    stranger = boto3.client(
        "s3",
        endpoint_url=theirs.meta.endpoint_url,
        region_name=REGION,
        aws_access_key_id=session.key,
        aws_secret_access_key=session.secret,
    )
    assert refusal(stranger.get_object, Bucket=bucket, Key="k")[:2] == (403, "InvalidAccessKeyId")


def test_who_is_not_known_is_refused(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"text")
    key, secret = server.root_key
    assert refusal(server.client("s3", key, "wrong" + secret[5:]).get_object, Bucket=bucket, Key="k")[:2] == (
        403,
        "SignatureDoesNotMatch",
    )
    unknown = server.client("s3", "AKIA" + "Z" * 16, secret)
    assert refusal(unknown.get_object, Bucket=bucket, Key="k")[:2] == (403, "InvalidAccessKeyId")
    nobody = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=REGION,
        config=botocore.config.Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )
    assert refusal(nobody.get_object, Bucket=bucket, Key="k")[:2] == (403, "AccessDenied")
    assert refusal(nobody.put_object, Bucket=bucket, Key="k", Body=b"")[:2] == (403, "AccessDenied")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"text"


# --- presigned URLs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [None, "s3v4"])
def test_presigned_urls(server, bucket, version):
    """boto3 still signs URLs by version 2 in this region, unless it is told otherwise."""
    config = ONCE if version is None else ONCE.merge(botocore.config.Config(signature_version=version))
    s3 = server.client("s3", config=config)
    key = "a b/ä+c"
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key, "ContentType": "text/plain"})
    assert ("X-Amz-Signature" in put) == (version is not None)
    assert requests.put(put, data=b"hello", headers={"content-type": "text/plain"}, timeout=20).status_code == 200
    assert requests.put(put, data=b"hello", headers={"content-type": "text/html"}, timeout=20).status_code == 403
    get = s3.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": key, "ResponseContentDisposition": "attachment"}
    )
    answer = requests.get(get, timeout=20)
    assert (answer.content, answer.headers["content-disposition"]) == (b"hello", "attachment")
    assert requests.get(get, headers={"range": "bytes=1-2"}, timeout=20).content == b"el"
    assert requests.put(get, data=b"", timeout=20).status_code == 403
    other = get.replace("/a%20b/", "/other/")
    assert code(requests.get(other, timeout=20)) == "SignatureDoesNotMatch"
    assert requests.get(get + "&versionId=1", timeout=20).status_code == 403
    assert requests.get(get + "&uploads", timeout=20).status_code in (400, 403)
    expired = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=1)
    time.sleep(2)
    answer = requests.get(expired, timeout=20)
    assert (answer.status_code, code(answer)) == (403, "AccessDenied") and "expired" in answer.text


# --- raw requests -------------------------------------------------------------------------------------------------


def signed(s3, method: str, path: str, body: bytes = b"", **headers) -> requests.Response:
    """A request that is signed as botocore does it, whatever it is."""
    request = AWSRequest(method, s3.meta.endpoint_url + path, data=body, headers=headers)
    credentials = s3._request_signer._credentials.get_frozen_credentials()
    S3SigV4Auth(Credentials(*credentials), "s3", REGION).add_auth(request)
    return requests.request(method, request.url, data=body, headers=dict(request.headers), timeout=20)


def code(answer: requests.Response) -> str:
    """The code of S3's error document."""
    return answer.text.split("<Code>")[1].split("</Code>")[0]


class Chunked:
    """An upload in signed chunks, as Java's and Rust's SDKs write it."""

    def __init__(self, server, bucket: str, key: str, *, trailer: bool):
        self.access, self.secret = server.root_key
        self.endpoint = server.endpoint
        self.path = f"/{bucket}/{key}"
        self.trailer = trailer

    def key(self, date: str) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in (date[:8], REGION, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        return key

    def send(self, chunks, spoil=lambda body: body, length=None, trailer_value=None) -> requests.Response:
        host = urllib.parse.urlsplit(self.endpoint).netloc
        date = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{date[:8]}/{REGION}/s3/aws4_request"
        kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if self.trailer else "")
        whole = b"".join(chunks)
        headers = {
            "content-encoding": "aws-chunked",
            "host": host,
            "x-amz-content-sha256": kind,
            "x-amz-date": date,
            "x-amz-decoded-content-length": str(len(whole) if length is None else length),
            **({"x-amz-trailer": "x-amz-checksum-sha256"} if self.trailer else {}),
        }
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = f"PUT\n{self.path}\n\n{lines}\n{names}\n{kind}"
        key = self.key(date)

        def sign(text):
            return hmac.new(key, text.encode(), "sha256").hexdigest()

        def sha(data):
            return hashlib.sha256(data).hexdigest()

        last = sign(f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{sha(canonical.encode())}")
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access}/{scope}, SignedHeaders={names}, Signature={last}"
        )
        body = b""
        for chunk in [*chunks, b""]:
            last = sign(f"AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{scope}\n{last}\n{sha(b'')}\n{sha(chunk)}")
            body += f"{len(chunk):x};chunk-signature={last}\r\n".encode() + chunk + (b"\r\n" if chunk else b"")
        if self.trailer:
            value = trailer_value or base64.b64encode(hashlib.sha256(whole).digest()).decode()
            line = f"x-amz-checksum-sha256:{value}"
            last = sign(f"AWS4-HMAC-SHA256-TRAILER\n{date}\n{scope}\n{last}\n{sha((line + chr(10)).encode())}")
            body += f"{line}\r\nx-amz-trailer-signature:{last}\r\n".encode()
        body += b"\r\n"
        return requests.put(self.endpoint + self.path, data=spoil(body), headers=headers, timeout=20)


@pytest.mark.parametrize("trailer", [False, True])
def test_signed_chunks(server, s3, bucket, trailer):
    upload = Chunked(server, bucket, "k", trailer=trailer)
    chunks = [os.urandom(64 * 1024), os.urandom(64 * 1024), b"the end"]
    answer = upload.send(chunks)
    assert answer.status_code == 200, answer.text
    read = s3.get_object(Bucket=bucket, Key="k")
    assert read["Body"].read() == b"".join(chunks) and "ContentEncoding" not in read
    upload = Chunked(server, bucket, "bad", trailer=trailer)
    for spoil, expected in (
        (lambda body: body.replace(b"the end", b"the End"), "SignatureDoesNotMatch"),
        (lambda body: body.replace(b"7;chunk", b"8;chunk"), "IncompleteBody"),
        (lambda body: body[: len(body) // 2], "IncompleteBody"),
        (lambda body: body + b"more", "InvalidRequest"),
    ):
        answer = upload.send(chunks, spoil)
        assert (answer.status_code // 100, code(answer)) == (4, expected) or answer.status_code == 403, answer.text
    assert code(upload.send(chunks, length=5)) == "IncompleteBody"
    if trailer:
        assert code(upload.send(chunks, trailer_value="A" * 43 + "=")) == "BadDigest"
        answer = upload.send(chunks, lambda body: body.replace(b"x-amz-checksum-sha256:", b"x-amz-checksum-sha1:"))
        assert code(answer) == "SignatureDoesNotMatch"
    assert refusal(s3.head_object, Bucket=bucket, Key="bad")[0] == 404


def test_unsigned_chunks_with_a_trailer(s3, bucket):
    """As SDKs write them over TLS: here the encoding alone is looked at."""
    checksum = base64.b64encode(hashlib.sha256(b"hello world").digest())
    body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-sha256:" + checksum + b"\r\n\r\n"
    headers = {
        "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "X-Amz-Decoded-Content-Length": "11",
        "X-Amz-Trailer": "x-amz-checksum-sha256",
        "Content-Encoding": "aws-chunked,gzip",
    }

    class Auth(S3SigV4Auth):
        def payload(self, request):
            return "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    def send(body):
        request = AWSRequest("PUT", f"{s3.meta.endpoint_url}/{bucket}/k", data=body, headers=headers)
        credentials = s3._request_signer._credentials.get_frozen_credentials()
        Auth(Credentials(*credentials), "s3", REGION).add_auth(request)
        return requests.put(request.url, data=body, headers=dict(request.headers), timeout=20)

    assert code(send(body.replace(b"hello", b"Hello"))) == "BadDigest"
    answer = send(body)
    assert answer.status_code == 200, answer.text
    read = s3.get_object(Bucket=bucket, Key="k")
    assert (read["Body"].read(), read["ContentEncoding"]) == (b"hello world", "gzip")


def test_a_body_that_is_not_the_signed_one_is_refused(s3, bucket):
    digest = hashlib.sha256(b"signed").hexdigest()
    request = AWSRequest("PUT", f"{s3.meta.endpoint_url}/{bucket}/k", data=b"signed")
    credentials = s3._request_signer._credentials.get_frozen_credentials()
    S3SigV4Auth(Credentials(*credentials), "s3", REGION).add_auth(request)
    assert request.headers["X-Amz-Content-SHA256"] == digest
    answer = requests.put(request.url, data=b"forged", headers=dict(request.headers), timeout=20)
    assert (answer.status_code, code(answer)) == (400, "XAmzContentSHA256Mismatch")
    assert refusal(s3.head_object, Bucket=bucket, Key="k")[0] == 404


def test_documents_that_are_not_sound_are_refused(s3, bucket):
    for body in (b"", b"<Delete>", b"<Delete/>", b"\xff", b'<!DOCTYPE a [<!ENTITY b "c">]><Delete>&b;</Delete>'):
        answer = signed(s3, "POST", f"/{bucket}?delete", body)
        assert (answer.status_code, code(answer)) == (400, "MalformedXML"), body
    assert code(signed(s3, "PUT", f"/{bucket}/{'k' * 1025}")) == "KeyTooLongError"
    assert code(signed(s3, "GET", f"/{bucket}/%FF")) == "InvalidURI"
    assert code(signed(s3, "PATCH", f"/{bucket}/k")) == "MethodNotAllowed"
    assert code(signed(s3, "GET", f"/{bucket}?max-keys=many")) == "InvalidArgument"


# --- the AWS CLI --------------------------------------------------------------------------------------------------


def test_the_aws_cli(server, tmp_path):
    bucket = name("cli")

    def aws(*words, check=True):
        done = subprocess.run([AWS, *words], capture_output=True, text=True, timeout=120, env=server.env, cwd=tmp_path)
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    (tmp_path / "small.txt").write_text("hello")
    (tmp_path / "big").write_bytes(os.urandom(20 * MIB))
    aws("s3", "mb", f"s3://{bucket}")
    assert bucket in aws("s3", "ls").stdout
    aws("s3", "cp", "small.txt", f"s3://{bucket}/a/small.txt")
    aws("s3", "cp", "big", f"s3://{bucket}/big")
    assert "PRE a/" in aws("s3", "ls", f"s3://{bucket}/").stdout
    listed = aws("s3", "ls", "--recursive", f"s3://{bucket}/").stdout
    assert "a/small.txt" in listed and str(20 * MIB) in listed
    assert aws("s3", "cp", f"s3://{bucket}/a/small.txt", "-").stdout == "hello"
    aws("s3", "cp", f"s3://{bucket}/big", "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "big").read_bytes()
    aws("s3", "mv", f"s3://{bucket}/a/small.txt", f"s3://{bucket}/b/moved.txt")
    aws("s3", "sync", f"s3://{bucket}/b", "synced")
    assert (tmp_path / "synced" / "moved.txt").read_text() == "hello"
    url = aws("s3", "presign", f"s3://{bucket}/b/moved.txt").stdout.strip()
    assert requests.get(url, timeout=20).text == "hello"
    head = json.loads(aws("s3api", "head-object", "--bucket", bucket, "--key", "b/moved.txt").stdout)
    assert head["ContentLength"] == 5 and head["ContentType"] == "text/plain"
    missing = aws("s3api", "get-object", "--bucket", bucket, "--key", "none", "out", check=False)
    assert missing.returncode != 0 and "NoSuchKey" in missing.stderr
    aws("s3", "rb", "--force", f"s3://{bucket}")
    assert bucket not in aws("s3", "ls").stdout


# --- crashes ------------------------------------------------------------------------------------------------------


def test_an_upload_that_breaks_off_leaves_nothing(server, s3, bucket):
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    parts = urllib.parse.urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {9 * MIB}\r\n\r\n"
        connection.sendall(head.encode() + os.urandom(3 * MIB))
    until(
        "the refusal is not in the trail",
        lambda: events(server, "s3:PutObject", f"arn:aws:s3:::{bucket}/k"),
        lambda found: any(event.get("error") == "IncompleteBody" for event in found),
    )
    assert refusal(s3.head_object, Bucket=bucket, Key="k")[0] == 404
    s3.delete_bucket(Bucket=bucket)


def test_a_power_cut_leaves_whole_objects_only(start_server):
    server = start_server()
    s3 = server.client("s3")
    s3.create_bucket(Bucket="cut", CreateBucketConfiguration={"LocationConstraint": REGION})
    data = {f"k{number}": os.urandom(3 * MIB + number) for number in range(3)}
    for key, body in data.items():
        s3.put_object(Bucket="cut", Key=key, Body=body)
    begun = s3.create_multipart_upload(Bucket="cut", Key="k0")
    part = {"Bucket": "cut", "Key": "k0", "UploadId": begun["UploadId"]}
    s3.upload_part(**part, PartNumber=1, Body=b"x" * 5 * MIB)

    def overwrite(key):
        try:
            s3.put_object(Bucket="cut", Key=key, Body=b"y" * 30 * MIB)
            return True
        except Exception:  # noqa: BLE001 - the server is gone
            return False

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        writing = [pool.submit(overwrite, key) for key in data]
        until("nothing is being written", lambda: (server.data_dir / "portcullis.db-wal"), lambda path: path.exists() or server.database.url)
        concurrent.futures.wait(writing, timeout=0.4)
        server.kill()
        told = dict(zip(data, [future.result() for future in writing], strict=True))
    server.start()
    s3 = server.client("s3")
    for key, body in data.items():
        found = s3.get_object(Bucket="cut", Key=key)["Body"].read()
        assert found == b"y" * 30 * MIB or (found == body and not told[key]), (key, len(found), told[key])
    # What was answered is there: the upload goes on.
    tag = s3.list_parts(**part)["Parts"][0]["ETag"]
    s3.complete_multipart_upload(**part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
    assert s3.get_object(Bucket="cut", Key="k0")["Body"].read() == b"x" * 5 * MIB
