"""The log for process mining: XES (IEEE 1849) and OCEL 2.0 (JSON, SQLite), read-only, with the standard library alone.

`export` reads what is `chosen`; `told` says what an entry tells; `xes` writes it as it comes; OCEL goes through `spool`
into `ocel_json` or `ocel_sqlite`.
"""
