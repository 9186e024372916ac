"""A local server of exported models and a client, both of TF Serving's protocol."""

from kerasrec.serving.batching import Batching
from kerasrec.serving.client import Client, ServingError
from kerasrec.serving.server import Server
from kerasrec.serving.tls import TLS

__all__ = ["TLS", "Batching", "Client", "Server", "ServingError"]
