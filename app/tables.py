"""Every capability's tables and facts, imported so that the metadata is whole."""

import app.customers.facts
import app.loyalty.facts
import app.loyalty.finality
import app.outreach.tables
import app.platform.audit
import app.platform.idempotency
import app.platform.limits
import app.policy.tables
import app.purchases.facts
import app.scores.tables
import app.segments.tables
import app.touchpoints.facts  # noqa: F401
from app.platform.database import Base

metadata = Base.metadata
