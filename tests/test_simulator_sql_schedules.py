"""Schedules in the simulator's database: the schedule, and the job that it is due for."""

from __future__ import annotations

import contextlib

import mysql.connector

from cs_matrix_pytest.simulator import Simulator


def test_a_schedule_and_its_next_job_are_rows() -> None:
    with Simulator(api_port=0) as simulator:
        run = simulator.run
        person = {"username": "u", "password": "p", "firstname": "a", "lastname": "b", "email": "a@example.org"}
        account = run("createAccount", accounttype=0, **person)["account"]
        vm = run(
            "deployVirtualMachine",
            account="u",
            domainid=account["domainid"],
            zoneid=run("listZones")["zone"][0]["id"],
            serviceofferingid=run("listServiceOfferings")["serviceoffering"][0]["id"],
            templateid=run("listTemplates", templatefilter="featured")["template"][0]["id"],
        )["virtualmachine"]
        schedule = run(
            "createVMSchedule", virtualmachineid=vm["id"], action="stop", schedule="0 * * * *", timezone="UTC"
        )["vmschedule"]
        login = {"host": "127.0.0.1", "port": simulator.database_port, "user": "cloud", "password": "cloud"}
        with contextlib.closing(mysql.connector.connect(**login, database="cloud")) as connection:
            cursor = connection.cursor(buffered=True)
            cursor.execute("select resource_type, action from resource_schedule where uuid = %s", (schedule["id"],))
            assert cursor.fetchall() == [("VirtualMachine", "STOP")]
            cursor.execute(
                "select action, substring(scheduled_timestamp, 15), async_job_id from resource_scheduled_job "
                "where schedule_id in (select id from resource_schedule where uuid = %s)",
                (schedule["id"],),
            )
            assert cursor.fetchall() == [("STOP", "00:00", None)]
