#!/usr/bin/env bash
# Throughput of 64 clients over REST (wrk) and gRPC (h2load), of several source trees in one run:
#
#     apt-get install wrk nghttp2-client
#     benchmarks/serving_load.sh . /tmp/older-checkout
#
# Both clients are written in C, so that they are not the bottleneck. Each tree serves the same kind of model with
# 20,108 items. SECONDS_EACH, CLIENTS and ROUNDS change the measurement.
set -euo pipefail
seconds=${SECONDS_EACH:-10} clients=${CLIENTS:-64} rounds=${ROUNDS:-2}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
here=$(cd "$(dirname "$0")" && pwd)
trees=("$@")

# A gRPC message is a byte without compression, its length in four bytes, and a PredictRequest.
PYTHONPATH=${trees[0]} python - "$here" "$work" <<'PYTHON'
import argparse, json, struct, sys
import numpy as np
import tensorflow as tf
sys.path.insert(0, sys.argv[1])
from serving import random_request
request = random_request(argparse.Namespace(items=20_108, length=60, k=100), np.random.default_rng(0))
message = request.SerializeToString()
open(f"{sys.argv[2]}/grpc", "wb").write(b"\0" + struct.pack(">I", len(message)) + message)
columns = {name: tf.make_ndarray(tensor).tolist() for name, tensor in request.inputs.items()}
body = json.dumps({"signature_name": "recommend", "inputs": columns})
open(f"{sys.argv[2]}/post.lua", "w").write(f"wrk.method = 'POST'\nwrk.body = '{body}'\n")
PYTHON

for number in "${!trees[@]}"; do
    PYTHONPATH=${trees[$number]} python - "${trees[$number]}/benchmarks" "$work/served$number" <<'PYTHON'
import subprocess, sys
sys.path.insert(0, sys.argv[1])
from serving import EXPORT
subprocess.run([sys.executable, "-c", EXPORT, sys.argv[2], "20108"], check=True)
PYTHON
done

echo "| round | tree | protocol | requests/s | failed |"
echo "|---:|---|---|---:|---:|"
for round in $(seq "$rounds"); do
    for number in "${!trees[@]}"; do
        tree=${trees[$number]}
        PYTHONPATH=$tree python -u -m kerasrec_cli serve "$work/served$number" --port 0 --rest-port 0 >"$work/line" 2>/dev/null &
        server=$!
        until grep -q '127.0.0.1' "$work/line"; do kill -0 "$server"; sleep 0.2; done
        read -r grpc rest < <(grep -o '127\.0\.0\.1:[0-9]*' "$work/line" | xargs)
        wrk -t 2 -c "$clients" -d "${seconds}s" --timeout 30s -s "$work/post.lua" \
            "http://$rest/v1/models/default:predict" >"$work/wrk"
        rate=$(sed -n 's/^Requests\/sec: *//p' "$work/wrk")
        failed=$(sed -n 's/.*Non-2xx or 3xx responses: *//p' "$work/wrk")
        echo "| $round | $tree | REST | $rate | ${failed:-0} |"
        h2load -t 1 -c "$clients" -m 1 -D "$seconds" -d "$work/grpc" -H 'content-type: application/grpc' \
            -H 'te: trailers' "http://$grpc/tensorflow.serving.PredictionService/Predict" >"$work/h2load"
        rate=$(sed -n 's/^finished in .*, \([0-9.]*\) req\/s.*/\1/p' "$work/h2load")
        failed=$(sed -n 's/^requests:.* \([0-9]*\) failed.*/\1/p' "$work/h2load")
        echo "| $round | $tree | gRPC | $rate | $failed |"
        kill -9 "$server"
        wait "$server" 2>/dev/null || true
        : >"$work/line"
    done
done
