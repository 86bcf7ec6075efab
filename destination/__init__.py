"""
What a destination imports: the base class, the words it declares with, the errors it raises.

The names are the whole interface; a module under ``destinations`` needs nothing else of ours.
"""

from destination.errors import (
    AuthError,
    Code,
    ConfigError,
    DestinationError,
    FatalError,
    NoAnswer,
    RateLimited,
    RefusedError,
    RowError,
    TargetError,
    UnavailableError,
)
from destination.fingerprint import event_id
from destination.model import (
    Batch,
    Checked,
    Field,
    FieldType,
    Form,
    Limits,
    Mode,
    Object,
    Operation,
    Rate,
    Record,
    Rejection,
    per_second,
)
from destination.plugin import Destination, NoOptions
from destination.problems import explained
from destination.quoting import quoted
from destination.schema import TemplateText
from destination.singly import each
from destination.spec.declarations import FieldDeclaration
from destination.spec.http import Declared, HttpDestination
from destination.spec.prepared import ungrouped
from destination.spec.request import Request
from destination.spec.selection import Selection
from destination.strict import (
    Address,
    HeaderName,
    HeaderValue,
    Line,
    OptionalAddress,
    SecretLine,
    Strict,
)
from destination.sync import Sync
from destination.template import Template
from destination.vendor.access import Auth, NoAuth, Signing, credentials
from destination.vendor.auth import HeaderAuth, bearer
from destination.vendor.client import VendorClient
from destination.vendor.connection import Connection
from destination.vendor.encoding import encode
from destination.vendor.grants import Grant, Renewing, Token, TokenNames, TokenRequest
from destination.vendor.oauth import TokenAuth

__all__ = [
    "Address",
    "Auth",
    "AuthError",
    "Batch",
    "Checked",
    "Code",
    "ConfigError",
    "Connection",
    "Declared",
    "Destination",
    "DestinationError",
    "FatalError",
    "Field",
    "FieldDeclaration",
    "FieldType",
    "Form",
    "Grant",
    "HeaderAuth",
    "HeaderName",
    "HeaderValue",
    "HttpDestination",
    "Limits",
    "Line",
    "Mode",
    "NoAnswer",
    "NoAuth",
    "NoOptions",
    "Object",
    "Operation",
    "OptionalAddress",
    "Rate",
    "RateLimited",
    "Record",
    "RefusedError",
    "Rejection",
    "Renewing",
    "Request",
    "RowError",
    "SecretLine",
    "Selection",
    "Signing",
    "Strict",
    "Sync",
    "TargetError",
    "Template",
    "TemplateText",
    "Token",
    "TokenAuth",
    "TokenNames",
    "TokenRequest",
    "UnavailableError",
    "VendorClient",
    "bearer",
    "credentials",
    "each",
    "encode",
    "event_id",
    "explained",
    "per_second",
    "quoted",
    "ungrouped",
]
