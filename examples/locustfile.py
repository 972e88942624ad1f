"""A load test as one writes it for the real service: it knows nothing of servesim.

servesim load script examples/locustfile.py -- --users 5 --run-time 10s
"""

import json
import os
from pathlib import Path

from locust import FastHttpUser, task


class Caller(FastHttpUser):
    """Sends the same request again and again."""

    def on_start(self):
        """Read who is asked, as whom, and with what."""
        self.endpoint = os.environ.get("ENDPOINT_NAME", "fraud")
        self.headers = {"Authorization": f"Bearer {os.environ['DATABRICKS_TOKEN']}"}
        self.request = json.loads(Path(__file__).with_name("request.json").read_text(encoding="utf-8"))

    @task
    def query(self):
        """Ask."""
        self.client.post(f"/serving-endpoints/{self.endpoint}/invocations", headers=self.headers, json=self.request)
