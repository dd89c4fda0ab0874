//! Requests to a cluster about the objects of one job.

use serde_json::{Value, json};

use crate::answer::{List, Object};
use crate::error::KubernetesError;
use crate::id::KubernetesId;
use crate::kubectl::Kubectl;
use crate::labels::{INSTANCE, Role};
use crate::manifest::Manifest;
use crate::run::RunName;
use crate::state::{KubernetesJob, KubernetesState, job, with};
use crate::worker;

/// The objects of one job in a cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    kubectl: Kubectl,
    name: RunName,
}

/// Whether a job has workers, which have their own objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It has workers.
    ByWorkers,
    /// It has none.
    ByNobody,
}

impl Kubectl {
    /// Sets the context and the namespace to `kubectl`'s current ones if they are not set, so that later changes have no effect.
    ///
    /// In a pod there are none; `kubectl` then uses the pod's own cluster and namespace.
    pub fn settled(self) -> Result<Kubectl, KubernetesError> {
        let args = ["config", "view", "--minify", "--output=json"];
        let answer = match self.run(args, b"") {
            Err(KubernetesError::Refused { said }) if said.contains("to minify") => {
                return Ok(self);
            }
            answer => answer?,
        };
        let value: Value = serde_json::from_str(&answer).map_err(|_| self.strange(&answer))?;
        let text = |path: &str| {
            value.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty())
        };
        let context = text("/contexts/0/name").ok_or_else(|| self.strange(&answer))?;
        let namespace = text("/contexts/0/context/namespace").unwrap_or("default");
        let namespace = self.namespace.clone().unwrap_or_else(|| namespace.to_owned());
        let context = self.context.clone().unwrap_or_else(|| context.to_owned());
        Ok(Kubectl { context: Some(context), namespace: Some(namespace), ..self })
    }

    fn strange(&self, answer: &str) -> KubernetesError {
        KubernetesError::Strange { program: self.called(), said: answer.trim().to_owned() }
    }
}

impl Cluster {
    /// The objects of the run `name`.
    pub fn new(kubectl: Kubectl, name: RunName) -> Self {
        Cluster { kubectl, name }
    }

    /// The name and location of the objects.
    pub fn id(&self) -> KubernetesId {
        KubernetesId {
            namespace: self.kubectl.namespace.clone(),
            name: self.name.clone(),
            context: self.kubectl.context.clone(),
        }
    }

    /// The `kubectl` that reaches the cluster.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// Creates the objects: first the job, which then owns the others, so that they are deleted with it.
    pub fn create(&self, manifest: &Manifest) -> Result<(), KubernetesError> {
        let answer = self.made(&manifest.job)?;
        let job: Object =
            serde_json::from_str(&answer).map_err(|_| self.kubectl.strange(&answer))?;
        if manifest.worker.is_empty() {
            return Ok(());
        }
        let owner = json!([{
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": job.metadata.name,
            "uid": job.metadata.uid,
        }]);
        let owned = |object: &Value| {
            let mut object = object.clone();
            object["metadata"]["ownerReferences"] = owner.clone();
            object
        };
        let owned: Vec<Value> = manifest.worker.iter().map(owned).collect();
        self.made(&json!({"apiVersion": "v1", "kind": "List", "items": owned}))?;
        Ok(())
    }

    fn made(&self, object: &Value) -> Result<String, KubernetesError> {
        let args = ["create", "--filename=-", "--output=json"];
        self.kubectl.run(args, object.to_string().as_bytes())
    }

    /// Returns the state of the job and its pods.
    pub fn look(&self) -> Result<KubernetesJob, KubernetesError> {
        let selector = format!("--selector={INSTANCE}={}", self.name);
        let list = self.list(&["get", "jobs.batch,pods", &selector, "--output=json"])?;
        let mut job = job(&list);
        if job.pods.iter().all(|pod| pod.role == Role::Worker)
            && let KubernetesState::Waiting { reason } = &mut job.state
        {
            // Only an event of the job says why it has no pod; without permission to read events there is no reason.
            *reason = self.warning().ok().flatten();
        }
        Ok(job)
    }

    /// Returns the latest warning event of the job.
    fn warning(&self) -> Result<Option<String>, KubernetesError> {
        let of = format!(
            "--field-selector=involvedObject.kind=Job,involvedObject.name={},type=Warning",
            self.name
        );
        let list = self.list(&["get", "events", &of, "--output=json"])?;
        let last = list.items.last();
        Ok(last.map(|event| with(&event.reason, &event.message)))
    }

    /// Deletes the objects and everything that runs; objects that are already gone are ignored.
    pub fn delete(&self, served: Served) -> Result<(), KubernetesError> {
        let mut objects = vec![format!("job.batch/{}", self.name)];
        if served == Served::ByWorkers {
            let worker = worker::name(&self.name);
            objects.push(format!("statefulset.apps/{worker}"));
            objects.push(format!("service/{worker}"));
        }
        let mut args = vec!["delete".to_owned()];
        args.extend(objects);
        args.extend(["--ignore-not-found".to_owned(), "--wait=false".to_owned()]);
        self.kubectl.run(args, b"").map(|_| ())
    }

    fn list(&self, args: &[&str]) -> Result<List, KubernetesError> {
        let answer = self.kubectl.run(args, b"")?;
        serde_json::from_str(&answer).map_err(|_| self.kubectl.strange(&answer))
    }
}
