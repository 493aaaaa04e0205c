"""The keys that a flow definition may have, level by level.

Some mean something here; the others are what exports carry for the platform they came from.
"""

from __future__ import annotations

# What current exports write at every level for the platform alone.
PLATFORM = (
    "stableKey",
    "stableId",
    "version",
    "externalVersion",
    "isCodeNative",
    "importMetadata",
    "isAgentFlow",
    "triggerResolver",
    "supplementalComponents",
)
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
    *PLATFORM,
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
    "quietHours",
    "frequencyCaps",
    *PLATFORM,
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
    "quietHours",
    "order",
    "errorConfig",
    *PLATFORM,
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
    *PLATFORM,
)
OPERATION = ("key", "component", "stableKey")
COMPONENT = ("key", "isPublic", "version", "signature", "stableKey")
ERROR_CONFIG = ("errorHandlerType", "maxAttempts", "delaySeconds", "usesExponentialBackoff", "ignoreFinalError")
RETRY_CONFIG = ("maxAttempts", "delayMinutes", "usesExponentialBackoff", "uniqueRequestIdField")
QUEUE_CONFIG = ("usesFifoQueue", "concurrencyLimit", "singletonExecutions", "dedupeIdField")
