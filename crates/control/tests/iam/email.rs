//! SES: messages go into the outbox; without a relay, nowhere else.

use domain::AccountId;
use serde_json::{Value, json};

use crate::support::{World, allow};

fn message() -> Value {
    json!({
        "Source": "Agents <agents@example.com>",
        "Destination": {"ToAddresses": ["a@example.com"], "BccAddresses": ["b@example.com"]},
        "Message": {
            "Subject": {"Data": "Your refund"},
            "Body": {"Text": {"Data": "It is on its way."}, "Html": {"Data": "<p>It is on its way.</p>"}},
        },
        "ReplyToAddresses": ["help@example.com"],
    })
}

#[tokio::test]
async fn a_message_is_kept_as_it_was_sent() {
    for world in World::on_each_database().await {
        let sent = world.root().in_region("eu-west-1").call("ses", "SendEmail", message()).await;
        let request_id = sent.headers["x-amzn-requestid"].to_str().unwrap().to_owned();
        let id = sent.good()["MessageId"].as_str().unwrap().to_owned();
        assert_eq!(id, format!("0100019aa5bfc5c0-{request_id}-000000"));
        let mut tx = world.store().read().await.unwrap();
        let mails = tx.mails(&AccountId::first(), 10).await.unwrap();
        drop(tx);
        assert_eq!(mails.len(), 1);
        assert_eq!((&mails[0].id, mails[0].scope.region.as_str()), (&id, "eu-west-1"));
        assert_eq!(serde_json::from_str::<Value>(&mails[0].message.0).unwrap(), message());
        let event = world.event("ses:SendEmail").await;
        let sender = "arn:aws:ses:eu-west-1:000000000000:identity/agents@example.com";
        assert_eq!(event.resource.as_deref(), Some(sender));
        let written = serde_json::to_string(&event).unwrap();
        assert!(!written.contains("refund") && !written.contains("a@example.com"), "{written}");
    }
}

#[tokio::test]
async fn policies_speak_about_the_sender_and_the_recipients() {
    let world = World::new().await;
    let own = "arn:aws:ses:*:*:identity/agents@example.com";
    let ann = world.user("ann", Some(allow("ses:SendEmail", own))).await;
    ann.call("ses", "SendEmail", message()).await.good();
    let mut forged = message();
    forged["Source"] = json!("agents@example.com <ceo@example.com>");
    let text = ann.call("ses", "SendEmail", forged).await.refused(403, "AccessDenied");
    assert!(
        text.contains(
            "ses:SendEmail on resource: arn:aws:ses:us-west-2:000000000000:identity/ceo@example.com"
        ),
        "{text}"
    );
    let mut policy = allow("ses:SendEmail", "*");
    policy["Statement"][0]["Condition"] = json!({
        "ForAllValues:StringLike": {"ses:Recipients": "*@example.com"},
        "StringEquals": {"ses:FromDisplayName": "Agents"},
    });
    let bob = world.user("bob", Some(policy)).await;
    bob.call("ses", "SendEmail", message()).await.good();
    let mut outside = message();
    outside["Destination"]["CcAddresses"] = json!(["someone@elsewhere.org"]);
    bob.call("ses", "SendEmail", outside).await.refused(403, "AccessDenied");
}

#[tokio::test]
async fn a_message_needs_somebody_to_go_to_and_something_to_say() {
    let world = World::new().await;
    let send = async |change: fn(&mut Value)| {
        let mut changed = message();
        change(&mut changed);
        world.root().call("ses", "SendEmail", changed).await
    };
    let refused = send(|mail| mail["Destination"] = json!({})).await.refused(400, "ValidationError");
    assert!(refused.contains("'/Destination'"), "{refused}");
    let refused = send(|mail| mail["Message"]["Body"] = json!({})).await.refused(400, "ValidationError");
    assert!(refused.contains("'/Message/Body'"), "{refused}");
    let refused =
        send(|mail| mail["ReturnPath"] = json!("x@example.com")).await.refused(400, "ValidationError");
    assert!(refused.contains("not supported"), "{refused}");
    let many = |mail: &mut Value| {
        let to: Vec<_> = (0..50).map(|at| format!("{at}@example.com")).collect();
        mail["Destination"]["ToAddresses"] = json!(to);
    };
    let refused = send(many).await.refused(400, "InvalidParameterValue");
    assert_eq!(refused, "Recipient count exceeds 50.");
    for change in [
        (|mail| mail["Source"] = json!("nobody")) as fn(&mut Value),
        |mail| mail["Destination"]["ToAddresses"] = json!(["nobody"]),
        |mail| mail["Destination"]["BccAddresses"] = json!(["nobody"]),
        |mail| mail["ReplyToAddresses"] = json!(["nobody"]),
    ] {
        let refused = send(change).await.refused(400, "InvalidParameterValue");
        assert_eq!(refused, "Missing final '@domain'");
    }
    let mut tx = world.store().read().await.unwrap();
    assert!(tx.mails(&AccountId::first(), 10).await.unwrap().is_empty());
}
