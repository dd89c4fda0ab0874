//! All objects of a run.

use std::fmt;

use serde_json::Value;

use crate::error::ManifestError;
use crate::run::{KubernetesRun, KubernetesSite};
use crate::yaml::document;
use crate::{job, worker};

/// The objects of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The objects of its worker.
    pub worker: Vec<Value>,
    /// The `Job`.
    pub job: Value,
}

impl Manifest {
    /// Returns the objects of `run` at `site`.
    pub fn new(run: &KubernetesRun<'_>, site: &KubernetesSite) -> Result<Self, ManifestError> {
        Ok(Manifest { worker: worker::objects(run, site), job: job::object(run, site)? })
    }
}

/// Formats the objects as YAML documents.
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, object) in self.worker.iter().chain([&self.job]).enumerate() {
            let between = if at > 0 { "---\n" } else { "" };
            write!(f, "{between}{}", document(object))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use expect_test::{Expect, expect};
    use wake_codespec::Codespec;
    use wake_codespec::name::BufferName;
    use wake_codespec::named::{NamedCodespec, Source};
    use wake_model::{BufferId, Tags};

    use super::*;
    use crate::run::{Part, RunName};

    fn codespec(text: &str) -> Codespec {
        let source = Source::Written { file: "c.yml", bytes: text.as_bytes() };
        NamedCodespec::read(Some(source), &Default::default()).unwrap().codespec
    }

    fn part<'a>(codespec: &'a Codespec, replicas: u32) -> Part<'a> {
        let image = "registry.example.org/n@sha256:0123";
        Part { label: "n/versions/1", codespec, image, replicas, node_pool: Some("fast") }
    }

    fn site() -> KubernetesSite {
        let text = |text: &str| Some(text.to_owned());
        KubernetesSite {
            namespace: text("science"),
            image: text("registry.example.org/wake@sha256:4567"),
            claim: text("wake"),
            store: "store".to_owned(),
            pool_label: text("example.org/pool"),
        }
    }

    fn buffers(names: &[&str]) -> BTreeMap<BufferName, BufferId> {
        let id = |(at, name): (usize, &&str)| {
            (name.parse().unwrap(), BufferId::from_bytes([at as u8; 16]))
        };
        names.iter().enumerate().map(id).collect()
    }

    fn check(job: &str, worker: Option<&str>, expected: Expect) {
        let job = codespec(job);
        let worker = worker.map(codespec);
        let mut tags = Tags::default();
        tags.set("-k", "v").unwrap();
        let run = KubernetesRun {
            name: &RunName::of("n", "ab"),
            number: None,
            job: part(&job, 1),
            buffers: &buffers(&["in", "out"]),
            worker: worker.as_ref().map(|worker| part(worker, 2)),
            timeout: 600,
            tags: &tags,
        };
        expected.assert_eq(&Manifest::new(&run, &site()).unwrap().to_string());
    }

    #[test]
    fn a_job_with_buffers_has_containers_that_serve_its_pipes() {
        let job = "name: n\nimage: i\nbuffers: {inputs: [in], outputs: [out]}\ncommand: [sh, -c, 'cat $(IN_PIPE)']\nargs: ['-', 'true', '1', 'a: b', \"two\\nlines\"]\nworkingDir: /w\nenv: {B: $(OUT_PIPE), A: 'yes', IN_PIPE: mine}\nresources: {requests: {cpu: 1500m}, limits: {memory: 1.5Gi}, gpu: 2, shm: 1Gi}\n";
        check(
            job,
            None,
            expect![[r#"
                apiVersion: batch/v1
                kind: Job
                metadata:
                  name: wake-n-ab
                  annotations:
                    wake/codespec: n/versions/1
                    wake/content-id: a3574e04f78ed3440e6ebc9c81bcb60a6e62d8c2ced912a8542044cf5e9740e4
                    wake/tags: "{\"-k\":\"v\"}"
                  labels:
                    app.kubernetes.io/component: job
                    app.kubernetes.io/instance: wake-n-ab
                    app.kubernetes.io/managed-by: wake
                  namespace: science
                spec:
                  activeDeadlineSeconds: 600
                  backoffLimit: 0
                  completions: 1
                  parallelism: 1
                  template:
                    metadata:
                      labels:
                        app.kubernetes.io/component: job
                        app.kubernetes.io/instance: wake-n-ab
                        app.kubernetes.io/managed-by: wake
                    spec:
                      automountServiceAccountToken: false
                      containers:
                      - name: end-pipes
                        args:
                        - "--store"
                        - /wake/store
                        - job
                        - pipes
                        - end
                        - /etc/buffer-fifos
                        command:
                        - wake
                        image: "registry.example.org/wake@sha256:4567"
                        terminationMessagePolicy: FallbackToLogsOnError
                        volumeMounts:
                        - name: buffer-fifos
                          mountPath: /etc/buffer-fifos
                        - name: wake-store
                          mountPath: /wake/store
                          subPath: store
                      enableServiceLinks: false
                      initContainers:
                      - name: make-pipes
                        args:
                        - "--store"
                        - /wake/store
                        - job
                        - pipes
                        - make
                        - /etc/buffer-fifos
                        - in
                        - out
                        command:
                        - wake
                        image: "registry.example.org/wake@sha256:4567"
                        terminationMessagePolicy: FallbackToLogsOnError
                        volumeMounts:
                        - name: buffer-fifos
                          mountPath: /etc/buffer-fifos
                        - name: wake-store
                          mountPath: /wake/store
                          subPath: store
                      - name: buffers
                        args:
                        - "--store"
                        - /wake/store
                        - job
                        - pipes
                        - serve
                        - /etc/buffer-fifos
                        - "--input"
                        - "in=aaaaaaaaaaaaaaaaaaaaaaaaaa"
                        - "--output"
                        - "out=aeaqcaibaeaqcaibaeaqcaibae"
                        command:
                        - wake
                        image: "registry.example.org/wake@sha256:4567"
                        restartPolicy: Always
                        terminationMessagePolicy: FallbackToLogsOnError
                        volumeMounts:
                        - name: buffer-fifos
                          mountPath: /etc/buffer-fifos
                        - name: wake-store
                          mountPath: /wake/store
                          subPath: store
                      - name: main
                        args:
                        - "-"
                        - "true"
                        - "1"
                        - "a: b"
                        - "two\nlines"
                        command:
                        - sh
                        - "-c"
                        - "cat $(IN_PIPE)"
                        env:
                        - name: IN_PIPE
                          value: /etc/buffer-fifos/in
                        - name: OUT_PIPE
                          value: /etc/buffer-fifos/out
                        - name: B
                          value: "$(OUT_PIPE)"
                        - name: A
                          value: "yes"
                        image: "registry.example.org/n@sha256:0123"
                        resources:
                          limits:
                            memory: "1536Mi"
                            nvidia.com/gpu: "2"
                          requests:
                            cpu: "1500m"
                            nvidia.com/gpu: "2"
                        terminationMessagePolicy: FallbackToLogsOnError
                        volumeMounts:
                        - name: shm
                          mountPath: /dev/shm
                        - name: buffer-fifos
                          mountPath: /etc/buffer-fifos
                        workingDir: /w
                      nodeSelector:
                        example.org/pool: fast
                      restartPolicy: Never
                      terminationGracePeriodSeconds: 5
                      volumes:
                      - name: shm
                        emptyDir:
                          medium: Memory
                          sizeLimit: "1Gi"
                      - name: buffer-fifos
                        emptyDir: {}
                      - name: wake-store
                        persistentVolumeClaim:
                          claimName: wake
            "#]],
        );
    }

    #[test]
    fn a_worker_has_stable_names() {
        let worker = "kind: worker\nname: w\nimage: i\nidentity: someone\nendpoints: {Test: 29477, other: 9002}\n";
        check(
            "name: n\nimage: i\n",
            Some(worker),
            expect![[r#"
            apiVersion: v1
            kind: Service
            metadata:
              name: wake-n-ab-worker
              annotations:
                wake/codespec: n/versions/1
                wake/content-id: "509961438a3db08f0638d652b3eb455d06023d5379c719d63edde0876fa8075b"
                wake/tags: "{\"-k\":\"v\"}"
              labels:
                app.kubernetes.io/component: worker
                app.kubernetes.io/instance: wake-n-ab
                app.kubernetes.io/managed-by: wake
              namespace: science
            spec:
              clusterIP: None
              ports:
              - name: endpoint-0
                port: 29477
              - name: endpoint-1
                port: 9002
              publishNotReadyAddresses: true
              selector:
                app.kubernetes.io/component: worker
                app.kubernetes.io/instance: wake-n-ab
            ---
            apiVersion: apps/v1
            kind: StatefulSet
            metadata:
              name: wake-n-ab-worker
              annotations:
                wake/codespec: n/versions/1
                wake/content-id: "509961438a3db08f0638d652b3eb455d06023d5379c719d63edde0876fa8075b"
                wake/tags: "{\"-k\":\"v\"}"
              labels:
                app.kubernetes.io/component: worker
                app.kubernetes.io/instance: wake-n-ab
                app.kubernetes.io/managed-by: wake
              namespace: science
            spec:
              podManagementPolicy: Parallel
              replicas: 2
              selector:
                matchLabels:
                  app.kubernetes.io/component: worker
                  app.kubernetes.io/instance: wake-n-ab
              serviceName: wake-n-ab-worker
              template:
                metadata:
                  labels:
                    app.kubernetes.io/component: worker
                    app.kubernetes.io/instance: wake-n-ab
                    app.kubernetes.io/managed-by: wake
                spec:
                  containers:
                  - name: main
                    image: "registry.example.org/n@sha256:0123"
                    ports:
                    - name: endpoint-0
                      containerPort: 29477
                    - name: endpoint-1
                      containerPort: 9002
                    terminationMessagePolicy: FallbackToLogsOnError
                  enableServiceLinks: false
                  nodeSelector:
                    example.org/pool: fast
                  serviceAccountName: someone
            ---
            apiVersion: batch/v1
            kind: Job
            metadata:
              name: wake-n-ab
              annotations:
                wake/codespec: n/versions/1
                wake/content-id: d35a60451be1cc31c98c7e6f32f520b5c6ed60d19f8a29384cfa905a081628e6
                wake/tags: "{\"-k\":\"v\"}"
              labels:
                app.kubernetes.io/component: job
                app.kubernetes.io/instance: wake-n-ab
                app.kubernetes.io/managed-by: wake
              namespace: science
            spec:
              activeDeadlineSeconds: 600
              backoffLimit: 0
              completions: 1
              parallelism: 1
              template:
                metadata:
                  labels:
                    app.kubernetes.io/component: job
                    app.kubernetes.io/instance: wake-n-ab
                    app.kubernetes.io/managed-by: wake
                spec:
                  automountServiceAccountToken: false
                  containers:
                  - name: main
                    env:
                    - name: TYGER_WORKER_NODES
                      value: "[\"wake-n-ab-worker-0.wake-n-ab-worker\",\"wake-n-ab-worker-1.wake-n-ab-worker\"]"
                    - name: TYGER_TEST_WORKER_ENDPOINT_ADDRESSES
                      value: "[\"wake-n-ab-worker-0.wake-n-ab-worker:29477\",\"wake-n-ab-worker-1.wake-n-ab-worker:29477\"]"
                    - name: TYGER_OTHER_WORKER_ENDPOINT_ADDRESSES
                      value: "[\"wake-n-ab-worker-0.wake-n-ab-worker:9002\",\"wake-n-ab-worker-1.wake-n-ab-worker:9002\"]"
                    image: "registry.example.org/n@sha256:0123"
                    terminationMessagePolicy: FallbackToLogsOnError
                  enableServiceLinks: false
                  nodeSelector:
                    example.org/pool: fast
                  restartPolicy: Never
                  terminationGracePeriodSeconds: 5
        "#]],
        );
    }

    #[test]
    fn runs_without_objects_are_refused() {
        let refused = |job: &str, replicas, site: &KubernetesSite, names: &[&str]| {
            let job = codespec(job);
            let run = KubernetesRun {
                name: &RunName::of("n", "ab"),
                number: None,
                job: part(&job, replicas),
                buffers: &buffers(names),
                worker: None,
                timeout: 1,
                tags: &Tags::default(),
            };
            Manifest::new(&run, site).unwrap_err().to_string()
        };
        let job = "name: n\nimage: i\nbuffers: {outputs: [out]}\n";
        let none = KubernetesSite::default();
        let with_image = KubernetesSite { claim: None, ..site() };
        assert_eq!(
            [
                refused(job, 1, &none, &["out"]),
                refused(job, 1, &with_image, &["out"]),
                refused(job, 1, &site(), &[]),
                refused(job, 3, &site(), &["out"]),
                refused(
                    "name: n\nimage: i\nbuffers: {inputs: [in]}\nsockets: [{port: 1, inputBuffer: in}]\n",
                    1,
                    &site(),
                    &["in"]
                ),
            ],
            [
                "a job with buffers needs an image that contains `wake`, and none is configured",
                "a job with buffers needs the volume claim of the store, and none is configured",
                "no buffer is given for `out`",
                "all 3 replicas would write `out`, but a buffer is written once",
                "jobs with sockets are not supported on Kubernetes yet",
            ]
        );
    }
}
