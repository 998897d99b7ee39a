"""What a partner runs: takes webhooks and believes only those whose signature is good.

    python partner.py endpoint.json

`endpoint.json` is what `galw partners endpoints add … --json` printed: the address to listen on and the secret.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from standardwebhooks import Webhook, WebhookVerificationError

endpoint = json.loads(Path(sys.argv[1]).read_text())
webhook = Webhook(endpoint["secrets"][0]["value"])


class Partner(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = webhook.verify(body, dict(self.headers.items()))
        except WebhookVerificationError as error:
            print(f"refused: {error}", flush=True)
            self.send_response(401)
        else:
            print(f"verified: {event['type']} {json.dumps(event['data'])}", flush=True)
            self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", urlsplit(endpoint["url"]).port), Partner).serve_forever()
