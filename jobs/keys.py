"""Every Redis key: its name, what it holds and how long it lives. No other file spells a key.

All keys of one deployment share the hash tag `{namespace}`, so each script stays on one Redis Cluster slot.
`<model>` is the key of a model, `<id>@<hex>`; `<flow>` is `<lane>:<tenant>`.

| key                       | type   | holds                                                  | lifetime    |
|---------------------------|--------|--------------------------------------------------------|-------------|
| `job:<id>`                | hash   | the job, its state, progress, entry, crashes, error    | `RESULT`    |
| `result:<id>`             | string | the `Result` as JSON                                   | `RESULT`    |
| `maps:<id>`               | hash   | `<target>`, `<target>/<part>` -> little-endian float32 | `RESULT`    |
| `draft:<id>`              | hash   | `draft` -> the `Draft` as JSON, `<target>` -> float32  | `DRAFT`     |
| `image:<image>`           | string | raw pixels of an image, a reference or a mask          | `RESULT`    |
| `image-users:<image>`     | set    | who uses it: ids of jobs, and `set:<id>`               | `RESULT`    |
| `image-set:<id>`          | hash   | an `ImageSet`, when it was posted and how often        | `RESULT`    |
| `queue:v1:<model>:<flow>` | stream | a flow's jobs that are not finished                    | `QUEUE`     |
| `flows:v1:<model>`        | zset   | flows with queues, by their last job                   | `QUEUE`     |
| `bell:v1:<model>:<lane>`  | list   | one element when a job came while nobody waited        | `QUEUE`     |
| `unfinished:<model>`      | zset   | a model's unfinished jobs by submit time               | `RESULT`    |
| `pending:<tenant>`        | zset   | a tenant's unfinished jobs by submit time              | `RESULT`    |
| `events:<id>`             | stream | the job's newest changes, for who missed some          | `RESULT`    |
| `load:<model>`            | hash   | predicted device seconds of unfinished jobs by flow    | `RESULT`    |
| `tenant-load:<tenant>`    | hash   | those of a tenant's jobs of all models by lane         | `RESULT`    |
| `pace:<model>`            | hash   | what was measured of jobs; see scripts/pace.lua        | `SEEN`      |
| `binding:<name>`          | hash   | fingerprint, attempts, jobs of a request with a key    | `RESULT`    |
| `webhooks:<id>`           | hash   | whom an unfinished job or analysis calls -> upon what  | `RESULT`    |
| `calls`                   | zset   | calls to webhooks by the time that they are due        | `RESULT`    |
| `analysis:<id>`           | hash   | an `Analysis`, its state, progress, times and failure  | `RESULT`    |
| `analysis-parts:<id>`     | hash   | what came of each part that is done                    | `RESULT`    |
| `analysis-jobs:<id>`      | set    | jobs that it has put into the queue, not finished      | `RESULT`    |
| `analyses`                | zset   | unfinished ones by the time when they may be taken     | `RESULT`    |
| `tenant-analyses:<tenant>`| zset   | a tenant's unfinished ones by when they were held      | `RESULT`    |
| `repairs:<tenant>`        | hash   | id of a repair -> when it was made, `RepairRecord`     | kept        |
| `repair-cuts:<tenant>`    | hash   | id of a repair -> what it cuts, as JSON                | kept        |
| `dead`                    | stream | dead letters with their reason                         | `DEAD`      |
| `sanity:<model>`          | hash   | what was asked of a method -> `PairTrust` as JSON      | `SANITY`    |
| `causal-graphs:<tenant>:<model>` | hash | class index -> newest `CausalGraph` as JSON      | `SANITY`    |
| `causal-excerpts:<tenant>:<model>` | hash | class index -> its `GraphExcerpt` as JSON      | `SANITY`    |
| `worker:<worker>`         | string | `WorkerCard` as JSON                                   | `HEARTBEAT` |
| `workers`                 | zset   | worker ids by last heartbeat                           | `SEEN`      |
| `model:<model>`           | string | `ModelCard` as JSON                                    | `SEEN`      |
| `models`                  | zset   | model keys by first announcement                       | `SEEN`      |

What is kept has no lifetime: it stays until its tenant erases it, and is limited in number.
Until its jobs are accepted a binding lives for `RESERVED` alone, and so do pixels until their set is.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobs.job import SCHEMA_VERSION, Flow, Lane

GROUP = "workers"
KEPT = ("repairs", "repair-cuts")  # first words of keys without a lifetime
SET = "set"  # an image is used by a job, `<id>`, or by a set, `set:<id>`


@dataclass(frozen=True)
class Lifetimes:
    """Seconds that keys live after they were last written."""

    result: int = 24 * 3600
    queue: int = 7 * 24 * 3600
    dead: int = 30 * 24 * 3600
    sanity: int = 30 * 24 * 3600
    draft: int = 60
    reserved: int = 60
    heartbeat: int = 10
    seen: int = 3600


@dataclass(frozen=True)
class Keys:
    """Spells the keys of one deployment."""

    namespace: str = "rationale"
    lifetimes: Lifetimes = Lifetimes()

    def job(self, job_id: str) -> str:
        return self._key("job", job_id)

    def result(self, job_id: str) -> str:
        return self._key("result", job_id)

    def maps(self, job_id: str) -> str:
        return self._key("maps", job_id)

    def draft(self, job_id: str) -> str:
        return self._key("draft", job_id)

    def image(self, image: str) -> str:
        return self._key("image", image)

    def image_users(self, image: str) -> str:
        return self._key("image-users", image)

    def image_set(self, set_id: str) -> str:
        return self._key("image-set", set_id)

    def user(self, user: str) -> str:
        """The key without which one of the users of an image is gone."""
        kind, _, name = user.rpartition(":")
        return self.image_set(name) if kind == SET else self.job(name)

    def queue(self, model_key: str, flow: Flow) -> str:
        """Jobs of another version of the message have queues of their own, for workers of that version."""
        return self._key("queue", f"v{SCHEMA_VERSION}", model_key, flow.lane, flow.tenant)

    def flows(self, model_key: str) -> str:
        return self._key("flows", f"v{SCHEMA_VERSION}", model_key)

    def bell(self, model_key: str, lane: Lane) -> str:
        return self._key("bell", f"v{SCHEMA_VERSION}", model_key, lane)

    def unfinished(self, model_key: str) -> str:
        return self._key("unfinished", model_key)

    def pending(self, tenant: str) -> str:
        return self._key("pending", tenant)

    def events(self, job_id: str) -> str:
        return self._key("events", job_id)

    def webhooks(self, name: str) -> str:
        return self._key("webhooks", name)

    def load(self, model_key: str) -> str:
        return self._key("load", model_key)

    def tenant_load(self, tenant: str) -> str:
        return self._key("tenant-load", tenant)

    def pace(self, model_key: str) -> str:
        return self._key("pace", model_key)

    def binding(self, name: str) -> str:
        return self._key("binding", name)

    def sanity(self, model_key: str) -> str:
        return self._key("sanity", model_key)

    def causal_graphs(self, tenant: str, model_key: str) -> str:
        return self._key("causal-graphs", tenant, model_key)

    def causal_excerpts(self, tenant: str, model_key: str) -> str:
        return self._key("causal-excerpts", tenant, model_key)

    def analysis(self, analysis_id: str) -> str:
        return self._key("analysis", analysis_id)

    def analysis_parts(self, analysis_id: str) -> str:
        return self._key("analysis-parts", analysis_id)

    def analysis_jobs(self, analysis_id: str) -> str:
        return self._key("analysis-jobs", analysis_id)

    def tenant_analyses(self, tenant: str) -> str:
        return self._key("tenant-analyses", tenant)

    def repairs(self, tenant: str) -> str:
        return self._key("repairs", tenant)

    def repair_cuts(self, tenant: str) -> str:
        return self._key("repair-cuts", tenant)

    def worker(self, worker: str) -> str:
        return self._key("worker", worker)

    def model(self, model_key: str) -> str:
        return self._key("model", model_key)

    @property
    def analyses(self) -> str:
        return self._key("analyses")

    @property
    def calls(self) -> str:
        return self._key("calls")

    @property
    def dead(self) -> str:
        return self._key("dead")

    @property
    def workers(self) -> str:
        return self._key("workers")

    @property
    def models(self) -> str:
        return self._key("models")

    @property
    def changes(self) -> str:
        """Name of the publish/subscribe channel that tells of every change of a job; not a key."""
        return self._key("changes")

    def _key(self, *words: str) -> str:
        return ":".join(("{" + self.namespace + "}", *words))
