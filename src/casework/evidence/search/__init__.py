"""Finding entries: an index beside the log, derived from it, filled behind the sealer; nothing is added to a write.

    said       what an entry's body says that can be asked for; the terms and steps of amounts it is filed under (pure)
    wanted     the filter, its grammar, and whether one entry matches it (pure)
    bits       a set of entries of one segment as bytes (pure)
    tables     terms, postings, segments, and how far the index has come
    index      filling it, making it anew, comparing it with the log
    find       pages of entries: by streams, by the index, or one by one
    cursor     where a page ended
    export     entries as CSV, XLSX and JSON Lines

The log is the truth; the index only says where to look. Every entry shown was read from the log and matched anew, and
what the index does not cover yet is looked at one by one.
"""
