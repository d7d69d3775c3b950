"""The command `python -m tpserver compress DIR`: writes coded files beside the plain ones, ahead of time."""
