//! What a cluster is asked.

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

/// Whether a job has workers, which have objects of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It has.
    ByWorkers,
    /// It has not.
    ByNobody,
}

impl Kubectl {
    /// With the context and the namespace that it has where none is set, so that they stay the same.
    ///
    /// In a pod there is neither, and the cluster and the namespace are those of the pod.
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
    /// The objects of that name.
    pub fn new(kubectl: Kubectl, name: RunName) -> Self {
        Cluster { kubectl, name }
    }

    /// Where they are.
    pub fn id(&self) -> KubernetesId {
        KubernetesId {
            namespace: self.kubectl.namespace.clone(),
            name: self.name.clone(),
            context: self.kubectl.context.clone(),
        }
    }

    /// How it is reached.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// Makes the objects; the job first, to which the others belong, so that they go when it does.
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

    /// What the cluster says of the job.
    pub fn look(&self) -> Result<KubernetesJob, KubernetesError> {
        let selector = format!("--selector={INSTANCE}={}", self.name);
        let list = self.list(&["get", "jobs.batch,pods", &selector, "--output=json"])?;
        let mut job = job(&list);
        if job.pods.iter().all(|pod| pod.role == Role::Worker)
            && let KubernetesState::Waiting { reason } = &mut job.state
        {
            // Why there is no pod is said beside the job alone; who may not read that does without.
            *reason = self.warning().ok().flatten();
        }
        Ok(job)
    }

    /// The last warning that there is of the job.
    fn warning(&self) -> Result<Option<String>, KubernetesError> {
        let of = format!(
            "--field-selector=involvedObject.kind=Job,involvedObject.name={},type=Warning",
            self.name
        );
        let list = self.list(&["get", "events", &of, "--output=json"])?;
        let last = list.items.last();
        Ok(last.map(|event| with(&event.reason, &event.message)))
    }

    /// Takes the objects away, with all that runs; those that are gone already stay so.
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
