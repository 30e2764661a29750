"""Auto-recharge over HTTP (contract §3.7)."""

from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import UNSET

from meterhouse.http.recharge_bodies import (
    AutoRechargeBody,
    DisabledAnswer,
    RechargeAnswer,
    SavedRechargeAnswer,
    config_answer,
    display_answer,
    read_terms,
)
from meterhouse.http.refs import CustomerNames, CustomerRef, ExternalRef, check_refs, ref_faults
from meterhouse.metering.auto_recharge import AutoRecharges
from meterhouse.metering.payments import Processors
from meterhouse.model.errors import ValidationFailed
from meterhouse.model.tenant import Caller
from meterhouse.ports import Directory


class AutoRechargeRoutes:
    def __init__(self, recharges: AutoRecharges, processors: Processors, directory: Directory) -> None:
        self._recharges = recharges
        self._names = CustomerNames(directory)
        self._processors = processors

    async def get(
        self,
        caller: NamedDependency[Caller],
        customer_ref: CustomerRef = None,
        external_ref: ExternalRef = None,
    ) -> RechargeAnswer:
        """Get a customer's automatic top-ups. customerRef or externalRef is required."""
        customer_ref = await self._names.existing_ref(caller, customer_ref, external_ref)
        check_refs({"customerRef": customer_ref})
        config = await self._recharges.get(caller, customer_ref or "")
        if config is None:
            return RechargeAnswer(None)
        answer = config_answer(config, self._recharges.now(), self._recharges.most_daily)
        return RechargeAnswer(answer, display_answer(config.terms))

    async def save(
        self, caller: NamedDependency[Caller], data: JSONBody[AutoRechargeBody]
    ) -> SavedRechargeAnswer:
        """Buy credits for a customer whenever the balance falls below a threshold, with a saved card."""
        await self._names.resolve(caller, data)
        read = read_terms(data)
        faults = ref_faults({"customerRef": data.customer_ref})
        if faults or isinstance(read, list):
            raise ValidationFailed(faults + (read if isinstance(read, list) else []))
        saved = await self._recharges.save(
            caller,
            data.customer_ref or "",
            read,
            enabled=bool(data.enabled),
            collect=not data.defer_setup_intent,
        )
        answer = SavedRechargeAnswer(
            config_answer(saved.config, self._recharges.now(), self._recharges.most_daily),
            display_answer(saved.config.terms),
        )
        if saved.setup is not None:
            answer.setup_client_secret = saved.setup.client_secret
            answer.publishable_key = self._processors.of(caller.scope.environment).publishable_key or UNSET
        return answer

    async def disable(
        self,
        caller: NamedDependency[Caller],
        customer_ref: CustomerRef = None,
        external_ref: ExternalRef = None,
    ) -> DisabledAnswer:
        """Switch a customer's automatic top-ups off. customerRef or externalRef is required."""
        customer_ref = await self._names.existing_ref(caller, customer_ref, external_ref)
        check_refs({"customerRef": customer_ref})
        await self._recharges.disable(caller, customer_ref or "")
        return DisabledAnswer()
