"""Collection of overdue loans: charts as data, one door to the state, every step on record.

The way of one command, from the API (`api`) or the shell (`casework.cli`):
    command (lifecycle.commands) → the door (lifecycle.advance): gather → decide → write → the caller commits.

Which slice owns what, from the top; imports go downwards only:
    demo        an invented branch and its story
    enrolment   people taken on, one by one or from a file; their posts granted at the shell or asked for
    feed        the core-banking feed: folder → rows → reconcile → commands to the door
    handover    departures and transfers: plan, preview, approval, apply, receipts
    four_eyes   asking, reviewing, approving: events of cases, posts; what is approved happens at once
    past        a case or the portfolio at any past instant, and between two, from the log alone
    cases       the case on the engine: guards, effects, owners, lists, options; the list of nouns
    work        promises and holds: a struct and its rules each, pure
    lifecycle   the engine of everything that has a chart: subject, fold, door, judge, sweep; names no noun
    request     one request under four eyes, pure: its fold, guards, topics
    identity    passwords, sessions, second factors, keys, outside issuers, the brake on guessing
    staff       people, each the fold of his entries: posts, teams, leave; who may do what; tokens
    search      finding entries of the log: an index beside it, pages, files
    witness     internal audit's own program: cosigns checkpoints, refuses a second history; needs no database
    audit       entries, chains, the one writer of the log, the sealed tree, verification
    statechart  charts and policies as data: read, checked whole, decided, drawn; nothing of cases
    leaves      clock, money, errors, screen, spreadsheet, settings, database, rows, append_only, schema, migrate,
                personal, customer (whose a borrower's number is)

Across them: `startup` (settings → a branch ready to work), `verifying` (the log and every slice's rows), `backup` and
`restore`, `right_keys` (which of the keys at hand have made what is there).
The charts are in `statecharts/`, the schema's history in `migrations/`, decisions in `docs/decisions/`.
"""
