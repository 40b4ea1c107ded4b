"""Mail by SES's names: boto3's `ses`, unmodified, and a real SMTP server that it arrives at, over real TLS."""

import base64
import email
import email.policy
import json
from email.message import EmailMessage

import pytest
from botocore.exceptions import ClientError

import smtp_relay
from portcullis import Server
from scenery import allow

ACCOUNT = ("portcullis", "a-password-of-the-relay-3f1b")
PLAIN = {"Subject": {"Data": "Grüße"}, "Body": {"Text": {"Data": "It is on its way.\n.dot\n"}, "Html": {"Data": "<p>It is</p>"}}}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return smtp_relay.authority_and_certificate(tmp_path_factory.mktemp("relay"))


@pytest.fixture(scope="module")
def relay(certificates):
    running = smtp_relay.Relay(certificates[1], ACCOUNT)
    yield running
    running.end()


def settings(folder, relay, ca, *more: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    password = folder / "relay.password"
    password.write_text(f"{ACCOUNT[1]}\n")
    lines = ["[mail]", 'relay = "localhost"', f"port = {relay.port}", f'user = "{ACCOUNT[0]}"', f'password-file = "{password}"']
    return "\n".join([*lines, f'ca-file = "{ca}"', *more]) + "\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory, relay, certificates):
    folder = tmp_path_factory.mktemp("mail")
    with Server(folder, settings=settings(folder, relay, certificates[0])) as running:
        yield running


@pytest.fixture(scope="module")
def ses(server):
    return server.client("ses")


@pytest.fixture(autouse=True)
def clean(relay):
    relay.taken.clear()


def raw(**headers) -> EmailMessage:
    message = EmailMessage()
    for name, value in {"From": "Agents <agents@example.com>", "To": "a@example.com", "Subject": "Raw", **headers}.items():
        message[name] = value
    message.set_content("Written by its sender.\n")
    message.add_attachment(b"\x00\x01data", maintype="application", subtype="octet-stream", filename="data.bin")
    return message


def test_a_message_is_kept_and_delivered(server, ses, relay):
    sent = ses.send_email(
        Source="Ägents <agents@example.com>",
        Destination={"ToAddresses": ["Ann <a@example.com>"], "CcAddresses": ["c@example.com"], "BccAddresses": ["b@example.com"]},
        Message=PLAIN,
        ReplyToAddresses=["help@example.com"],
    )
    [taken] = relay.taken
    assert taken["secure"] and taken["user"] == ACCOUNT[0]
    assert taken["from"] == "agents@example.com"
    assert sorted(taken["to"]) == ["a@example.com", "b@example.com", "c@example.com"]
    message = email.message_from_bytes(taken["message"], policy=email.policy.default)
    assert message["Subject"] == "Grüße" and message["From"] == "Ägents <agents@example.com>"
    assert message["Reply-To"] == "help@example.com" and message["Bcc"] is None
    assert sent["MessageId"] in message["Message-ID"]
    assert message.get_body("plain").get_content().splitlines()[:2] == ["It is on its way.", ".dot"]
    assert "<p>It is</p>" in message.get_body("html").get_content()
    assert sent["MessageId"] in server.run("mail", "list", "--json").stdout
    assert ACCOUNT[1] not in server.log()


def test_a_raw_message_is_delivered_as_it_was_written(server, ses, relay):
    message = raw(Cc="c@example.com", Bcc="hidden@example.com")
    sent = ses.send_raw_email(RawMessage={"Data": message.as_bytes(policy=email.policy.SMTP)})
    [taken] = relay.taken
    assert sorted(taken["to"]) == ["a@example.com", "c@example.com", "hidden@example.com"]
    arrived = email.message_from_bytes(taken["message"], policy=email.policy.default)
    assert b"hidden" not in taken["message"]
    assert [part.get_content() for part in arrived.iter_attachments()] == [b"\x00\x01data"]
    [kept] = [json.loads(line) for line in server.run("mail", "list", "--json").stdout.splitlines() if sent["MessageId"] in line]
    assert kept["message"]["Message"]["Subject"]["Data"] == "Raw"
    # The request's own recipients count, and the headers' do not.
    ses.send_raw_email(Destinations=["d@example.com"], RawMessage={"Data": message.as_bytes()})
    assert relay.taken[-1]["to"] == ["d@example.com"]


def test_what_the_relay_refuses_its_sender_hears(server, ses, relay):
    for recipient, code, status in [("unknown@example.com", "MessageRejected", 400), ("later@example.com", "ServiceUnavailable", 503)]:
        with pytest.raises(ClientError) as refused:
            ses.send_email(Source="agents@example.com", Destination={"ToAddresses": [recipient]}, Message=PLAIN)
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert relay.taken == []
    assert "unknown@example.com" in server.run("mail", "list", "--json").stdout, "it is in the outbox"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"RawMessage": {"Data": raw(From="ceo@example.com").as_bytes()}, "Source": "agents@example.com"}, "different senders"),
        ({"RawMessage": {"Data": b"From: a@example.com\nFrom: b@example.com\nTo: c@example.com\n\nx"}}, "more than once"),
        ({"RawMessage": {"Data": b"Subject: nobody\n\nx"}}, "Missing required header 'From'"),
        ({"RawMessage": {"Data": b"From: a@example.com\n\nx"}}, "Missing required header 'To'"),
        ({"RawMessage": {"Data": b"From: a@example.com\nSubject: " + b"x" * 70_000 + b"\n\nx"}}, "headers of the message"),
    ],
)
def test_what_cannot_be_sent_is_refused(ses, relay, request_, words):
    with pytest.raises(ClientError, match=words) as refused:
        ses.send_raw_email(**request_)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert relay.taken == []


def test_policies_speak_about_the_sender_of_a_raw_message(server, make, relay):
    own = "arn:aws:ses:*:*:identity/agents@example.com"
    sender = make.user(allow("ses:SendRawEmail", resource=own)).client("ses")
    sender.send_raw_email(RawMessage={"Data": raw().as_bytes()})
    assert len(relay.taken) == 1
    with pytest.raises(ClientError) as denied:
        sender.send_raw_email(RawMessage={"Data": raw(From="ceo@example.com").as_bytes()})
    assert denied.value.response["Error"]["Code"] == "AccessDenied"
    other = make.user(allow("ses:SendEmail", resource=own)).client("ses")
    with pytest.raises(ClientError) as denied:
        other.send_raw_email(RawMessage={"Data": raw().as_bytes()})
    assert "ses:SendRawEmail" in str(denied.value)
    assert len(relay.taken) == 1


ENDS = [b"\n.\r\n", b"\n.\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n\r.\r\n"]
SECOND = b"MAIL FROM:<ceo@example.com>%bRCPT TO:<victim@example.com>%bDATA%bFrom: ceo@example.com%b%bPay.%b.%b"


@pytest.mark.parametrize("lenient", [False, True], ids=["relay-of-crlf", "relay-of-lf"])
def test_a_message_carries_no_second_one(start_server, lenient):
    """Also to a relay that takes a bare LF for the end of a line, as some do."""
    careless = smtp_relay.Relay(lenient=lenient)
    own = start_server(settings=f'[mail]\nrelay = "127.0.0.1"\nport = {careless.port}\nsecurity = "none"\n')
    head = b"From: agents@example.com\r\nTo: a@example.com\r\n\r\n"
    for end in ENDS:
        careless.taken.clear()
        line = b"\r\n" if end.endswith(b"\r\n") else end[-1:]
        body = b"Hello." + end + SECOND.replace(b"%b", line) + b"QUIT" + line
        own.client("ses").send_raw_email(RawMessage={"Data": head + body})
        assert [(it["from"], it["to"]) for it in careless.taken] == [("agents@example.com", ["a@example.com"])], end
        taken = careless.taken[0]["message"]
        has_no_bare_ends(taken)
        assert b"Hello." in taken and b"ceo@example.com" in taken, "what was written arrives as text"
    careless.end()
    kept = [json.loads(line)["message"] for line in own.run("mail", "list", "--json").stdout.splitlines()]
    assert len(kept) == len(ENDS)
    for message in kept:
        has_no_bare_ends(base64.b64decode(message["RawMessage"]["Data"]))


def has_no_bare_ends(message: bytes):
    left = message.replace(b"\r\n", b"")
    assert b"\r" not in left and b"\n" not in left, message


def test_a_bare_line_end_hides_no_header(ses, relay):
    """What some readers see as a header is read as one."""
    message = b"From: agents@example.com\nTo: a@example.com\nSubject: x%bBcc: b@example.com\n\nHello.\n"
    for hidden in (b"\r", b"\n", b"\r\n"):
        ses.send_raw_email(RawMessage={"Data": message.replace(b"%b", hidden)})
        taken = relay.taken[-1]
        assert taken["to"] == ["a@example.com", "b@example.com"] and b"Bcc" not in taken["message"]
        assert b"Hello.\r\n" in taken["message"]


@pytest.mark.parametrize("place", ["Subject: a%b\n\nx", "Subject: a\n\nx%b", "Subj%bect: a\n\nx"])
def test_a_nul_is_refused(server, ses, relay, place):
    kept = server.run("mail", "list", "--json").stdout
    data = ("From: agents@example.com\nTo: a@example.com\n" + place).replace("%b", "\0").encode()
    with pytest.raises(ClientError, match="NUL") as refused:
        ses.send_raw_email(RawMessage={"Data": data})
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert relay.taken == [] and server.run("mail", "list", "--json").stdout == kept


SEVERAL = "must name one address"
OTHER = "name different senders"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ("From: Bot <agents@example.com>, CEO <ceo@example.com>", SEVERAL),
        ("From: agents@example.com,\n ceo@example.com", SEVERAL),
        ("From: Team: agents@example.com, ceo@example.com;", SEVERAL),
        ("From: agents@example.com\nSender: ceo@example.com", OTHER),
        ("From: agents@example.com\nResent-From: ceo@example.com", OTHER),
        ("From: agents@example.com\nSender: agents@example.com, ceo@example.com", SEVERAL),
        ("From: agents@example.com\nsender: agents@example.com\nSender: ceo@example.com", "more than once"),
        (" From: ceo@example.com\nFrom: agents@example.com", "is no header"),
        ("no header\nFrom: agents@example.com", "is no header"),
    ],
)
@pytest.mark.parametrize("source", [None, "agents@example.com"])
def test_a_message_has_one_sender(ses, relay, headers, words, source):
    more = {"Source": source} if source else {}
    with pytest.raises(ClientError, match=words) as refused:
        ses.send_raw_email(RawMessage={"Data": f"{headers}\nTo: a@example.com\n\nx\n".encode()}, **more)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert relay.taken == []


def test_the_name_that_is_shown_is_the_one_that_is_judged(make, relay):
    own = "arn:aws:ses:*:*:identity/agents@example.com"
    condition = {"StringEquals": {"ses:FromDisplayName": "Bot", "ses:FromAddress": "agents@example.com"}}
    client = make.user(allow("ses:SendRawEmail", resource=own, **condition)).client("ses")

    def sends(headers: str, **more):
        message = f"{headers}\nTo: a@example.com\n\nx\n".encode()
        return client.send_raw_email(RawMessage={"Data": message}, **more)

    bot = "From: Bot <agents@example.com>"
    for headers, more in [
        (bot, {}),
        (bot, {"Source": "agents@example.com"}),
        (bot, {"Source": "Bot <agents@example.com>"}),
        ("From: =?utf-8?q?Bo=74?= <agents@example.com>", {}),
        (f"{bot}\nSender: Bot <agents@example.com>", {}),
    ]:
        sends(headers, **more)
    assert len(relay.taken) == 5
    for headers, more in [
        ("From: CEO <agents@example.com>", {"Source": "Bot <agents@example.com>"}),
        ("From: =?utf-8?q?CEO?= <agents@example.com>", {"Source": "Bot <agents@example.com>"}),
        ("From: agents@example.com (CEO)", {"Source": "Bot <agents@example.com>"}),
        ("From: agents@example.com", {"Source": "Bot <agents@example.com>"}),
        (bot, {"Source": "CEO <agents@example.com>"}),
        (bot, {"Source": "AGENTS@example.com"}),
        (f"{bot}\nSender: CEO <agents@example.com>", {}),
        ("From: Bot <AGENTS@example.com>", {"Source": "Bot <agents@example.com>"}),
    ]:
        with pytest.raises(ClientError) as denied:
            sends(headers, **more)
        assert denied.value.response["Error"]["Code"] == "AccessDenied", headers
    assert len(relay.taken) == 5


def send(server):
    server.client("ses").send_email(Source="a@example.com", Destination={"ToAddresses": ["b@example.com"]}, Message=PLAIN)


def test_a_relay_is_trusted_by_its_certificate_only(start_server, relay, certificates, tmp_path):
    untrusted = settings(tmp_path, relay, certificates[0]).replace(f'ca-file = "{certificates[0]}"', "")
    with pytest.raises(ClientError, match="relay does not take it now"):
        send(start_server(settings=untrusted))
    # STARTTLS that is not offered is not done without.
    bare = smtp_relay.Relay()
    with pytest.raises(ClientError, match="relay does not take it now"):
        send(start_server(settings=settings(tmp_path, bare, certificates[0])))
    assert bare.taken == [] and "AUTH" not in bare.heard
    bare.end()
    assert relay.taken == []


def test_tls_from_the_first_byte_and_none_on_this_machine(start_server, certificates, tmp_path):
    implicit = smtp_relay.Relay(certificates[1], ACCOUNT, implicit=True)
    send(start_server(settings=settings(tmp_path, implicit, certificates[0], 'security = "tls"')))
    assert implicit.taken[0]["secure"]
    implicit.end()
    plain = smtp_relay.Relay()
    send(start_server(settings=f'[mail]\nrelay = "127.0.0.1"\nport = {plain.port}\nsecurity = "none"\n'))
    assert plain.taken[0]["to"] == ["b@example.com"]
    plain.end()


def test_without_a_relay_it_is_kept(start_server):
    own = start_server()
    send(own)
    assert "b@example.com" in own.run("mail", "list", "--json").stdout
