"""What FOCUS 1.2 says of the columns of its Cost and Usage dataset.

Written down from the specification's column definitions (focus.finops.org, version 1.2): the data
type, whether NULL is allowed, and the allowed values of columns that have some. `level` is
Mandatory, Conditional (on what the provider offers: here usage that is measured, a public price
list, workspaces, regions and tags) or Recommended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rule:
    """A column of the specification."""

    level: Literal["Mandatory", "Conditional", "Recommended"]
    data_type: Literal["Decimal", "String", "Date/Time", "JSON"]
    allows_nulls: bool
    values: tuple[str, ...] = ()


RULES = {
    "BilledCost": Rule("Mandatory", "Decimal", False),
    "BillingAccountId": Rule("Mandatory", "String", False),
    "BillingAccountName": Rule("Mandatory", "String", True),
    "BillingAccountType": Rule("Conditional", "String", True),
    "BillingCurrency": Rule("Mandatory", "String", False),
    "BillingPeriodEnd": Rule("Mandatory", "Date/Time", False),
    "BillingPeriodStart": Rule("Mandatory", "Date/Time", False),
    "ChargeCategory": Rule(
        *("Mandatory", "String", False),
        ("Adjustment", "Credit", "Purchase", "Tax", "Usage"),
    ),
    "ChargeClass": Rule("Mandatory", "String", True, ("Correction",)),
    "ChargeDescription": Rule("Mandatory", "String", True),
    "ChargeFrequency": Rule(
        *("Recommended", "String", False), ("One-Time", "Recurring", "Usage-Based")
    ),
    "ChargePeriodEnd": Rule("Mandatory", "Date/Time", False),
    "ChargePeriodStart": Rule("Mandatory", "Date/Time", False),
    "ConsumedQuantity": Rule("Conditional", "Decimal", True),
    "ConsumedUnit": Rule("Conditional", "String", True),
    "ContractedCost": Rule("Mandatory", "Decimal", False),
    "ContractedUnitPrice": Rule("Conditional", "Decimal", True),
    "EffectiveCost": Rule("Mandatory", "Decimal", False),
    "InvoiceIssuerName": Rule("Mandatory", "String", False),
    "ListCost": Rule("Mandatory", "Decimal", False),
    "ListUnitPrice": Rule("Conditional", "Decimal", True),
    "PricingCategory": Rule(
        *("Conditional", "String", True), ("Committed", "Dynamic", "Other", "Standard")
    ),
    "PricingQuantity": Rule("Mandatory", "Decimal", True),
    "PricingUnit": Rule("Mandatory", "String", True),
    "ProviderName": Rule("Mandatory", "String", False),
    "PublisherName": Rule("Mandatory", "String", False),
    "RegionId": Rule("Conditional", "String", True),
    "RegionName": Rule("Conditional", "String", True),
    "ServiceCategory": Rule(
        *("Mandatory", "String", False),
        (
            *("AI and Machine Learning", "Analytics", "Business Applications", "Compute"),
            *("Databases", "Developer Tools", "Identity", "Integration", "Internet of Things"),
            *("Management and Governance", "Media", "Migration", "Mobile", "Multicloud"),
            *("Networking", "Other", "Security", "Storage", "Web"),
        ),
    ),
    "ServiceName": Rule("Mandatory", "String", False),
    # Of the category AI and Machine Learning.
    "ServiceSubcategory": Rule(
        *("Recommended", "String", False),
        (
            *("AI Platforms", "Bots", "Generative AI", "Machine Learning"),
            *("Natural Language Processing", "Other (AI and Machine Learning)"),
        ),
    ),
    "SkuId": Rule("Conditional", "String", True),
    "SkuMeter": Rule("Conditional", "String", True),
    "SkuPriceDetails": Rule("Conditional", "JSON", True),
    "SkuPriceId": Rule("Conditional", "String", True),
    "SubAccountId": Rule("Conditional", "String", True),
    "SubAccountName": Rule("Conditional", "String", True),
    "SubAccountType": Rule("Conditional", "String", True),
    "Tags": Rule("Conditional", "JSON", True),
}
"""Columns that the dataset has; of those that it lacks, none is mandatory."""

MANDATORY = {
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency"),
    *("BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass"),
    *("ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost"),
    *("EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit"),
    *("ProviderName", "PublisherName", "ServiceCategory", "ServiceName"),
}

# What else must hold of each row; none is a correction.
CONDITIONS = (
    "BillingPeriodStart < BillingPeriodEnd",
    "ChargePeriodStart < ChargePeriodEnd",
    "ConsumedQuantity IS NULL OR ChargeCategory = 'Usage'",
    "(ConsumedUnit IS NULL) = (ConsumedQuantity IS NULL)",
    "(PricingUnit IS NULL) = (PricingQuantity IS NULL)",
    "(BillingAccountType IS NULL) = (BillingAccountId IS NULL)",
    "(SubAccountName IS NULL) = (SubAccountId IS NULL)",
    "(SubAccountType IS NULL) = (SubAccountId IS NULL)",
    "(RegionName IS NULL) = (RegionId IS NULL)",
    "SkuId IS NOT NULL OR ChargeCategory NOT IN ('Usage', 'Purchase')",
    "SkuPriceId IS NOT NULL OR ChargeCategory NOT IN ('Usage', 'Purchase')",
    "PricingCategory IS NOT NULL OR ChargeCategory NOT IN ('Usage', 'Purchase')",
    "SkuMeter IS NULL OR SkuId IS NOT NULL",
    "SkuPriceDetails IS NULL OR SkuPriceId IS NOT NULL",
    "ChargeFrequency <> 'Usage-Based' OR ChargeCategory <> 'Purchase'",
    "ListUnitPrice IS NULL OR ListUnitPrice >= 0",
    "ContractedUnitPrice IS NULL OR ContractedUnitPrice >= 0",
    "coalesce(ListUnitPrice * PricingQuantity = ListCost, true)",
    "coalesce(ContractedUnitPrice * PricingQuantity = ContractedCost, true)",
    "regexp_full_match(BillingCurrency, '[A-Z]{3}')",
    "Tags IS NULL OR json_type(Tags) = 'OBJECT'",
    "SkuPriceDetails IS NULL OR json_type(SkuPriceDetails) = 'OBJECT'",
    # Keys that the specification does not define begin so.
    "coalesce(list_bool_and([starts_with(k, 'x_') FOR k IN json_keys(SkuPriceDetails)]), true)",
)
# No empty text stands for a missing value.
NOT_BLANK = "{column} IS NULL OR trim({column}::VARCHAR) <> ''"
