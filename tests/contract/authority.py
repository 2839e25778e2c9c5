"""A certificate authority for the tests, made anew with openssl(1): right
certificates, and wrong ones of every kind; and servers that use them."""

import ctypes
import ctypes.util
import hmac
import os
import ssl
import struct
import subprocess

from harness import Server, Workplace


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def validity(days):
    """Since 3.5, openssl makes none of no days; it can be given dates then."""
    said = subprocess.run(["openssl", "version"], capture_output=True,
                          text=True, check=True).stdout.split()[1]
    if days > 0 or tuple(map(int, said.split(".")[:2])) < (3, 5):
        return ["-days", str(days)]
    return ["-not_before", "20200101000000Z", "-not_after", "20200102000000Z"]


class Authority:
    """Issues certificates in a directory of its own."""

    def __init__(self):
        self.place = Workplace()
        self.ca = self.root("ca")

    def root(self, name):
        """A self-signed certificate; returns its file."""
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN=Triptych {name}",
                "-keyout", self.place.join(name + ".key"),
                "-out", self.place.join(name + ".pem"))
        return self.place.join(name + ".pem")

    def issue(self, name, alt="IP:127.0.0.1,IP:::1,DNS:localhost", ca="ca",
              days=2):
        """A certificate and its key in one file, signed by `ca`. One of no
        days is over as soon as it is there."""
        at = self.place.join
        with open(at(name + ".ext"), "w", encoding="ascii") as file:
            file.write("basicConstraints=CA:FALSE\n")
            if alt:
                file.write(f"subjectAltName={alt}\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", at(name + ".key"), "-out", at(name + ".csr"))
        openssl("x509", "-req", "-in", at(name + ".csr"), "-CA",
                at(ca + ".pem"), "-CAkey", at(ca + ".key"),
                "-CAcreateserial", *validity(days), "-extfile",
                at(name + ".ext"), "-out", at(name + ".crt"))
        return self.join(name, at(name + ".crt"), at(name + ".key"))

    def self_signed(self, name):
        self.root(name)
        at = self.place.join
        return self.join(name + "-pair", at(name + ".pem"), at(name + ".key"))

    def join(self, name, *parts):
        path = self.place.join(name + ".pair")
        with open(path, "wb") as pair:
            for part in parts:
                with open(part, "rb") as file:
                    pair.write(file.read())
        return path

    def remove(self):
        self.place.__exit__()


class TlsServer(Server):
    """A scripted server that speaks TLS: the script's connection has the
    secured socket. What goes wrong in a handshake is the client's to tell."""

    def __init__(self, script, pair, settle=None, **more):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair)
        if settle:
            settle(self.context)
        self.names = []
        self.context.sni_callback = \
            lambda sock, name, context: self.names.append(name)

        def secured(connection):
            try:
                connection.sock = self.context.wrap_socket(
                    connection.sock, server_side=True)
            except (OSError, ValueError):
                return
            script(connection)

        super().__init__(secured, **more)
        self.https = self.http.replace("http:", "https:")
        self.named = f"https://localhost:{self.port}"


class Sealer:
    """Makes records of TLS 1.3 as the server of a connection would, of what no
    library sends. It must have sent nothing since the handshake, and
    nothing after this; the suite is TLS_AES_256_GCM_SHA384."""

    def __init__(self, secret):
        self.key = self.derive(secret, b"key", 32)
        self.iv = self.derive(secret, b"iv", 12)
        self.count = 0
        self.crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
        for name in "EVP_CIPHER_CTX_new", "EVP_aes_256_gcm":
            getattr(self.crypto, name).restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.crypto.EVP_CIPHER_CTX_new())

    def derive(self, secret, label, n):
        """HKDF-Expand-Label (RFC 8446, 7.1), of one block."""
        label = b"tls13 " + label
        info = struct.pack(">HB", n, len(label)) + label + b"\0\1"
        return hmac.new(secret, info, "sha384").digest()[:n]

    def seal(self, text, kind):
        """A record of this content type."""
        text += bytes([kind])
        head = b"\x17\x03\x03" + struct.pack(">H", len(text) + 16)
        nonce = (int.from_bytes(self.iv, "big") ^ self.count).to_bytes(12,
                                                                       "big")
        out = ctypes.create_string_buffer(len(text))
        tag = ctypes.create_string_buffer(16)
        n = ctypes.c_int()
        self.crypto.EVP_EncryptInit_ex(
            self.context, ctypes.c_void_p(self.crypto.EVP_aes_256_gcm()), None,
            self.key, nonce)
        self.crypto.EVP_EncryptUpdate(self.context, None, ctypes.byref(n),
                                      head, len(head))
        self.crypto.EVP_EncryptUpdate(self.context, out, ctypes.byref(n), text,
                                      len(text))
        self.crypto.EVP_EncryptFinal_ex(self.context, tag, ctypes.byref(n))
        self.crypto.EVP_CIPHER_CTX_ctrl(self.context, 0x10, 16, tag)
        self.count += 1
        return head + out.raw + tag.raw


def say_goodbye(connection):
    """Sends close_notify, as a server should, and closes."""
    try:
        connection.sock.unwrap()
    except (OSError, ValueError):
        pass
    connection.sock.close()


def slam(connection):
    """Closes without a word of TLS."""
    os.close(connection.sock.detach())
