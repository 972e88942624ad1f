"""A locust file to be given beside any other, so that its requests are counted and judged: ``-f plugin.py,FILE``."""

from servesim.load.script import watch

watch()
