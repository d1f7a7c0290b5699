"""Collection of overdue loans: charts as data, one door to the state, every step on record.

The way of one command, from the API (`api`) or the shell (`casework.cli`):
    command (lifecycle.commands) → the door (lifecycle.advance): gather → decide → write → the caller commits.

Groups are folders and layers, from the top; imports go downwards only, and nothing lies deeper than group and folder:
    cli         the shell: one file a command
    demo        an invented branch and its story
    operation   what runs a branch: starting, keys, imports in a process apart, the sweep, sealing, backup, restore
    evidence    what is shown to who was not there: verifying, bundle, dossier, ledger, past, search, mining, …
    oversight   the law beside the work: privacy (personal data, legal holds, erasure)
    intake      what comes from outside: feed (the core-banking system's), enrolment (people)
    work        tasks, handover, four_eyes, duties, gate, cases, case_guards, requests, promises, holds, contacts,
                handovers (their states)
    lifecycle   the engine of everything that has a chart: subject, fold, door, judge, sweep; names no noun
    people      who works here: identity (log-in, keys, issuers), staff (posts, leave, permissions, tokens), days,
                shifts (the roster, and who answers for who is off)
    log         the log that convicts: format (bytes), write (the one writer, sealer, signer), check (verification)
    rules       rules as data: statechart (charts and policies read, checked whole, decided, drawn)
    storage     where rows lie: database, compiled, schema, migrate, rows, append_only
    leaves      the files beside this one: clock, money, errors, codes, ids, settings, personal, screen, spreadsheet, …

The charts are in `statecharts/`, the schema's history in `migrations/`, decisions in `docs/decisions/`.
"""
