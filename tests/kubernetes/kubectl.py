#!/usr/bin/env python3
"""A stand-in for `kubectl` and a cluster with one namespace: a directory of objects, and a process for each pod.

Answers have the shape and the words of Kubernetes 1.20 and 1.32. The file `said/NAME.json` overrides the actual state of a job; without
the file `runs`, no job gets a pod. A container runs directly on this machine instead of in its image.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent / "cluster"
OBJECTS = TOP / "objects"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
CONTEXTS = {"x": None, "lab": "science"}


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def keep(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_text(json.dumps(value))
    new.rename(path)


def path_of(kind, name):
    return OBJECTS / f"{kind.lower()}.{name}.json"


def read(path):
    return json.loads(path.read_text())


def objects(kind, name):
    all_of_kind = [read(path) for path in sorted(OBJECTS.glob(f"{kind}.*.json"))]
    return [one for one in all_of_kind if one["metadata"]["labels"].get(INSTANCE) == name]


def config_view(options):
    context = options.get("context", "x")
    if context not in CONTEXTS:
        fail(f"error: cannot locate context {context}")
    about = {"cluster": "c", "user": "u"}
    if CONTEXTS[context]:
        about["namespace"] = CONTEXTS[context]
    return {"kind": "Config", "contexts": [{"name": context, "context": about}], "current-context": context}


def create(options):
    if (TOP / "refuses").exists():
        fail((TOP / "refuses").read_text().strip())
    if options.get("namespace") == "nope":
        fail('Error from server (NotFound): error when creating "STDIN": namespaces "nope" not found')
    given = json.load(sys.stdin)
    for one in given["items"] if given["kind"] == "List" else [given]:
        if one["kind"] == "StatefulSet" and (TOP / "refuses-workers").exists():
            fail('Error from server (Forbidden): error when creating "STDIN": statefulsets.apps is forbidden: User "u" cannot create resource "statefulsets"')
        one["metadata"]["uid"] = f"uid-of-{one['metadata']['name']}"
        keep(path_of(one["kind"], one["metadata"]["name"]), one)
        if one["kind"] == "Job" and (TOP / "runs").exists():
            words = [sys.executable, __file__, "run-pod", one["metadata"]["name"]]
            nowhere = subprocess.DEVNULL
            subprocess.Popen(words, start_new_session=True, stdin=nowhere, stdout=nowhere, stderr=nowhere)
    return given


def said(name):
    """The state that a test has set for a job, as objects."""
    said = read(TOP / "said" / f"{name}.json")
    items = []
    if "job" in said:
        job = read(path_of("Job", name))
        items.append({**job, "status": said["job"]})
    for pod in said.get("pods", []):
        about = {"name": f"{name}-abcde", "labels": {INSTANCE: name, COMPONENT: "job"}, **pod.get("metadata", {})}
        items.append({"kind": "Pod", **pod, "metadata": about})
    return items


def get(options, kinds):
    if kinds == "events":
        path = TOP / "events.json"
        return {"kind": "List", "items": read(path) if path.exists() else []}
    name = options["selector"].split("=")[1]
    if (TOP / "said" / f"{name}.json").exists() and objects("job", name):
        return {"kind": "List", "items": said(name)}
    return {"kind": "List", "items": objects("job", name) + objects("pod", name)}


def logs(options, pod):
    path = TOP / "logs" / pod
    if not path.exists():
        fail(f'error: error from server (NotFound): pods "{pod}" not found in namespace "default"')
    with path.open("rb") as log:
        while True:
            has_ended = (TOP / "logs" / f"{pod}.over").exists()
            sys.stdout.buffer.write(log.read())
            sys.stdout.buffer.flush()
            if has_ended or "follow" not in options:
                return None
            time.sleep(0.02)


def delete(names):
    for kind, name in (name.split("/") for name in names):
        kind = kind.split(".")[0]
        path_of(kind, name).unlink(missing_ok=True)
        (TOP / "deleted").open("a").write(f"{kind}/{name}\n")
        if kind == "job":
            stop(name)
            for path in OBJECTS.glob(f"pod.{name}-*.json"):
                path.unlink()
    return None


def stop(name):
    """Ends the processes of a pod."""
    runner = TOP / "runners" / name
    if not runner.exists():
        return
    number = int(runner.read_text())
    try:
        os.killpg(number, signal.SIGTERM)
        for _ in range(100):
            os.killpg(number, 0)
            time.sleep(0.02)
        os.killpg(number, signal.SIGKILL)
    except ProcessLookupError:
        pass
    (TOP / "logs" / f"{name}-abcde.over").touch()


class Pod:
    """The pod of a job, and its containers."""

    def __init__(self, name):
        self.job = read(path_of("Job", name))
        self.name = name
        template = self.job["spec"]["template"]
        self.spec = template["spec"]
        self.about = {"name": f"{name}-abcde", "labels": template["metadata"]["labels"]}
        self.pipes = TOP / "pods" / name
        self.pipes.mkdir(parents=True)
        self.before = self.spec.get("initContainers", [])
        waiting = {"waiting": {"reason": "PodInitializing"}}
        every = self.before + self.spec["containers"]
        self.states = {one["name"]: waiting for one in every}

    def say(self, phase, **states):
        self.states.update(states)
        before = {one["name"] for one in self.before}
        status = {"phase": phase, "initContainerStatuses": [], "containerStatuses": []}
        for name, state in self.states.items():
            key = "initContainerStatuses" if name in before else "containerStatuses"
            status[key].append({"name": name, "restartCount": 0, "state": state, "lastState": {}})
        spec = {**self.spec, "nodeName": "n1"}
        keep(path_of("Pod", self.about["name"]), {"kind": "Pod", "metadata": self.about, "spec": spec, "status": status})

    def begin(self, container):
        places = {"/etc/buffer-fifos": str(self.pipes), "/wake/store": (TOP / "store").read_text()}

        def here(word):
            for place, path in places.items():
                word = word.replace(place, path)
            return word

        variables = {one["name"]: here(one["value"]) for one in container.get("env", [])}

        def expanded(word):
            return re.sub(r"\$\((\w+)\)", lambda found: variables.get(found[1], found[0]), here(word))

        words = [expanded(word) for word in container.get("command", []) + container.get("args", [])]
        if words[0] == "wake":
            words[0] = (TOP / "wake").read_text()
        out = subprocess.DEVNULL
        if container["name"] == "main":
            (TOP / "logs").mkdir(exist_ok=True)
            out = (TOP / "logs" / self.about["name"]).open("ab")
        self.say("Pending", **{container["name"]: {"running": {}}})
        environment = {**os.environ, **variables}
        return subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def run(self):
        (TOP / "runners").mkdir(exist_ok=True)
        (TOP / "runners" / self.name).write_text(str(os.getpid()))
        beside, code = [], 0
        for container in self.before + self.spec["containers"]:
            process = self.begin(container)
            if container.get("restartPolicy") == "Always":
                beside.append(process)
                continue
            code = process.wait()
            end = {"exitCode": code, "reason": "Error" if code else "Completed"}
            if container["name"] == "main":
                (TOP / "logs" / f"{self.about['name']}.over").touch()
            self.say("Pending", **{container["name"]: {"terminated": end}})
            if code:
                break
        for process in beside:
            process.terminate()
            process.wait()
        self.say("Failed" if code else "Succeeded")
        end = {"type": "Complete", "status": "True"}
        if code:
            end = {
                "type": "Failed",
                "status": "True",
                "reason": "BackoffLimitExceeded",
                "message": "Job has reached the specified backoff limit",
            }
        keep(path_of("Job", self.name), {**self.job, "status": {"conditions": [end]}})


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    options = [word[2:].split("=", 1) for word in sys.argv[1:] if word.startswith("--")]
    options = {option[0]: option[-1] for option in options}
    with (TOP / "calls").open("a") as calls:
        calls.write(" ".join(sys.argv[1:]) + "\n")
    if words[0] == "run-pod":
        return Pod(words[1]).run()
    if words[0] == "config":
        answer = config_view(options)
    elif (TOP / "away").exists():
        fail("The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?")
    elif words[0] == "create":
        answer = create(options)
    elif words[0] == "get":
        answer = get(options, words[1])
    elif words[0] == "logs":
        answer = logs(options, words[1])
    elif words[0] == "delete":
        answer = delete(words[1:])
    else:
        fail(f'error: unknown command "{words[0]}" for "kubectl"')
    if answer is not None:
        print(json.dumps(answer))


main()
