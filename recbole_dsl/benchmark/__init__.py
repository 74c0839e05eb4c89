"""Many runs under one protocol: models x datasets x seeds, a store of results, a report.

:mod:`options` reads the command line, :mod:`plan` turns it into checked runs, :mod:`execution`
trains what the :mod:`store` lacks, :mod:`summary` and :mod:`significance` reduce what it holds,
:mod:`tables` and :mod:`page` show that.
"""
