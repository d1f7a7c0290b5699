"""The witness: a small program on another machine that looks at a log, signs what it saw, and refuses a second history.

It needs neither the branch's database nor its settings: a folder with its own key, the log's public keys, and the
checkpoint that it signed last. `judging` decides (pure), `folder` keeps, `fetching` asks, `checking` does all of it.
"""
