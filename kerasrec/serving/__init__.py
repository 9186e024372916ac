"""A server and a client for exported models, both with TF Serving's protocols."""

from kerasrec.serving.batching import Batching
from kerasrec.serving.client import Client
from kerasrec.serving.connection import ServingError
from kerasrec.serving.limits import Limits
from kerasrec.serving.server import Server
from kerasrec.serving.tls import TLS

__all__ = ["TLS", "Batching", "Client", "Limits", "Server", "ServingError"]
