"""
The template language: Liquid, rendering what liquidjs renders, within limits.

Templates come from whoever configures a sync and values from a warehouse, so neither is
trusted: what a rendering reads, computes and writes is metered, and a template that asks for
too much fails on that row. Nothing but the given values can be reached.

``Template`` gives text. The others give text for a place with a grammar of its own, and no
value can break out of its place there: ``JsonTemplate`` and ``Structure`` give JSON values,
``UrlTemplate``, ``HeaderTemplate`` and ``FormTemplate`` parts of a request; ``Condition`` decides
about a row. What is rendered for one row may share one ``Allowance``.
"""

from destination.template.conditions import Condition
from destination.template.faults import TemplateError, TemplateSyntaxError
from destination.template.forms import FormTemplate
from destination.template.headers import HeaderTemplate
from destination.template.json_text import JsonTemplate
from destination.template.plain import Template
from destination.template.rendering import Allowance
from destination.template.source import MAX_SOURCE
from destination.template.structure import Structure
from destination.template.urls import UrlTemplate

__all__ = [
    "MAX_SOURCE",
    "Allowance",
    "Condition",
    "FormTemplate",
    "HeaderTemplate",
    "JsonTemplate",
    "Structure",
    "Template",
    "TemplateError",
    "TemplateSyntaxError",
    "UrlTemplate",
]
