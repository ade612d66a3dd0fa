# tests/e2e/issuer.py - makes keys, certificates and signed tokens with the openssl command
"""Everything a test needs of a certificate authority or an identity provider."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import time


def openssl(*arguments, data=None):
    done = subprocess.run(
        ["openssl", *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        check=False, timeout=30
    )
    assert done.returncode == 0, f"openssl {arguments}: {done.stderr.decode(errors='replace')}"
    return done.stdout


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def write_secret(path, text):
    """A file only its owner may read, replaced as a whole: nobody sees half of it."""
    draft = path + ".new"
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as file:
        file.write(text)
    os.replace(draft, path)
    return path


class Key:
    """A key pair: RS256, ES256 or EdDSA."""

    OPTIONS = {
        "RS256": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
        "ES256": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
        "EdDSA": ("-algorithm", "ED25519"),
    }

    def __init__(self, directory, algorithm, name):
        self.algorithm = algorithm
        self.name = name
        self.path = os.path.join(directory, f"{name}.key")
        openssl("genpkey", *self.OPTIONS[algorithm], "-out", self.path)
        self.public_pem = openssl("pkey", "-in", self.path, "-pubout").decode()

    def jwk(self):
        der = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")
        if self.algorithm == "EdDSA":
            members = {"kty": "OKP", "crv": "Ed25519", "x": base64url(der[-32:])}
        elif self.algorithm == "ES256":
            members = {"kty": "EC", "crv": "P-256", "x": base64url(der[-64:-32]),
                       "y": base64url(der[-32:])}
        else:
            line = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip()
            members = {"kty": "RSA", "n": base64url(bytes.fromhex(line.split("=")[1])),
                       "e": "AQAB"}
        return {**members, "kid": self.name, "use": "sig", "alg": self.algorithm}

    def sign(self, text):
        digest = () if self.algorithm == "EdDSA" else ("-digest", "sha256")
        path = self.path + ".text"
        with open(path, "wb") as file:
            file.write(text)
        made = openssl("pkeyutl", "-sign", "-rawin", *digest, "-inkey", self.path, "-in", path)
        return self._side_by_side(made) if self.algorithm == "ES256" else made

    @staticmethod
    def _side_by_side(der):
        """r and s of a DER signature, 32 bytes each."""
        def number(at):
            assert der[at] == 2
            size = der[at + 1]
            return der[at + 2:at + 2 + size], at + 2 + size

        r, at = number(2)
        s, _ = number(at)
        return b"".join(part.lstrip(b"\0").rjust(32, b"\0") for part in (r, s))


def claims(user, life_s=300, **more):
    return {"sub": user, "exp": int(time.time()) + life_s, **more}


def unsigned(header, payload):
    return f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(payload).encode())}"


def token_of(key, payload, **header):
    """Signed by a key pair, or by a shared secret (bytes)."""
    if isinstance(key, bytes):
        text = unsigned({"alg": "HS256", **header}, payload)
        made = hmac.new(key, text.encode(), hashlib.sha256).digest()
    else:
        text = unsigned({"alg": key.algorithm, "kid": key.name, **header}, payload)
        made = key.sign(text.encode())
    return f"{text}.{base64url(made)}"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Authority:
    """A certificate authority that vouches for servers and clients."""

    def __init__(self, directory, name="ca"):
        self.directory = directory
        self.path = os.path.join(directory, f"{name}.pem")
        self.key = os.path.join(directory, f"{name}.key")
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", f"/CN=test {name}", "-keyout", self.key, "-out", self.path
        )

    def issue(self, name, subject="localhost", names="IP:127.0.0.1,DNS:localhost"):
        """(certificate, key) for 127.0.0.1 and localhost, or other names."""
        path = os.path.join(self.directory, name)
        openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={subject}", "-addext",
            f"subjectAltName={names}", "-keyout", path + ".key",
            "-out", path + ".csr"
        )
        openssl(
            "x509", "-req", "-in", path + ".csr", "-CA", self.path, "-CAkey", self.key,
            "-CAcreateserial", "-days", "1", "-copy_extensions", "copy", "-out", path + ".pem"
        )
        return path + ".pem", path + ".key"
