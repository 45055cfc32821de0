"""A simulator's cloud as one of its users has it, without HTTP."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest

from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.models.iam import User
from cs_matrix_pytest.simulator.simulator import Simulator

C = TypeVar("C", bound="CloudUser")


class CloudUser:
    """Runs commands as one user of a cloud; by default as its administrator."""

    def __init__(self, simulator: Simulator, caller: Caller | None = None) -> None:
        self.simulator, self.cloud = simulator, simulator.cloud
        self.caller = caller or Caller(simulator.cloud.admin_user)

    def __call__(self, command: str, **params: Any) -> dict[str, Any]:
        return self.cloud.run(command, self.caller, **params)

    def fails(self, command: str, **params: Any) -> tuple[int, str]:
        """Error code and text of a command that must fail."""
        with pytest.raises(ApiError) as caught:
            self(command, **params)
        return caught.value.code, caught.value.text

    def user(self: C, name: str) -> C:
        """The same cloud as the user of a new account has it."""
        person = {"username": name, "firstname": name, "lastname": name, "email": f"{name}@example.org"}
        self("createAccount", password="secret", accounttype=0, **person)
        found = self.cloud.store.table(User).first(username=name)
        assert found is not None
        return type(self)(self.simulator, Caller(found))
