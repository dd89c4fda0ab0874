//! A codespec as a container.

use serde_json::{Map, Value, json};
use wake_codespec::codespec::{Amounts, Resources};
use wake_codespec::quantity::Quantity;

use crate::run::{KubernetesSite, Part};

/// The name of the container that runs the codespec.
pub(crate) const MAIN: &str = "main";

/// The resource name of GPUs, from NVIDIA's device plug-in. Source: Tyger.
const GRAPHICS: &str = "nvidia.com/gpu";
/// The volume of `/dev/shm`.
const SHM: &str = "shm";

/// Returns the container of a codespec; the variables in `given` precede its own.
///
/// References to variables are left as they are: Kubernetes expands them by the same rules.
pub(crate) fn main(part: &Part<'_>, given: &[(String, String)]) -> Map<String, Value> {
    let codespec = part.codespec;
    let mut main = Map::new();
    main.insert("name".to_owned(), MAIN.into());
    main.insert("image".to_owned(), part.image.into());
    if !codespec.command.is_empty() {
        main.insert("command".to_owned(), codespec.command.clone().into());
    }
    if !codespec.args.is_empty() {
        main.insert("args".to_owned(), codespec.args.clone().into());
    }
    if let Some(dir) = &codespec.working_dir {
        main.insert("workingDir".to_owned(), dir.as_str().into());
    }
    // The first definition of a name wins, as everywhere.
    let is_given = |name: &str| given.iter().any(|(known, _)| known == name);
    let own = codespec.env.iter().filter(|(name, _)| !is_given(name));
    let env: Vec<Value> = given
        .iter()
        .chain(own)
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    if !env.is_empty() {
        main.insert("env".to_owned(), env.into());
    }
    let resources = resources(&codespec.resources);
    if !resources.is_empty() {
        main.insert("resources".to_owned(), Value::Object(resources));
    }
    // If it fails, the end of its output is in the pod's status.
    main.insert("terminationMessagePolicy".to_owned(), "FallbackToLogsOnError".into());
    if codespec.resources.shm.is_some() {
        main.insert("volumeMounts".to_owned(), json!([{"name": SHM, "mountPath": "/dev/shm"}]));
    }
    main
}

/// Returns the properties of a part's pods apart from their containers.
pub(crate) fn pod(part: &Part<'_>, site: &KubernetesSite) -> Map<String, Value> {
    let mut pod = Map::new();
    // Variables for the namespace's services would differ from run to run.
    pod.insert("enableServiceLinks".to_owned(), false.into());
    match &part.codespec.identity {
        Some(identity) => pod.insert("serviceAccountName".to_owned(), identity.as_str().into()),
        None => pod.insert("automountServiceAccountToken".to_owned(), false.into()),
    };
    if let (Some(pool), Some(label)) = (part.node_pool, &site.pool_label) {
        pod.insert("nodeSelector".to_owned(), json!({ label: pool }));
    }
    if let Some(size) = part.codespec.resources.shm {
        let volume = json!({
            "name": SHM,
            "emptyDir": {"medium": "Memory", "sizeLimit": size.to_string()},
        });
        pod.insert("volumes".to_owned(), json!([volume]));
    }
    pod
}

/// Appends to a list of an object, creating the list if it is missing.
pub(crate) fn add(object: &mut Map<String, Value>, key: &str, more: Vec<Value>) {
    let list = object.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(list) = list {
        list.extend(more);
    }
}

fn resources(resources: &Resources) -> Map<String, Value> {
    let Resources { requests, limits, gpu, shm: _ } = resources;
    let gpu = gpu.filter(|gpu| gpu.milli() > 0);
    let amounts = |Amounts { cpu, memory }: &Amounts| {
        let all: [(&str, Option<Quantity>); 3] =
            [("cpu", *cpu), ("memory", *memory), (GRAPHICS, gpu)];
        let said = all
            .into_iter()
            .filter_map(|(key, amount)| Some((key.to_owned(), Value::from(amount?.to_string()))));
        said.collect::<Map<String, Value>>()
    };
    let both = [("requests", amounts(requests)), ("limits", amounts(limits))];
    let said = both.into_iter().filter(|(_, amounts)| !amounts.is_empty());
    said.map(|(key, amounts)| (key.to_owned(), Value::Object(amounts))).collect()
}
