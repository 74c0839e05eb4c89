"""What a benchmark's records say: tables, figures, tests of significance."""
