"""Many runs under one protocol: models x datasets x seeds, a store of results, a report.

:mod:`benchmark` does all of it for a :mod:`request`: :mod:`plan` lists the runs, checked;
:mod:`studies` and :mod:`tuning` find settings first where that is asked for; :mod:`execution` runs
what the :mod:`store` lacks, in the processes of :mod:`jobs`; :mod:`report` reduces the records to
tables and figures.
"""
