#!/usr/bin/env bash
# Installs what kerasrec is measured against into an environment of its own: benchmarks/peers.sh FOLDER
set -euo pipefail
[ $# = 1 ] || { echo "usage: benchmarks/peers.sh FOLDER" >&2; exit 2; }
python3 -m venv "$1"
"$1/bin/pip" install torch==2.13.0 'numpy<2' 'pandas<2.3' 'scipy<1.14' 'setuptools<80' ray tensorboard recbole==1.2.1
"$1/bin/python" -c "import recbole, torch; print('RecBole', recbole.__version__, 'torch', torch.__version__)"
