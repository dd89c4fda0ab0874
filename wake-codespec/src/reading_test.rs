//! Reading documents, and the errors of invalid ones.
#![allow(clippy::unwrap_used)]

use crate::codespec::{Kind, Role};
use crate::flags::{Flags, Words};
use crate::named::{CodespecError, NamedCodespec, Source};
use crate::run::{BufferArgument, RunCodespec, RunDocument};
use crate::show::Shown;

fn read(text: &str) -> Result<NamedCodespec, CodespecError> {
    let source = Source::Written { file: "c.yml", bytes: text.as_bytes() };
    NamedCodespec::read(Some(source), &Flags::default())
}

fn codespec(text: &str) -> NamedCodespec {
    read(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The error of a document, with its hint.
fn told(text: &str) -> String {
    let Err(CodespecError::Document(error)) = read(text) else { panic!("{text} is read") };
    match &error.hint {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}

/// The first error of a codespec that is valid except for `lines`.
fn told_of(lines: &str) -> String {
    told(&format!("name: n\nimage: i\n{lines}"))
}

fn run(text: &str) -> Result<RunDocument, String> {
    let source = Source::Written { file: "r.yml", bytes: text.as_bytes() };
    RunDocument::read(source).map_err(|error| match &error.hint {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    })
}

const FULL: &str = "\
kind: job
name: filter
buffers: {inputs: [in, side-channel], outputs: [out]}
image: registry.example.org/tools/filter:2
command: [filter]
args:
  - $(IN_PIPE)
  - --threads
  - \"4\"
workingDir: /data
env:
  ZEBRA: z
  ALPHA: $(ZEBRA)a
identity: reader
resources:
  requests: {cpu: 500m, memory: 1Gi}
  limits: {cpu: 2, memory: 1.5Gi}
  gpu: 1
  shm: 64Mi
maxReplicas: 3
";

#[test]
fn every_property_is_read() {
    let NamedCodespec { name, codespec, warnings, .. } = codespec(FULL);
    assert_eq!((name.as_str(), codespec.kind()), ("filter", Kind::Job));
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(
        codespec.env,
        [("ZEBRA", "z"), ("ALPHA", "$(ZEBRA)a")].map(|(a, b)| (a.into(), b.into()))
    );
    assert_eq!(codespec.args, ["$(IN_PIPE)", "--threads", "4"]);
    assert_eq!(codespec.inputs().len(), 2);
    assert_eq!(codespec.resources.limits.memory.unwrap().rounded_up(), 1536 << 20);
    assert_eq!(codespec.resources.requests.cpu.unwrap().milli(), 500);
    assert_eq!(codespec.max_replicas, Some(3));
}

#[test]
fn a_shown_codespec_reads_back_as_the_same() {
    let worker = "kind: worker\nname: w\nimage: i\nendpoints: {b: 2, a: 65535}\n";
    let sockets =
        "name: s\nimage: i\nbuffers: {inputs: [a]}\nsockets: [{port: 9002, inputBuffer: a}]\n";
    for text in [FULL, worker, sockets] {
        let NamedCodespec { name, codespec, .. } = codespec(text);
        let id = codespec.id().to_string();
        let shown = Shown {
            codespec: &codespec,
            name: Some(&name),
            version: Some(7),
            created_at: Some("2020-01-01T00:00:00Z"),
            id: Some(&id),
        };
        let json = serde_json::to_string_pretty(&shown).unwrap();
        let again = self::codespec(&json);
        assert_eq!((again.codespec, again.name), (codespec, name), "{json}");
        assert_eq!(again.version, Some(7));
    }
}

#[test]
fn equal_codespecs_have_one_id() {
    let id = |lines: &str| codespec(&format!("name: n\nimage: i\n{lines}")).codespec.id();
    let plain = id("");
    for lines in [
        "kind: job",
        "args: []",
        "env: {}\nworkingDir: ''\nbuffers: {inputs: [], outputs: []}\nresources: {limits: {}}",
        "command: null",
        "version: 4",
        "createdAt: '2020-01-01T00:00:00Z'",
    ] {
        assert_eq!(id(lines), plain, "{lines}");
    }
    for (a, b) in [
        ("env: {a: A, b: B}", "env: {b: B, a: A}"),
        ("env: {a: A, b: B}", "env: [{name: b, value: B}, {name: a, value: A}]"),
        (
            "buffers: {inputs: [a, b], outputs: [x, y]}",
            "buffers: {inputs: [b, a], outputs: [y, x]}",
        ),
        ("resources: {requests: {cpu: 1}}", "resources: {requests: {cpu: 1000m}}"),
        ("resources: {limits: {memory: 1Ki}}", "resources: {limits: {memory: '1024'}}"),
        (
            "buffers: {inputs: [a, b]}\nsockets: [{port: 1, inputBuffer: a}, {port: 2, inputBuffer: b}]",
            "buffers: {inputs: [a, b]}\nsockets: [{port: 2, inputBuffer: b}, {port: 1, inputBuffer: A}]",
        ),
        ("kind: worker\nendpoints: {a: 1, b: 2}", "kind: worker\nendpoints: {b: 2, a: 1}"),
    ] {
        assert_eq!(id(a), id(b), "{a}");
        assert_ne!(id(a), plain, "{a}");
    }
    for (a, b) in [
        ("args: [a, b, c]", "args: [b, c, a]"),
        ("args: [a]", "command: [a]"),
        ("args: ['']", "args: []"),
        ("env: {a: A}", "env: {a: a}"),
        // Here the order determines the value of `b`.
        ("env: {a: A, b: $(a)}", "env: {b: $(a), a: A}"),
        ("resources: {requests: {cpu: 1}}", "resources: {requests: {cpu: 10001m}}"),
        ("resources: {requests: {cpu: 1}}", "resources: {limits: {cpu: 1}}"),
        ("buffers: {inputs: [a]}", "buffers: {outputs: [a]}"),
        ("maxReplicas: 1", ""),
        ("kind: worker", ""),
    ] {
        assert_ne!(id(a), id(b), "{a}");
    }
}

#[test]
fn the_content_id_is_as_specified() {
    // Computed by `spec/reference/wake_encoding.py` from the canonical text.
    let one = codespec(FULL).codespec;
    let text = wake_model::json::canonical(&one.identity_value());
    assert_eq!(
        text,
        "{\"args\":[\"$(IN_PIPE)\",\"--threads\",\"4\"],\"command\":[\"filter\"],\
         \"env\":[[\"ZEBRA\",\"z\"],[\"ALPHA\",\"$(ZEBRA)a\"]],\"gpu\":\"1\",\"identity\":\"reader\",\
         \"image\":\"registry.example.org/tools/filter:2\",\"inputs\":[\"in\",\"side-channel\"],\"kind\":\"job\",\
         \"limits\":{\"cpu\":\"2\",\"memory\":\"1610612736\"},\"maxReplicas\":3,\"outputs\":[\"out\"],\
         \"requests\":{\"cpu\":\"500m\",\"memory\":\"1073741824\"},\"shm\":\"67108864\",\"workingDir\":\"/data\"}"
    );
    assert_eq!(
        one.id().to_string(),
        "9fe78765f324fcb243fee89856ebd2adff76be9a2ec9622d101710033f0ad57b"
    );
}

#[test]
fn invalid_documents_are_reported_with_their_place() {
    for (text, expected) in [
        (
            "name: n\n",
            "c.yml: the codespec is missing required properties including: `image` (name a container image: `image: HOST/REPOSITORY:TAG`)",
        ),
        (
            "name: n\nimage: ''\n",
            "c.yml: the codespec is missing required properties including: `image` (name a container image: `image: HOST/REPOSITORY:TAG`)",
        ),
        (
            "image: i\n",
            "c.yml: a name for the codespec must be given (run `wake codespec create NAME …`, or add `name:` to the file)",
        ),
        (
            "name: Foo\nimage: i\n",
            "c.yml:1:7: `Foo` is not a valid codespec name: codespec names must contain only lower case letters (a-z), numbers (0-9), dashes (-), underscores (_), and dots (.)",
        ),
        ("[]", "c.yml:1:1: the codespec is a list: expected a mapping"),
        (
            "name: n\nname: m\n",
            "c.yml:2:1: `name` appears twice, first on line 1 (remove one of them)",
        ),
        (
            "a: b: c\n",
            "c.yml:1:5: invalid YAML: mapping values are not allowed in this context (quote a value that contains `: ` or ends with `:`, such as `gcc@12:`)",
        ),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn invalid_properties_are_reported_with_their_place() {
    for (lines, expected) in [
        ("kind: service", "c.yml:3:7: `kind` is `service`: it can be either `job` or `worker`"),
        (
            "kind: wroker",
            "c.yml:3:7: `kind` is `wroker`: it can be either `job` or `worker` (did you mean `worker`?)",
        ),
        ("imagee: x", "c.yml:3:1: unknown key `imagee` in the codespec (did you mean `image`?)"),
        (
            "resources: {limit: {}}",
            "c.yml:3:13: unknown key `limit` in `resources` (did you mean `limits`?)",
        ),
        (
            "resources: {limits: {pods: 1}}",
            "c.yml:3:22: unknown key `pods` in `resources.limits` (`resources.limits` has the keys `cpu`, `memory`)",
        ),
        (
            "buffers: {input: [a]}",
            "c.yml:3:11: unknown key `input` in `buffers` (did you mean `inputs`?)",
        ),
        ("args: [-n, 4]", "c.yml:3:12: `args`[1] is a number: expected a string (write `\"4\"`)"),
        ("args: yes", "c.yml:3:7: `args` is a string: expected a list"),
        ("env: {A: 1}", "c.yml:3:10: `env.A` is a number: expected a string (write `\"1\"`)"),
        (
            "env: {A: true}",
            "c.yml:3:10: `env.A` is a boolean: expected a string (write `\"true\"`)",
        ),
        ("env: {A: null}", "c.yml:3:10: `env.A` is null: expected a string"),
        ("env: {'A=B': x}", "c.yml:3:7: `A=B` is not a valid name for an environment variable"),
        (
            "env: [{name: A, value: x}, {name: A, value: y}]",
            "c.yml:3:28: `A` is listed twice in `env` (remove one of them)",
        ),
        (
            "env: {A: x, A: y}",
            "c.yml:3:13: `A` appears twice, first on line 3 (remove one of them)",
        ),
        (
            "resources: {gpu: lots}",
            "c.yml:3:18: `resources.gpu`: `lots` is not a quantity: expected a number, optionally followed by `n`, `u`, `m`, `k`, `M`, `G`, `T`, `P`, `E`, `Ki`, `Mi`, `Gi`, `Ti`, `Pi`, `Ei` or `eN`",
        ),
        (
            "resources: {limits: {memory: -1G}}",
            "c.yml:3:30: `resources.limits.memory`: `-1G` is negative",
        ),
        (
            "maxReplicas: 0",
            "c.yml:3:14: `maxReplicas` is 0: expected a number from 1 to 2147483647",
        ),
        ("maxReplicas: two", "c.yml:3:14: `maxReplicas` is `two`: expected a whole number"),
        (
            "maxReplicas: 2147483648",
            "c.yml:3:14: `maxReplicas` is 2147483648: expected a number from 1 to 2147483647",
        ),
        (
            "buffers: {inputs: [FOO]}",
            "c.yml:3:20: `FOO` is not a valid buffer name: buffer names must consist of lower case alphanumeric characters or `-`, and must start and end with an alphanumeric character",
        ),
        ("buffers: {inputs: ['']}", "c.yml:3:20: a buffer name cannot be empty"),
        (
            "buffers: {inputs: [a], outputs: [a]}",
            "c.yml:3:34: all buffer names must be unique across inputs and outputs: `a` is used twice (rename one of them)",
        ),
        (
            "endpoints: {e: 1}",
            "c.yml:3:13: job codespecs cannot have endpoints (remove `endpoints`, or make it a worker codespec: `kind: worker`)",
        ),
        (
            "kind: worker\nbuffers: {inputs: [a]}",
            "c.yml:4:20: worker codespecs cannot have buffers (add them to the job that the worker serves)",
        ),
        (
            "kind: worker\nsockets: [{port: 1}]",
            "c.yml:4:11: worker codespecs cannot have sockets (declare the ports it listens on as `endpoints`)",
        ),
        (
            "kind: worker\nendpoints: {e: 0}",
            "c.yml:4:16: 0 is not a port: expected a number from 1 to 65535",
        ),
        (
            "kind: worker\nendpoints: {e: 65536}",
            "c.yml:4:16: 65536 is not a port: expected a number from 1 to 65535",
        ),
        (
            "kind: worker\nendpoints: {e: 1, E: 2}",
            "c.yml:4:19: the endpoints `e` and `E` would share an environment variable (rename one of them)",
        ),
        (
            "sockets: [{port: 1}]",
            "c.yml:3:11: a socket must have at least one of `inputBuffer` and `outputBuffer`",
        ),
        ("sockets: [{inputBuffer: a}]", "c.yml:3:11: `sockets[0]` has no `port`"),
        (
            "buffers: {inputs: [abc]}\nsockets: [{port: 1, inputBuffer: abd}]",
            "c.yml:4:34: `abd` is not in `buffers.inputs` (did you mean `abc`?)",
        ),
        (
            "buffers: {inputs: [a]}\nsockets: [{port: 1, outputBuffer: a}]",
            "c.yml:4:35: `a` is not in `buffers.outputs` (declare it: `buffers: {outputs: [a]}`)",
        ),
        (
            "buffers: {inputs: [a]}\nsockets: [{port: 1, inputBuffer: a}, {port: 2, inputBuffer: a}]",
            "c.yml:4:61: the buffer `a` is used by more than one socket",
        ),
        (
            "buffers: {inputs: [a]}\nsockets: [{port: 1, inputBuffer: a}, {port: 1, inputBuffer: a}]",
            "c.yml:4:45: two sockets use port 1",
        ),
        (
            "buffers: {inputs: [a]}\nsockets: [{port: 1, inputBuffer: a}]\nargs: [x$(A_PIPE)]",
            "c.yml:5:8: the buffer reference `$(A_PIPE)` is not valid because it is used by a socket (write `$$(A_PIPE)` for the literal text)",
        ),
    ] {
        assert_eq!(told_of(lines), expected, "{lines}");
    }
    codespec(
        "name: n\nimage: i\nbuffers: {inputs: [a]}\nsockets: [{port: 1, inputBuffer: a}]\nargs: [x$$(A_PIPE)]",
    );
}

#[test]
fn references_to_unknown_variables_cause_warnings() {
    let warnings = |lines: &str| -> Vec<String> {
        let read = codespec(&format!("name: n\nimage: i\nbuffers: {{inputs: [in]}}\n{lines}"));
        read.warnings
            .iter()
            .map(|warning| format!("{warning} ({})", warning.hint.as_deref().unwrap_or("")))
            .collect()
    };
    assert_eq!(
        warnings("args: [$(IN_PIPE), $(TYGER_WORKER_NODES), $$(X), '$(cat f)', $()]"),
        [""; 0]
    );
    assert_eq!(
        warnings("args: [$(IN_PIP)]"),
        [
            "c.yml:4:8: `$(IN_PIP)` is not expanded: there is no variable `IN_PIP` (did you mean `$(IN_PIPE)`?)"
        ]
    );
    assert_eq!(
        warnings("env: {A: $(B), B: b, C: $(B)}"),
        ["c.yml:4:10: `$(B)` is not expanded: `B` is not declared before it (declare `B` first)"]
    );
    assert_eq!(
        warnings("env: {IN_PIPE: x}"),
        [
            "c.yml:4:7: `IN_PIPE` is the path of a pipe: this value is ignored (rename the variable or the buffer)"
        ]
    );
}

#[test]
fn flags_override_the_file() {
    let flags = Flags {
        name: Some("other".into()),
        inputs: vec!["a".into(), "b".into()],
        env: vec!["X=1".into(), "Y==".into(), "X=2".into()],
        cpu_limit: Some("3".into()),
        words: vec!["--new".into()],
        ..Flags::default()
    };
    let source = Source::Written {
        file: "c.yml",
        bytes: FULL.replace("$(IN_PIPE)", "x").into_bytes().leak(),
    };
    let NamedCodespec { name, codespec, .. } = NamedCodespec::read(Some(source), &flags).unwrap();
    assert_eq!(name.as_str(), "other");
    let names = |names: &[crate::name::BufferName]| {
        names.iter().map(|name| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(codespec.inputs()), names(codespec.outputs())),
        (vec!["a".into(), "b".into()], vec!["out".into()])
    );
    assert_eq!(codespec.env, [("X".to_owned(), "2".to_owned()), ("Y".to_owned(), "=".to_owned())]);
    assert_eq!(codespec.resources.limits.cpu.unwrap().to_string(), "3");
    assert_eq!(codespec.resources.limits.memory.unwrap().to_string(), "1536Mi");
    assert_eq!(
        (codespec.command, codespec.args),
        (vec!["filter".to_owned()], vec!["--new".to_owned()])
    );
    let command = Flags {
        words: vec!["c".into()],
        words_are: Words::Command,
        kind: Some(Kind::Job),
        ..Flags::default()
    };
    let codespec = NamedCodespec::read(Some(source), &command).unwrap().codespec;
    assert_eq!((codespec.command, codespec.args.len()), (vec!["c".to_owned()], 3));
}

#[test]
fn invalid_flags_are_reported() {
    let told = |flags: Flags| NamedCodespec::read(None, &flags).unwrap_err().to_string();
    let all = |flags: Flags| Flags { name: Some("n".into()), image: Some("i".into()), ..flags };
    assert_eq!(
        told(Flags::default()),
        "the command line: if `--file` is not provided, a name for the codespec is required"
    );
    let no_image = Flags { name: Some("n".into()), ..Flags::default() };
    assert_eq!(
        told(no_image),
        "the command line: the codespec is missing required properties including: `image`"
    );
    assert_eq!(
        told(all(Flags { inputs: vec!["_".into()], ..Flags::default() })).split(':').next(),
        Some("--input")
    );
    assert_eq!(
        told(all(Flags { env: vec!["A".into()], ..Flags::default() })),
        "`--env`: `A` is not a pair: expected `NAME=VALUE`"
    );
    assert_eq!(
        told(all(Flags { gpu: Some("-1".into()), ..Flags::default() })),
        "`--gpu`: `-1` is negative"
    );
    assert_eq!(
        told(all(Flags { endpoints: vec!["e=x".into()], ..Flags::default() })),
        "`--endpoint`: `x` is not a port: expected a number from 1 to 65535"
    );
    assert_eq!(
        told(all(Flags { endpoints: vec!["e=1".into()], ..Flags::default() })),
        "--endpoint: job codespecs cannot have endpoints"
    );
}

#[test]
fn runs_are_read() {
    let text = "\
job:
  codespec: mine/versions/22
  buffers: {input: lopoahtz7chepdpmgvunuvtqke, output: _}
  tags: {k: v}
  bufferTtl: \"1.12\"
  nodePool: cpu
  replicas: 1
worker:
  codespec: {image: w, endpoints: {e: 9}}
  replicas: 2
cluster: c
timeoutSeconds: 60
tags: {a.b: ''}
bufferAccessTtl: 0.00:10
id: 5
";
    let run = run(text).unwrap();
    let RunCodespec::Named(reference) = &run.job.codespec else { panic!() };
    assert_eq!(reference.to_string(), "mine/versions/22");
    assert_eq!(run.job.buffers["output"], BufferArgument::Ephemeral);
    assert_eq!(run.job.buffer_ttl.unwrap().seconds, 129_600);
    assert_eq!((run.timeout, run.tags.get("a.b")), (60, Some("")));
    let worker = run.worker.unwrap();
    assert_eq!(worker.replicas, 2);
    let RunCodespec::Inline(codespec) = &worker.codespec else { panic!() };
    assert!(matches!(&codespec.role, Role::Worker { endpoints } if endpoints["e"] == 9));
}

#[test]
fn invalid_runs_are_reported_with_their_place() {
    for (text, expected) in [
        ("{}", "r.yml:1:1: the run has no `job` (a run needs a job: `job: {codespec: NAME}`)"),
        (
            "image: i",
            "r.yml:1:1: the run has no `job` (this is a codespec: store it with `wake codespec create -f FILE`, then run it with `wake job exec NAME`)",
        ),
        ("job: {}", "r.yml:1:6: `job` has no `codespec`"),
        (
            "job: {codespec: Foo}",
            "r.yml:1:17: the codespec reference `Foo` is invalid: it should be in the form `<codespec_name>` or `<codespec_name>/versions/<version_number>`",
        ),
        (
            "job: {codespec: a/versions/99999999999}",
            "r.yml:1:17: the codespec version `99999999999` is not a valid integer",
        ),
        (
            "job: {codespec: {kind: worker, image: i}}",
            "r.yml:1:24: the codespec for the job is required to be a job codespec",
        ),
        (
            "job: {codespec: a}\nworker: {codespec: {kind: job, image: i}}",
            "r.yml:2:27: the codespec for the worker is required to be a worker codespec",
        ),
        (
            "job: {codespec: {imag: i}}",
            "r.yml:1:18: unknown key `imag` in `job.codespec` (did you mean `image`?)",
        ),
        (
            "job: {codespec: {image: i, env: {A: 1}}}",
            "r.yml:1:37: `job.codespec.env.A` is a number: expected a string (write `\"1\"`)",
        ),
        (
            "job: {codespec: a, buffers: {x: y}}",
            "r.yml:1:33: `y` is not a buffer id: expected 26 characters of `a` to `z` and `2` to `7`, or `_` for a buffer that is not kept",
        ),
        (
            "job: {codespec: a, replicas: 0}",
            "r.yml:1:30: `job.replicas` is 0: expected a positive number",
        ),
        (
            "job: {codespec: a, bufferTtl: soon}",
            "r.yml:1:31: `job.bufferTtl`: `soon` is not a valid lifetime: expected `D[.HH[:MM[:SS]]]`, such as `7` or `0.12:30`",
        ),
        (
            "job: {codespec: a, tags: {'a b': x}}",
            "r.yml:1:27: `a b` is not a valid tag key: up to 128 letters, digits, `-`, `_` and `.`",
        ),
        (
            "job: {codespec: a}\ntimeoutSeconds: 0",
            "r.yml:2:17: `timeoutSeconds` is 0: expected a positive number",
        ),
        (
            "job: {codespec: a}\ntimeout: 5",
            "r.yml:2:1: unknown key `timeout` in the run (the run has the keys `worker`, `job`, `cluster`, `timeoutSeconds`, `tags`, `bufferAccessTtl`, `id`, `status`, `statusReason`, `runningCount`, `createdAt`, `startedAt`, `finishedAt`, `eTag`, `kind`)",
        ),
    ] {
        assert_eq!(run(text).err().as_deref(), Some(expected), "{text}");
    }
    let text = "job: {codespec: {image: i, buffers: {inputs: [input]}}, buffers: {inputs: _}}";
    let run = run(text).unwrap();
    let RunCodespec::Inline(codespec) = &run.job.codespec else { panic!() };
    let error = run.arguments(codespec).unwrap_err();
    assert_eq!(
        error.to_string(),
        "r.yml:1:67: buffer argument `inputs` does not correspond to a buffer parameter on the codespec"
    );
    assert_eq!(error.hint.as_deref(), Some("did you mean `input`?"));
}

#[test]
fn json_is_read_as_well() {
    let json = "{\n\t\"name\": \"n\",\r\n\t\"image\": \"a\\/b\",\n\t\"args\": [\"\\u00e9\\\"\\n\"],\n\t\"env\": {\"A\": \"1\"}\n}\n";
    let NamedCodespec { codespec, .. } = codespec(json);
    assert_eq!((codespec.image.as_str(), codespec.args[0].as_str()), ("a/b", "é\"\n"));
    assert_eq!(
        told("{\"name\": \"n\", \"image\": 5}"),
        "c.yml:1:24: `image` is a number: expected a string (write `\"5\"`)"
    );
}
