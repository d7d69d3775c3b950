"""The command `python -m tpserver service`: tpserver as a service of Windows, by advapi32.

`command` is what a user calls, `manager` asks Windows's service manager. `process` runs in the process that the manager
starts; `states` is what that process reports.
"""
