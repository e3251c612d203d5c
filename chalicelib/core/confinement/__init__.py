"""Walls around code that handles untrusted content: child processes without secrets and with almost no authority.

`workers` runs a function in such a process; `walls` applies the kernel's mechanisms: resource limits, no_new_privs, a
seccomp filter (`seccomp`, `syscalls`), Landlock (`landlock`).
"""
