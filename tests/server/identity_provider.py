"""A small OpenID Connect provider on 127.0.0.1 that speaks the real protocol, and can be told to cheat."""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT, SECRET = "vestigo-test", "client secret of the test"


class IdentityProvider:
    """Logs `user` in at once. `claims` go over the token's, None takes one away; `sign` may be another."""

    def __init__(self):
        self.user = {"sub": "248289761001", "email": "ann@example.org", "email_verified": True}
        self.claims = {}
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.sign = self.sign_rightly
        self.document = {}
        self.requests = []
        self._codes = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self._server.server_port}/realm"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # --- what the browser does

    def authorize(self, url):
        """What the provider sends the browser back with, having logged the user in."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["code_challenge"]) == 43
        assert len(asked["nonce"]) >= 32
        assert len(asked["state"]) >= 32
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    # --- what the server asks

    def answer(self, path, form, authorization):
        self.requests.append(path)
        base = self.issuer
        if path == "/realm/.well-known/openid-configuration":
            return 200, {
                "issuer": base, "authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token",
                "jwks_uri": f"{base}/keys", "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                **self.document,
            }  # fmt: skip
        if path == "/realm/keys":
            return 200, {"keys": [self.key.as_dict(private=False)]}
        if path == "/realm/token":
            return self._token(form, authorization)
        return 404, {}

    def _token(self, form, authorization):
        asked = self._codes.pop(form.get("code"), None)
        wanted = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if authorization != wanted:
            return 401, {"error": "invalid_client"}
        if (
            asked is None
            or asked["code_challenge"] != challenge.decode().rstrip("=")
            or asked["redirect_uri"] != form.get("redirect_uri")
            or form.get("grant_type") != "authorization_code"
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": asked["nonce"]}
        claims = {**claims, **self.user, **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        return 200, {"access_token": "of no use", "token_type": "Bearer", "id_token": self.sign(claims)}

    # --- how it signs

    def sign_rightly(self, claims):
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)

    def sign_with_another_key(self, claims):
        other = RSAKey.generate_key(2048)
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, other)

    def sign_with_our_secret(self, claims):
        return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))

    def sign_with_its_public_key(self, claims):
        header = {"alg": "HS256", "kid": "one"}
        key = OctKey.import_key(base64.b64encode(self.key.as_pem(private=False)))
        return jwt.encode(header, claims, key)

    def sign_not_at_all(self, claims):
        parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
        return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), ""])

    def sign_and_change(self, claims):
        head, _, tail = self.sign_rightly(claims).split(".")
        body = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "admin"}).encode()).decode().rstrip("=")
        return f"{head}.{body}.{tail}"


def _handler(provider):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._send(*provider.answer(urlsplit(self.path).path, {}, ""))

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._send(*provider.answer(self.path, form, self.headers.get("Authorization", "")))

        def _send(self, status, body):
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            if status in {301, 302, 307}:
                self.send_header("Location", "http://127.0.0.1:9/")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    return Handler


__all__ = ["CLIENT", "SECRET", "IdentityProvider"]
