"""`python -m kerasrec_cli`, as `kerasrec`."""

from kerasrec_cli import main

main()
