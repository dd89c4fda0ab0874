//! Serializes a run as a document that reads back as the same run.

use serde::ser::{Serialize, SerializeMap, Serializer};
use wake_model::Tags;

use crate::run::{BufferArgument, RunCodespec, RunDocument, RunJob, RunWorker};
use crate::show::Shown;

impl Serialize for RunDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("job", &self.job)?;
        some(&mut map, "worker", self.worker.as_ref())?;
        some(&mut map, "cluster", self.cluster.as_ref())?;
        map.serialize_entry("timeoutSeconds", &self.timeout)?;
        some(&mut map, "tags", said(&self.tags))?;
        map.end()
    }
}

impl Serialize for RunJob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("codespec", &self.codespec)?;
        let buffers = (!self.buffers.is_empty()).then_some(&self.buffers);
        some(&mut map, "buffers", buffers)?;
        some(&mut map, "tags", said(&self.tags))?;
        some(&mut map, "bufferTtl", self.buffer_ttl.map(|lifetime| lifetime.to_string()))?;
        some(&mut map, "nodePool", self.node_pool.as_ref())?;
        map.serialize_entry("replicas", &self.replicas)?;
        map.end()
    }
}

impl Serialize for RunWorker {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("codespec", &self.codespec)?;
        some(&mut map, "nodePool", self.node_pool.as_ref())?;
        map.serialize_entry("replicas", &self.replicas)?;
        map.end()
    }
}

impl Serialize for RunCodespec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            RunCodespec::Named(reference) => serializer.collect_str(reference),
            RunCodespec::Inline(codespec) => {
                let (name, version, created_at, id) = (None, None, None, None);
                Shown { codespec, name, version, created_at, id }.serialize(serializer)
            }
        }
    }
}

impl Serialize for BufferArgument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            BufferArgument::Buffer(id) => serializer.collect_str(id),
            BufferArgument::Ephemeral => serializer.serialize_str("_"),
        }
    }
}

fn some<M: SerializeMap>(
    map: &mut M,
    key: &str,
    value: Option<impl Serialize>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(key, &value))
}

fn said(tags: &Tags) -> Option<&Tags> {
    tags.iter().next().map(|_| tags)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::named::Source;
    use crate::run::RunDocument;

    fn read(text: &str) -> RunDocument {
        RunDocument::read(Source::Written { file: "run.yml", bytes: text.as_bytes() }).unwrap()
    }

    #[test]
    fn a_run_reads_back_as_it_was() {
        let id = "a".repeat(26);
        let full = format!(
            "job:\n  codespec:\n    image: i\n    buffers: {{inputs: [in], outputs: [out, other]}}\n    env: {{Z: '1', A: $(Z)}}\n    command: [a, 'b c']\n    resources: {{limits: {{memory: 1.5Gi}}, gpu: 2}}\n  buffers: {{in: {id}, other: _}}\n  tags: {{k: v}}\n  bufferTtl: 1.02:03:04\n  nodePool: p\n  replicas: 2\nworker: {{codespec: w/versions/3, replicas: 4}}\ncluster: c\ntimeoutSeconds: 7\ntags: {{a: b}}\n"
        );
        for text in [full.as_str(), "job: {codespec: n}\n"] {
            let run = read(text);
            let document = serde_json::to_string(&run).unwrap();
            let again = read(&document);
            // Only the source positions differ.
            assert_eq!(serde_json::to_string(&again).unwrap(), document);
            assert_eq!((again.timeout, &again.tags), (run.timeout, &run.tags));
            assert_eq!(again.job.buffers, run.job.buffers);
            assert_eq!(again.job.buffer_ttl, run.job.buffer_ttl);
        }
        let document = serde_json::to_value(read(&full)).unwrap();
        assert_eq!(document["job"]["bufferTtl"], "1.02:03:04");
        assert_eq!(document["job"]["codespec"]["resources"]["limits"]["memory"], "1536Mi");
        assert_eq!(document["worker"]["codespec"], "w/versions/3");
    }
}
