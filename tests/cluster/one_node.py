"""A Slurm cluster of this machine alone: `python tests/cluster/one_node.py DIRECTORY`.

Its daemons are those of Debian's `slurm-wlm` and `munge`, run by root, with all their
files in the directory. By hand it stays until Ctrl-C.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun")
# Partition `high` takes the place of jobs in `low`, which have GraceTime to end.
# A requeued job waits for as long as credentials are valid. KillWait and GraceTime cost
# nothing: they end with the job, and a slow machine needs them to write a checkpoint.
CONF = """\
ClusterName=one_node
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={directory}/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=60
MailProg=/bin/true
MpiDefault=none
SwitchType=switch/none
PropagateResourceLimits=NONE
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=64000 State=UNKNOWN
PartitionName=low Nodes={host} Default=YES PriorityTier=1 GraceTime=120
PartitionName=high Nodes={host} PriorityTier=10 PreemptMode=OFF
"""
_MUNGE_FILES = ("key", "pid", "seed")
# In seconds; many times what is needed, for a machine that has much else to do.
_PATIENCE = 120.0


def missing() -> str | None:
    """Why there can be no cluster here; None if there can."""
    absent = [name for name in PROGRAMS if _program(name) is None]
    if absent:
        return f"no {', '.join(absent)} here: apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "Slurm's daemons need root"
    return None


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


class Cluster:
    """The daemons, while the `with` block runs.

    Args:
        directory: for everything they write; must exist, and be empty.
        cpus: that they believe to have.
    """

    def __init__(self, directory: Path, cpus: int = 2):
        self.directory = directory.absolute()
        self.cpus = cpus
        self._daemons: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        """For programs that are to find this cluster."""
        return os.environ | {"SLURM_CONF": str(self.directory / "slurm.conf")}

    def __enter__(self) -> "Cluster":
        host = socket.gethostname().partition(".")[0]
        controller_port, node_port = _free_ports(2)
        text = CONF.format(
            host=host,
            directory=self.directory,
            controller_port=controller_port,
            node_port=node_port,
            cpus=self.cpus,
        )
        (self.directory / "slurm.conf").write_text(text)
        for name in ("state", "spool"):
            (self.directory / name).mkdir()
        key = self.directory / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        try:
            # By force: temporary directories are less open than munged wants.
            socket_path = self.directory / "munge.socket"
            files = [f"--{x}-file={self.directory}/munge.{x}" for x in _MUNGE_FILES]
            self._start(
                *("munged", "--foreground", "--force", f"--socket={socket_path}"),
                *files,
            )
            self._wait_for(socket_path.exists)
            self._start("slurmctld", "-D")
            self._start("slurmd", "-D")
            self._wait_for(lambda: "idle" in self._try("sinfo", "--noheader").stdout)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if len(self._daemons) == 3:
            with contextlib.suppress(RuntimeError):
                self.ask("scancel", "--full", "--user=root")
                self._wait_for(lambda: not self.ask("squeue", "--noheader"))
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._daemons.clear()

    def ask(self, *command: str) -> str:
        """What a program says of this cluster, which may be too busy at first.

        Raises:
            RuntimeError: it fails again and again; with the daemons' logs.
        """
        deadline = time.monotonic() + _PATIENCE
        while (result := self._try(*command)).returncode != 0:
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"{' '.join(command)} failed: {result.stderr}\n{self.logs()}"
                )
            time.sleep(1)
        return result.stdout

    def _try(self, *command: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                env=self.environment,
                timeout=_PATIENCE,
            )
        except subprocess.TimeoutExpired as error:
            return subprocess.CompletedProcess(command, 124, "", str(error))

    def logs(self) -> str:
        """The end of what each daemon wrote."""
        parts = []
        for path in sorted(self.directory.glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()
            parts.append("\n".join([f"== {path.name}", *lines[-80:]]))
        return "\n".join(parts)

    def _start(self, name: str, *arguments: str) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self._daemons.append(
                subprocess.Popen(
                    [_program(name) or name, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self.environment,
                    # Ctrl-C is for us, so that they end one after the other.
                    start_new_session=True,
                )
            )

    def _wait_for(self, condition) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            dead = [x.args for x in self._daemons if x.poll() is not None]
            if dead or time.monotonic() > deadline:
                why = f"{dead} ended" if dead else f"not ready in {_PATIENCE:g} s"
                raise RuntimeError(f"Slurm does not work, {why}:\n{self.logs()}")
            time.sleep(0.2)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def main() -> None:
    """Keep a cluster until Ctrl-C."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} DIRECTORY")
    why_not = missing()
    if why_not is not None:
        sys.exit(f"error: {why_not}")
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        sys.exit(f"error: {directory} must be empty.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Cluster(directory) as cluster, contextlib.suppress(KeyboardInterrupt):
        print(f"export SLURM_CONF={cluster.environment['SLURM_CONF']}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
