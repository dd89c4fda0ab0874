//! Reads wares over HTTP. Every ware is verified by its hash afterwards, so a server's response is only a claim.

use super::{PackedWare, Warehouse, WarehouseError};
use crate::ware::meter::Meter;
use crate::ware::route::Route;
use crate::ware::web::{Web, WebError};
use wake_model::ware::WareId;

/// Starts downloading `url`. The whole download may take an hour, each step before its first byte 30 seconds; it ends
/// at once when `meter` is stopped.
pub(super) fn get(
    warehouse: &Warehouse,
    url: &str,
    route: &Route,
    ware: &WareId,
    meter: &Meter,
) -> Result<PackedWare, WarehouseError> {
    let address = warehouse.to_string();
    let answer = match Web::new(route.clone()).get(url, &crate::ware::Portion::default(), meter) {
        Ok(answer) => answer,
        Err(WebError::Cancelled) => return Err(WarehouseError::Cancelled),
        Err(error) => {
            let problem = error.to_string();
            return Err(WarehouseError::Unavailable { address, problem });
        }
    };
    let problem = format!("HTTP status {}", answer.status_line);
    match answer.status {
        200 => {}
        404 | 410 => return Err(WarehouseError::NotFound { address, ware: ware.clone() }),
        408 | 429 | 500.. => return Err(WarehouseError::Unavailable { address, problem }),
        _ => return Err(WarehouseError::Failed { address, problem }),
    }
    if answer.is_encoded {
        let problem = "the response has a content encoding".to_owned();
        return Err(WarehouseError::Failed { address, problem });
    }
    Ok(PackedWare { bytes: answer.bytes, size: answer.size, address })
}
