"""A real Apache Kafka on one node for `make verify`: the jars come from Maven, the data lies where the caller says.

`python -m tools.kafka` fetches the jars into the cache and prints their folder; a second run finds them there.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from base64 import urlsafe_b64encode
from pathlib import Path

from services.standalone.children import StandaloneError, free_port, run, spawn, wait_until

VERSION = "4.3.1"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>galw</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


def cache() -> Path:
    """Return the folder, outside the tree, that keeps what is fetched once for all checkouts."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "galw"


def fetch() -> Path:
    """Return the folder of Kafka's jars, fetching them first when they are not there."""
    jars = cache() / f"kafka-{VERSION}"
    if jars.exists():
        return jars
    for program, package in (("java", "openjdk-17-jre-headless"), ("mvn", "maven")):
        if shutil.which(program) is None:
            raise StandaloneError(f"Apache Kafka needs '{program}'; install it with: apt-get install {package}")
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent) as folder:
        draft = Path(folder)
        (draft / "pom.xml").write_text(_POM)
        copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={draft / 'lib'}"]
        # Standard output to standard error: our own output is the folder, for scripts.
        subprocess.run(["mvn", "-q", "-B", *copy], cwd=draft, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        (draft / "lib").rename(jars)
    return jars


class KafkaBroker:
    """One KRaft node that keeps its ports and its data over restarts and kills."""

    def __init__(self, folder: Path) -> None:
        """Prepare a node on *folder*, new or from before; nothing is started before `start`."""
        self.folder = folder.absolute()
        self.port = free_port()
        self._controller_port = free_port()
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def child(self) -> subprocess.Popen[bytes]:
        """The running Java process."""
        assert self._child is not None, "start() comes first"
        return self._child

    def start(self) -> None:
        """Start the node, formatting its folder the first time; `ready` tells when it takes connections."""
        jars = fetch()
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = self.folder / "server.properties"
        properties.write_text(self._properties())
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin")}
        if not (self.folder / "log" / "meta.properties").exists():
            uuid = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
            tool = ["java", "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format", "-t", f"A{uuid[1:]}"]
            run([*tool, "-c", properties, "--standalone"], env=env, cwd=self.folder)
        heap = ["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        logging = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        with (self.folder / "output").open("ab") as output:
            self._child = spawn(
                ["java", *heap, *logging, "-cp", f"{jars}/*", "kafka.Kafka", properties],
                env=env,
                output=output,
                cwd=self.folder,
            )

    def ready(self) -> bool:
        """Tell whether the node takes connections; raises when it has given up."""
        if self.child.poll() is not None:
            raise StandaloneError(f"Apache Kafka did not start; see {self.folder / 'output'}.")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Block until the node takes connections."""
        wait_until(self.ready, timeout_s, "Apache Kafka")

    def stop(self) -> None:
        """Shut down in good order; a node that takes longer than 20 s is killed."""
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End the node as `kill -9` would; what it has confirmed survives."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def _properties(self) -> str:
        controller = f"127.0.0.1:{self._controller_port}"
        values = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.bootstrap.servers": controller,
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dir": self.folder / "log",
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": 0,
            # A killed node may come back at once: the default would keep it out for nine seconds.
            "broker.session.timeout.ms": 1_000,
            "broker.heartbeat.interval.ms": 200,
            # A single node: every inner topic has one copy, and few partitions so that it starts faster.
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())


def main() -> None:
    """Fetch the jars and print where they are."""
    try:
        print(fetch())
    except (StandaloneError, subprocess.CalledProcessError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
