//! The objects of a worker: pods with stable names, and the service that gives them addresses.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wake_codespec::codespec::Role as CodespecRole;

use crate::container;
use crate::labels::{Role, labels, metadata, selector};
use crate::run::{KubernetesRun, KubernetesSite, Part, RunName};

/// Returns the variables that tell a job where its workers are. Source: Tyger.
pub(crate) fn variables(run: &KubernetesRun<'_>) -> Vec<(String, String)> {
    let Some(part) = &run.worker else { return Vec::new() };
    let service = name(run.name);
    // These host names resolve within the namespace.
    let hosts: Vec<String> =
        (0..part.replicas).map(|number| format!("{service}-{number}.{service}")).collect();
    let list = |texts: Vec<String>| Value::from(texts).to_string();
    let mut all = vec![("TYGER_WORKER_NODES".to_owned(), list(hosts.clone()))];
    for (endpoint, port) in endpoints(part) {
        let variable = format!("TYGER_{}_WORKER_ENDPOINT_ADDRESSES", endpoint.to_uppercase());
        let addresses = hosts.iter().map(|host| format!("{host}:{port}")).collect();
        all.push((variable, list(addresses)));
    }
    all
}

/// Returns the headless `Service` and the `StatefulSet`; nothing if there is no worker.
pub(crate) fn objects(run: &KubernetesRun<'_>, site: &KubernetesSite) -> Vec<Value> {
    let Some(part) = &run.worker else { return Vec::new() };
    let name = name(run.name);
    let mut main = container::main(part, &[]);
    let ports = |key: &str| -> Vec<Value> {
        let port = |(at, (_, port)): (usize, (&String, &u16))| {
            // Port names are limited to fewer characters than endpoint names.
            json!({"name": format!("endpoint-{at}"), key: port})
        };
        endpoints(part).iter().enumerate().map(port).collect()
    };
    if !endpoints(part).is_empty() {
        main.insert("ports".to_owned(), ports("containerPort").into());
    }
    let mut pod = container::pod(part, site);
    container::add(&mut pod, "containers", vec![Value::Object(main)]);
    let set = json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(run, Role::Worker, &name, part, site),
        "spec": {
            "replicas": part.replicas,
            "serviceName": name,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": selector(run, Role::Worker)},
            "template": {"metadata": {"labels": labels(run, Role::Worker)}, "spec": pod},
        },
    });
    let mut service = Map::new();
    service.insert("clusterIP".to_owned(), "None".into());
    // Workers may look each other up before they are ready.
    service.insert("publishNotReadyAddresses".to_owned(), true.into());
    service.insert("selector".to_owned(), selector(run, Role::Worker));
    if !endpoints(part).is_empty() {
        service.insert("ports".to_owned(), ports("port").into());
    }
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(run, Role::Worker, &name, part, site),
        "spec": service,
    });
    vec![service, set]
}

/// The name of its objects.
pub(crate) fn name(run: &RunName) -> String {
    format!("{run}-worker")
}

fn endpoints<'a>(part: &Part<'a>) -> &'a BTreeMap<String, u16> {
    static NONE: BTreeMap<String, u16> = BTreeMap::new();
    match &part.codespec.role {
        CodespecRole::Worker { endpoints } => endpoints,
        CodespecRole::Job { .. } => &NONE,
    }
}
