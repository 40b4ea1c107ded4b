//! DeleteObject and DeleteObjects.

use bytes::Bytes;
use domain::{Arn, Bucket};
use http::{Response, StatusCode};

use super::{answered, bare, document, still_there};
use crate::authenticate::Payload;
use crate::authorize::Call;
use crate::conditions;
use crate::fault::{Failure, Fault};
use crate::outgoing::Body;
use crate::xml::{Element, Xml};

/// How many keys one request may name.
const MOST: usize = 1_000;

/// DeleteObject: what is not there is deleted already.
pub(super) async fn one(call: &Call<'_>) -> Result<Response<Body>, Failure> {
    let (bucket, authorized) = call.authorize().await?;
    let mut tx = authorized.begin().await?;
    still_there(tx.bucket(&bucket.name).await?.as_ref(), &bucket)?;
    let present = tx.object(&bucket.name, &call.target.key).await?;
    if call.header("if-match").is_some() {
        conditions::hold_for_writing(call, present.as_ref())?;
    }
    if present.is_some() {
        tx.delete_object(&bucket.name, &call.target.key, call.now).await?;
    }
    authorized.commit(tx).await?;
    Ok(bare(StatusCode::NO_CONTENT))
}

/// DeleteObjects: each key is decided about, deleted and recorded by itself, and each refusal is recorded too.
pub(super) async fn many<B>(call: &Call<'_>, body: B, payload: Payload) -> Result<Response<Body>, Failure>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let found = call.setup.store.read().await?.bucket(&call.target.bucket).await?;
    // There are no policies of buckets that could open one to another account: whoever may not see whether a bucket of
    // the own account is there is told the same about one of another.
    let own = found.as_ref().map(|found| found.scope.account == *call.account());
    let refused = match own {
        Some(own) => !own,
        None => !call.may("s3:ListBucket", &Arn::bucket(&call.target.bucket), call.account()),
    };
    if refused {
        return Err(Failure::new("AccessDenied", "Access Denied"));
    }
    let bucket = call.present(found, &call.target.bucket)?;
    let request = Element::read(&document(call, body, payload).await?, "Delete")?;
    let quiet = request.child("Quiet") == Some("true");
    let keys: Vec<&Element> = request.children.iter().filter(|child| child.name == "Object").collect();
    if keys.is_empty() || keys.len() > MOST {
        return Err(Failure::new("MalformedXML", format!("A Delete names 1 to {MOST} objects.")));
    }
    let mut xml = Xml::answer("DeleteResult");
    for object in keys {
        let key = object.child("Key").unwrap_or_default();
        match delete(call, &bucket, object, key).await {
            Ok(()) if quiet => {}
            Ok(()) => {
                xml.open("Deleted");
                xml.leaf("Key", key);
                xml.close("Deleted");
            }
            Err(failure) => {
                let fault = failure.into_fault(call.request_id);
                call.refused(&Arn::object(&bucket.name, key), &fault).await;
                let Fault { code, message, .. } = fault;
                xml.open("Error");
                xml.leaf("Key", key);
                xml.leaf("Code", code);
                xml.leaf("Message", &message);
                xml.close("Error");
            }
        }
    }
    Ok(answered(xml.end("DeleteResult")))
}

async fn delete(call: &Call<'_>, bucket: &Bucket, object: &Element, key: &str) -> Result<(), Failure> {
    if key.is_empty() || key.len() > 1024 {
        return Err(Failure::new("InvalidArgument", "A key has 1 to 1024 bytes."));
    }
    if let Some(other) = object.children.iter().find(|child| child.name != "Key" && !child.text.is_empty()) {
        return Err(Failure::not_implemented(&format!(
            "the element `{}` of an object to delete",
            other.name
        )));
    }
    let authorized =
        call.decide(call.operation.action(), Arn::object(&bucket.name, key), &bucket.scope.account)?;
    let mut tx = authorized.begin().await?;
    still_there(tx.bucket(&bucket.name).await?.as_ref(), bucket)?;
    tx.delete_object(&bucket.name, key, call.now).await?;
    authorized.commit(tx).await?;
    Ok(())
}
