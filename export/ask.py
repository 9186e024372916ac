"""Requests recommendations from a server: `python export/ask.py 1,260,1196`."""

import sys

from kerasrec.serving import Client

history = sys.argv[1].split(",")
with Client("127.0.0.1:8500", model="default") as client:
    if client.input_types()["history"] != "string":
        history = [int(item) for item in history]
    item_ids, scores = client.recommend([history], k=10)
    titles = client.titles(item_ids)
for item, score, title in zip(item_ids[0], scores[0], titles[0], strict=True):
    print(f"{item:>8}  {score:.4f}  {title}".rstrip())
