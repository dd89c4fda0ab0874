//! Reads wares over HTTP. Every ware is verified by its hash afterwards, so what a server says is only a claim.

use super::{PackedWare, Warehouse, WarehouseError};
use crate::ware::policy::ArchivePolicy;
use crate::ware::route::Route;
use std::time::Duration;
use wake_model::ware::WareId;

/// Begins to download `url`. The whole download may take an hour, each step before its first byte 30 seconds.
pub(super) fn get(
    warehouse: &Warehouse,
    url: &str,
    route: &Route,
    ware: &WareId,
) -> Result<PackedWare, WarehouseError> {
    let address = warehouse.to_string();
    let unavailable =
        |problem: String| WarehouseError::Unavailable { address: address.clone(), problem };
    let proxy = route.proxy(url).map(ureq::Proxy::new).transpose();
    let proxy = proxy.map_err(|error| unavailable(format!("its proxy: {error}")))?;
    let response = agent(url.starts_with("https:"), proxy)
        .get(url)
        .header("accept-encoding", "identity")
        .call()
        .map_err(|error| unavailable(error.to_string()))?;
    match response.status().as_u16() {
        200 => {}
        404 | 410 => return Err(WarehouseError::NotFound { address, ware: ware.clone() }),
        408 | 429 | 500.. => return Err(unavailable(format!("HTTP status {}", response.status()))),
        _ => {
            let problem = format!("HTTP status {}", response.status());
            return Err(WarehouseError::Failed { address, problem });
        }
    }
    if response.headers().get("content-encoding").is_some_and(|encoding| encoding != "identity") {
        return Err(WarehouseError::Failed {
            address,
            problem: "the answer is encoded".to_owned(),
        });
    }
    let body = response.into_body();
    let size = body.content_length();
    let bytes = body.into_with_config().limit(ArchivePolicy::WARE.max_bytes).reader();
    Ok(PackedWare { bytes: Box::new(bytes), size, address })
}

/// An `https` address never leads to an unencrypted one, also not by a redirect. Where it leads, its proxy goes along.
fn agent(https_only: bool, proxy: Option<ureq::Proxy>) -> ureq::Agent {
    let step = Some(Duration::from_secs(30));
    ureq::Agent::config_builder()
        .https_only(https_only)
        // Also none must be said: a builder takes what it finds in the environment.
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(5)
        .timeout_connect(step)
        .timeout_send_request(step)
        .timeout_recv_response(step)
        .timeout_recv_body(Some(Duration::from_secs(3600)))
        .build()
        .into()
}
