# tests/e2e/secure_stores_test.py - TLS to Redis and to PostgreSQL, under an authority of our own
import os
import pwd
import subprocess
import unittest

from harness import EndToEnd
from load import mixed_wishes
from many_nodes import Distributed
from stores import Postgres, Redis, free_port


def run_openssl(*words):
    subprocess.run(
        ["openssl", *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL
    )


class Authority:
    """Vouches for names; `path` is its certificate."""

    def __init__(self, folder, name):
        self.folder = folder
        self.path = os.path.join(folder, f"{name}.pem")
        self.key = os.path.join(folder, f"{name}.key")
        run_openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.path
        )

    def vouch(self, name):
        """(certificate, key) of a server on 127.0.0.1."""
        key, ask, made, extra = (
            os.path.join(self.folder, f"{name}.{kind}") for kind in ("key", "csr", "pem", "ext")
        )
        run_openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            f"/CN={name}", "-keyout", key, "-out", ask
        )
        with open(extra, "w", encoding="ascii") as file:
            file.write("subjectAltName=IP:127.0.0.1\n")
        run_openssl(
            "x509", "-req", "-in", ask, "-CA", self.path, "-CAkey", self.key, "-CAcreateserial",
            "-days", "2", "-extfile", extra, "-out", made
        )
        return made, key


class SecureStores(Distributed):
    """Both stores refuse a plain line; both are checked against our own authority."""

    def setUp(self):
        EndToEnd.setUp(self)
        self.nodes, self.heard = [], []
        os.chmod(self.scratch, 0o755)
        self.ours = Authority(self.scratch, "ours")
        self.other = Authority(self.scratch, "other")
        self.redis = self.made(self.secure_redis())
        self.postgres = self.made(self.secure_postgres())

    def secure_redis(self):
        certificate, key = self.ours.vouch("redis")
        port = free_port()
        redis = Redis(self.scratch, port, (
            "--port", "0", "--tls-port", str(port), "--tls-cert-file", certificate,
            "--tls-key-file", key, "--tls-ca-cert-file", self.ours.path, "--tls-auth-clients", "no",
            "--requirepass", "right",
        ))
        redis.cli_options = ["--tls", "--cacert", self.ours.path, "--no-auth-warning", "-a",
                             "right"]
        return redis

    def secure_postgres(self):
        certificate, key = self.ours.vouch("postgres")
        postgres = Postgres(self.scratch, options=(
            "-c", "ssl=on", "-c", f"ssl_cert_file={certificate}", "-c", f"ssl_key_file={key}",
        ))
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(key, owner.pw_uid, owner.pw_gid)
        os.chmod(key, 0o600)
        with open(
            os.path.join(postgres.directory, "pg_hba.conf"), "w", encoding="ascii"
        ) as file:
            file.write("hostssl all all 127.0.0.1/32 trust\n")
        return postgres

    def settings(self, authority, password="right"):
        return {
            "redis.url": f"rediss://:{password}@127.0.0.1:{self.redis.port}/0",
            "redis.tls_ca_file": authority.path,
            "postgres.url": f"{self.postgres.url}?sslmode=verify-full&sslrootcert={authority.path}",
        }

    def test_two_nodes_sell_over_tls(self):
        self.start_nodes(2, self.settings(self.ours))
        self.sells("drop", 2_000, perUserLimit=2)
        load = self.start_load(mixed_wishes(self.random, "drop", user_limit=2))
        self.sell_out(load, "drop")
        load.stop()
        self.audit(load.join(), "drop")
        lines = self.postgres.select(
            "SELECT DISTINCT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)"
            " WHERE a.application_name LIKE 'firstcome%'"
        )
        self.assertEqual(lines, [["t"]])

    def test_a_redis_killed_over_tls_comes_back(self):
        self.start_nodes(2, self.settings(self.ours))
        self.sells("drop", 100_000, perUserLimit=2)
        load = self.start_load(mixed_wishes(self.random, "drop", user_limit=2), clients=16)
        self.let_it_sell(load, 200)
        self.redis.kill()
        self.redis.start()
        self.let_it_sell(load, 200)
        load.stop()
        self.audit(load.join(), "drop")

    def refused_at_once(self, settings, told):
        """No second try: a certificate that does not hold will not hold in a second either."""
        node = self.start_node(settings, start=False)
        node.launch()
        self.assertEqual(node.wait_exit(60), 1, node.log())
        self.assertRegex(node.log(), r"(?i)certificate")
        self.assertIn(told, node.log())
        self.assertNotIn("waiting for", node.log())
        self.assertNotIn("right@", node.log())

    def test_somebody_elses_authority_is_refused(self):
        for store, told in (("redis", "redis.tls_ca_file"), ("postgres", "sslrootcert=")):
            mixed = self.settings(self.ours)
            wrong = self.settings(self.other)
            for name in wrong:
                if name.startswith(store):
                    mixed[name] = wrong[name]
            self.refused_at_once(mixed, told)

    def test_another_name_than_the_certificate_has_is_refused(self):
        """The certificates are for 127.0.0.1 alone."""
        for key, told in (("redis.url", "in redis.url as"), ("postgres.url", "the host there as")):
            settings = self.settings(self.ours)
            settings[key] = settings[key].replace("127.0.0.1", "localhost")
            self.refused_at_once(settings, told)


if __name__ == "__main__":
    unittest.main()
