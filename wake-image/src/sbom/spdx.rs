//! The SPDX document. Source: SPDX 2.3, JSON.

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use wake_model::json as canonical_json;

use super::distribution::SystemPackage;
use super::{PlacedPackage, hex};
use crate::images::Image;

/// Its media type.
pub(crate) const SPDX: &str = "application/spdx+json";
const IMAGE: &str = "SPDXRef-Image";

/// A file of the image.
pub(super) struct ListedFile {
    pub(super) path: String,
    pub(super) sha1: String,
    pub(super) sha256: String,
}

/// Everything known about an image, in a deterministic order.
pub(super) fn document(
    image: &Image,
    system: &[SystemPackage],
    unread: Option<&str>,
    placed: &[(&PlacedPackage, Vec<ListedFile>)],
) -> String {
    let digest = image.digest.to_string();
    let mut packages = vec![json!({
        "SPDXID": IMAGE,
        "checksums": [{ "algorithm": "SHA256", "checksumValue": image.digest.hex() }],
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "name": digest,
        "primaryPackagePurpose": "CONTAINER",
        "versionInfo": image.config.platform.to_string(),
    })];
    if let Some(path) = unread {
        let said = format!(
            "the packages listed in `/{path}` are not included, because its format is not supported"
        );
        packages[0]["comment"] = said.into();
    }
    let mut files = Vec::new();
    let mut relations = vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE)];
    for package in system {
        let id = format!("SPDXRef-Package-{}", packages.len());
        relations.push(relation(IMAGE, "CONTAINS", &id));
        packages.push(json!({
            "SPDXID": id,
            "downloadLocation": "NOASSERTION",
            "externalRefs": [reference("PACKAGE-MANAGER", "purl", &package.purl)],
            "filesAnalyzed": false,
            "name": package.name,
            "versionInfo": package.version,
        }));
    }
    for (package, own) in placed {
        let id = format!("SPDXRef-Package-{}", packages.len());
        relations.push(relation(IMAGE, "CONTAINS", &id));
        packages.push(of_wake(package, own, &id));
        for file in own {
            let of_file = format!("SPDXRef-File-{}", files.len() + 1);
            relations.push(relation(&id, "CONTAINS", &of_file));
            files.push(json!({
                "SPDXID": of_file,
                "checksums": [
                    { "algorithm": "SHA1", "checksumValue": file.sha1 },
                    { "algorithm": "SHA256", "checksumValue": file.sha256 },
                ],
                "fileName": format!("./{}", file.path),
            }));
        }
    }
    canonical_json::canonical(&json!({
        "SPDXID": "SPDXRef-DOCUMENT",
        "creationInfo": {
            "created": "1980-01-02T00:00:00Z",
            "creators": [concat!("Tool: wake-", env!("CARGO_PKG_VERSION"))],
        },
        "dataLicense": "CC0-1.0",
        "documentNamespace": format!("urn:wake:sbom:{digest}"),
        "files": files,
        "name": digest,
        "packages": packages,
        "relationships": relations,
        "spdxVersion": "SPDX-2.3",
    }))
}

fn of_wake(package: &PlacedPackage, own: &[ListedFile], id: &str) -> Value {
    let mut references = vec![reference("OTHER", "wakePackage", &package.id)];
    let content = package.content.iter();
    references.extend(content.map(|content| reference("OTHER", "wakeTree1", content)));
    let mut sums: Vec<&str> = own.iter().map(|file| &*file.sha1).collect();
    sums.sort_unstable();
    let sum = Sha1::digest(sums.concat());
    json!({
        "SPDXID": id,
        "downloadLocation": "NOASSERTION",
        "externalRefs": references,
        "filesAnalyzed": true,
        "name": package.name,
        "packageVerificationCode": { "packageVerificationCodeValue": hex(&sum) },
        "versionInfo": package.version,
    })
}

fn reference(category: &str, kind: &str, locator: &str) -> Value {
    json!({
        "referenceCategory": category,
        "referenceLocator": locator,
        "referenceType": kind,
    })
}

fn relation(from: &str, kind: &str, to: &str) -> Value {
    json!({
        "relatedSpdxElement": to,
        "relationshipType": kind,
        "spdxElementId": from,
    })
}
