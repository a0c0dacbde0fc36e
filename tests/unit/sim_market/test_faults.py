import pytest

from deltawire.sim.faults import COUNT_MAX, KINDS, NEEDED, ONLY_AT, Fault, Faults


def test_a_fault_strikes_as_often_as_it_was_armed_for():
    faults = Faults()
    faults.add(Fault("vest", "lose_reply", count=2))
    taken = [faults.take("vest", "lose_reply") for _ in range(3)]
    assert [fault is not None for fault in taken] == [True, True, False]
    assert faults.taken["vest", "lose_reply"] == 2
    assert faults.armed() == []


def test_faults_of_another_venue_or_kind_are_left_alone():
    faults = Faults()
    faults.add(Fault("vest", "lose_reply"))
    assert faults.take("paradex", "lose_reply") is None
    assert faults.take("vest", "drop_before") is None
    assert faults.armed() == [{"venue": "vest", "kind": "lose_reply", "count": 1, "params": {}}]


def test_the_oldest_fault_of_a_kind_strikes_first():
    faults = Faults()
    for ms in (1, 2):
        faults.add(Fault("paradex", "delay_reply", params={"ms": ms}))
    taken = [faults.take("paradex", "delay_reply") for _ in range(2)]
    assert [fault.params["ms"] for fault in taken if fault] == [1, 2]


def test_a_listener_hears_of_its_venue_and_may_take_at_once():
    faults = Faults()
    dropped = []

    def on_armed(fault: Fault) -> None:
        if fault.kind == "drop_stream":
            taken = faults.take("paradex", "drop_stream")
            assert taken is not None
            dropped.append(taken.params["link"])

    faults.listen("paradex", on_armed)
    faults.add(Fault("paradex", "drop_stream", params={"link": "orders"}))
    faults.add(Fault("vest", "drop_stream", params={"link": "private"}))
    assert dropped == ["orders"]
    assert [fault["venue"] for fault in faults.armed()] == ["vest"]


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (Fault("binance", "gap"), "binance"),
        (Fault("vest", "explode"), "explode"),
        (Fault("vest", "gap"), "paradex only"),
        (Fault("paradex", "http_530"), "vest only"),
        (Fault("vest", "http_530", params={"where": "there"}), "before or after"),
        (Fault("vest", "cut", params={"port": "ws", "way": "up"}), "needs its parameter 'bytes'"),
        (Fault("vest", "lose_reply", count=0), "count 0"),
        (Fault("vest", "lose_reply", count=COUNT_MAX + 1), str(COUNT_MAX)),
        (Fault("vest", "delay_reply", params={"seconds": 1}), "seconds"),
        (Fault("vest", "delay_reply", params={"ms": "1"}), "ms"),
        (Fault("vest", "delay_reply", params={"ms": True}), "ms"),
        (Fault("vest", "delay_reply", params={"ms": -1}), "-1"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_by_name_and_not_armed(fault, named):
    faults = Faults()
    with pytest.raises(ValueError, match=named):
        faults.add(fault)
    assert faults.armed() == []


def test_every_kind_can_be_armed_and_cleared():
    faults = Faults()
    for kind in KINDS:
        needed = {"port": "ws", "way": "up", "bytes": 1}
        params = {name: needed[name] for name in NEEDED.get(kind, ())}
        faults.add(Fault(ONLY_AT.get(kind, "vest"), kind, params=params))
    assert faults.clear() == len(KINDS)
    assert faults.armed() == []


def test_a_venue_of_an_example_may_have_every_kind_and_stands_alone():
    faults = Faults(venues=("toy",))
    faults.add(Fault("toy", "gap"))
    assert faults.take("toy", "gap") is not None
    with pytest.raises(ValueError, match="unknown venue 'paradex'; one of toy"):
        faults.add(Fault("paradex", "gap"))


def test_a_fault_that_does_not_fit_is_not_spent_by_another():
    faults = Faults()
    for link in ("orders", "private"):
        faults.add(Fault("paradex", "drop_stream", params={"link": link}))
    taken = faults.take("paradex", "drop_stream", lambda fault: fault.params["link"] == "private")
    assert taken is not None
    assert taken.params == {"link": "private"}
    assert [fault["params"] for fault in faults.armed()] == [{"link": "orders"}]


def test_a_planned_fault_is_armed_in_time_for_its_moment_and_at_no_other():
    faults = Faults()
    faults.plan(Fault("vest", "lose_reply"), "order", 2)
    assert faults.planned() == [
        {"venue": "vest", "kind": "lose_reply", "count": 1, "params": {}, "at": {"order": 2}},
    ]
    struck = []
    for venue in ("vest", "paradex", "vest", "vest"):
        faults.saw(venue, "order")
        struck.append(faults.take(venue, "lose_reply") is not None)
    assert struck == [False, False, True, False]
    assert faults.planned() == []


@pytest.mark.parametrize(("moment", "number"), [("order", 1), ("order", 0), ("dawn", 5)])
def test_a_plan_for_a_moment_that_cannot_come_is_refused(moment, number):
    faults = Faults()
    faults.saw("vest", "order")
    with pytest.raises(ValueError, match=r"so far|unknown moment"):
        faults.plan(Fault("vest", "lose_reply"), moment, number)
    assert faults.planned() == []


def test_clearing_forgets_plans_too():
    faults = Faults()
    faults.plan(Fault("vest", "lose_reply"), "order", 9)
    faults.add(Fault("vest", "lose_reply"))
    assert faults.clear() == 2
    assert (faults.armed(), faults.planned()) == ([], [])
