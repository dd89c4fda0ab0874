//! Reads wares over HTTP. Every ware is verified by its hash afterwards, so what a server says is only a claim.

use super::{PackedWare, Warehouse, WarehouseError};
use crate::ware::meter::Meter;
use crate::ware::policy::ArchivePolicy;
use crate::ware::route::Route;
use crate::ware::waiting::{Awaited, unless_stopped};
use rustls_native_certs::{load_certs_from_paths, load_native_certs};
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use wake_model::ware::WareId;

/// Begins to download `url`. The whole download may take an hour, each step before its first byte 30 seconds; it ends at once
/// when `meter` is stopped.
pub(super) fn get(
    warehouse: &Warehouse,
    url: &str,
    route: &Route,
    ware: &WareId,
    meter: &Meter,
) -> Result<PackedWare, WarehouseError> {
    let (warehouse, url, route, ware) =
        (warehouse.clone(), url.to_owned(), route.clone(), ware.clone());
    let begun = unless_stopped(meter, move || begin(&warehouse, &url, &route, &ware));
    let PackedWare { bytes, size, address } = begun.map_err(|_| WarehouseError::Cancelled)??;
    Ok(PackedWare { bytes: Box::new(Awaited::new(bytes, meter)), size, address })
}

fn begin(
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
    let is_encrypted = url.starts_with("https:");
    let tls = match is_encrypted {
        true => tls(route).map_err(unavailable)?,
        false => TlsConfig::default(),
    };
    let response = agent(is_encrypted, proxy, tls)
        .get(url)
        .header("accept-encoding", "identity")
        .call()
        .map_err(|error| unavailable(problem(&error)))?;
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

/// Who may vouch for servers: the authorities that `route` names, else those of the system.
fn tls(route: &Route) -> Result<TlsConfig, String> {
    let found = match &route.authorities {
        Some(file) => load_certs_from_paths(Some(file), None),
        None => load_native_certs(),
    };
    if found.certs.is_empty() {
        let place = route.authorities.as_ref().map_or_else(
            || {
                "on this system: install `ca-certificates`, or name a file of them in SSL_CERT_FILE"
                    .to_owned()
            },
            |file| format!("in `{}`, which SSL_CERT_FILE names", file.display()),
        );
        return Err(format!("there are no certificates of authorities {place}"));
    }
    let roots = found.certs.iter().map(|one| Certificate::from_der(one).to_owned());
    Ok(TlsConfig::builder().root_certs(RootCerts::from(roots.collect::<Vec<_>>())).build())
}

/// What went wrong, without the name of the library that says so.
fn problem(error: &ureq::Error) -> String {
    let text = error.to_string();
    match text.split_once("invalid peer certificate: ") {
        Some((_, why)) => {
            format!(
                "its certificate is refused ({why}); authorities of your own can be named in SSL_CERT_FILE"
            )
        }
        None => text,
    }
}

/// An `https` address never leads to an unencrypted one, also not by a redirect. Where it leads, its proxy goes along.
fn agent(https_only: bool, proxy: Option<ureq::Proxy>, tls: TlsConfig) -> ureq::Agent {
    let step = Some(Duration::from_secs(30));
    ureq::Agent::config_builder()
        .https_only(https_only)
        // Also none must be said: a builder takes what it finds in the environment.
        .proxy(proxy)
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(5)
        .timeout_connect(step)
        .timeout_send_request(step)
        .timeout_recv_response(step)
        .timeout_recv_body(Some(Duration::from_secs(3600)))
        .build()
        .into()
}
