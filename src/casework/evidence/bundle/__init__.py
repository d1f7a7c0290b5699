"""The log as files: written from the database, verified without it, on any machine, by anybody who holds a key.

`layout` says what lies where (pure), `export` writes it; `verify` and what it needs (`source`, `hashing`, `links`,
`trust`, `deep`) read nothing but the folder: no database, no network, no settings (docs/log.md §4).
"""
