//! The containers that transfer data between buffers and the pipes of a job.

use serde_json::{Map, Value, json};
use wake_codespec::name::BufferName;

use crate::container::add;
use crate::error::ManifestError;
use crate::run::{KubernetesRun, KubernetesSite};

/// The name of the sidecar container that transfers data; Kubernetes restarts it if it ends.
pub(crate) const BUFFERS: &str = "buffers";
/// The directory of a job's pipes. Source: Tyger.
const PIPES: &str = "/etc/buffer-fifos";
/// The mount point of the store in wake's containers.
const STORE: &str = "/wake/store";
const PIPES_VOLUME: &str = "buffer-fifos";
const STORE_VOLUME: &str = "wake-store";

/// Returns the variables with the paths of the pipes.
pub(crate) fn variables(run: &KubernetesRun<'_>) -> Vec<(String, String)> {
    let path = |name: &BufferName| (name.variable(), format!("{PIPES}/{name}"));
    run.job.codespec.piped().map(path).collect()
}

/// Adds the main container of a job to its pod, with the containers that serve its pipes.
///
/// With pipes, the main container is an init container, so that the last container starts only if it succeeded, and can report that:
/// there is no other way for a container to learn how another one ended.
pub(crate) fn place(
    pod: &mut Map<String, Value>,
    mut main: Map<String, Value>,
    run: &KubernetesRun<'_>,
    site: &KubernetesSite,
) -> Result<(), ManifestError> {
    let codespec = run.job.codespec;
    if codespec.piped().next().is_none() {
        add(pod, "containers", vec![Value::Object(main)]);
        return Ok(());
    }
    let image = site.image.as_deref().ok_or(ManifestError::NoImage)?;
    let claim = site.claim.as_deref().ok_or(ManifestError::NoClaim)?;
    let words = |verb: &str| -> Vec<String> {
        ["--store", STORE, "job", "pipes", verb, PIPES].map(str::to_owned).into()
    };
    let (mut make, mut serve) = (words("make"), words("serve"));
    for (flag, names) in [("--input", codespec.inputs()), ("--output", codespec.outputs())] {
        for name in names {
            let id = run.buffers.get(name).ok_or_else(|| ManifestError::NoBuffer(name.clone()))?;
            make.push(name.to_string());
            serve.extend([flag.to_owned(), format!("{name}={id}")]);
        }
    }
    let pipes = json!({"name": PIPES_VOLUME, "mountPath": PIPES});
    let mut store = json!({"name": STORE_VOLUME, "mountPath": STORE});
    if !site.store.is_empty() {
        store["subPath"] = site.store.as_str().into();
    }
    let container = |name: &str, args: Vec<String>| {
        json!({
            "name": name,
            "image": image,
            "command": ["wake"],
            "args": args,
            // If it fails, its last message is in the pod's status.
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [pipes, store],
        })
    };
    let mut serve = container(BUFFERS, serve);
    // This makes it a sidecar, which keeps running beside the later containers.
    serve["restartPolicy"] = "Always".into();
    add(&mut main, "volumeMounts", vec![pipes.clone()]);
    let before = vec![container("make-pipes", make), serve, Value::Object(main)];
    add(pod, "initContainers", before);
    add(pod, "containers", vec![container("end-pipes", words("end"))]);
    let claim = json!({"name": STORE_VOLUME, "persistentVolumeClaim": {"claimName": claim}});
    add(pod, "volumes", vec![json!({"name": PIPES_VOLUME, "emptyDir": {}}), claim]);
    Ok(())
}
