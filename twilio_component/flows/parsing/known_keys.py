"""The keys that a flow definition may have, level by level.

Some mean something here; the others are what exports carry for the platform they came from.
"""

from __future__ import annotations

INTEGRATION = (
    "name",
    "description",
    "documentation",
    "category",
    "labels",
    "definitionVersion",
    "flows",
    "requiredConfigVars",
    "configPages",
    "userLevelConfigPages",
    "endpointType",
    "defaultInstanceProfile",
)
FLOW = (
    "name",
    "description",
    "isSynchronous",
    "retryConfig",
    "steps",
    "endpointSecurityType",
    "organizationApiKeys",
    "queueConfig",
    "schemas",
)
STEP = (
    "name",
    "description",
    "isTrigger",
    "action",
    "inputs",
    "schedule",
    "steps",
    "concurrency",
    "itemsFrom",
    "branches",
    "validFor",
    "errorConfig",
)
SOURCE = ("file", "action", "inputs")
CONFIG_VARIABLE = (
    "key",
    "description",
    "dataType",
    "defaultValue",
    "connection",
    "dataSource",
    "inputs",
    "meta",
    "orgOnly",
    "onPremiseConnectionConfig",
    "pickList",
    "codeLanguage",
    "collectionType",
    "scheduleType",
    "timeZone",
    "useScopedConfigVar",
)
OPERATION = ("key", "component")
COMPONENT = ("key", "isPublic", "version", "signature")
ERROR_CONFIG = ("errorHandlerType", "maxAttempts", "delaySeconds", "usesExponentialBackoff", "ignoreFinalError")
RETRY_CONFIG = ("maxAttempts", "delayMinutes", "usesExponentialBackoff")
