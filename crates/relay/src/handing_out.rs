//! What leaves gets what the store has of it: receipts their proofs, messages their bodies.

use bytes::Bytes;
use kuriiri_engine::{Body, ReceiptOut, Unproved};
use kuriiri_store::{BodyError, Store};
use kuriiri_types::{Refusal, SignedReceipt, limits::BODY_READS_MAX};
use tokio::sync::Semaphore;

use crate::error::LinkError;

/// Turns at reading bodies.
static BODY_READS: Semaphore = Semaphore::const_new(BODY_READS_MAX);

/// Gives receipts of this relay their proofs. Their step must be durable.
pub(crate) fn prove(
    store: &Store,
    receipts: Vec<Unproved>,
) -> Result<Vec<SignedReceipt>, LinkError> {
    store.prove(receipts).map_err(|error| LinkError::Proof(error.to_string()))
}

/// A receipt as it leaves, whoever issued it.
pub(crate) fn receipt(store: &Store, receipt: ReceiptOut) -> Result<SignedReceipt, LinkError> {
    match receipt {
        ReceiptOut::Other(signed) => Ok(signed),
        ReceiptOut::Own(unproved) => {
            let missing = || LinkError::Proof("the store gave no proof".into());
            prove(store, vec![unproved])?.pop().ok_or_else(missing)
        }
    }
}

/// Salt and body, or why they will not be had so soon.
pub(crate) async fn body_or_why(
    store: &Store,
    body: Body,
) -> Result<Result<Bytes, Refusal>, BodyError> {
    match self::body(store, body).await {
        Ok(bytes) => Ok(Ok(bytes)),
        Err(error) if error.passes() => Err(error),
        Err(error) => {
            tracing::error!(%error, code = %error.code(), "a message is set aside for its body");
            Ok(Err(Refusal { code: error.code(), reasons: vec![error.to_string()] }))
        }
    }
}

/// Salt and body, wherever they are.
pub(crate) async fn body(store: &Store, body: Body) -> Result<Bytes, BodyError> {
    match body {
        Body::Inline(body) => Ok(body),
        Body::File(place) => {
            // Each takes a thread, of which commits need some too. Never closed.
            let _turn = BODY_READS.acquire().await;
            store.read_body(place).await
        }
    }
}
