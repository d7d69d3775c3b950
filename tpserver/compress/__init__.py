"""python -m tpserver compress DIR: coded files beside the plain ones, ahead of time."""
