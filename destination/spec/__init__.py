"""
Destinations by declaration: requests as values, for the webhook and for spec files alike.

``request`` says what a request is made of, ``answer`` and ``results`` how its answer is read;
``selection`` which records are sent, and together with which. ``http`` is the destination made of
these.
"""
